// SPDX-License-Identifier: GPL-2.0

//! A driver that does with pools and buffers what no driver should: nothing of it may do harm. What becomes of each is
//! in the log.

use core::mem::replace;
use kernel::{
    device::{
        Bound,
        Core, //
    },
    dma::DmaDevice,
    net::{
        stats::*,
        *, //
    },
    new_spinlock,
    prelude::*,
    sync::SpinLock,
    virtio::{
        self,
        queue::{
            self,
            Callback,
            Interrupted,
            Name,
            Request,
            Virtqueue, //
        },
        Attached,
        Feature,
        Negotiation, //
    },
};

const __LOG_PREFIX: &[u8] = b"misuse_rust\0";

/// The driver.
pub struct Misuse;

/// A receive queue, with more pools than it needs.
pub struct Rx {
    queue: Virtqueue<PoolBuffer>,
    /// The one that the queue has been told of.
    pool: PagePool,
    /// Another one, mapped for the same device.
    other: PagePool,
    kept: KVec<PoolBuffer>,
    /// Whether the packets have been tried.
    tried: bool,
}

/// Pools that take the place of `Rx::other`, and have been in it.
pub struct Pools {
    fresh: KVec<PagePool>,
    stale: KVec<PagePool>,
}

/// What is kept for a bound device.
pub struct Kept {
    netdev: Registration<Misuse>,
}

/// Nothing is sent.
pub struct Tx;

struct RecvDone;

impl Callback for RecvDone {
    type Target = Napi;

    fn done(napi: &Napi, queue: &Interrupted<'_>) {
        napi.schedule_after(|| queue.disable_cb());
    }
}

impl Arm for Rx {
    type Armed<'a> = ();

    fn arm(&mut self) {}
}

impl Arm for Tx {
    type Armed<'a> = ();

    fn arm(&mut self) {}
}

/// Says what has become of a step.
fn say(step: &str, result: Result) {
    match result {
        Ok(()) => pr_info!("misuse: {step}: accepted\n"),
        Err(error) => pr_info!("misuse: {step}: {}\n", error.to_errno()),
    }
}

/// How many pools are replaced while their context is polled, and how many buffers of each are out then.
const POOLS: usize = 16;
const BUFFERS: usize = 64;

fn never_registered(attached: &Attached) -> Result {
    let netdev = Allocated::<Misuse>::new(attached.clone(), 1)?;
    let pool = netdev.page_pool(0, 64, DmaDevice::none())?;
    drop(netdev);
    drop(pool);
    Ok(())
}

/// Puts packets together for an XDP program that there is not.
fn packets(rx: &mut Rx, polling: &Polling<'_>) {
    let (mut room, owner) = (XdpRoom::new(), polling.owner());
    let refused = |back: Result<(), PoolBuffer>| back.map_err(|_| EINVAL);

    if let Some(buffer) = rx.pool.alloc(owner, Misuse::LEN) {
        let made = XdpBuff::new(&mut room, polling, &rx.pool, buffer.into(), 0, Misuse::LEN);
        say("a packet without room in front", refused(made.map(drop)));
    }
    if let Some(buffer) = rx.pool.alloc_for_program(owner) {
        let made = XdpBuff::new(&mut room, polling, &rx.pool, buffer.into(), 16, u32::MAX);
        say("a packet longer than its buffer", refused(made.map(drop)));
    }
    let (stranger, ours) = (
        rx.other.alloc(owner, Misuse::LEN),
        rx.pool.alloc(owner, PoolBuffer::WHOLE_PAGE),
    );
    let packet = XdpBuff::empty(&mut room, polling, &mut rx.pool);
    let (Some(stranger), Some(ours), Some(mut packet)) = (stranger, ours, packet) else {
        return;
    };
    say(
        "a fragment of another pool",
        refused(packet.append(stranger.into(), 0, Misuse::LEN)),
    );
    let ours = PoolBuffer::from(ours);
    let copied = packet.copy(&ours, 0, PoolBuffer::WHOLE_PAGE);
    say(
        "more than there is room for",
        if copied { Ok(()) } else { Err(EINVAL) },
    );
    say("a fragment", refused(packet.append(ours, 0, Misuse::LEN)));
}

impl virtio::Driver for Misuse {
    type Data = Kept;

    const FEATURES: &'static [Feature] = &[Feature::VERSION_1];
    const LEGACY_FEATURES: &'static [Feature] = &[];

    fn validate(_device: &Negotiation<'_>) -> Result {
        Ok(())
    }

    fn probe(device: &virtio::Device<Core<'_>>, attached: Attached) -> Result<Kept> {
        say(
            "the pool of a device that is gone",
            never_registered(&attached),
        );

        let mut netdev = Allocated::<Misuse>::new(attached.clone(), 1)?;
        netdev.set_mac(None);
        let mut requests = KVec::new();
        let napi = netdev.rx_napi(0).ok_or(EINVAL)?.clone();
        let request = Request::with_callback::<RecvDone>(Name::numbered("input", 0)?, napi);
        requests.push(request.with_context(), GFP_KERNEL)?;
        let mut queue: Virtqueue<PoolBuffer> = queue::find(device, &attached, requests)?.take()?;

        let unmapped = netdev.page_pool(0, 64, DmaDevice::none())?;
        say(
            "a pool that is not mapped",
            queue.lend_from(unmapped.source()),
        );
        let pool = netdev.page_pool(0, queue.size(), queue.dma_device())?;
        say("a pool", queue.lend_from(pool.source()));
        let other = netdev.page_pool(0, queue.size(), queue.dma_device())?;
        say("a second pool", queue.lend_from(other.source()));

        let mut fresh = KVec::new();
        for _ in 0..POOLS {
            fresh.push(netdev.page_pool(0, 64, queue.dma_device())?, GFP_KERNEL)?;
        }
        let rx = Rx {
            queue,
            pool,
            other,
            kept: KVec::with_capacity(BUFFERS, GFP_KERNEL)?,
            tried: false,
        };
        let stale = KVec::with_capacity(POOLS, GFP_KERNEL)?;
        let mut pairs = KVec::new();
        pairs.push((rx, Tx), GFP_KERNEL)?;
        let pools = KBox::pin_init(new_spinlock!(Pools { fresh, stale }), GFP_KERNEL)?;
        let netdev = netdev.register(pools, pairs, |_, _| device.ready())?;
        Ok(Kept { netdev })
    }

    fn freeze(_device: &virtio::Device<Core<'_>>, _kept: &Kept) {}

    fn restore(_device: &virtio::Device<Core<'_>>, _kept: &Kept) -> Result {
        Err(ENODEV)
    }

    fn config_changed(_device: &virtio::Device<Bound>, kept: &Kept) {
        kept.netdev.carrier_on();
    }
}

impl Driver for Misuse {
    type Shared = Pin<KBox<SpinLock<Pools>>>;
    type Rx = Rx;
    type RxStats = ();
    type Tx = Tx;
    type TxStats = ();

    const OPERATIONS: Operations<Self> = Operations::new().serviced();

    fn open_rx(_device: &Device<Self>, rx: &mut Rx, _stats: &(), owner: &Exclusive<'_>) {
        let mut lend = |pool: &mut PagePool| {
            let buffer = pool.alloc(owner, Self::LEN).ok_or(ENOMEM)?;
            rx.queue
                .add_inbuf(buffer)
                .map_err(|rejected| rejected.error)
        };
        say("a buffer of another pool", lend(&mut rx.other));
        say("a buffer of the pool", lend(&mut rx.pool));
    }

    fn start_xmit(_device: &Device<Self>, _tx: TxAccess<'_, Self>, skb: SkBuff, _more: bool) {
        skb.drop_with(DropReason::NotSpecified);
    }

    fn poll_rx<'poll>(device: &'poll Device<Self>, mut poll: RxPoll<'poll, Self>) -> Done<'poll> {
        let rx = poll.access();
        // Some come back while their pool may be going elsewhere.
        drop(rx.state.kept.pop());
        if let Some(mut pools) = device.shared().try_lock() {
            if !pools.stale.is_empty() {
                device.schedule_service();
            } else if let Some(next) = pools.fresh.pop() {
                rx.state.kept.clear();
                let old = &mut rx.state.other;
                let owner = rx.polling.owner();
                let buffers = core::iter::from_fn(|| old.alloc(owner, Self::LEN));
                for buffer in buffers.take(BUFFERS) {
                    // There is room.
                    let _ = rx.state.kept.push_within_capacity(buffer.into());
                }
                let _ = pools.stale.push_within_capacity(replace(old, next));
                device.schedule_service();
            } else {
                drop(pools);
                if !replace(&mut rx.state.tried, true) {
                    packets(rx.state, rx.polling);
                }
                return poll.complete(0);
            }
        }
        poll.again()
    }

    fn poll_tx<'poll>(_device: &'poll Device<Self>, poll: TxPoll<'poll, Self>) -> Done<'poll> {
        poll.complete()
    }

    fn reclaim_tx(_tx: TxAccess<'_, Self>) {}

    fn rx_totals(_stats: &()) -> RxTotals {
        RxTotals::default()
    }

    fn tx_totals(_stats: &()) -> TxTotals {
        TxTotals::default()
    }

    fn info(_device: &Device<Self>) -> DriverInfo<'_> {
        DriverInfo {
            driver: c"misuse_rust",
            version: c"1.0.0",
            bus_info: c"",
        }
    }
}

impl Misuse {
    const LEN: u32 = 1600;
}

impl Serviced for Misuse {
    fn service(device: &Device<Self>) {
        let stale = device.shared().lock().stale.pop();
        if stale.is_some() {
            drop(stale);
            say("a pool whose context is polled", Ok(()));
        }
    }
}
