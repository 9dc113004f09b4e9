// SPDX-License-Identifier: GPL-2.0

//! The types of statistics: what each has counters of, and who sees them (virtio 1.3, section
//! 5.1.6.5.10).
//!
//! Names are those of the C driver, as is which counters `ethtool -S` shows, in which order, and which
//! of them are handed to the stack instead.

use kernel::net::stats::{
    RxReported,
    TxReported, //
};

/// A counter, by its place among those of its type, and the field of `Q` for it.
type Field<Q> = (usize, fn(&mut Q) -> &mut Option<u64>);

/// A type of statistics of a queue; `Q` is what the stack wants to know of one.
pub(super) struct Type<Q: 'static> {
    /// Its number: of the bit that stands for it in a set of types, and in an answer.
    pub(super) number: u8,
    /// How many counters it has, of 64 bits each.
    pub(super) counters: usize,
    /// The counters that `ethtool -S` shows, by their places.
    pub(super) named: &'static [(usize, &'static str)],
    /// The counters that are reported to the stack.
    pub(super) reported: &'static [Field<Q>],
}

impl<Q> Type<Q> {
    /// Whether it is one of a set of types.
    pub(super) fn is_in(&self, types: u64) -> bool {
        types & self.bit() != 0
    }

    /// The set that it is alone in.
    pub(super) fn bit(&self) -> u64 {
        1 << self.number
    }
}

/// Of a receive queue: `struct virtio_net_stats_rx_basic`, `_csum`, `_gso` and `_speed`.
pub(super) const RX: &[Type<RxReported>] = &[
    Type {
        number: 0,
        counters: 6,
        named: &[
            (1, "hw_packets"),
            (2, "hw_bytes"),
            (0, "hw_notifications"),
            (3, "hw_interrupts"),
        ],
        reported: &[(4, |q| &mut q.hw_drops), (5, |q| &mut q.hw_drop_overruns)],
    },
    Type {
        number: 1,
        counters: 4,
        named: &[(1, "hw_needs_csum")],
        reported: &[
            (0, |q| &mut q.csum_unnecessary),
            (2, |q| &mut q.csum_none),
            (3, |q| &mut q.csum_bad),
        ],
    },
    Type {
        number: 2,
        counters: 4,
        named: &[],
        reported: &[
            (0, |q| &mut q.hw_gro_packets),
            (1, |q| &mut q.hw_gro_bytes),
            (2, |q| &mut q.hw_gro_wire_packets),
            (3, |q| &mut q.hw_gro_wire_bytes),
        ],
    },
    Type {
        number: 3,
        counters: 2,
        named: &[(1, "hw_ratelimit_bytes")],
        reported: &[(0, |q| &mut q.hw_drop_ratelimits)],
    },
];

/// Of a transmit queue: `struct virtio_net_stats_tx_basic`, `_csum`, `_gso` and `_speed`.
pub(super) const TX: &[Type<TxReported>] = &[
    Type {
        number: 16,
        counters: 6,
        named: &[
            (1, "hw_packets"),
            (2, "hw_bytes"),
            (0, "hw_notifications"),
            (3, "hw_interrupts"),
        ],
        reported: &[(4, |q| &mut q.hw_drops), (5, |q| &mut q.hw_drop_errors)],
    },
    Type {
        number: 17,
        counters: 2,
        named: &[],
        reported: &[(0, |q| &mut q.csum_none), (1, |q| &mut q.needs_csum)],
    },
    Type {
        number: 18,
        counters: 6,
        named: &[(4, "hw_gso_packets_noseg"), (5, "hw_gso_bytes_noseg")],
        reported: &[
            (0, |q| &mut q.hw_gso_packets),
            (1, |q| &mut q.hw_gso_bytes),
            (2, |q| &mut q.hw_gso_wire_packets),
            (3, |q| &mut q.hw_gso_wire_bytes),
        ],
    },
    Type {
        number: 19,
        counters: 2,
        named: &[(1, "hw_ratelimit_bytes")],
        reported: &[(0, |q| &mut q.hw_drop_ratelimits)],
    },
];

/// Of the control queue, which the stack does not ask about: `struct virtio_net_stats_cvq`.
pub(super) const CONTROL: &[Type<()>] = &[Type {
    number: 32,
    counters: 2,
    named: &[(0, "hw_command_num"), (1, "hw_ok_num")],
    reported: &[],
}];
