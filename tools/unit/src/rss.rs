// SPDX-License-Identifier: GPL-2.0

//! Receive side scaling: hash types, the table and the key.

#[path = "../../../drivers/net/virtio_net_rust/rss/config.rs"]
mod config;
#[path = "../../../drivers/net/virtio_net_rust/rss/types.rs"]
mod types;

use config::Config;
use kernel::net::{
    rss::{
        Flow,
        HashFields,
        RssSizes, //
    },
    Device,
};
use proptest::prelude::*;
use types::HashTypes;

const FLOWS: [Flow; 6] = [
    Flow::Ipv4,
    Flow::TcpV4,
    Flow::UdpV4,
    Flow::Ipv6,
    Flow::TcpV6,
    Flow::UdpV6,
];
const FIELDS: [HashFields; 3] = [
    HashFields::Nothing,
    HashFields::Addresses,
    HashFields::AddressesAndPorts,
];

fn is_v6(flow: Flow) -> bool {
    matches!(flow, Flow::Ipv6 | Flow::TcpV6 | Flow::UdpV6)
}

proptest! {
    #[test]
    fn what_is_set_is_hashed(bits in any::<u32>(), flow in 0usize..6, fields in 0usize..3) {
        let (flow, fields, before) = (FLOWS[flow], FIELDS[fields], HashTypes::from_bits(bits));
        let Some(after) = before.with(flow, fields) else {
            prop_assert!(fields == HashFields::AddressesAndPorts && matches!(flow, Flow::Ipv4 | Flow::Ipv6));
            return Ok(());
        };
        prop_assert_eq!(after.fields(flow), fields);
        prop_assert!(after.within(HashTypes::from_bits(u32::MAX)));
        for other in FLOWS.into_iter().filter(|other| is_v6(*other) != is_v6(flow)) {
            prop_assert_eq!(after.fields(other), before.fields(other));
        }
    }

    #[test]
    fn unknown_types_are_left_out(bits in any::<u32>()) {
        prop_assert_eq!(HashTypes::from_bits(bits).bits(), bits & 0x3f);
        prop_assert!(HashTypes::NONE.within(HashTypes::from_bits(bits)));
    }

    #[test]
    fn a_table_is_kept_or_refused(table in prop::collection::vec(0u32..0x20000, 0..130), key in prop::collection::vec(any::<u8>(), 0..60)) {
        let sizes = RssSizes { table: 128, key: 40 };
        let mut config = Config::new(sizes, HashTypes::NONE).unwrap();
        config.spread_evenly(3);
        let accepted = config.set(Some(&table), Some(&key)).is_ok();
        prop_assert_eq!(accepted, table.len() == 128 && key.len() == 40 && table.iter().all(|queue| *queue < 0x10000));
        if accepted {
            let (mut got, mut bytes) = ([0; 128], [0; 40]);
            config.copy().unwrap().get(Some(&mut got), Some(&mut bytes));
            prop_assert_eq!(&got[..], &table[..]);
            prop_assert_eq!(&bytes[..], &key[..]);
        }
    }

    #[test]
    fn an_even_table_leads_to_the_queues_that_are_used(pairs in 1u16..200, size in 0u32..9) {
        let sizes = RssSizes { table: 1 << size, key: 40 };
        let mut config = Config::new(sizes, HashTypes::NONE).unwrap();
        config.spread_evenly(pairs);
        prop_assert!(config.fits(pairs).is_ok());
        prop_assert_eq!(config.fits(pairs - 1).is_ok(), u32::from(pairs) > 1 << size);
        prop_assert!(config.send(&Device(crate::VirtioNet), pairs, true).is_ok());
    }
}
