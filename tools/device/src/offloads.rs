// SPDX-License-Identifier: GPL-2.0

//! What the driver takes at the moment of what it has accepted to receive (virtio 1.3, section 5.1.6.5.8).

use crate::{features, terms::Terms};

/// `VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET` and its class.
const SET: (u8, u8) = (5, 0);

/// What the driver has said last.
#[derive(Default)]
pub struct Offloads {
    /// None before the first command: it takes all that it has accepted.
    mask: Option<u64>,
}

impl Offloads {
    /// Takes over what a command says, if it is the one.
    pub fn obey(&mut self, command: (u8, u8), body: &[u8]) {
        if let (SET, Ok(mask)) = (command, body.try_into()) {
            self.mask = Some(u64::from_le_bytes(mask));
        }
    }

    /// Whether packets may be received as one of the features has it that this command can set.
    pub fn has(&self, feature: u32, terms: &Terms) -> bool {
        let mut high = features::GUEST_OFFLOADS.iter();
        let bit = high.find(|(of, _)| *of == feature);
        let bit = bit.map_or(feature, |(_, bit)| *bit);
        terms.has(feature) && self.mask.is_none_or(|mask| (mask >> bit) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::{GUEST_CSUM, GUEST_TSO4, GUEST_UDP_TUNNEL_GSO};

    #[test]
    fn last_command() {
        let terms = Terms {
            accepted: (1 << GUEST_CSUM) | (1 << GUEST_TSO4) | (1 << GUEST_UDP_TUNNEL_GSO),
            ..Terms::default()
        };
        let all = [GUEST_CSUM, GUEST_TSO4, GUEST_UDP_TUNNEL_GSO];
        let mut offloads = Offloads::default();
        let found = |offloads: &Offloads| all.map(|feature| offloads.has(feature, &terms));
        assert_eq!(found(&offloads), [true; 3]);
        assert!(!offloads.has(features::GUEST_TSO6, &terms));
        for (bits, wanted) in [
            (1 << GUEST_CSUM, [true, false, false]),
            (
                (1 << GUEST_CSUM) | (1 << GUEST_TSO4) | (1 << features::GUEST_TSO6),
                [true, true, false],
            ),
            (1 << 46, [false, false, true]),
            (0u64, [false; 3]),
        ] {
            offloads.obey(SET, &bits.to_le_bytes());
            assert_eq!(found(&offloads), wanted);
        }
        // Not one that was not accepted, and no other command.
        offloads.obey(SET, &[0xff; 8]);
        assert!(!offloads.has(features::GUEST_TSO6, &terms));
        offloads.obey((5, 1), &[0; 8]);
        offloads.obey(SET, &[0; 7]);
        assert_eq!(found(&offloads), [true; 3]);
    }
}
