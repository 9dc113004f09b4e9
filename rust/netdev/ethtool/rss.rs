// SPDX-License-Identifier: GPL-2.0

//! `ethtool -x`, `-X`, and `-n` and `-N` with `rx-flow-hash`: receive side scaling.

use super::EthtoolOps;
use crate::{
    bindings,
    Device,
    Driver,
    Locked,
    Operations, //
};
use core::slice::{
    from_raw_parts,
    from_raw_parts_mut, //
};
use kernel::{
    error::from_result,
    prelude::*, //
};

/// How much there is to be set.
#[derive(Clone, Copy, Default)]
pub struct RssSizes {
    /// The entries of the indirection table; 0 if there is none.
    pub table: u16,
    /// The bytes of the key; 0 if there is none.
    pub key: u8,
}

/// Packets that have a hash of their own kind.
#[derive(Clone, Copy)]
pub enum Flow {
    /// IPv4, neither TCP nor UDP.
    Ipv4,
    /// TCP over IPv4.
    TcpV4,
    /// UDP over IPv4.
    UdpV4,
    /// IPv6, neither TCP nor UDP.
    Ipv6,
    /// TCP over IPv6.
    TcpV6,
    /// UDP over IPv6.
    UdpV6,
}

/// What of a packet is hashed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum HashFields {
    /// Nothing: it has no hash.
    Nothing,
    /// The IP addresses.
    Addresses,
    /// The IP addresses and the ports.
    AddressesAndPorts,
}

impl Flow {
    fn of(flow_type: u32) -> Option<Self> {
        Some(match flow_type {
            bindings::IPV4_FLOW => Self::Ipv4,
            bindings::TCP_V4_FLOW => Self::TcpV4,
            bindings::UDP_V4_FLOW => Self::UdpV4,
            bindings::IPV6_FLOW => Self::Ipv6,
            bindings::TCP_V6_FLOW => Self::TcpV6,
            bindings::UDP_V6_FLOW => Self::UdpV6,
            _ => return None,
        })
    }
}

impl HashFields {
    const ADDRESSES: u32 = bindings::RXH_IP_SRC | bindings::RXH_IP_DST;
    const PORTS: u32 = bindings::RXH_L4_B_0_1 | bindings::RXH_L4_B_2_3;

    fn from_bits(bits: u32) -> Option<Self> {
        if bits & bindings::RXH_DISCARD != 0 {
            return Some(Self::Nothing);
        }
        match bits {
            Self::ADDRESSES => Some(Self::Addresses),
            bits if bits == Self::ADDRESSES | Self::PORTS => Some(Self::AddressesAndPorts),
            _ => None,
        }
    }

    fn bits(self) -> u32 {
        match self {
            Self::Nothing => 0,
            Self::Addresses => Self::ADDRESSES,
            Self::AddressesAndPorts => Self::ADDRESSES | Self::PORTS,
        }
    }
}

/// Fills `key` with the one that all devices of this machine share until they are told another; at
/// most 256 bytes of it.
///
/// Process context. May sleep. C function: `netdev_rss_key_fill()`.
pub fn fill_key(key: &mut [u8]) {
    let len = key.len().min(bindings::NETDEV_RSS_KEY_LEN as usize);
    // SAFETY: There are so many bytes, which is not more than the function has.
    unsafe { bindings::netdev_rss_key_fill(key.as_mut_ptr().cast(), len) }
}

/// A driver with receive side scaling.
pub trait Rss: Driver {
    /// Copies out the indirection table and the key, as far as they are wanted, into slices of the
    /// lengths that [`Allocated::set_rss_sizes`](crate::Allocated::set_rss_sizes) was given.
    ///
    /// `get_rxfh` of ethtool: process context, the device locked, may sleep.
    ///
    /// # Errors
    ///
    /// Any.
    fn rss(device: &Device<Self>, table: Option<&mut [u32]>, key: Option<&mut [u8]>) -> Result;

    /// Changes the indirection table, the key, or both.
    ///
    /// `set_rxfh` of ethtool: process context, the device locked, may sleep.
    ///
    /// # Errors
    ///
    /// Any; both stay as they are.
    fn set_rss(device: &Locked<'_, Self>, table: Option<&[u32]>, key: Option<&[u8]>) -> Result;

    /// What is hashed of the packets of `flow`. Process context, the device locked, may sleep.
    fn hash_fields(device: &Device<Self>, flow: Flow) -> HashFields;

    /// Changes what is hashed of the packets of `flow`.
    ///
    /// `set_rxfh_fields` of ethtool: process context, the device locked, may sleep.
    ///
    /// # Errors
    ///
    /// Any; it stays as it is.
    fn set_hash_fields(device: &Locked<'_, Self>, flow: Flow, fields: HashFields) -> Result;
}

impl<T: Rss> Operations<T> {
    /// There is receive side scaling, of devices for which
    /// [`set_rss_sizes`](crate::Allocated::set_rss_sizes) is called.
    pub const fn rss(mut self) -> Self {
        self.ethtool.get_rx_ring_count = Some(EthtoolOps::<T>::get_rx_ring_count);
        self.ethtool.get_rxfh_indir_size = Some(EthtoolOps::<T>::get_rxfh_indir_size);
        self.ethtool.get_rxfh_key_size = Some(EthtoolOps::<T>::get_rxfh_key_size);
        self.ethtool.get_rxfh = Some(EthtoolOps::<T>::get_rxfh);
        self.ethtool.set_rxfh = Some(EthtoolOps::<T>::set_rxfh);
        self.ethtool.get_rxfh_fields = Some(EthtoolOps::<T>::get_rxfh_fields);
        self.ethtool.set_rxfh_fields = Some(EthtoolOps::<T>::set_rxfh_fields);
        self
    }
}

impl<T: Rss> EthtoolOps<T> {
    /// `get_rx_ring_count`.
    ///
    /// # Safety
    ///
    /// See the type.
    pub(super) unsafe extern "C" fn get_rx_ring_count(
        dev: *mut kernel::bindings::net_device,
    ) -> u32 {
        // SAFETY: See the type.
        unsafe { Device::<T>::from_raw(dev.cast()) }
            .num_queues()
            .into()
    }

    /// `get_rxfh_indir_size`.
    ///
    /// # Safety
    ///
    /// See the type.
    pub(super) unsafe extern "C" fn get_rxfh_indir_size(
        dev: *mut kernel::bindings::net_device,
    ) -> u32 {
        // SAFETY: See the type.
        let device = unsafe { Device::<T>::from_raw(dev.cast()) };
        device.context().rss.table.into()
    }

    /// `get_rxfh_key_size`.
    ///
    /// # Safety
    ///
    /// See the type.
    pub(super) unsafe extern "C" fn get_rxfh_key_size(
        dev: *mut kernel::bindings::net_device,
    ) -> u32 {
        // SAFETY: See the type.
        let device = unsafe { Device::<T>::from_raw(dev.cast()) };
        device.context().rss.key.into()
    }

    /// `get_rxfh`.
    ///
    /// # Safety
    ///
    /// See the type. `param` is valid for reads and writes. Its pointers are null, or point to
    /// initialised memory of as many entries and bytes as the functions above have said.
    pub(super) unsafe extern "C" fn get_rxfh(
        dev: *mut kernel::bindings::net_device,
        param: *mut bindings::ethtool_rxfh_param,
    ) -> c_int {
        // SAFETY: See the type. By the requirements of this function the memory is there; the sizes never change. The ones
        // in `param` are not always filled in. The stack does not use the memory during the call.
        let (device, table, key) = unsafe {
            let device = Device::<T>::from_raw(dev.cast());
            let sizes = device.context().rss;
            let (table, key) = ((*param).indir, (*param).key);
            // CAST: It is a bit of the lowest byte.
            (*param).hfunc = (1 << bindings::ETH_RSS_HASH_TOP_BIT) as u8;
            (
                device,
                (!table.is_null()).then(|| from_raw_parts_mut(table, sizes.table.into())),
                (!key.is_null()).then(|| from_raw_parts_mut(key, sizes.key.into())),
            )
        };
        from_result(|| {
            T::rss(device, table, key)?;
            Ok(0)
        })
    }

    /// `set_rxfh`.
    ///
    /// # Safety
    ///
    /// As for [`get_rxfh`](Self::get_rxfh).
    pub(super) unsafe extern "C" fn set_rxfh(
        dev: *mut kernel::bindings::net_device,
        param: *mut bindings::ethtool_rxfh_param,
        _extack: *mut bindings::netlink_ext_ack,
    ) -> c_int {
        // SAFETY: See the type. The stack holds the lock of the device during the call. Of the memory as for `get_rxfh`.
        let (device, param, table, key) = unsafe {
            let (device, param) = (Self::locked(dev), &*param);
            let sizes = device.context().rss;
            (
                device,
                param,
                (!param.indir.is_null()).then(|| from_raw_parts(param.indir, sizes.table.into())),
                (!param.key.is_null()).then(|| from_raw_parts(param.key, sizes.key.into())),
            )
        };
        from_result(|| {
            let toeplitz = 1 << bindings::ETH_RSS_HASH_TOP_BIT;
            if ![bindings::ETH_RSS_HASH_NO_CHANGE, toeplitz].contains(&param.hfunc.into()) {
                return Err(crate::not_supported());
            }
            T::set_rss(&device, table, key)?;
            Ok(0)
        })
    }

    /// `get_rxfh_fields`.
    ///
    /// # Safety
    ///
    /// See the type. `fields` is valid for reads and writes.
    pub(super) unsafe extern "C" fn get_rxfh_fields(
        dev: *mut kernel::bindings::net_device,
        fields: *mut bindings::ethtool_rxfh_fields,
    ) -> c_int {
        // SAFETY: See the type.
        let (device, fields) = unsafe { (Device::<T>::from_raw(dev.cast()), &mut *fields) };
        fields.data =
            Flow::of(fields.flow_type).map_or(0, |flow| T::hash_fields(device, flow).bits());
        0
    }

    /// `set_rxfh_fields`.
    ///
    /// # Safety
    ///
    /// See the type. `fields` is valid for reads.
    pub(super) unsafe extern "C" fn set_rxfh_fields(
        dev: *mut kernel::bindings::net_device,
        fields: *const bindings::ethtool_rxfh_fields,
        _extack: *mut bindings::netlink_ext_ack,
    ) -> c_int {
        // SAFETY: See the type. The stack holds the lock of the device during the call.
        let (device, fields) = unsafe { (Self::locked(dev), &*fields) };
        from_result(|| {
            let wanted = HashFields::from_bits(fields.data).ok_or(EINVAL)?;
            let flow = Flow::of(fields.flow_type).ok_or(EINVAL)?;
            T::set_hash_fields(&device, flow, wanted)?;
            Ok(0)
        })
    }
}
