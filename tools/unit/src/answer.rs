// SPDX-License-Identifier: GPL-2.0

//! Answers with statistics.

#[path = "../../../drivers/net/virtio_net_rust/device_stats/answer.rs"]
mod source;

use kernel::prelude::*;
use proptest::prelude::*;
use source::{
    entries,
    HEADER, //
};

type Taken = Vec<(u8, u16, Vec<u64>)>;

/// What is taken from an answer, and how that ends.
fn take(answer: &[u8]) -> (Taken, Result) {
    let mut taken = Vec::new();
    let result = entries(answer, |entry| {
        let counters = (0..).map_while(|place| entry.counter(place)).collect();
        taken.push((entry.number, entry.virtqueue, counters));
    });
    (taken, result)
}

/// As a device writes it.
fn write(entries: &Taken) -> Vec<u8> {
    let mut answer = Vec::new();
    for (number, virtqueue, counters) in entries {
        let [v0, v1] = virtqueue.to_le_bytes();
        let [s0, s1] = (HEADER as u16 + 8 * counters.len() as u16).to_le_bytes();
        answer.extend([*number, 0, v0, v1, 0, 0, s0, s1]);
        answer.extend(counters.iter().flat_map(|counter| counter.to_le_bytes()));
    }
    answer
}

fn some() -> impl Strategy<Value = Taken> {
    let counters = prop::collection::vec(any::<u64>(), 0..10);
    prop::collection::vec((any::<u8>(), any::<u16>(), counters), 0..20)
}

proptest! {
    #[test]
    fn what_is_written_is_taken(wanted in some(), zeroes in 0usize..100) {
        let mut answer = write(&wanted);
        answer.resize(answer.len() + zeroes, 0);
        prop_assert_eq!(take(&answer), (wanted, Ok(())));
    }

    #[test]
    fn an_answer_that_is_cut_off_gives_what_is_whole(wanted in some(), cut in any::<prop::sample::Index>()) {
        let answer = write(&wanted);
        let len = if answer.is_empty() { 0 } else { cut.index(answer.len()) };
        let (taken, result) = take(&answer[..len]);
        prop_assert!(taken.len() <= wanted.len());
        prop_assert_eq!(&taken[..], &wanted[..taken.len()]);
        // Less than a header is no entry.
        let whole = write(&taken).len();
        prop_assert_eq!(result.is_err(), len - whole >= HEADER);
    }

    #[test]
    fn anything_ends(answer in prop::collection::vec(any::<u8>(), 0..2000)) {
        let (taken, _) = take(&answer);
        prop_assert!(taken.len() <= answer.len() / HEADER);
    }
}
