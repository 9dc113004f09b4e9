// SPDX-License-Identifier: GPL-2.0

//! Parameters and version of a module, seen in `/sys/module` and in `modinfo`.
//!
//! A driver keeps each parameter in a static [`Parameter`], in safe code. The crate that has the
//! module's entry declares them to the kernel with [`module_parameters!`](crate::module_parameters).
//! Those of the kernel's `module!` cannot be read in sysfs, nor written after the module is loaded.
//!
//! C header: [`include/linux/moduleparam.h`](srctree/include/linux/moduleparam.h)

use crate::bindings;
use core::{
    ffi::c_void,
    ptr::addr_of,
    sync::atomic::{
        AtomicI32,
        AtomicU32,
        AtomicU8,
        Ordering::Relaxed, //
    },
};
use kernel::{
    prelude::*,
    str::CStr, //
};

/// A type that a parameter can have.
///
/// # Safety
///
/// The functions of [`OPS`](Self::OPS) read and write a C object of the size and alignment of
/// [`Cell`](Self::Cell), and nothing else.
pub unsafe trait Type: Copy + 'static {
    /// What holds the value. The kernel writes to it while others read, one access at a time.
    type Cell: Sync;

    /// How the kernel sets and shows the value. It refuses a text that is not one.
    #[doc(hidden)]
    const OPS: *const bindings::kernel_param_ops;

    /// The value of `cell`.
    fn load(cell: &Self::Cell) -> Self;
}

// SAFETY: The functions are for a `bool`, which has the size and alignment of a byte.
unsafe impl Type for bool {
    type Cell = AtomicU8;

    const OPS: *const bindings::kernel_param_ops = addr_of!(bindings::param_ops_bool);

    fn load(cell: &AtomicU8) -> bool {
        cell.load(Relaxed) != 0
    }
}

// SAFETY: The functions are for an `int`.
unsafe impl Type for i32 {
    type Cell = AtomicI32;

    const OPS: *const bindings::kernel_param_ops = addr_of!(bindings::param_ops_int);

    fn load(cell: &AtomicI32) -> i32 {
        cell.load(Relaxed)
    }
}

/// What holds a number, and the least and the largest value that it takes.
///
/// # Invariants
///
/// The kernel's functions for an `unsigned int` take a pointer to this, so the value comes first.
#[repr(C)]
pub struct Bounded {
    value: AtomicU32,
    least: u32,
    largest: u32,
}

// SAFETY: The functions are for an `unsigned int`, which is at the start of a `Bounded`. The rest of
// it is only read.
unsafe impl Type for u32 {
    type Cell = Bounded;

    const OPS: *const bindings::kernel_param_ops = &bindings::kernel_param_ops {
        flags: 0,
        set: Some(set_bounded),
        get: Some(bindings::param_get_uint),
        free: None,
    };

    fn load(cell: &Bounded) -> u32 {
        cell.value.load(Relaxed)
    }
}

/// Sets a number, unless it is out of its bounds.
///
/// # Safety
///
/// `parameter` is one whose `arg` points to a [`Bounded`], and `text` is a string or null.
unsafe extern "C" fn set_bounded(
    text: *const c_char,
    parameter: *const bindings::kernel_param,
) -> c_int {
    // SAFETY: By the requirement of this function. The function writes to the value only.
    unsafe {
        let cell = (*parameter).__bindgen_anon_1.arg.cast::<Bounded>();
        bindings::param_set_uint_minmax(text, parameter, (*cell).least, (*cell).largest)
    }
}

/// A parameter of a module.
pub struct Parameter<T: Type>(T::Cell);

impl Parameter<bool> {
    /// A parameter with this value, unless the module is loaded with another one.
    pub const fn new(default: bool) -> Self {
        Self(AtomicU8::new(default as u8))
    }
}

impl Parameter<i32> {
    /// A parameter with this value, unless the module is loaded with another one.
    pub const fn new(default: i32) -> Self {
        Self(AtomicI32::new(default))
    }
}

impl Parameter<u32> {
    /// A parameter with this value, unless the module is loaded with another one. What is not from
    /// `least` to `largest` is refused.
    ///
    /// # Panics
    ///
    /// At compile time when used for a static, if `default` would be refused.
    pub const fn new(default: u32, least: u32, largest: u32) -> Self {
        assert!(least <= default && default <= largest);
        Self(Bounded {
            value: AtomicU32::new(default),
            least,
            largest,
        })
    }
}

impl<T: Type> Parameter<T> {
    /// The value, as it is now. Any context.
    pub fn get(&self) -> T {
        T::load(&self.0)
    }
}

/// Who may do what with a parameter in sysfs.
#[derive(Clone, Copy)]
#[repr(u16)]
pub enum Access {
    /// All may read it (0444).
    ReadOnly = 0o444,
    /// All may read it, root may write it at any time (0644).
    Writable = 0o644,
}

/// What tells the kernel of a parameter, in the section `__param`. Elsewhere it does nothing.
#[doc(hidden)]
#[repr(transparent)]
pub struct Declaration(bindings::kernel_param);

// SAFETY: Nothing here reads or writes it; the kernel serialises its own accesses.
unsafe impl Sync for Declaration {}

impl Declaration {
    /// Declares `parameter`, which has the storage that the functions of its type expect.
    pub const fn new<T: Type>(
        name: &'static CStr,
        parameter: &'static Parameter<T>,
        access: Access,
    ) -> Self {
        let arg: *const T::Cell = &parameter.0;
        Self(bindings::kernel_param {
            name: kernel::str::as_char_ptr_in_const_context(name),
            mod_: addr_of!(bindings::__this_module).cast_mut(),
            ops: T::OPS,
            perm: access as u16,
            level: -1,
            flags: 0,
            __bindgen_anon_1: bindings::kernel_param__bindgen_ty_1 {
                arg: arg.cast_mut().cast::<c_void>(),
            },
        })
    }
}

/// Declares the parameters of a module: for each its name, type (`bool`, `int` or `uint`), static
/// [`Parameter`](crate::parameter::Parameter), [`Access`](crate::parameter::Access) and
/// description.
///
/// # Examples
///
/// ```ignore
/// virtio::module_parameters! {
///     csum: bool = my_driver::CSUM, ReadOnly, "What it does";
/// }
/// ```
#[macro_export]
macro_rules! module_parameters {
    (@type bool) => { bool };
    (@type int) => { i32 };
    (@type uint) => { u32 };
    (@info $($text:expr),*) => {
        const _: () = {
            const TEXT: &str = concat!($($text,)* "\0");

            #[link_section = ".modinfo"]
            #[used(compiler)]
            static INFO: [u8; TEXT.len()] = *TEXT.as_bytes().first_chunk().unwrap();
        };
    };
    ($($name:ident: $type:ident = $parameter:path, $access:ident, $text:literal;)*) => {$(
        const _: () = {
            use $crate::parameter::{Access, Declaration};

            const NAME: &::core::ffi::CStr =
                match ::core::ffi::CStr::from_bytes_with_nul(
                    concat!(stringify!($name), "\0").as_bytes()
                ) {
                    Ok(name) => name,
                    Err(_) => unreachable!(),
                };

            #[link_section = "__param"]
            #[used(compiler)]
            static DECLARATION: Declaration =
                Declaration::new::<$crate::module_parameters!(@type $type)>(
                    NAME, &$parameter, Access::$access
                );
        };
        $crate::module_parameters!(@info "parmtype=", stringify!($name), ":", stringify!($type));
        $crate::module_parameters!(@info "parm=", stringify!($name), ":", $text);
    )*};
}

/// Says which version the module is, in `modinfo` and in `/sys/module`: a string literal, or a macro
/// that makes one. It is the macro `MODULE_VERSION` of C, which the kernel's `module!` lacks.
///
/// # Examples
///
/// ```ignore
/// virtio::module_version!(env!("MODULE_VERSION"));
/// ```
#[macro_export]
macro_rules! module_version {
    ($version:expr) => {
        $crate::module_parameters!(@info "version=", $version);
    };
}
