// SPDX-License-Identifier: GPL-2.0

//! The CPUs that are online, and when that changes.
//!
//! C headers: [`include/linux/cpu.h`](srctree/include/linux/cpu.h),
//! [`include/linux/cpuhotplug.h`](srctree/include/linux/cpuhotplug.h).

mod hotplug;
mod instance;

pub use self::hotplug::Hotplug;
pub(crate) use self::instance::{
    Callback,
    Instance, //
};

use crate::bindings;
use core::{
    marker::PhantomData,
    ops::Deref, //
};
use kernel::{
    cpu::{
        nr_cpu_ids,
        CpuId, //
    },
    cpumask::Cpumask, //
};

/// The number of CPUs that are online. Any context; it may change at any time.
pub fn num_online() -> u32 {
    // SAFETY: The function has no requirements.
    unsafe { bindings::num_online_cpus() }
}

/// Proof that no CPU comes or goes for as long as there is a reference to it.
pub struct Online {
    /// A CPU that is about to go, which is not counted as online any more.
    leaving: Option<u32>,
    /// What keeps CPUs from coming and going may belong to this thread.
    not_send: PhantomData<*mut ()>,
}

impl Online {
    /// # Safety
    ///
    /// For as long as the value lives, this thread holds the lock of CPU hotplug, or is called by
    /// somebody who does.
    unsafe fn assume(leaving: Option<u32>) -> Self {
        Self {
            leaving,
            not_send: PhantomData,
        }
    }

    /// The CPUs that are online, by their numbers.
    pub fn cpus(&self) -> impl Iterator<Item = CpuId> + Clone + '_ {
        // SAFETY: The mask always exists, and does not change meanwhile.
        let mask = unsafe { Cpumask::from_raw(core::ptr::addr_of!(bindings::__cpu_online_mask)) };
        (0..nr_cpu_ids())
            .filter(|cpu| self.leaving != Some(*cpu))
            .filter_map(CpuId::from_u32)
            .filter(|cpu| mask.test(*cpu))
    }
}

/// The lock that keeps CPUs from coming and going, held until the value is dropped.
pub struct Guard(Online);

/// Waits until no CPU is coming or going, and keeps it so. Process context. May sleep.
pub fn lock() -> Guard {
    // SAFETY: The function has no requirements that soundness depends on. The guard owns the lock.
    Guard(unsafe {
        bindings::cpus_read_lock();
        Online::assume(None)
    })
}

impl Deref for Guard {
    type Target = Online;

    fn deref(&self) -> &Online {
        &self.0
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // SAFETY: The lock is held, by this thread.
        unsafe { bindings::cpus_read_unlock() }
    }
}
