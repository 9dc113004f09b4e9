// SPDX-License-Identifier: GPL-2.0

//! A pair of network devices in software that pass packets to each other, for tests: a second driver on top of what is in
//! `rust/netdev`, which knows nothing of virtio.
//!
//! What is sent through a transmit queue of the one comes to the receive queue of the same number of the other, which copies
//! it into a buffer of its page_pool, and gives it back.

use kernel::{
    dma::DmaDevice,
    net::{
        stats::*,
        *, //
    },
    new_spinlock,
    prelude::*,
    sync::{
        Arc,
        SpinLock, //
    },
};

/// How many pairs of queues a device has, and how many packets are under way in one at most.
const PAIRS: u16 = 4;
const LARGEST: u32 = 256;

/// The packets of one transmit queue, on their way there and back.
pub struct Wire {
    sent: Pin<KBox<SpinLock<KVec<SkBuff>>>>,
    received: Pin<KBox<SpinLock<KVec<SkBuff>>>>,
    /// How many may be under way.
    size: Gauge,
}

impl Wire {
    fn new() -> Result<Arc<Self>> {
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
    fn oldest(packets: &SpinLock<KVec<SkBuff>>) -> Option<SkBuff> {
        packets.lock().remove(0).ok()
    }
}

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
fn receive(pool: &mut PagePool, polling: &Polling<'_>, sent: &SkBuff) -> Option<u32> {
    let len = sent.len();
    let mut buffer = pool.alloc(polling.owner(), len)?;
    buffer.copy_from(sent).ok()?;
    match buffer.into_skb(polling, 0, len).ok()?.into_frame() {
        Ok(frame) => frame.deliver(polling),
        Err(skb) => skb.drop_with(DropReason::DevHdr),
    }
    Some(len)
}

impl Driver for Pair {
    type Shared = KVec<Arc<Wire>>;
    type Rx = Rx;
    type RxStats = Stats;
    type Tx = Tx;
    type TxStats = Stats;

    const OPERATIONS: Operations<Self> = Operations::new().channels().rings().counters();

    fn opened(device: &Device<Self>) {
        device.carrier_on();
    }

    fn start_xmit(_device: &Device<Self>, mut tx: TxAccess<'_, Self>, skb: SkBuff, _: bool) {
        let len = skb.len();
        // There is room: the stack is told to wait before there is none.
        let _ = tx.state.wire.sent.lock().push_within_capacity(skb);
        tx.state.under_way += 1;
        if tx.state.under_way >= tx.state.wire.size.get() {
            tx.queue.stop();
        }
        tx.queue.sent(len, false);
        tx.state.receiver.schedule();
    }

    fn poll_rx<'poll>(_device: &'poll Device<Self>, mut poll: RxPoll<'poll, Self>) -> Done<'poll> {
        let budget = poll.budget();
        let rx = poll.access();
        let packets = core::iter::from_fn(|| Wire::oldest(&rx.state.wire.sent));
        let mut seen = 0;
        for skb in packets.take(budget as usize) {
            seen += 1;
            match receive(&mut rx.state.pool, rx.polling, &skb) {
                Some(len) => {
                    rx.stats.packets.add(1);
                    rx.stats.bytes.add(len.into());
                }
                None => rx.stats.drops.add(1),
            }
            // There is room for all that are under way.
            let _ = rx.state.wire.received.lock().push_within_capacity(skb);
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

/// Takes back what has been received, and lets the stack send if there is room.
fn tidy(tx: &mut TxAccess<'_, Pair>) {
    let (mut packets, mut bytes) = (0, 0);
    while let Some(skb) = Wire::oldest(&tx.state.wire.received) {
        packets += 1;
        bytes += skb.len();
        tx.queue.consume(skb);
    }
    tx.state.under_way -= packets;
    tx.stats.packets.add(packets.into());
    tx.stats.bytes.add(bytes.into());
    tx.queue.completed(packets, bytes);
    if tx.state.under_way < tx.state.wire.size.get() {
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
