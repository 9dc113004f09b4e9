// SPDX-License-Identifier: GPL-2.0

//! Queues: their life, and exclusive access to the driver's state of them.

mod done;
mod freeze;
mod life;
mod manage;
mod pause;
mod rx;
mod tx;

pub use self::{
    done::Done,
    manage::QueueManagement,
    pause::{
        RxLent,
        RxPaused,
        TxPaused, //
    },
    rx::{
        RxAccess,
        RxPoll, //
    },
    tx::{
        TxAccess,
        TxGuard,
        TxPoll,
        TxQueue, //
    },
};
pub(crate) use self::{
    life::Life,
    rx::RxSlot,
    tx::TxSlot, //
};
