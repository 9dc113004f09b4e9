// SPDX-License-Identifier: GPL-2.0

//! What the driver must keep to in the control queue (virtio 1.3, section 5.1.6.5).

use super::{hashes, statistics, Judge, Violation};
use crate::{
    features::{self, has},
    filter,
    terms::Terms,
};

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

/// The offloads that can be set: features, by numbers of their own where those of the features are too high.
fn offloads(terms: &Terms) -> u64 {
    let high = features::GUEST_OFFLOADS.iter();
    high.filter(|(feature, _)| terms.has(*feature))
        .fold(terms.accepted as u64, |mask, (_, bit)| mask | (1 << bit))
}

impl Form {
    /// What is wrong with a body, and with the room for its answer.
    fn wrong(&self, body: &[u8], room: usize, terms: &Terms) -> Vec<String> {
        let fits = match self {
            Self::Bytes(count) => body.len() == *count,
            Self::Switch => matches!(body, [0 | 1]),
            Self::Addresses => filter::read_tables(body).is_some(),
            Self::Pairs => {
                body.len() == 2 && word(body, 0).is_some_and(|n| (1..=terms.pairs).contains(&n))
            }
            Self::Rss => return hashes::of_rss_config(body, terms),
            Self::Hashes => return hashes::of_hash_config(body, terms),
            Self::Statistics => return statistics::of_request(body, room, terms),
            Self::Offloads => <[u8; 8]>::try_from(body)
                .is_ok_and(|mask| u64::from_le_bytes(mask) & !offloads(terms) == 0),
            Self::OfQueue(more) => {
                body.len() == 4 + more && word(body, 0).is_some_and(|queue| queue < 2 * terms.pairs)
            }
        };
        let wrong = (!fits).then(|| "it is malformed".into());
        wrong.into_iter().collect()
    }
}

impl Judge {
    /// Looks at a command, and at the room for its answer.
    pub fn see_command(
        &mut self,
        (class, code): (u8, u8),
        body: &[u8],
        room: usize,
        terms: &Terms,
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
        rule(terms.has(known.feature), "it is not negotiated");
        for what in known.form.wrong(body, room, terms) {
            rule(false, &what);
        }
        rule(
            room == 1 || known.answers && room > 1,
            "room for no answer, or for too long a one",
        );
    }

    /// Looks at the features that the driver has accepted, of those that are offered.
    pub fn see_features(&mut self, offered: u128, accepted: u128) {
        let refused = has(offered, features::VERSION_1) && !has(accepted, features::VERSION_1);
        self.check(!refused, "6.1", || "VIRTIO_F_VERSION_1 is refused".into());
        let needs = features::NEEDS.iter().map(|need| (need, "5.1.3.1"));
        let should_need = features::SHOULD_NEED.iter().map(|need| (need, "5.1.4.2"));
        for ((feature, needed), section) in needs.chain(should_need) {
            let holds = !has(accepted, *feature) || features::has_any(accepted, needed);
            self.check(holds, section, || {
                format!("feature {feature} without any of {needed:?}")
            });
        }
    }
}
