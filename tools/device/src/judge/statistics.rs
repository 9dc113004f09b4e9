// SPDX-License-Identifier: GPL-2.0

//! What the driver must keep to when it asks for statistics (virtio 1.3, section 5.1.6.5.10).

use crate::terms::Terms;

/// The types that there are of a receive, a transmit and the control queue.
const RECEIVE: u64 = 0xf;
const TRANSMIT: u64 = 0xf << 16;
const CONTROL: u64 = 1 << 32;

/// The length of the header before each of them in the answer.
const HEADER: usize = 8;

/// What is wrong with a request for an answer of `room` bytes, the first of which says whether there is
/// one.
pub fn of_request(body: &[u8], room: usize, terms: &Terms) -> Vec<String> {
    let mut wrong = Vec::new();
    if body.is_empty() || body.len() % 16 != 0 {
        wrong.push("it is malformed".into());
    }
    let mut headers = 0;
    for asked in body.chunks_exact(16) {
        let queue = u16::from_le_bytes([asked[0], asked[1]]);
        let types = asked[8..].iter().rev();
        let types = types.fold(0, |types, byte| (types << 8) | u64::from(*byte));
        let all = match queue {
            control if control == 2 * terms.pairs => CONTROL,
            none if none > 2 * terms.pairs => 0,
            receive if receive % 2 == 0 => RECEIVE,
            _ => TRANSMIT,
        };
        if types & !all != 0 {
            wrong.push(format!("types {types:#x} of queue {queue}"));
        }
        headers += HEADER * types.count_ones() as usize;
    }
    if room <= headers {
        wrong.push(format!("{headers} bytes of headers and room for {room}"));
    }
    wrong
}
