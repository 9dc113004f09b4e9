// SPDX-License-Identifier: GPL-2.0

//! What the driver must keep to in the control queue (virtio 1.3, section 5.1.6.5).

use super::{Judge, Violation};
use crate::features;

/// A form that what follows class and code has.
enum Form {
    /// So many bytes.
    Bytes(usize),
    /// A byte that is 0 or 1.
    Switch,
    /// Two tables of addresses.
    Addresses,
    /// How many pairs of queues.
    Pairs,
    /// What is hashed, and where that leads to.
    Rss,
    /// What is hashed.
    Hashes,
    /// A mask of features.
    Offloads,
    /// What queue, and so many bytes.
    OfQueue(usize),
    /// Any number of queues and what is wanted of them.
    Statistics,
}

/// What is known of a command.
struct Known {
    class: u8,
    code: u8,
    feature: u32,
    section: &'static str,
    form: Form,
    /// Whether the answer has more than the byte that says whether it was done.
    answers: bool,
}

const fn known(class: u8, code: u8, feature: u32, section: &'static str, form: Form) -> Known {
    Known {
        class,
        code,
        feature,
        section,
        form,
        answers: false,
    }
}

const fn answered(known: Known) -> Known {
    Known {
        answers: true,
        ..known
    }
}

const KNOWN: &[Known] = &[
    known(0, 0, features::CTRL_RX, "5.1.6.5.1", Form::Switch),
    known(0, 1, features::CTRL_RX, "5.1.6.5.1", Form::Switch),
    known(0, 2, features::CTRL_RX_EXTRA, "5.1.6.5.1", Form::Switch),
    known(0, 3, features::CTRL_RX_EXTRA, "5.1.6.5.1", Form::Switch),
    known(0, 4, features::CTRL_RX_EXTRA, "5.1.6.5.1", Form::Switch),
    known(0, 5, features::CTRL_RX_EXTRA, "5.1.6.5.1", Form::Switch),
    known(1, 0, features::CTRL_RX, "5.1.6.5.2", Form::Addresses),
    known(1, 1, features::CTRL_MAC_ADDR, "5.1.6.5.2", Form::Bytes(6)),
    known(2, 0, features::CTRL_VLAN, "5.1.6.5.3", Form::Bytes(2)),
    known(2, 1, features::CTRL_VLAN, "5.1.6.5.3", Form::Bytes(2)),
    known(3, 0, features::GUEST_ANNOUNCE, "5.1.6.5.4", Form::Bytes(0)),
    known(4, 0, features::MQ, "5.1.6.5.6", Form::Pairs),
    known(4, 1, features::RSS, "5.1.6.5.7", Form::Rss),
    known(4, 2, features::HASH_REPORT, "5.1.6.5.6", Form::Hashes),
    known(
        5,
        0,
        features::CTRL_GUEST_OFFLOADS,
        "5.1.6.5.8",
        Form::Offloads,
    ),
    known(6, 0, features::NOTF_COAL, "5.1.6.5.9", Form::Bytes(8)),
    known(6, 1, features::NOTF_COAL, "5.1.6.5.9", Form::Bytes(8)),
    known(6, 2, features::VQ_NOTF_COAL, "5.1.6.5.9", Form::OfQueue(8)),
    answered(known(
        6,
        3,
        features::VQ_NOTF_COAL,
        "5.1.6.5.9",
        Form::OfQueue(0),
    )),
    answered(known(
        8,
        0,
        features::DEVICE_STATS,
        "5.1.6.5.10",
        Form::Bytes(0),
    )),
    answered(known(
        8,
        1,
        features::DEVICE_STATS,
        "5.1.6.5.10",
        Form::Statistics,
    )),
];

fn word(body: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(body.get(at..at + 2)?.try_into().ok()?))
}

/// The end of a table of addresses that starts at `at`, if all of them are groups or none is.
fn addresses(body: &[u8], at: usize, groups: bool) -> Option<usize> {
    let count = u32::from_le_bytes(body.get(at..at + 4)?.try_into().ok()?);
    let end = at + 4 + 6 * count as usize;
    let table = body.get(at + 4..end)?;
    table
        .chunks(6)
        .all(|one| (one[0] & 1 == 1) == groups)
        .then_some(end)
}

/// Whether a table leads to queues that are there, and all of it is there.
fn is_rss(body: &[u8], pairs: u16) -> Option<bool> {
    let entries = usize::from(word(body, 4)?) + 1;
    let queues = (0..=entries).map(|number| word(body, 6 + 2 * number));
    let end = 8 + 2 * entries;
    let there = queues
        .clone()
        .all(|queue| queue.is_some_and(|queue| queue < pairs));
    let sending = (1..=pairs).contains(&word(body, end)?);
    let key = usize::from(*body.get(end + 2)?);
    Some(there && sending && entries.is_power_of_two() && body.len() == end + 3 + key)
}

impl Form {
    fn fits(&self, body: &[u8], accepted: u64, pairs: u16) -> bool {
        match self {
            Self::Bytes(count) => body.len() == *count,
            Self::Switch => matches!(body, [0 | 1]),
            Self::Addresses => addresses(body, 0, false)
                .and_then(|end| addresses(body, end, true))
                .is_some_and(|end| end == body.len()),
            Self::Pairs => {
                body.len() == 2 && word(body, 0).is_some_and(|n| (1..=pairs).contains(&n))
            }
            Self::Rss => is_rss(body, pairs).unwrap_or(false),
            Self::Hashes => body
                .get(12)
                .is_some_and(|key| body.len() == 13 + usize::from(*key)),
            Self::Offloads => <[u8; 8]>::try_from(body)
                .is_ok_and(|mask| u64::from_le_bytes(mask) & !accepted == 0),
            Self::OfQueue(more) => {
                body.len() == 4 + more && word(body, 0).is_some_and(|queue| queue < 2 * pairs)
            }
            Self::Statistics => !body.is_empty() && body.len() % 16 == 0,
        }
    }
}

impl Judge {
    /// Looks at a command to a device that has `pairs` pairs of queues.
    pub fn see_command(
        &mut self,
        (class, code): (u8, u8),
        body: &[u8],
        room: usize,
        accepted: u64,
        pairs: u16,
    ) {
        let found = KNOWN
            .iter()
            .find(|one| (one.class, one.code) == (class, code));
        let Some(known) = found else {
            let what = format!("command {class}.{code} does not exist");
            return self.record(Violation::new("5.1.6.5", what));
        };
        let mut rule = |holds, what: &str| {
            self.check(holds, known.section, || {
                format!("command {class}.{code}: {what}")
            });
        };
        rule(
            features::has(accepted, known.feature),
            "it is not negotiated",
        );
        rule(known.form.fits(body, accepted, pairs), "it is malformed");
        rule(
            room == 1 || known.answers && room > 1,
            "room for no answer, or for too long a one",
        );
    }

    /// Looks at the features that the driver has accepted.
    pub fn see_features(&mut self, accepted: u64) {
        for (feature, needed) in features::NEEDS {
            let holds = !features::has(accepted, *feature) || features::has_any(accepted, needed);
            self.check(holds, "5.1.3.1", || {
                format!("feature {feature} without any of {needed:?}")
            });
        }
    }
}
