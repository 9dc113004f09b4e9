// SPDX-License-Identifier: GPL-2.0

//! Programs that see packets before the stack does, and frames that they send.

use crate::{
    deliver,
    wire::Packet,
    Pair,
    Stats, //
};
use kernel::{
    net::{
        rtnl,
        Device,
        Frames,
        Locked,
        PagePool,
        Polling,
        PoolBuffer,
        Program,
        Refused,
        TxAccess,
        TxBulk,
        Verdict,
        Xdp,
        XdpBuff,
        XdpFeatures,
        XdpRoom,
        ETH_HLEN, //
    },
    prelude::*, //
};

/// What a device can do.
pub(crate) const FEATURES: XdpFeatures = XdpFeatures::BASIC
    .and(XdpFeatures::REDIRECT)
    .and(XdpFeatures::NDO_XMIT);

impl Xdp for Pair {
    fn attach(
        _device: &Locked<'_, Self>,
        _program: &Program<'_>,
        _rtnl: &rtnl::Held,
    ) -> Result<(), Refused> {
        Ok(())
    }

    fn detached(_device: &Locked<'_, Self>, _rtnl: &rtnl::Held) {}

    fn max_xdp_mtu(_device: &Device<Self>, _frags: bool) -> u32 {
        PoolBuffer::XDP_CAPACITY - ETH_HLEN
    }

    fn xmit_frames(
        _device: &Device<Self>,
        tx: Option<TxAccess<'_, Self>>,
        stats: &Stats,
        frames: &mut Frames<'_>,
        _flush: bool,
    ) {
        if let Some(mut tx) = tx {
            frames.send(|frame| match tx.state.add(Packet::Frame(frame)) {
                Err(Packet::Frame(frame)) => Err(frame),
                _ => Ok(()),
            });
            if tx.state.is_full() {
                tx.queue.stop();
            }
            tx.state.receiver.schedule();
        }
        stats.drops.add((frames.len() - frames.sent()) as u64);
    }
}

/// What a poll has for a program.
pub(crate) struct Receiver<'poll> {
    program: Program<'poll>,
    room: XdpRoom,
    sent_back: TxBulk,
}

impl<'poll> Receiver<'poll> {
    pub(crate) fn new(program: Program<'poll>) -> Self {
        Self {
            program,
            room: XdpRoom::new(),
            sent_back: TxBulk::new(),
        }
    }

    /// Has the program decide about a copy of a packet, and returns its length. None if there is no memory, or if it has been
    /// dropped.
    pub(crate) fn receive(
        &mut self,
        device: &Device<Pair>,
        pool: &mut PagePool,
        polling: &Polling<'_>,
        sent: &Packet,
    ) -> Option<u32> {
        let len = sent.len();
        let mut buffer = PoolBuffer::from(pool.alloc_for_program(polling.owner())?);
        sent.copy_to(&mut buffer).ok()?;
        let packet = XdpBuff::new(&mut self.room, polling, pool, buffer, 0, len).ok()?;
        match packet.run(&self.program, polling) {
            Verdict::Pass(packet) => deliver(packet.into_skb(polling)?, polling),
            Verdict::Tx(frame) => {
                // There is room, as a full one is sent.
                let _ = self.sent_back.push(frame);
                if self.sent_back.is_full() {
                    device.send_back(polling, &mut self.sent_back);
                }
            }
            Verdict::Redirected => {}
            Verdict::Dropped => return None,
        }
        Some(len)
    }

    /// Sends what is to be sent back.
    pub(crate) fn finish(mut self, device: &Device<Pair>, polling: &Polling<'_>) {
        device.send_back(polling, &mut self.sent_back);
    }
}
