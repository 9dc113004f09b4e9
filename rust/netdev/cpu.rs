// SPDX-License-Identifier: GPL-2.0

//! The CPUs that are online.
//!
//! C header: [`include/linux/cpumask.h`](srctree/include/linux/cpumask.h)

use crate::bindings;

/// The number of CPUs that are online. Any context; it may change at any time.
pub fn num_online() -> u32 {
    // SAFETY: The function has no requirements.
    unsafe { bindings::num_online_cpus() }
}
