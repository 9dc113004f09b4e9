// SPDX-License-Identifier: GPL-2.0

//! The file that a receive queue has in sysfs, of the driver's name: the length of its buffers.
//!
//! C header: [`include/net/netdev_rx_queue.h`](srctree/include/net/netdev_rx_queue.h)

use crate::{
    bindings,
    Allocated,
    Device,
    Driver, //
};
use core::{
    fmt::Write,
    marker::PhantomData,
    ptr::null, //
};
use kernel::{
    prelude::*,
    str::{
        CStr,
        NullTerminatedFormatter, //
    },
};

/// What the file has room for, in bytes, with a NUL at the end: any 32-bit number, and a newline.
const ROOM: usize = 12;

/// May be read by everybody.
const MODE: u16 = 0o444;

/// A driver whose receive queues show in sysfs how long their buffers are.
pub trait RxBufferFile: Driver {
    /// The names of the folder and of the file, in that of a receive queue.
    const RX_BUFFER_FILE: (&'static CStr, &'static CStr);

    /// The length of the buffers of a receive queue, in bytes.
    ///
    /// Process context, may sleep. Must not take the rtnl lock: whoever takes the file away holds it and
    /// waits for its readers.
    fn rx_buffer_len(device: &Device<Self>, stats: &Self::RxStats) -> u32;
}

/// The file of the driver `T`.
pub(crate) struct RxFile<T: RxBufferFile>(PhantomData<T>);

impl<T: RxBufferFile> RxFile<T> {
    const ATTRIBUTE: bindings::attribute = {
        // With lockdep it has more fields.
        let mut attribute: bindings::attribute = pin_init::zeroed();
        attribute.name = T::RX_BUFFER_FILE.1.to_bytes_with_nul().as_ptr();
        attribute.mode = MODE;
        attribute
    };

    const FILE: &'static bindings::rx_queue_attribute = &bindings::rx_queue_attribute {
        attr: Self::ATTRIBUTE,
        show: Some(Self::show),
        store: None,
    };

    const FILES: &'static [*const bindings::attribute; 2] = &[&raw const Self::FILE.attr, null()];

    /// The folder that the file is in.
    pub(crate) const FOLDER: &'static bindings::attribute_group = &bindings::attribute_group {
        name: T::RX_BUFFER_FILE.0.to_bytes_with_nul().as_ptr(),
        __bindgen_anon_2: bindings::attribute_group__bindgen_ty_2 {
            attrs_const: Self::FILES.as_ptr(),
        },
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// `queue` belongs to a registered network device of `T`, and stays during the call. `to` has
    /// room for a page.
    unsafe extern "C" fn show(queue: *mut bindings::netdev_rx_queue, to: *mut c_char) -> isize {
        // SAFETY: By the requirements of this function.
        let (device, index) = unsafe {
            (
                Device::<T>::from_raw((*queue).dev),
                bindings::get_netdev_rx_queue_index(queue),
            )
        };
        let slot = device.context().rx.get(index as usize);
        let len = slot.map_or(0, |slot| T::rx_buffer_len(device, slot.stats()));

        let mut text = [0; ROOM];
        if let Some(mut formatter) = NullTerminatedFormatter::new(&mut text) {
            // There is room for it.
            let _ = formatter.write_fmt(fmt!("{len}\n"));
        }
        // SAFETY: By the requirements of this function; it is less than a page.
        unsafe { to.copy_from_nonoverlapping(text.as_ptr().cast(), ROOM) };
        let len = text.iter().take_while(|byte| **byte != 0).count();
        // CAST: It is at most `ROOM`.
        len as isize
    }
}

impl<T: RxBufferFile> Allocated<T> {
    /// Gives each receive queue the file [`RxBufferFile::RX_BUFFER_FILE`] in sysfs, which shows how long its
    /// buffers are.
    pub fn show_rx_buffer_len(&mut self) {
        self.fields().sysfs_rx_queue_group = RxFile::<T>::FOLDER;
    }
}
