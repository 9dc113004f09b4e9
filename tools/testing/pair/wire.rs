// SPDX-License-Identifier: GPL-2.0

//! What is between two queues.

use kernel::{
    net::{
        stats::Gauge,
        PoolBuffer,
        SkBuff,
        XdpFrame, //
    },
    new_spinlock,
    prelude::*,
    sync::{
        Arc,
        SpinLock, //
    },
};

/// How many packets are under way in one direction at most.
pub(crate) const LARGEST: u32 = 256;

/// What is sent.
pub enum Packet {
    Skb(SkBuff),
    Frame(XdpFrame),
}

impl Packet {
    /// The length, in bytes.
    pub fn len(&self) -> u32 {
        match self {
            Self::Skb(skb) => skb.len(),
            Self::Frame(frame) => frame.len(),
        }
    }

    /// Copies it to the start of `buffer`.
    pub fn copy_to(&self, buffer: &mut PoolBuffer) -> Result {
        match self {
            Self::Skb(skb) => buffer.copy_from(skb),
            Self::Frame(frame) => buffer.copy_frame(frame),
        }
    }
}

/// The packets of one transmit queue, on their way there and back.
pub struct Wire {
    pub sent: Pin<KBox<SpinLock<KVec<Packet>>>>,
    pub received: Pin<KBox<SpinLock<KVec<Packet>>>>,
    /// How many may be under way.
    pub size: Gauge,
}

impl Wire {
    pub fn new() -> Result<Arc<Self>> {
        let empty = || KVec::with_capacity(LARGEST as usize, GFP_KERNEL);
        let (there, back) = (empty()?, empty()?);
        let wire = Self {
            sent: KBox::pin_init(new_spinlock!(there), GFP_KERNEL)?,
            received: KBox::pin_init(new_spinlock!(back), GFP_KERNEL)?,
            size: Gauge::default(),
        };
        wire.size.set(LARGEST);
        Ok(Arc::new(wire, GFP_KERNEL)?)
    }

    /// The oldest of some packets.
    pub fn oldest(packets: &SpinLock<KVec<Packet>>) -> Option<Packet> {
        packets.lock().remove(0).ok()
    }
}
