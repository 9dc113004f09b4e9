// SPDX-License-Identifier: GPL-2.0

//! The average length of received packets.

#[path = "../../../drivers/net/virtio_net_rust/rx/average.rs"]
mod source;

use proptest::prelude::*;
use source::Average;

/// The longest packet that there is, with room.
const LONGEST: u32 = 1 << 17;

proptest! {
    #[test]
    fn stays_between_the_shortest_and_the_longest(start in 60..LONGEST, lens in prop::collection::vec(60..LONGEST, 1..500)) {
        let mut average = Average::starting_with(start);
        let (least, most) = lens.iter().fold((start, start), |(a, b), len| (a.min(*len), b.max(*len)));
        for len in &lens {
            average.add(*len);
            // Each time up to one byte is rounded off, and no more than 64 in all.
            prop_assert!(average.bytes() + 64 >= least && average.bytes() <= most);
        }
    }

    #[test]
    fn follows_what_comes(start in 60..LONGEST, len in 60..LONGEST) {
        let mut average = Average::starting_with(start);
        for _ in 0..2000 {
            average.add(len);
        }
        prop_assert!(average.bytes().abs_diff(len) <= 64);
    }

    #[test]
    fn is_the_exponentially_weighted_one(start in 60..LONGEST, lens in prop::collection::vec(60..LONGEST, 1..50)) {
        let (mut average, mut exact) = (Average::starting_with(start), f64::from(start));
        for len in lens {
            average.add(len);
            exact += (f64::from(len) - exact) / 64.0;
            prop_assert!((f64::from(average.bytes()) - exact).abs() <= 64.0);
        }
    }
}
