// SPDX-License-Identifier: GPL-2.0

//! Bindings that the kernel's own `bindings` crate lacks, and all that it has.
//!
//! Only the crates under `rust/` see this one. What the kernel's crate declares is taken from
//! there, so that no C type exists twice.

#![allow(
    clippy::all,
    dead_code,
    missing_docs,
    non_camel_case_types,
    non_upper_case_globals,
    non_snake_case,
    improper_ctypes,
    unreachable_pub,
    unsafe_op_in_unsafe_fn,
    clippy::undocumented_unsafe_blocks,
    clippy::as_underscore,
    clippy::cast_lossless,
    clippy::ptr_as_ptr,
    clippy::ref_as_ptr
)]

mod raw {
    use kernel::ffi;
    use pin_init::MaybeZeroable;

    // What is declared below takes precedence over the globs.
    pub use super::helpers::*;
    pub use kernel::bindings::*;

    include!(concat!(
        env!("NETDEV_OBJ"),
        "/rust/bindings/bindings_generated.rs"
    ));
}

mod helpers {
    use super::raw::*;
    use kernel::ffi;

    include!(concat!(
        env!("NETDEV_OBJ"),
        "/rust/bindings/bindings_helpers_generated.rs"
    ));
}

pub use raw::*;
