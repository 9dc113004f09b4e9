// SPDX-License-Identifier: GPL-2.0

//! Looking at a queue once more after its NAPI context has been given up.

/// A queue whose interrupt can be asked for.
pub trait Arm {
    /// The queue, as it was when its interrupt was asked for.
    type Armed<'a>: Rearm
    where
        Self: 'a;

    /// Asks for an interrupt when there is something to poll for. In the poll function: softirq context, with
    /// the lock of the queue if it is one to send. Does not sleep.
    fn arm(&mut self) -> Self::Armed<'_>;
}

/// A queue whose interrupt has been asked for, which is looked at again after the NAPI context is idle.
///
/// Somebody else may have the queue by then.
///
/// # Safety
///
/// A value gives no access to what it was made from. Its methods may be called until the RCU read-side section
/// ends in which it was made, also if what it was made from is changed by somebody else meanwhile, or dropped.
pub unsafe trait Rearm {
    /// Whether there is something to poll for already, without an interrupt to come.
    fn pending(&self) -> bool;

    /// Takes the interrupt back: the poll function is going to run.
    fn disable(&self);
}

/// A queue that nothing raises an interrupt for: whoever fills it schedules its context.
// SAFETY: There is nothing to call.
unsafe impl Rearm for () {
    #[inline]
    fn pending(&self) -> bool {
        false
    }

    #[inline]
    fn disable(&self) {}
}

/// A queue that may go without an interrupt: then nobody looks at it until its context is scheduled.
// SAFETY: By what it may have.
unsafe impl<A: Rearm> Rearm for Option<A> {
    #[inline]
    fn pending(&self) -> bool {
        self.as_ref().is_some_and(Rearm::pending)
    }

    #[inline]
    fn disable(&self) {
        if let Some(armed) = self {
            armed.disable();
        }
    }
}
