// SPDX-License-Identifier: GPL-2.0

//! What the driver wants to receive (virtio 1.3, sections 5.1.6.5.1 to 5.1.6.5.3). As with QEMU's own device, that is
//! everything until the driver says otherwise, and in promiscuous mode it is tagged for any VLAN.

#[cfg(test)]
mod tests;

use crate::{features, hex, terms::Terms};
use serde::Serialize;
use std::collections::BTreeSet;

/// The class of the commands that turn something on and off.
const RX: u8 = 0;
/// `VIRTIO_NET_CTRL_MAC_TABLE_SET` and its class, then the others.
const TABLE_SET: (u8, u8) = (1, 0);
const ADDR_SET: (u8, u8) = (1, 1);
const VLAN_ADD: (u8, u8) = (2, 0);
const VLAN_DEL: (u8, u8) = (2, 1);

/// Where a frame goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Address(#[serde(serialize_with = "hex::serialize")] pub [u8; 6]);

const BROADCAST: Address = Address([0xff; 6]);

impl Address {
    /// Whether it is that of many stations.
    fn is_group(self) -> bool {
        self.0[0] & 1 == 1
    }
}

/// Two tables of addresses.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tables {
    unicast: BTreeSet<Address>,
    multicast: BTreeSet<Address>,
}

/// What [`TABLE_SET`] says, if it is all there, with nothing behind it, and each address in its table.
pub fn read_tables(body: &[u8]) -> Option<Tables> {
    let (unicast, rest) = read_table(body)?;
    let (multicast, rest) = read_table(rest)?;
    let fits = rest.is_empty()
        && unicast.iter().all(|address| !address.is_group())
        && multicast.iter().all(|address| address.is_group());
    fits.then_some(Tables { unicast, multicast })
}

/// A table, and what is behind it.
fn read_table(bytes: &[u8]) -> Option<(BTreeSet<Address>, &[u8])> {
    let (count, rest) = bytes.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*count)).ok()?;
    let (table, rest) = rest.split_at_checked(length.checked_mul(6)?)?;
    let addresses = table.chunks_exact(6).map(|one| {
        let mut address = [0; 6];
        address.copy_from_slice(one);
        Address(address)
    });
    Some((addresses.collect(), rest))
}

/// The VLAN that a frame is tagged for: 0 is none, but the frame is tagged nevertheless.
fn vlan_of(frame: &[u8]) -> Option<u16> {
    match frame.get(12..16)? {
        [0x81, 0x00, high, low] => Some(u16::from_be_bytes([*high, *low]) & 0xfff),
        _ => None,
    }
}

/// What the driver has chosen.
#[derive(Serialize)]
pub struct Filter {
    promiscuous: bool,
    all_multicast: bool,
    all_unicast: bool,
    no_multicast: bool,
    no_unicast: bool,
    no_broadcast: bool,
    /// Its own address, if that is not the one in the configuration space.
    address: Option<Address>,
    #[serde(flatten)]
    tables: Tables,
    vlans: BTreeSet<u16>,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            promiscuous: true,
            all_multicast: false,
            all_unicast: false,
            no_multicast: false,
            no_unicast: false,
            no_broadcast: false,
            address: None,
            tables: Tables::default(),
            vlans: BTreeSet::new(),
        }
    }
}

impl Filter {
    /// Takes over what a command says, if it is one of these and not malformed.
    pub fn obey(&mut self, command: (u8, u8), body: &[u8]) {
        match (command, body) {
            ((RX, code), [on @ (0 | 1)]) => {
                if let Some(mode) = self.mode(code) {
                    *mode = *on == 1;
                }
            }
            (TABLE_SET, _) => {
                if let Some(tables) = read_tables(body) {
                    self.tables = tables;
                }
            }
            (ADDR_SET, _) => {
                if let Ok(address) = body.try_into() {
                    self.address = Some(Address(address));
                }
            }
            (VLAN_ADD, &[low, high]) => {
                self.vlans.insert(u16::from_le_bytes([low, high]));
            }
            (VLAN_DEL, &[low, high]) => {
                self.vlans.remove(&u16::from_le_bytes([low, high]));
            }
            _ => {}
        }
    }

    /// What a command of class [`RX`] turns on and off.
    fn mode(&mut self, code: u8) -> Option<&mut bool> {
        match code {
            0 => Some(&mut self.promiscuous),
            1 => Some(&mut self.all_multicast),
            2 => Some(&mut self.all_unicast),
            3 => Some(&mut self.no_multicast),
            4 => Some(&mut self.no_unicast),
            5 => Some(&mut self.no_broadcast),
            _ => None,
        }
    }

    /// The address that the driver has set, if it has.
    pub fn address(&self) -> Option<Address> {
        self.address
    }

    /// Whether the driver wants to have a frame.
    pub fn passes(&self, frame: &[u8], terms: &Terms) -> bool {
        let by_address = terms.has(features::CTRL_RX);
        if by_address && self.promiscuous {
            return true;
        }
        let tagged = vlan_of(frame).filter(|_| terms.has(features::CTRL_VLAN));
        if tagged.is_some_and(|id| !self.vlans.contains(&id)) {
            return false;
        }
        let destination = frame.first_chunk().copied().map(Address);
        destination.is_none_or(|destination| !by_address || self.accepts(destination, terms))
    }

    /// Whether it wants to have what goes there.
    fn accepts(&self, destination: Address, terms: &Terms) -> bool {
        if destination == BROADCAST {
            !self.no_broadcast
        } else if destination.is_group() {
            let wanted = self.all_multicast || self.tables.multicast.contains(&destination);
            wanted && !self.no_multicast
        } else {
            // Nobody can tell what is for a driver that has not said its address.
            let own = self.address.or(terms.address());
            let wanted = self.all_unicast
                || self.tables.unicast.contains(&destination)
                || own.is_none_or(|own| own == destination);
            wanted && !self.no_unicast
        }
    }
}
