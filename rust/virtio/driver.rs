// SPDX-License-Identifier: GPL-2.0

//! The virtio bus: driver trait, adapter and registration.

mod reset;

pub use self::reset::Registered;

use crate::{
    attached::Anchor,
    bindings,
    Attached,
    Device,
    Feature,
    IdTable,
    Negotiation, //
};
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    mem::offset_of, //
};
use kernel::{
    device::{
        self,
        Bound,
        Core, //
    },
    driver,
    error::{
        from_result,
        to_result, //
    },
    prelude::*,
    str::CStr,
    types::Opaque,
    ThisModule, //
};

/// A driver for virtio devices.
///
/// The bus calls [`validate`](Self::validate) and [`probe`](Self::probe) with the device lock held,
/// in process context.
pub trait Driver: 'static {
    /// What the driver keeps for a bound device. Dropped, in process context, when it is unbound.
    ///
    /// Whatever it owns that uses the device holds an [`Attached`]. After the drop the bus waits
    /// until all of them are gone, and resets the device.
    type Data: Send + Sync;

    /// The features that the driver knows, for a device that offers [`Feature::VERSION_1`].
    const FEATURES: &'static [Feature];

    /// The same for a legacy device. Bits from 64 on are not possible there.
    const LEGACY_FEATURES: &'static [Feature];

    /// Looks at the device before its features become final.
    ///
    /// # Errors
    ///
    /// Any: the device is not bound. The driver says in the log what is wrong.
    fn validate(device: &Negotiation<'_>) -> Result;

    /// Starts to drive a device.
    ///
    /// `attached` is a hold on the same device, from which further ones can be cloned.
    ///
    /// # Errors
    ///
    /// Any: the device is reset and left.
    fn probe(device: &Device<Core<'_>>, attached: Attached) -> Result<Self::Data>;

    /// Lets go of the queues of a device, as the machine is about to be suspended or saved, or as the device is going to be
    /// reset. It is reset afterwards. Until [`restore`](Self::restore) no interrupt of a queue comes, and what
    /// [`config_changed`](Self::config_changed) is called for can wait.
    ///
    /// Process context, nothing else of the bus runs for the device. User space runs unless the machine is about to be suspended.
    /// There may be several calls without a [`restore`](Self::restore) in between. May sleep.
    fn freeze(device: &Device<Core<'_>>, data: &Self::Data);

    /// Takes a device that has been reset into use again. The same features as before have been
    /// negotiated.
    ///
    /// Process context. May sleep.
    ///
    /// # Errors
    ///
    /// Any: the device is reset and stays out of use, but bound. There is another try soon, after another
    /// [`freeze`](Self::freeze), unless it has failed too often.
    fn restore(device: &Device<Core<'_>>, data: &Self::Data) -> Result;

    /// The device's configuration may have changed. Called in interrupt context, with a spinlock
    /// held.
    fn config_changed(device: &Device<Bound>, data: &Self::Data);
}

/// The device types that a driver serves. Implemented by [`module_virtio_driver!`].
///
/// [`module_virtio_driver!`]: crate::module_virtio_driver
pub trait Ids: 'static {
    /// The table.
    const TABLE: IdTable;

    /// Where it is kept that the driver is registered. Whoever implements the trait has one for it.
    fn registered() -> &'static Registered;
}

/// What the bus keeps for a bound device.
#[doc(hidden)]
pub struct Private<T: Driver> {
    binding: UnsafeCell<Option<Binding<T>>>,
}

struct Binding<T: Driver> {
    data: T::Data,
    anchor: Anchor,
}

/// The adapter between the virtio bus and a [`Driver`] for the device types `I`.
pub struct Adapter<T: Driver, I: Ids>(PhantomData<(T, I)>);

// SAFETY:
// - `bindings::virtio_driver` is a C type declared as `repr(C)`.
// - `Private<T>` is the type of the driver's device private data.
// - `struct virtio_driver` embeds a `struct device_driver` at `DEVICE_DRIVER_OFFSET`.
unsafe impl<T: Driver, I: Ids> driver::DriverLayout for Adapter<T, I> {
    type DriverType = bindings::virtio_driver;
    type DriverData<'bound> = Private<T>;
    const DEVICE_DRIVER_OFFSET: usize = offset_of!(Self::DriverType, driver);
}

// SAFETY: `unregister` is valid for a driver that has been registered before.
unsafe impl<T: Driver, I: Ids> driver::RegistrationOps for Adapter<T, I> {
    unsafe fn register(
        vdrv: &Opaque<Self::DriverType>,
        name: &'static CStr,
        module: &'static ThisModule,
    ) -> Result {
        let (table, table_size) = Feature::as_table(T::FEATURES);
        let (legacy, legacy_size) = Feature::as_table(T::LEGACY_FEATURES);

        // SAFETY: It is safe to set the fields of `struct virtio_driver` before registration.
        unsafe {
            let vdrv = &mut *vdrv.get();
            vdrv.driver.name = name.as_char_ptr();
            vdrv.id_table = I::TABLE.as_ptr();
            vdrv.feature_table = table;
            vdrv.feature_table_size = table_size;
            vdrv.feature_table_legacy = legacy;
            vdrv.feature_table_size_legacy = legacy_size;
            vdrv.validate = Some(Self::validate_callback);
            vdrv.probe = Some(Self::probe_callback);
            vdrv.remove = Some(Self::remove_callback);
            vdrv.config_changed = Some(Self::config_changed_callback);
            vdrv.freeze = Some(Self::freeze_callback);
            vdrv.restore = Some(Self::restore_callback);
            vdrv.reset_prepare = Some(Self::reset_prepare_callback);
            vdrv.reset_done = Some(Self::reset_done_callback);
            vdrv.shutdown = Some(Self::shutdown_callback);
        }

        // SAFETY: `vdrv` is valid and stays pinned until `unregister`, which forgets it.
        unsafe {
            I::registered().set(vdrv.get())?;
            to_result(bindings::__register_virtio_driver(
                vdrv.get(),
                module.as_ptr(),
            ))
        }
        .inspect_err(|_| I::registered().forget(vdrv.get()))
    }

    unsafe fn unregister(vdrv: &Opaque<Self::DriverType>) {
        // SAFETY: By the requirement of this function `vdrv` has been registered.
        unsafe { bindings::unregister_virtio_driver(vdrv.get()) };
        I::registered().forget(vdrv.get());
    }
}

impl<T: Driver, I: Ids> Adapter<T, I> {
    extern "C" fn validate_callback(vdev: *mut bindings::virtio_device) -> c_int {
        // SAFETY: The bus calls with a valid device, which it binds for the duration of the call.
        let device = unsafe { &*vdev.cast::<Device<Bound>>() };
        from_result(|| {
            T::validate(&Negotiation::new(device))?;
            Ok(0)
        })
    }

    extern "C" fn probe_callback(vdev: *mut bindings::virtio_device) -> c_int {
        // SAFETY: The bus calls with a valid device and the device lock held.
        let device = unsafe { &*vdev.cast::<Device<device::CoreInternal<'_>>>() };

        from_result(|| {
            // The box comes first, so that nothing can fail after the driver's probe. After an
            // error the driver core takes it back, as it does when a device is unbound.
            device.as_ref().set_drvdata::<Private<T>>(Ok(Private {
                binding: UnsafeCell::new(None),
            }))?;

            // Until there is something to call with, whatever the core says: it may let news through that come beside a reset of
            // the function.
            // SAFETY: The device is valid. `release` is called below if the probe fails, else by `remove_callback`; recovery
            // is paused before, and resumed for the driver that is bound.
            let anchor = unsafe {
                bindings::virtio_config_driver_disable(vdev);
                Anchor::new(device, Self::recover)
            }?;

            match T::probe(device, anchor.attach()) {
                Ok(data) => {
                    anchor.recovery().resume();
                    // SAFETY: The data has been set above, and is of this type. The bus calls neither
                    // `config_changed` before it is enabled, nor `remove` before this function returns, and the lock of the device
                    // is held; so nothing else looks at the cell.
                    unsafe {
                        let private = device.as_ref().drvdata_borrow::<Private<T>>();
                        *private.binding.get() = Some(Binding { data, anchor });
                        bindings::virtio_config_driver_enable(vdev);
                    }
                    Ok(0)
                }
                Err(error) => {
                    anchor.release(device);
                    device.reset();
                    Err(error)
                }
            }
        })
    }

    extern "C" fn remove_callback(vdev: *mut bindings::virtio_device) {
        // SAFETY: The bus calls with a valid device and the device lock held, after `probe_callback` has succeeded, so the data
        // is set. `config_changed`, which is called under a lock of its own, is not from here on, whatever the core says; and
        // all else that looks at the cell holds the device lock, but for callbacks beside which the bus does not call this one.
        let (device, binding) = unsafe {
            bindings::virtio_config_driver_disable(vdev);
            let device = &*vdev.cast::<Device<device::CoreInternal<'_>>>();
            let private = device.as_ref().drvdata_borrow::<Private<T>>();
            (device, (*private.get_ref().binding.get()).take())
        };
        if let Some(Binding { data, anchor }) = binding {
            anchor.recovery().pause();
            drop(data);
            anchor.release(device);
        }
        device.reset();
    }

    /// The device, and what is kept for it.
    ///
    /// # Safety
    ///
    /// This device is bound to the driver, between a successful probe and the remove callback, for the lifetime.
    unsafe fn bound<'a>(
        vdev: *mut bindings::virtio_device,
    ) -> (&'a Device<device::CoreInternal<'a>>, Option<&'a Binding<T>>) {
        // SAFETY: By the requirement of this function the device is valid, and the data is set. The
        // cell is written to before the first and after the last call.
        unsafe {
            let device = &*vdev.cast::<Device<device::CoreInternal<'a>>>();
            let private = device.as_ref().drvdata_borrow::<Private<T>>();
            (device, (*private.get_ref().binding.get()).as_ref())
        }
    }

    extern "C" fn config_changed_callback(vdev: *mut bindings::virtio_device) {
        // SAFETY: The bus calls with a device that is bound, between a successful probe, which enables it, and the remove
        // callback, which disables it. What is passed on is a bound device, and no more.
        let (device, binding) = unsafe { Self::bound(vdev) };
        if let Some(binding) = binding {
            T::config_changed(device, &binding.data);
        }
    }
}

/// Declares a kernel module that exposes a single virtio driver, and the devices it is loaded for.
///
/// # Examples
///
/// ```ignore
/// virtio::module_virtio_driver! {
///     ids: [virtio::DeviceId::NET],
///     type: MyDriver,
///     name: "my_driver",
///     authors: ["Author name"],
///     description: "Description",
///     license: "GPL",
/// }
/// ```
#[macro_export]
macro_rules! module_virtio_driver {
    (ids: [$($id:expr),* $(,)?], $($f:tt)*) => {
        // The name is what modpost makes the module's alias of.
        #[export_name = concat!(
            "__mod_device_table__", line!(), "__kmod_", module_path!(), "__virtio__IDS"
        )]
        static IDS: $crate::IdArray<{ <[$crate::DeviceId]>::len(&[$($id),*]) }> =
            $crate::IdArray::new([$($id),*]);

        struct DriverIds;

        impl $crate::Ids for DriverIds {
            const TABLE: $crate::IdTable = IDS.table();

            fn registered() -> &'static $crate::Registered {
                static REGISTERED: $crate::Registered = $crate::Registered::new();
                &REGISTERED
            }
        }

        ::kernel::module_driver!(<T>, $crate::Adapter<T, DriverIds>, { $($f)* });
    };
}
