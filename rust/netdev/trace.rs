// SPDX-License-Identifier: GPL-2.0

//! Tracing what is done for the health of a device. A module that does has `rust/helpers/trace.o` among its objects.
//!
//! C header: [`include/linux/tracepoint.h`](srctree/include/linux/tracepoint.h).

use crate::{
    bindings,
    Device,
    Driver, //
};
use kernel::{
    prelude::*,
    str::{
        CStr,
        CStrExt, //
    },
};

impl<T: Driver> Device<T> {
    /// The event `health_step` of the module: what has been done, and for which queue, if it was for one. Any context. While nobody
    /// traces it is a call and a jump that is patched in; not for the hot path.
    pub fn trace_health_step(&self, step: &CStr, queue: Option<u16>) {
        let queue = queue.map_or(-1, c_int::from);
        // SAFETY: By the type invariant. The text is copied.
        unsafe { bindings::netdev_trace_health_step(self.as_raw(), step.as_char_ptr(), queue) };
    }
}
