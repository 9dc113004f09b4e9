// SPDX-License-Identifier: GPL-2.0

//! The configuration space of PCI.

use super::{common, COMMON, DEVICE, ISR, MESSAGES, NOTIFY, NOTIFY_STEP, PIECE, REGISTERS};

/// That of PCI Express.
pub const SIZE: usize = 4096;

const COMMAND: usize = 0x04;
const BARS: usize = 0x10;

/// Capabilities: where they are.
const EXPRESS: usize = 0x40;
const MSIX: usize = 0x80;
const VIRTIO: usize = 0x90;
/// How far from each other those of virtio are.
const STEP: usize = 0x14;
/// The one by which BARs can be reached from here: where it says which, where, how much, and what.
const WINDOW: usize = VIRTIO + 4 * STEP;
const WINDOW_BAR: usize = WINDOW + 4;
const WINDOW_OFFSET: usize = WINDOW + 8;
const WINDOW_LENGTH: usize = WINDOW + 12;
const WINDOW_DATA: usize = WINDOW + 16;

/// Where the function is reset, and the bit.
const DEVICE_CONTROL: usize = EXPRESS + 8;
const RESET: u16 = 1 << 15;
/// Where it says that this can be done, and the bit.
const DEVICE_CAPABILITIES: usize = EXPRESS + 4;
const HAS_RESET: u32 = 1 << 28;

/// The space, and which bits of it can be written.
pub struct Config {
    bytes: Vec<u8>,
    initial: Vec<u8>,
    writable: Vec<u8>,
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

impl Config {
    /// That of a network device of virtio 1.0 and later, with so many interrupts and so long a configuration.
    pub fn new(vectors: u16, length: u32) -> Self {
        let mut bytes = vec![0; SIZE];
        let mut writable = vec![0; SIZE];
        // A virtio network device without a legacy interface, of the class of Ethernet controllers.
        put(&mut bytes, 0x00, &[0xf4, 0x1a, 0x41, 0x10]);
        put(&mut bytes, 0x06, &[0x10, 0, 1, 0, 0, 2]);
        put(&mut bytes, 0x2c, &[0xf4, 0x1a, 0x00, 0x11]);
        put(&mut bytes, 0x34, &[EXPRESS as u8]);
        put(&mut writable, COMMAND, &[0x06, 0x05]);
        put(
            &mut writable,
            BARS,
            &(!(4 * PIECE as u32 - 1)).to_le_bytes(),
        );
        put(
            &mut writable,
            BARS + 4,
            &(!(PIECE as u32 - 1)).to_le_bytes(),
        );

        // An endpoint of PCI Express 2, and what such a one must have.
        put(&mut bytes, EXPRESS, &[0x10, MSIX as u8, 0x02, 0]);
        put(
            &mut bytes,
            DEVICE_CAPABILITIES,
            &(HAS_RESET | (1 << 15)).to_le_bytes(),
        );
        put(&mut bytes, EXPRESS + 0x0c, &[0x11]);
        put(&mut bytes, EXPRESS + 0x12, &[0x11]);
        put(&mut writable, DEVICE_CONTROL, &[0xff, 0x7f]);

        // The table of messages is in a BAR of its own, and what is pending behind it.
        put(&mut bytes, MSIX, &[0x11, VIRTIO as u8]);
        put(&mut bytes, MSIX + 2, &(vectors - 1).to_le_bytes());
        put(&mut bytes, MSIX + 4, &MESSAGES.to_le_bytes());
        put(
            &mut bytes,
            MSIX + 8,
            &(MESSAGES | (PIECE as u32 / 2)).to_le_bytes(),
        );
        put(&mut writable, MSIX + 3, &[0xc0]);

        let pieces = [
            (COMMON, common::LENGTH as u32),
            (ISR, 1),
            (DEVICE, length),
            (NOTIFY, u32::from(vectors - 1) * NOTIFY_STEP as u32),
        ];
        // Types 1, 3, 4 and 2 (section 4.1.4).
        for (number, ((piece, length), kind)) in pieces.iter().zip([1, 3, 4, 2]).enumerate() {
            let at = VIRTIO + number * STEP;
            let head = [0x09, (at + STEP) as u8, STEP as u8, kind, REGISTERS as u8];
            put(&mut bytes, at, &head);
            put(&mut bytes, at + 8, &((piece * PIECE) as u32).to_le_bytes());
            put(&mut bytes, at + 12, &length.to_le_bytes());
        }
        put(
            &mut bytes,
            VIRTIO + 3 * STEP + 16,
            &(NOTIFY_STEP as u32).to_le_bytes(),
        );
        put(&mut bytes, WINDOW, &[0x09, 0, STEP as u8, 5]);
        put(&mut writable, WINDOW_BAR, &[0xff]);
        put(&mut writable, WINDOW_OFFSET, &[0xff; 8]);

        Self {
            initial: bytes.clone(),
            bytes,
            writable,
        }
    }

    /// The function is reset.
    pub fn reset(&mut self) {
        self.bytes.clone_from(&self.initial);
    }

    /// So many bytes from a place on.
    pub fn read(&self, at: usize, count: usize) -> Vec<u8> {
        let all = self.bytes.iter().copied().chain(std::iter::repeat(0));
        all.skip(at).take(count).collect()
    }

    /// Writes what can be written. Returns whether that resets the function.
    pub fn write(&mut self, at: usize, bytes: &[u8]) -> bool {
        let control = bytes.get(DEVICE_CONTROL.wrapping_sub(at)..);
        if let Some([low, high, ..]) = control {
            if u16::from_le_bytes([*low, *high]) & RESET != 0 {
                self.reset();
                return true;
            }
        }
        let places = self.bytes.iter_mut().zip(&self.writable).skip(at);
        for ((to, mask), from) in places.zip(bytes) {
            *to = *to & !mask | from & mask;
        }
        false
    }

    /// The place of the first BAR, and how many bytes of it, that an access from here is for (section 4.1.4.9).
    pub fn window(&self, at: u64, count: usize) -> Option<(u64, u32)> {
        let word = |at: usize| {
            let bytes = self.bytes[at..at + 4].try_into();
            u32::from_le_bytes(bytes.unwrap_or_default())
        };
        let length = word(WINDOW_LENGTH);
        let is_there = at == WINDOW_DATA as u64
            && u32::from(self.bytes[WINDOW_BAR]) == REGISTERS
            && [1, 2, 4].contains(&length)
            && count == length as usize;
        is_there.then(|| (word(WINDOW_OFFSET).into(), length))
    }
}
