// SPDX-License-Identifier: GPL-2.0

//! Instances of a state of CPU hotplug: who is told when a CPU comes or goes.

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
    str::CStr,
    types::Opaque, //
};

/// What is called when a CPU has come or is about to go.
#[derive(Clone, Copy)]
pub(crate) struct Callback {
    /// What the state is called (`/sys/devices/system/cpu/hotplug/states`).
    pub(crate) name: &'static CStr,
    pub(crate) changed: unsafe fn(*mut c_void, &Online),
}

/// An instance of the state of CPU hotplug that all of a module share, which exists as long as there is one. The state
/// is one of those that are numbered as they are asked for, so it is no other driver's.
pub(crate) struct Instance {
    node: Opaque<bindings::hlist_node>,
    /// None if nobody wants to know: then there is nothing to add.
    callback: Option<Callback>,
    argument: *mut c_void,
}

/// The state of CPU hotplug of this module.
struct State {
    /// The number that the kernel gave it. Only with instances.
    number: c_int,
    instances: u32,
}

/// # Invariants
///
/// Only accessed with the rtnl lock held.
struct UnderRtnl(UnsafeCell<State>);

// SAFETY: By the type invariant.
unsafe impl Sync for UnderRtnl {}

static STATE: UnderRtnl = UnderRtnl(UnsafeCell::new(State {
    number: 0,
    instances: 0,
}));

impl UnderRtnl {
    fn with<R>(&self, _rtnl: &rtnl::Held, f: impl FnOnce(&mut State) -> R) -> R {
        // SAFETY: The lock is held. What is called below does not come back here: it is C, and the
        // callbacks of hotplug are not called for adding or removing an instance.
        f(unsafe { &mut *self.0.get() })
    }
}

impl Instance {
    /// One that has not been added.
    pub(crate) fn new(callback: Option<Callback>, argument: *mut c_void) -> Self {
        Self {
            node: Opaque::zeroed(),
            callback,
            argument,
        }
    }

    /// From now on the callback is called with `argument` and the CPUs, in process
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
    /// The instance has not been added. It stays where it is, and the callback may be called, until
    /// [`remove`](Self::remove), which is called before the module goes.
    pub(crate) unsafe fn add(&self, rtnl: &rtnl::Held) -> Result {
        let Some(callback) = self.callback else {
            return Ok(());
        };
        fault::point("CPU hotplug")?;
        STATE.with(rtnl, |state| {
            if state.instances == 0 {
                // SAFETY: The callbacks are those of this type, for which the nodes are.
                state.number = check(unsafe {
                    bindings::cpuhp_setup_state_multi_dyn(
                        callback.name.as_char_ptr(),
                        Some(online),
                        Some(down_prep),
                    )
                })?;
            }
            // SAFETY: By the requirements of this function. The state has been set up.
            let added = check(unsafe {
                bindings::cpuhp_state_add_instance_nocalls(
                    state.number as bindings::cpuhp_state,
                    self.node.get(),
                )
            });
            if added.is_ok() {
                state.instances += 1;
            } else {
                state.put();
            }
            added.map(|_| ())
        })
    }

    /// Afterwards the callback is not called, and is not running.
    ///
    /// Process context. May sleep. Takes the lock of CPU hotplug.
    ///
    /// # Safety
    ///
    /// The instance has been added, and not removed.
    pub(crate) unsafe fn remove(&self, rtnl: &rtnl::Held) {
        if self.callback.is_none() {
            return;
        }
        STATE.with(rtnl, |state| {
            // SAFETY: By the requirement of this function. So the state has been set up.
            unsafe {
                bindings::cpuhp_state_remove_instance_nocalls(
                    state.number as bindings::cpuhp_state,
                    self.node.get(),
                )
            };
            state.instances -= 1;
            state.put();
        });
    }

    /// # Safety
    ///
    /// `node` is that of an instance that has been added, and the caller is a callback of its state.
    unsafe fn call(node: *mut bindings::hlist_node, leaving: Option<u32>) {
        // SAFETY: By the requirement of this function. The core holds the lock of CPU hotplug.
        unsafe {
            let this: *mut Self = container_of!(Opaque::cast_from(node), Self, node).cast_mut();
            if let Some(callback) = (*this).callback {
                (callback.changed)((*this).argument, &Online::assume(leaving));
            }
        }
    }
}

impl State {
    /// Gives the state back if it has no instance.
    fn put(&mut self) {
        if self.instances == 0 {
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
/// See [`Instance::call`].
unsafe extern "C" fn online(_cpu: c_uint, node: *mut bindings::hlist_node) -> c_int {
    // SAFETY: By the requirement of this function.
    unsafe { Instance::call(node, None) };
    0
}

/// A CPU is about to go. If it stays after all, [`online`] is called.
///
/// # Safety
///
/// See [`Instance::call`].
unsafe extern "C" fn down_prep(cpu: c_uint, node: *mut bindings::hlist_node) -> c_int {
    // SAFETY: By the requirement of this function.
    unsafe { Instance::call(node, Some(cpu)) };
    0
}
