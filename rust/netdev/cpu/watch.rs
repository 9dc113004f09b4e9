// SPDX-License-Identifier: GPL-2.0

//! Being told when a CPU comes or goes.

use super::Online;
use crate::{
    bindings,
    rtnl, //
};
use core::{
    cell::UnsafeCell,
    ffi::c_void, //
};
use dma::fault;
use kernel::{
    container_of,
    prelude::*,
    types::Opaque, //
};

/// What is called when a CPU has come or is about to go.
pub(crate) type Changed = unsafe fn(*mut c_void, &Online);

/// A wish to be told when CPUs come and go.
///
/// All of a module share one state of CPU hotplug, which exists as long as there is such a wish.
/// It is one of those that are numbered as they are asked for, so it is no other driver's.
pub(crate) struct Watch {
    node: Opaque<bindings::hlist_node>,
    /// None if nobody wants to know: then there is nothing to add.
    changed: Option<Changed>,
    argument: *mut c_void,
}

/// The state of CPU hotplug of this module.
struct State {
    /// The number that the kernel gave it. Only with watches.
    number: c_int,
    watches: u32,
}

/// # Invariants
///
/// Only accessed with the rtnl lock held.
struct UnderRtnl(UnsafeCell<State>);

// SAFETY: By the type invariant.
unsafe impl Sync for UnderRtnl {}

static STATE: UnderRtnl = UnderRtnl(UnsafeCell::new(State {
    number: 0,
    watches: 0,
}));

impl UnderRtnl {
    fn with<R>(&self, _rtnl: &rtnl::Held, f: impl FnOnce(&mut State) -> R) -> R {
        // SAFETY: The lock is held. What is called below does not come back here: it is C, and the
        // callbacks of hotplug are not called for adding or removing a watch.
        f(unsafe { &mut *self.0.get() })
    }
}

impl Watch {
    /// A watch that has not been added.
    pub(crate) fn new(changed: Option<Changed>, argument: *mut c_void) -> Self {
        Self {
            node: Opaque::zeroed(),
            changed,
            argument,
        }
    }

    /// Starts to watch: from now on `changed` is called with `argument` and the CPUs, in process
    /// context, each time that a CPU has come or is about to go. It may sleep, but must not take
    /// the rtnl lock, nor that of CPU hotplug, which is held.
    ///
    /// Process context. May sleep. Takes the lock of CPU hotplug.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if all states of CPU hotplug are taken; `ENOMEM`.
    ///
    /// # Safety
    ///
    /// `this` points to a watch that has not been added. It stays there, and `changed` may be
    /// called, until [`remove`](Self::remove), which is called before the module goes.
    pub(crate) unsafe fn add(this: *mut Self, rtnl: &rtnl::Held) -> Result {
        // SAFETY: By the requirements of this function.
        if unsafe { (*this).changed.is_none() } {
            return Ok(());
        }
        fault::point("CPU hotplug")?;
        STATE.with(rtnl, |state| {
            if state.watches == 0 {
                // SAFETY: The callbacks are those of this type, for which the nodes are.
                state.number = check(unsafe {
                    bindings::cpuhp_setup_state_multi_dyn(
                        c"virtio/net_rust:online".as_char_ptr(),
                        Some(online),
                        Some(down_prep),
                    )
                })?;
            }
            // SAFETY: By the requirements of this function. The state has been set up.
            let added = check(unsafe {
                bindings::cpuhp_state_add_instance_nocalls(
                    state.number as bindings::cpuhp_state,
                    Opaque::cast_into(core::ptr::addr_of!((*this).node)),
                )
            });
            if added.is_ok() {
                state.watches += 1;
            } else {
                state.put();
            }
            added.map(|_| ())
        })
    }

    /// Stops to watch. Afterwards `changed` is not called, and is not running.
    ///
    /// Process context. May sleep. Takes the lock of CPU hotplug.
    ///
    /// # Safety
    ///
    /// `this` has been added, and not removed.
    pub(crate) unsafe fn remove(this: *mut Self, rtnl: &rtnl::Held) {
        // SAFETY: By the requirement of this function.
        if unsafe { (*this).changed.is_none() } {
            return;
        }
        STATE.with(rtnl, |state| {
            // SAFETY: By the requirement of this function. So the state has been set up.
            unsafe {
                bindings::cpuhp_state_remove_instance_nocalls(
                    state.number as bindings::cpuhp_state,
                    Opaque::cast_into(core::ptr::addr_of!((*this).node)),
                )
            };
            state.watches -= 1;
            state.put();
        });
    }

    /// # Safety
    ///
    /// `node` is that of a watch that has been added, and the caller is a callback of its state.
    unsafe fn call(node: *mut bindings::hlist_node, leaving: Option<u32>) {
        // SAFETY: By the requirement of this function. The core holds the lock of CPU hotplug.
        unsafe {
            let this: *mut Self = container_of!(Opaque::cast_from(node), Self, node).cast_mut();
            if let Some(changed) = (*this).changed {
                changed((*this).argument, &Online::assume(leaving));
            }
        }
    }
}

impl State {
    /// Gives the state of hotplug back if there is no watch.
    fn put(&mut self) {
        if self.watches == 0 {
            // SAFETY: It has been set up, and has no instances.
            unsafe { bindings::cpuhp_remove_multi_state(self.number as bindings::cpuhp_state) };
        }
    }
}

/// The value that C returns, unless it is an error.
fn check(value: c_int) -> Result<c_int> {
    if value < 0 {
        Err(Error::from_errno(value))
    } else {
        Ok(value)
    }
}

/// A CPU is online.
///
/// # Safety
///
/// See [`Watch::call`].
unsafe extern "C" fn online(_cpu: c_uint, node: *mut bindings::hlist_node) -> c_int {
    // SAFETY: By the requirement of this function.
    unsafe { Watch::call(node, None) };
    0
}

/// A CPU is about to go. If it stays after all, [`online`] is called.
///
/// # Safety
///
/// See [`Watch::call`].
unsafe extern "C" fn down_prep(cpu: c_uint, node: *mut bindings::hlist_node) -> c_int {
    // SAFETY: By the requirement of this function.
    unsafe { Watch::call(node, Some(cpu)) };
    0
}
