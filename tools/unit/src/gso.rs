// SPDX-License-Identifier: GPL-2.0

//! Which GSO packets may be received.

#[path = "../../../rust/vnet/gso.rs"]
mod source;

use proptest::prelude::*;
pub(crate) use source::GsoTypes;

const ALL: [(GsoTypes, u8); 4] = [
    (GsoTypes::TCP_V4, 1),
    (GsoTypes::UDP, 3),
    (GsoTypes::TCP_V6, 4),
    (GsoTypes::UDP_L4, 5),
];
const ECN: u8 = 0x80;
const TUNNELS: u8 = 0x60;

proptest! {
    #[test]
    fn nothing_but_what_was_negotiated(set in 0u8..32, gso_type in any::<u8>()) {
        let mut types = GsoTypes::NONE;
        let mut expected = false;
        for (bit, (one, number)) in ALL.into_iter().enumerate() {
            if set >> bit & 1 == 1 {
                types = types | one;
                expected |= gso_type & !ECN & !TUNNELS == number;
            }
        }
        let ecn = set >> 4 == 1;
        if ecn {
            types = types | GsoTypes::ECN;
        }
        expected &= gso_type & ECN == 0 || ecn;
        prop_assert_eq!(types.has(gso_type), expected);
    }
}
