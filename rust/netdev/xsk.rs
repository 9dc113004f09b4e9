// SPDX-License-Identifier: GPL-2.0

//! AF_XDP without copies: receive buffers and packets to be sent that lie in memory of user space.
//!
//! A socket of user space is bound to a queue with a *pool*, a part of its memory that is cut into chunks. User space passes
//! chunks to the pool (*fill ring*) and packets to be sent (*transmit ring*), and gets packets and chunks back (*receive ring*,
//! *completion ring*). The rings are the stack's; it copies what is in them before it looks at it, and checks that
//! addresses and lengths lie in the pool. What user space writes to the memory itself, which it may do at any time, is no
//! more trusted than what a device writes.
//!
//! A driver that is an [`Xsk`] is told of the pool of a queue, and opens it ([`XskSetup::open`]): that makes one [`XskPool`], which
//! belongs to the receive queue, and one [`XskTx`], which belongs to the transmit queue. The stack frees a pool as soon as it
//! has been taken from the driver. So what has been opened is waited for, and the queues hold it as long as the device
//! may access its memory ([`XskSource`]).
//!
//! A chunk is lent to the device as [`XskChunk`]. With a packet in it, it becomes an [`XskBuff`], which a program decides about:
//! it goes to a socket, or is copied for whoever else gets it. What is to be sent is an [`XskDesc`].
//!
//! C header: [`include/net/xdp_sock_drv.h`](srctree/include/net/xdp_sock_drv.h)

mod attach;
mod binding;
mod buff;
mod chunk;
mod desc;
mod order;
mod pool;
mod request;
mod slots;
mod tx;

pub(crate) use self::{
    attach::Setup,
    binding::Bindings, //
};
pub use self::{
    attach::Xsk,
    binding::{
        XskSetup,
        XskSource, //
    },
    buff::XskBuff,
    chunk::XskChunk,
    desc::{
        XskDesc,
        XskSent, //
    },
    pool::{
        XskChunks,
        XskPool, //
    },
    request::XskChecksum,
    tx::{
        XskTaken,
        XskTx, //
    },
};
