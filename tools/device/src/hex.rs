// SPDX-License-Identifier: GPL-2.0

//! Bytes as text: two hexadecimal digits each.

use std::fmt::Write;

use serde::{de::Error, Deserialize, Deserializer, Serializer};

/// Bytes as text.
pub fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string takes all that is written");
    }
    text
}

/// For serde's `serialize_with`.
pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text(bytes))
}

/// For serde's `deserialize_with`.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.len() % 2 != 0 || !text.is_ascii() {
        return Err(D::Error::custom("bytes are pairs of hexadecimal digits"));
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).map_err(D::Error::custom))
        .collect()
}

/// The same for what is nothing where it is left out.
pub fn deserialize_some<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<u8>>, D::Error> {
    deserialize(deserializer).map(Some)
}
