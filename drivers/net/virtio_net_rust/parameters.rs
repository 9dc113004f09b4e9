// SPDX-License-Identifier: GPL-2.0

//! The parameters of the module: those of the C driver by their names, and what it lacks. `module.rs`
//! declares them.

use kernel::virtio::parameter::Parameter;

/// `napi_weight`: how many packets a poll of a receive queue takes at most, from 1.
pub static NAPI_WEIGHT: Parameter<i32> = Parameter::<i32>::new(64);

/// `csum`: whether the stack leaves checksums to a device that completes them. It can be told later
/// on, with `ethtool -K`.
pub static CSUM: Parameter<bool> = Parameter::<bool>::new(true);

/// `gso`: whether the stack leaves segmentation to a device that segments large packets. It can
/// be told later on, with `ethtool -K`.
pub static GSO: Parameter<bool> = Parameter::<bool>::new(true);

/// `napi_tx`: whether packets are kept until NAPI finds that the device has sent them. Else they are
/// let go of at once, and their memory is freed when further ones are sent. Devices that are probed
/// after a change take the new value; of others `ethtool -C` changes it, which stays so when the machine
/// has slept. C takes the parameter again then.
pub static NAPI_TX: Parameter<bool> = Parameter::<bool>::new(true);

/// `control_timeout`: how long a command to the device may take, in milliseconds, from 1 to 60000.
/// A change counts for the next command. The C driver waits for ever.
pub static CONTROL_TIMEOUT: Parameter<u32> = Parameter::<u32>::new(5000, 1, 60_000);

/// `stall_timeout`: how long a device that owes something may be silent until it is reset, in milliseconds up to 600000.
/// With 0 the watchdog is off, and a device is reset only where it asks for that itself. Interfaces that are set up after a
/// change from 0 to another value have the watchdog. The C driver has none.
pub static STALL_TIMEOUT: Parameter<u32> = Parameter::<u32>::new(10_000, 0, 600_000);
