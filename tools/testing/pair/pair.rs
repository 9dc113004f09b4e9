// SPDX-License-Identifier: GPL-2.0

//! A pair of network devices in software that pass packets to each other, for tests: a second driver on top of what is in
//! `rust/netdev`, which knows nothing of virtio.
//!
//! What is sent through a transmit queue of the one comes to the receive queue of the same number of the other, which copies
//! it into a buffer of its page_pool, and gives it back.

mod wire;
mod xdp;

use self::wire::{
    Packet,
    Wire,
    LARGEST, //
};
use kernel::{
    dma::DmaDevice,
    net::{
        stats::*,
        *, //
    },
    prelude::*,
    sync::Arc, //
};

/// How many pairs of queues a device has.
const PAIRS: u16 = 4;

/// The driver.
pub struct Pair;

/// A receive queue.
pub struct Rx {
    wire: Arc<Wire>,
    pool: PagePool,
    /// Of the queue that sends.
    sender: Arc<Napi>,
}

/// A transmit queue.
pub struct Tx {
    wire: Arc<Wire>,
    under_way: u32,
    /// Of the queue that receives.
    receiver: Arc<Napi>,
}

impl Tx {
    /// Sends a packet, or gives it back if there is no room.
    fn add(&mut self, packet: Packet) -> Result<(), Packet> {
        let mut sent = self.wire.sent.lock();
        sent.push_within_capacity(packet).map_err(|error| error.0)?;
        self.under_way += 1;
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.under_way >= self.wire.size.get()
    }
}

/// The counters of a queue of either direction.
#[derive(Default)]
pub struct Stats {
    packets: Counter,
    bytes: Counter,
    drops: Counter,
}

/// Whoever fills a queue has it polled: there is no interrupt to ask for.
impl Arm for Rx {
    type Armed<'a> = ();

    fn arm(&mut self) {}
}

impl Arm for Tx {
    type Armed<'a> = ();

    fn arm(&mut self) {}
}

/// Receives a copy of a packet.
fn receive(pool: &mut PagePool, polling: &Polling<'_>, sent: &Packet) -> Option<u32> {
    let len = sent.len();
    let mut buffer = PoolBuffer::from(pool.alloc(polling.owner(), len)?);
    sent.copy_to(&mut buffer).ok()?;
    deliver(buffer.into_skb(polling, 0, len).ok()?, polling);
    Some(len)
}

/// Hands a packet to the stack.
fn deliver(skb: RxSkb, polling: &Polling<'_>) {
    match skb.into_frame() {
        Ok(frame) => frame.deliver(polling),
        Err(skb) => skb.drop_with(DropReason::DevHdr),
    }
}

impl Driver for Pair {
    type Shared = KVec<Arc<Wire>>;
    type Rx = Rx;
    type RxStats = Stats;
    type Tx = Tx;
    type TxStats = Stats;

    const OPERATIONS: Operations<Self> = Operations::new().channels().rings().counters().xdp();

    fn opened(device: &Device<Self>) {
        device.carrier_on();
    }

    fn start_xmit(_device: &Device<Self>, mut tx: TxAccess<'_, Self>, skb: SkBuff, _: bool) {
        let len = skb.len();
        // There is room: the stack is told to wait before there is none.
        let _ = tx.state.add(Packet::Skb(skb));
        if tx.state.is_full() {
            tx.queue.stop();
        }
        tx.queue.sent(len, false);
        tx.state.receiver.schedule();
    }

    fn poll_rx<'poll>(device: &'poll Device<Self>, mut poll: RxPoll<'poll, Self>) -> Done<'poll> {
        let budget = poll.budget();
        let rx = poll.access();
        let packets = core::iter::from_fn(|| Wire::oldest(&rx.state.wire.sent));
        let mut programmed = rx.program.map(xdp::Receiver::new);
        let mut seen = 0;
        for packet in packets.take(budget as usize) {
            seen += 1;
            let pool = &mut rx.state.pool;
            let received = match &mut programmed {
                None => receive(pool, rx.polling, &packet),
                Some(receiver) => receiver.receive(device, pool, rx.polling, &packet),
            };
            match received {
                Some(len) => {
                    rx.stats.packets.add(1);
                    rx.stats.bytes.add(len.into());
                }
                None => rx.stats.drops.add(1),
            }
            // There is room for all that are under way.
            let _ = rx.state.wire.received.lock().push_within_capacity(packet);
        }
        if let Some(receiver) = programmed {
            receiver.finish(device, rx.polling);
        }
        rx.state.sender.schedule();
        if seen == budget {
            poll.again()
        } else {
            poll.complete(seen)
        }
    }

    fn poll_tx<'poll>(_device: &'poll Device<Self>, mut poll: TxPoll<'poll, Self>) -> Done<'poll> {
        Self::reclaim_tx(poll.access());
        poll.complete()
    }

    fn reclaim_tx(mut tx: TxAccess<'_, Self>) {
        tidy(&mut tx);
    }

    fn rx_totals(stats: &Stats) -> RxTotals {
        RxTotals {
            packets: stats.packets.get(),
            bytes: stats.bytes.get(),
            dropped: stats.drops.get(),
            ..Default::default()
        }
    }

    fn tx_totals(stats: &Stats) -> TxTotals {
        TxTotals {
            packets: stats.packets.get(),
            bytes: stats.bytes.get(),
            ..Default::default()
        }
    }

    fn info(_device: &Device<Self>) -> DriverInfo<'_> {
        DriverInfo {
            driver: c"pair_rust",
            version: c"1.0.0",
            bus_info: c"",
        }
    }
}

impl Channels for Pair {
    fn set_num_queues(device: &Locked<'_, Self>, pairs: u16, rtnl: &rtnl::Held) -> Result {
        device.set_num_queues(pairs, rtnl)
    }
}

impl Rings for Pair {
    fn ring_sizes(device: &Device<Self>) -> RingSizes {
        let size = device.shared().first().map_or(0, |wire| wire.size.get());
        RingSizes { rx: size, tx: size }
    }

    fn max_ring_sizes(_device: &Device<Self>) -> RingSizes {
        RingSizes {
            rx: LARGEST,
            tx: LARGEST,
        }
    }

    fn set_ring_sizes(device: &Locked<'_, Self>, sizes: RingSizes) -> Result {
        if sizes.rx != sizes.tx || sizes.tx == 0 {
            return Err(EINVAL);
        }
        for (index, wire) in (0..).zip(device.shared()) {
            device.pause_tx(index, tidy, |_paused| wire.size.set(sizes.tx))?;
        }
        Ok(())
    }
}

impl QueueManagement for Pair {
    type RxMemory = PagePool;

    fn alloc_rx_memory(device: &Locked<'_, Self>, queue: u16) -> Result<PagePool> {
        device.page_pool(queue, LARGEST, DmaDevice::none())
    }

    /// What is on the wire waits for the queue.
    fn stop_rx(_device: &Locked<'_, Self>, _queue: u16, _rx: RxPaused<'_, Self>) -> Result {
        Ok(())
    }

    fn exchange_rx_memory(rx: &mut Rx, pool: PagePool) -> Result {
        rx.pool = pool;
        Ok(())
    }

    fn rx_dma_device<'a>(_device: &'a Locked<'_, Self>, _queue: u16) -> Option<DmaDevice<'a>> {
        None
    }
}

/// Takes back what has been received, and lets the stack send if there is room.
fn tidy(tx: &mut TxAccess<'_, Pair>) {
    let (mut packets, mut bytes) = (0, 0);
    while let Some(packet) = Wire::oldest(&tx.state.wire.received) {
        tx.state.under_way -= 1;
        tx.stats.packets.add(1);
        tx.stats.bytes.add(packet.len().into());
        if let Packet::Skb(skb) = packet {
            packets += 1;
            bytes += skb.len();
            tx.queue.consume(skb);
        }
    }
    tx.queue.completed(packets, bytes);
    if !tx.state.is_full() {
        tx.queue.wake();
    }
}

impl Counters for Pair {
    const RX_COUNTERS: &'static [Named<Stats>] = &[Named {
        name: "drops",
        value: |stats| stats.drops.get(),
    }];
    const TX_COUNTERS: &'static [Named<Stats>] = Self::RX_COUNTERS;
}

/// Both devices.
pub type Devices = [Registration<Pair>; 2];

/// Makes both devices. They are there until what is returned is dropped. Process context; may sleep.
///
/// # Errors
///
/// `ENOMEM`, or what registering says; nothing is left.
pub fn register() -> Result<Devices> {
    let (one, other) = (allocate()?, allocate()?);
    let (mut there, mut back) = (KVec::new(), KVec::new());
    for _ in 0..PAIRS {
        there.push(Wire::new()?, GFP_KERNEL)?;
        back.push(Wire::new()?, GFP_KERNEL)?;
    }
    let first = queues(&one, &other, &there, &back)?;
    let second = queues(&other, &one, &back, &there)?;
    Ok([
        one.register(there, first, |_, _| ())?,
        other.register(back, second, |_, _| ())?,
    ])
}

fn allocate() -> Result<Allocated<Pair>> {
    let mut netdev = Allocated::without_parent(PAIRS)?;
    netdev.set_num_queues(PAIRS)?;
    netdev.set_mac(None);
    // With its headers, and the room around, a packet fits into a page.
    netdev.set_mtu(1500, 68, 3000);
    netdev.set_xdp_features(xdp::FEATURES);
    netdev.manage_queues();
    Ok(netdev)
}

/// The queues of `netdev`, which sends to `peer` through `to` and receives from it through `from`.
fn queues(
    netdev: &Allocated<Pair>,
    peer: &Allocated<Pair>,
    to: &[Arc<Wire>],
    from: &[Arc<Wire>],
) -> Result<KVec<(Rx, Tx)>> {
    let mut queues = KVec::new();
    for ((index, to), from) in (0..PAIRS).zip(to).zip(from) {
        let rx = Rx {
            wire: from.clone(),
            pool: netdev.page_pool(index, LARGEST, DmaDevice::none())?,
            sender: peer.tx_napi(index).ok_or(EINVAL)?.clone(),
        };
        let tx = Tx {
            wire: to.clone(),
            under_way: 0,
            receiver: peer.rx_napi(index).ok_or(EINVAL)?.clone(),
        };
        queues.push((rx, tx), GFP_KERNEL)?;
    }
    Ok(queues)
}
