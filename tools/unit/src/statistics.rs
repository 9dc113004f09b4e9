// SPDX-License-Identifier: GPL-2.0

//! The types of statistics.

#[path = "../../../drivers/net/virtio_net_rust/device_stats/types.rs"]
mod source;

use source::{
    Type,
    CONTROL,
    RX,
    TX, //
};

/// Each counter is shown or reported once, and lies inside of its type; each field is reported once.
fn check<Q: Default>(types: &[Type<Q>], count: impl Fn(&Q) -> usize) {
    let mut values = Q::default();
    let (mut fields, mut names, mut bits) = (0, Vec::new(), 0);
    for one in types {
        let mut places: Vec<_> = one.named.iter().map(|(place, _)| *place).collect();
        places.extend(one.reported.iter().map(|(place, _)| *place));
        let all = places.len();
        places.sort();
        places.dedup();
        assert_eq!(places.len(), all);
        assert!(places.iter().all(|place| *place < one.counters));
        names.extend(one.named.iter().map(|(_, name)| *name));
        for (_, field) in one.reported {
            *field(&mut values) = Some(1);
            fields += 1;
        }
        assert!(one.is_in(one.bit()) && !one.is_in(bits));
        bits |= one.bit();
    }
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all);
    assert_eq!(count(&values), fields);
}

#[test]
fn receive_queues() {
    check(RX, |values| format!("{values:?}").matches("Some").count());
}

#[test]
fn transmit_queues() {
    check(TX, |values| format!("{values:?}").matches("Some").count());
}

#[test]
fn control_queue() {
    check(CONTROL, |()| 0);
}
