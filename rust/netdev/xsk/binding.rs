// SPDX-License-Identifier: GPL-2.0

//! A pool that is bound to a queue, and what a driver has of it.

use super::{
    slots::Slots,
    XskPool,
    XskTx, //
};
use crate::{
    bindings,
    rtnl,
    xdp::RxqInfo,
    Napi, //
};
use core::{
    ptr::{
        null,
        NonNull, //
    },
    sync::atomic::{
        AtomicBool,
        AtomicU32, //
        Ordering::{
            Acquire,
            Relaxed,
            Release, //
        },
    },
};
use dma::{
    Attached,
    DmaDevice,
    Source, //
};
use kernel::{
    error::to_result,
    prelude::*,
    sync::{
        Arc,
        Completion, //
    },
};

/// What the chunks and packets of a pool belong to. As long as there is one, the pool is there, and its memory is mapped.
#[derive(Clone)]
pub struct XskSource(Arc<Open>);

/// A pool that has been opened.
///
/// # Invariants
///
/// `raw` is a pool that is bound. It, its mapping and `slots` exist until this is gone: for `dma_device`, or if that is null, one to one.
/// No other value has the number `id`.
struct Open {
    raw: NonNull<bindings::xsk_buff_pool>,
    id: u32,
    dma_device: *const bindings::device,
    zeroes: u64,
    slots: Slots,
    takes_requests: bool,
    gone: Arc<Gone>,
}

// SAFETY: What is done with the pool here may be done by any thread.
unsafe impl Send for Open {}
// SAFETY: As above: nothing but to look at fields that do not change.
unsafe impl Sync for Open {}

impl Drop for Open {
    fn drop(&mut self) {
        self.gone.over.store(true, Release);
        self.gone.completion.complete_all();
    }
}

/// Whether an [`Open`] is gone.
#[pin_data]
struct Gone {
    over: AtomicBool,
    #[pin]
    completion: Completion,
}

impl XskSource {
    /// How many zeroes there are at `zeroes`, in bytes.
    pub(super) const ZEROES: u32 = 64;

    #[inline]
    pub(super) fn raw(&self) -> *mut bindings::xsk_buff_pool {
        self.0.raw.as_ptr()
    }

    /// The number of what has been opened, which no other has, nor had before.
    #[inline]
    pub(super) fn id(&self) -> u32 {
        self.0.id
    }

    /// How many chunks a packet may have: 1, unless user space has said that it takes such packets.
    pub(super) fn max_chunks(&self) -> u32 {
        // SAFETY: The pool is open.
        unsafe { bindings::xsk_pool_max_chunks(self.raw()) }
    }

    /// Where the device finds zeroes.
    #[inline]
    pub(super) fn zeroes(&self) -> u64 {
        self.0.zeroes
    }

    /// Where packets can be copied to. There are some if packets may come with requests.
    #[inline]
    pub(super) fn slots(&self) -> Slots {
        self.0.slots
    }

    /// Whether `other` is the same pool, opened the same time.
    #[inline]
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether packets that are to be sent may come with requests.
    #[inline]
    pub(super) fn takes_requests(&self) -> bool {
        self.0.takes_requests
    }
}

// SAFETY: By the invariant of `Open`.
unsafe impl Source for XskSource {
    fn dma_device(&self) -> *const bindings::device {
        self.0.dma_device
    }
}

/// The pools of a device, by queue.
pub(crate) struct Bindings(KVec<rtnl::Protected<Option<Binding>>>);

impl Bindings {
    /// Those of `queues` queues, of which none has one. Process context. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(queues: u16) -> Result<Self> {
        let mut bindings = KVec::with_capacity(queues.into(), GFP_KERNEL)?;
        for _ in 0..queues {
            bindings.push(rtnl::Protected::new(None), GFP_KERNEL)?;
        }
        Ok(Self(bindings))
    }

    /// Calls `action` with the pool of `queue`. Meanwhile it has none.
    pub(super) fn with<R>(
        &self,
        queue: u16,
        rtnl: &rtnl::Held,
        action: impl FnOnce(&mut Option<Binding>) -> R,
    ) -> Option<R> {
        Some(self.0.get(usize::from(queue))?.with(rtnl, action))
    }
}

/// A pool that is bound to a queue.
///
/// # Invariants
///
/// `raw` is a pool that the stack leaves bound as long as this exists.
pub(super) struct Binding {
    raw: NonNull<bindings::xsk_buff_pool>,
    napi: Arc<Napi>,
    rxq: RxqInfo,
    mapping: Option<Mapping>,
    /// What has been opened last.
    gone: Option<Arc<Gone>>,
}

// SAFETY: A pool may be unbound by any thread that holds the rtnl lock.
unsafe impl Send for Binding {}

/// The memory of a pool is mapped.
struct Mapping {
    device: NonNull<bindings::device>,
    /// Whether it is mapped one to one, for a queue that takes guest-physical addresses.
    direct: bool,
    zeroes: u64,
    slots: Slots,
    /// Keeps the device bound.
    _attached: Attached,
}

impl Binding {
    /// Binds `raw` to the receive queue of `napi` and the transmit queue beside it. Process context. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    ///
    /// # Safety
    ///
    /// `raw` is a pool that stays until [`close`](Self::close) has been called, and the network device of `napi` is there as long.
    pub(super) unsafe fn new(
        raw: NonNull<bindings::xsk_buff_pool>,
        napi: Arc<Napi>,
    ) -> Result<Self> {
        // SAFETY: By the requirement of this function.
        let rxq = unsafe { RxqInfo::for_xsk(&napi)? };
        // SAFETY: The pool is valid, and nobody else uses it yet.
        unsafe { bindings::xp_set_rxq_info(raw.as_ptr(), rxq.as_raw()) };
        // INVARIANT: By the requirement of this function.
        Ok(Self {
            raw,
            napi,
            rxq,
            mapping: None,
            gone: None,
        })
    }

    /// Whether it has been opened.
    pub(super) fn is_mapped(&self) -> bool {
        self.mapping.is_some()
    }

    /// Waits until nobody has what was opened, and unmaps the memory. Process context. May sleep.
    pub(super) fn close(self, _rtnl: &rtnl::Held) {
        let Self {
            raw,
            napi: _napi,
            rxq,
            mapping,
            gone,
        } = self;
        if let Some(gone) = gone {
            if !gone.is_over() {
                pr_warn!("an XSK pool waits for a user of it that the driver has not let go\n");
                gone.completion.wait_for_completion();
            }
        }
        if let Some(mapping) = mapping {
            // SAFETY: All has been mapped for the device, and nobody has what was opened. The rtnl lock is held.
            unsafe {
                mapping.slots.free(mapping.device);
                bindings::xsk_pool_dma_unmap(
                    raw.as_ptr(),
                    mapping.device.as_ptr(),
                    XskSource::ZEROES,
                    mapping.zeroes,
                );
            }
        }
        drop(rxq);
    }

    /// Maps the memory of the pool for `device`, unless it is, for up to `packets` packets at a time that are to be sent.
    fn map(&mut self, device: DmaDevice<'_>, packets: u32) -> Result<&Mapping> {
        let wanted = NonNull::new(device.as_raw()).ok_or_else(crate::not_supported)?;
        let attached = device.attached().ok_or(EINVAL)?.clone();
        let mapping = match self.mapping.take() {
            Some(mapping) if mapping.device == wanted => mapping,
            Some(mapping) => {
                self.mapping = Some(mapping);
                return Err(EBUSY);
            }
            None => {
                let (direct, mut zeroes) = (device.is_direct(), 0);
                // SAFETY: The pool and the device are valid. The rtnl lock is held, as there is a `XskSetup`. Of a device that
                // stands for a queue without DMA nobody else maps anything.
                to_result(unsafe {
                    bindings::xsk_pool_dma_map(
                        self.raw.as_ptr(),
                        wanted.as_ptr(),
                        direct,
                        XskSource::ZEROES,
                        &mut zeroes,
                    )
                })?;
                Mapping {
                    device: wanted,
                    direct,
                    zeroes,
                    slots: Slots::new(&device, packets),
                    _attached: attached,
                }
            }
        };
        Ok(self.mapping.insert(mapping))
    }
}

impl Gone {
    fn is_over(&self) -> bool {
        self.over.load(Acquire)
    }
}

/// The pool of a queue, which a driver is to [open](Self::open).
///
/// # Invariants
///
/// The rtnl lock is held.
pub struct XskSetup<'a> {
    binding: &'a mut Binding,
}

impl<'a> XskSetup<'a> {
    pub(super) fn new(binding: &'a mut Binding, _rtnl: &'a rtnl::Held) -> Self {
        // INVARIANT: By the type of the argument.
        Self { binding }
    }

    /// Opens the pool for a queue that lends what is mapped for `device`.
    ///
    /// In front of each received packet the device writes `lead` bytes, which lie in the headroom of the chunk. It has up to
    /// `packets` packets at a time that are to be sent. Process context. May sleep.
    ///
    /// # Errors
    ///
    /// - `EBUSY` if it is open, or if its memory is mapped for another device.
    /// - `EOPNOTSUPP` if the memory cannot be mapped so that the device finds it.
    /// - `EINVAL` if chunks have no such headroom, or are too small for a packet.
    /// - `ENOMEM`, also where packets may come with requests and there is no memory that a device finds headers in; `ENOSPC` if that
    ///   was done 2^32 times.
    pub fn open(
        &mut self,
        device: DmaDevice<'_>,
        lead: u32,
        packets: u32,
    ) -> Result<(XskPool, XskTx)> {
        static NEXT: AtomicU32 = AtomicU32::new(0);

        let binding = &mut *self.binding;
        if binding.gone.as_ref().is_some_and(|gone| !gone.is_over()) {
            return Err(EBUSY);
        }
        let gone = Arc::pin_init(
            pin_init!(Gone {
                over: AtomicBool::new(false),
                completion <- Completion::new(),
            }),
            GFP_KERNEL,
        )?;
        // A number is never used again, so a chunk that somebody has kept belongs to no other pool.
        let id = NEXT
            .fetch_update(Relaxed, Relaxed, |id| id.checked_add(1))
            .map_err(|_| ENOSPC)?;
        let (raw, napi) = (binding.raw, binding.napi.clone());
        let mapping = binding.map(device, packets)?;
        // SAFETY: The pool is bound to a device.
        let takes_requests = unsafe { bindings::xsk_pool_takes_requests(raw.as_ptr()) };
        if takes_requests && mapping.slots.count() == 0 {
            return Err(ENOMEM);
        }
        let open = Open {
            raw,
            id,
            dma_device: if mapping.direct {
                null()
            } else {
                mapping.device.as_ptr()
            },
            zeroes: mapping.zeroes,
            slots: mapping.slots,
            takes_requests,
            gone: gone.clone(),
        };
        // INVARIANT: From now on `close` waits for it.
        binding.gone = Some(gone);
        let source = XskSource(Arc::new(open, GFP_KERNEL)?);
        // SAFETY: What was opened before is gone, so there are no other handles.
        unsafe {
            let tx = XskTx::new(source.clone(), packets)?;
            Ok((XskPool::new(source, napi, lead)?, tx))
        }
    }
}
