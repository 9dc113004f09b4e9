// SPDX-License-Identifier: GPL-2.0

//! What a device says of a command.

#[path = "../../../drivers/net/virtio_net_rust/control/reply.rs"]
mod source;

use kernel::prelude::*;
use proptest::prelude::*;
use source::{can_be_written, outcome};

proptest! {
    #[test]
    fn only_one_status_is_done(status in any::<u8>()) {
        let expected = if status == 0 { Ok(()) } else { Err(EINVAL) };
        prop_assert_eq!(outcome(status), expected);
    }

    #[test]
    fn lengths(written in prop_oneof![0u32..20, any::<u32>()], room in 1usize..20) {
        prop_assert_eq!(can_be_written(written, room), written != 0 && u64::from(written) <= room as u64);
    }
}
