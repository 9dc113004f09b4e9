// SPDX-License-Identifier: GPL-2.0

//! A virtqueue that is looked at again after its NAPI context has been given up.

use netdev::Rearm;
use virtio::queue;

/// A virtqueue that has been asked for an interrupt, for [`Arm`](netdev::Arm).
pub struct Armed<'queue>(queue::Armed<'queue>);

impl<'queue> From<queue::Armed<'queue>> for Armed<'queue> {
    #[inline]
    fn from(armed: queue::Armed<'queue>) -> Self {
        Self(armed)
    }
}

// SAFETY: A virtqueue and its ring are freed after a grace period. No method needs to be serialised with what others
// do with the queue.
unsafe impl Rearm for Armed<'_> {
    #[inline]
    fn pending(&self) -> bool {
        self.0.pending()
    }

    #[inline]
    fn disable(&self) {
        self.0.disable_cb();
    }
}
