// SPDX-License-Identifier: GPL-2.0

//! Fault points: places where a test makes a step of probe fail.
//!
//! Debian's kernel has no fault injection of its own. In a module that was built with `FAULTS=1`, a
//! test writes N to the module's parameter `fault`, and the N-th point that is passed from then on
//! fails. In any other module [`point`] is a constant.

use kernel::prelude::*;

/// Passes, or fails if a test wants `step` to.
///
/// Process context.
///
/// # Errors
///
/// `ENOMEM`, after a line in the log that names the step.
#[inline]
pub fn point(step: &str) -> Result {
    #[cfg(faults)]
    // SAFETY: The function has no requirements.
    if unsafe { crate::bindings::fault_point() } {
        pr_err!("fault point: {step} fails\n");
        return Err(ENOMEM);
    }
    let _ = step;
    Ok(())
}
