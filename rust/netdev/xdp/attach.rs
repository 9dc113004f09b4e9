// SPDX-License-Identifier: GPL-2.0

//! Attaching programs to a device.

use super::{
    Frames,
    Program, //
};
use crate::{
    bindings,
    ops::Ops,
    rtnl,
    Device,
    Driver,
    Locked,
    Operations,
    TxAccess, //
};
use core::ptr::NonNull;
use kernel::{
    prelude::*,
    str::CStr, //
};

/// Why a program is not attached.
pub struct Refused {
    /// What the caller gets.
    pub error: Error,
    /// What a user is told (`extack`). By convention it starts with the name of the module.
    pub reason: &'static CStr,
}

/// A driver whose device runs XDP programs, and sends what they send.
///
/// The receive queues look for a program with each poll ([`RxAccess::program`](crate::RxAccess)).
pub trait Xdp: Driver {
    /// Prepares the device for `program`, which is going to be attached, or to take the place of another one.
    ///
    /// `ndo_bpf`: process context, rtnl and the lock of the device held, may sleep.
    ///
    /// # Errors
    ///
    /// The program is refused; what there was before stays.
    fn attach(
        device: &Locked<'_, Self>,
        program: &Program<'_>,
        rtnl: &rtnl::Held,
    ) -> Result<(), Refused>;

    /// The program has been detached, and no poll function has it any more. As for [`attach`](Self::attach), but there is
    /// no way back.
    fn detached(device: &Locked<'_, Self>, rtnl: &rtnl::Held);

    /// The largest MTU with a program that takes packets of several buffers, or with one that does not, in bytes.
    fn max_xdp_mtu(device: &Device<Self>, frags: bool) -> u32;

    /// Sends frames, and tells the device if `flush` says so, or if the queue is full. Counts those that it does not send.
    ///
    /// `ndo_xdp_xmit`, and for what a program sends back: softirq context, with the lock of the transmit queue. `tx` is None if
    /// its state is not in its place.
    fn xmit_frames(
        device: &Device<Self>,
        tx: Option<TxAccess<'_, Self>>,
        stats: &Self::TxStats,
        frames: &mut Frames<'_>,
        flush: bool,
    );
}

impl<T: Xdp> Operations<T> {
    /// XDP programs can be attached, and frames be sent here.
    pub const fn xdp(mut self) -> Self {
        self.netdev.ndo_bpf = Some(Ops::<T>::bpf);
        self.netdev.ndo_xdp_xmit = Some(Ops::<T>::xdp_xmit);
        self.netdev.ndo_change_mtu = Some(Ops::<T>::change_mtu);
        self
    }
}

impl<T: Driver> Device<T> {
    /// Whether there is an XDP program. Any context; it changes while both locks are held.
    pub fn has_program(&self) -> bool {
        self.context().program.is_some()
    }
}

impl<T: Xdp> Ops<T> {
    /// `ndo_bpf`.
    ///
    /// # Safety
    ///
    /// See [`Ops`]. `bpf` is valid, with the fields of its command.
    unsafe extern "C" fn bpf(
        dev: *mut bindings::net_device,
        bpf: *mut bindings::netdev_bpf,
    ) -> c_int {
        // SAFETY: See the type. The locks are held.
        let (device, rtnl) = unsafe { Self::locked(dev) };
        // SAFETY: By the requirement of this function.
        let (program, extack) = unsafe {
            match (*bpf).command {
                bindings::bpf_netdev_command_XDP_SETUP_PROG => {}
                bindings::bpf_netdev_command_XDP_SETUP_XSK_POOL => {
                    let fields = &(*bpf).__bindgen_anon_1.xsk;
                    return T::OPERATIONS.xsk.map_or(EINVAL.to_errno(), |setup| {
                        setup(&device, fields.pool, fields.queue_id, &rtnl)
                    });
                }
                _ => return EINVAL.to_errno(),
            }
            let fields = &(*bpf).__bindgen_anon_1.__bindgen_anon_1;
            (fields.prog, fields.extack)
        };
        // SAFETY: The stack hands over a reference, which stays its own unless this succeeds.
        match unsafe { Self::set_program(&device, program, &rtnl) } {
            Ok(()) => 0,
            Err(refused) => {
                // SAFETY: `extack` is null or valid, and keeps the pointer, which is static.
                unsafe {
                    bindings::netlink_ext_ack_set(extack.cast(), refused.reason.as_char_ptr())
                };
                refused.error.to_errno()
            }
        }
    }

    /// Attaches `program`, or detaches the one that there is if it is null.
    ///
    /// # Safety
    ///
    /// It is null, or a reference to an XDP program, which passes on unless it is refused.
    unsafe fn set_program(
        device: &Locked<'_, T>,
        program: *mut bindings::bpf_prog,
        rtnl: &rtnl::Held,
    ) -> Result<(), Refused> {
        let context = device.context();
        if let Some(raw) = NonNull::new(program) {
            // SAFETY: By the requirement of this function.
            let new = unsafe { Program::from_raw(raw) };
            if context.is_gone(device) {
                return Err(Refused {
                    error: ENODEV,
                    reason: c"The device is suspended",
                });
            }
            if device.mtu() > T::max_xdp_mtu(device, new.has_frags()) {
                return Err(Refused {
                    error: EINVAL,
                    reason: c"MTU too large for this XDP program",
                });
            }
            T::attach(device, &new, rtnl)?;
        }
        let had_one = context.program.is_some();
        // SAFETY: By the requirement of this function.
        unsafe { context.program.replace(program) };
        if program.is_null() && had_one {
            T::detached(device, rtnl);
        }
        Ok(())
    }

    /// `ndo_change_mtu`.
    ///
    /// # Safety
    ///
    /// See [`Ops`].
    unsafe extern "C" fn change_mtu(dev: *mut bindings::net_device, mtu: c_int) -> c_int {
        // SAFETY: See the type. The rtnl lock is held, so the program stays.
        let (device, program) = unsafe {
            let device = Device::<T>::from_raw(dev);
            (device, device.context().program.get())
        };
        // CAST: The stack has compared it with the range of the device.
        let mtu = mtu as u32;
        if program.is_some_and(|program| mtu > T::max_xdp_mtu(device, program.has_frags())) {
            return EINVAL.to_errno();
        }
        // SAFETY: The rtnl lock is held. Others read the field as a whole.
        unsafe { core::ptr::addr_of_mut!((*dev).mtu).write_volatile(mtu) };
        0
    }
}
