// SPDX-License-Identifier: GPL-2.0

//! Fault points: places where a test makes a step of probe fail.
//!
//! Debian's kernel has no fault injection of its own. In a module that was built with `FAULTS=1`, a
//! test writes N to the module's parameter `fault`, and the N-th point that is passed from then on
//! fails. In any other module [`point`] is a constant, and so are the other functions: with those a
//! test takes the next N kicks or answers away from commands to the device, of one class if it says so,
//! or the memory for receive buffers, or has the device look as if it did not come out of a reset.

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

/// Whether a test wants the device not to be told about a command of `class`. Process context.
#[inline]
pub fn take_kick(class: u8) -> bool {
    #[cfg(faults)]
    // SAFETY: The function has no requirements.
    if unsafe { crate::bindings::fault_take_kick(class) } {
        return true;
    }
    let _ = class;
    false
}

/// Whether a test wants the device to have refused a command of `class`. Process context.
#[inline]
pub fn take_answer(class: u8) -> bool {
    #[cfg(faults)]
    // SAFETY: The function has no requirements.
    if unsafe { crate::bindings::fault_take_answer(class) } {
        return true;
    }
    let _ = class;
    false
}

/// Whether a test wants a device to look as if it had not come out of a reset. Process context.
#[inline]
pub fn no_reset() -> bool {
    #[cfg(faults)]
    // SAFETY: The function has no requirements.
    return unsafe { crate::bindings::fault_reset() };
    #[cfg(not(faults))]
    false
}

/// Whether a test wants no memory to be there for receive buffers. Any context.
#[inline]
pub fn no_memory() -> bool {
    #[cfg(faults)]
    // SAFETY: The function has no requirements.
    return unsafe { crate::bindings::fault_memory() };
    #[cfg(not(faults))]
    false
}
