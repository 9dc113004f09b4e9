// SPDX-License-Identifier: GPL-2.0

//! Virtqueues, and the buffers that are lent to the device through them.
//!
//! # Lending
//!
//! A buffer is *moved* into a [`Virtqueue`]. From then on the queue owns it, in the form of the
//! token that the virtio core keeps for the descriptor chain (in the guest's memory, where the
//! device cannot write). The buffer comes back by value in one of four ways, and only once,
//! because the core forgets a token as it hands it out:
//!
//! - the device has used it: [`Virtqueue::pop`] or [`Virtqueue::reclaim`];
//! - it could not be added: [`Rejected`];
//! - the queue is resized: it is reset first, then each buffer that is still lent is released;
//! - the queue is dropped: the device is reset first, then each buffer that is still lent is
//!   released.
//!
//! So driver code can neither read, nor free, nor lend again what the device may access: it has no
//! value to do that with. It costs nothing: a token is the pointer that C passes as well, and there
//! is no allocation, lock or count per buffer. What the device says about a buffer is checked: the
//! core takes only the number of a chain that is lent, and a length is bounded by what was lent.
//!
//! Which memory belongs to a buffer is said by the buffer's type, in an implementation of
//! [`Outgoing`] or [`Incoming`]. These traits are `unsafe` to implement and safe to use. What goes
//! both ways, a request and its answer, is an [`Exchange`].

mod exchange;
mod find;
mod lend;
mod moment;
mod premapped;
mod request;
mod resize;
mod retype;
mod set;
mod vectors;
mod virtqueue;

use self::virtqueue::check;

pub use self::{
    exchange::{
        Answered,
        Exchange,
        Message, //
    },
    find::{
        find,
        Found, //
    },
    moment::Moment,
    request::{
        Name,
        Request, //
    },
    resize::Resized,
    vectors::{
        Irq,
        Vectors, //
    },
    virtqueue::{
        Armed,
        Callback,
        Indices,
        Interrupted,
        Overrun,
        Rejected,
        Virtqueue, //
    },
};
pub use dma::{
    sg,
    Buffer,
    Incoming,
    Outgoing,
    OutgoingPremapped,
    Placed,
    Premapped,
    PremappedBatch,
    Scattered,
    Source, //
};
