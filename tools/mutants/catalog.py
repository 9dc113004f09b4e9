# SPDX-License-Identifier: GPL-2.0
"""The bounds that are removed, each for a class of bugs that a wrong device would meet then."""

from dataclasses import dataclass

DRIVER = "drivers/net/virtio_net_rust/"


@dataclass(frozen=True)
class Mutant:
    """A change of the sources: `old`, which is there once, becomes `new`."""

    name: str
    file: str
    old: str
    new: str
    # Which tests notice, as TEST= says it.
    test: str


RECEIVE = "test_device_receive and "
MUTANTS = [
    # --- Received packets: the length -------------------------------------------------
    Mutant(
        "a packet may be shorter than an Ethernet header",
        DRIVER + "rx.rs",
        "if written < header_len.wrapping_add(ETH_HLEN) {",
        "if written < header_len.wrapping_add(ETH_HLEN.min(0)) {",
        RECEIVE + "test_length and small",
    ),
    Mutant(
        "a packet in a chain may be shorter than an Ethernet header",
        DRIVER + "rx.rs",
        "if written < header_len.wrapping_add(ETH_HLEN) {",
        "if written < header_len.wrapping_add(ETH_HLEN.min(1)) {",
        RECEIVE + "test_length and chained",
    ),
    Mutant(
        "a device may have written more than it was lent",
        "rust/virtio/queue/virtqueue.rs",
        "Some(if reported <= buffer.capacity() {",
        "Some(if reported <= u32::MAX {",
        RECEIVE + "test_length",
    ),
    # --- Received packets: the number of buffers --------------------------------------
    Mutant(
        "a packet may have no buffer",
        DRIVER + "rx/single.rs",
        "        header\n            .num_buffers(&shared.framing)\n            .checked_sub(1)\n            .ok_or(Bad::Frame)",
        "        Ok(header.num_buffers(&shared.framing).saturating_sub(1))",
        RECEIVE + "test_number_of_buffers",
    ),
    Mutant(
        "a packet may have fewer buffers than it says",
        DRIVER + "rx/single.rs",
        "skb.drop_with(DropReason::DevHdr);\n                    return Err(Bad::Length);\n                }\n                Some(Err",
        "break;\n                }\n                Some(Err",
        RECEIVE + "test_number_of_buffers",
    ),
    Mutant(
        "the number of buffers means something where none are merged",
        DRIVER + "rx/single.rs",
        "if !self.mergeable {\n            return Ok(0);",
        "if false && !self.mergeable {\n            return Ok(0);",
        RECEIVE + "test_number_that_means_nothing",
    ),
    # --- Received packets: the header -------------------------------------------------
    Mutant(
        "a GSO packet may be of any type",
        DRIVER + "rx/single.rs",
        "if header.has_unnegotiated_gso(&shared.framing) {",
        "if false {",
        RECEIVE + "test_gso_type and mergeable",
    ),
    Mutant(
        "a GSO packet in a chain may be of any type",
        DRIVER + "rx/chained.rs",
        "Ok((_, header)) if header.has_unnegotiated_gso(&shared.framing) => Err(Bad::Frame),",
        "",
        RECEIVE + "test_gso_type and chained",
    ),
    Mutant(
        "gso_type may have any number",
        "rust/vnet/gso.rs",
        "kind < Self::ECN_BIT && self.0 >> kind & 1 == 1",
        "self.0 >> kind & 1 == 1",
        RECEIVE + "test_gso_type",
    ),
    Mutant(
        "ECN needs not be negotiated",
        "rust/vnet/gso.rs",
        " && (!ecn || self.0 >> Self::ECN_BIT == 1)",
        " && (ecn || !ecn)",
        RECEIVE + "test_gso_type and ecn",
    ),
    Mutant(
        "checksums and sizes may lie outside of the packet",
        "rust/vnet/header.rs",
        "error == 0",
        "error <= 0",
        RECEIVE + "(test_checksum or test_gso_fields)",
    ),
    Mutant(
        "a hash may be of any type",
        "rust/vnet/framing.rs",
        "_ => return None,",
        "_ => true,",
        "test_device_hashes and test_type_that_cannot_be",
    ),
    # --- XDP --------------------------------------------------------------------------
    Mutant(
        "a program may get a packet that is not as on the wire",
        DRIVER + "rx/single.rs",
        "if !header.is_plain() {",
        "if false && !header.is_plain() {",
        "test_device_xdp and test_header",
    ),
    Mutant(
        "a packet in a chain may be shorter than an Ethernet header, with a program",
        DRIVER + "rx.rs",
        "if written < header_len.wrapping_add(ETH_HLEN) {",
        "if written < header_len.wrapping_add(ETH_HLEN.min(1)) {",
        "test_device_xdp and test_length and chained",
    ),
    Mutant(
        "a packet that is put together may be longer than its buffer",
        "rust/netdev/xdp/buff.rs",
        "if len > self.room() || self.has_frags() {",
        "if self.has_frags() {",
        "test_device_xdp and test_many_buffers",
    ),
    Mutant(
        "the rest of a packet without room is taken for packets",
        DRIVER + "rx/single.rs",
        "skip(queue, more.wrapping_sub(done).wrapping_sub(1));",
        "let _ = more.wrapping_sub(done).wrapping_sub(1);",
        "test_device_xdp and test_many_buffers",
    ),
    # --- Sent packets -----------------------------------------------------------------
    Mutant(
        "the header of a sent packet has what was there before",
        "rust/vnet/skb.rs",
        "header.add(NUM_BUFFERS).write_bytes(0, SHORT);",
        "header.add(NUM_BUFFERS).write_bytes(1, SHORT);",
        "test_device_packets",
    ),
    # --- Answers of the control queue -------------------------------------------------
    Mutant(
        "what was not written of an answer says that all is done",
        "rust/virtio/queue/exchange.rs",
        "const UNANSWERED: u8 = 0xff;",
        "const UNANSWERED: u8 = 0;",
        "test_commands and test_unwritten and mac",
    ),
    Mutant(
        "the length of an answer decides",
        DRIVER + "control.rs",
        "mean nothing\\n\",\n                request.name\n            );",
        "mean nothing\\n\",\n                request.name\n            );\n            return Err(EIO);",
        "test_commands and test_length_of_answer and mac",
    ),
    Mutant(
        "what the device says of a command means nothing",
        DRIVER + "control/reply.rs",
        "_ => Err(EINVAL),",
        "_ => Ok(()),",
        "test_commands and test_refused and mac",
    ),
    Mutant(
        "a command waits for ever",
        DRIVER + "control.rs",
        "            if expired {",
        "            if expired && own.limit() == 0 {",
        "test_commands and test_late and mac",
    ),
    Mutant(
        "a late answer is one to the next command",
        DRIVER + "control.rs",
        "            if expired {\n                self.overdue = true;",
        "            if expired {",
        "test_commands and test_late and mac",
    ),
    Mutant(
        "a command without an answer counts as not done",
        DRIVER + "control.rs",
        "        if outcome_unknown(&answered) {",
        "        if outcome_unknown(&answered) && !request.sets {",
        "test_commands and test_fewer_queues_without_an_answer",
    ),
    Mutant(
        "a command that was not sent is forgotten",
        DRIVER + "control.rs",
        "            state.request_resync(request);\n            return Err(error);",
        "            return Err(error);",
        "test_device_stats and test_command_while_an_answer_is_owed",
    ),
    Mutant(
        "a device is resynchronised only once",
        DRIVER + "control/resync.rs",
        "        !self.pending\n",
        "        !core::mem::take(&mut self.pending)\n",
        "test_commands and test_late_twice",
    ),
    Mutant(
        "a VLAN is forgotten that the device may have",
        DRIVER + "vlan.rs",
        "    if !outcome_unknown(result) {",
        "    if !outcome_unknown(result) || vid != 0 {",
        "test_commands and test_late_twice",
    ),
    # --- Answers with statistics ------------------------------------------------------
    Mutant(
        "statistics that were not written count",
        "rust/virtio/queue/exchange.rs",
        "answer.extend_with(room, 0, GFP_KERNEL)?;",
        "answer.extend_with(room, UNANSWERED, GFP_KERNEL)?;",
        "test_device_stats and test_answer_that_was_not_asked_for",
    ),
    Mutant(
        "statistics may have the size 0",
        DRIVER + "device_stats/answer.rs",
        "entry.get(HEADER..).ok_or(EIO)?",
        "entry.get(HEADER..).unwrap_or_default()",
        "test_device_stats and test_answer_that_cannot_be",
    ),
    Mutant(
        "statistics may be longer than the answer",
        DRIVER + "device_stats/answer.rs",
        ".split_at_checked(u16::from_le_bytes([s0, s1]).into())\n            .ok_or(EIO)?",
        ".split_at(u16::from_le_bytes([s0, s1]).into())",
        "test_device_stats and test_answer_that_cannot_be",
    ),
    Mutant(
        "statistics may be of any virtqueue",
        DRIVER + "device_stats.rs",
        ".find(|(queue, _)| queue.number() == entry.virtqueue)",
        ".find(|(queue, _)| queue.number() <= entry.virtqueue)",
        "test_device_stats and test_answer_that_was_not_asked_for",
    ),
    # --- The configuration ------------------------------------------------------------
    Mutant(
        "the MTU may be too small",
        DRIVER + "validate.rs",
        "if mtu < MIN_MTU {",
        "if mtu < 1 {",
        "test_bad_devices",
    ),
    Mutant(
        "a device may have any number of pairs",
        DRIVER + "channels.rs",
        "RangeInclusive<u16> = 1..=1024;",
        "RangeInclusive<u16> = 0..=u16::MAX;",
        "test_device_settings and test_numbers_that_cannot_be",
    ),
    Mutant(
        "an offload may come without what it depends on",
        DRIVER + "validate.rs",
        "device.drop_without(needs, dependent);",
        "let _ = (needs, dependent);",
        "test_device_features",
    ),
    Mutant(
        "a device may refuse what it is told about queues",
        DRIVER + "channels.rs",
        "if result.is_ok() || outcome_unknown(&result) {",
        "if result.is_ok() || outcome_unknown(&result) || pairs != 0 {",
        "test_commands and test_fewer_queues_refused",
    ),
    # --- Sent packets -----------------------------------------------------------------
    Mutant(
        "more may be completed than has been sent",
        "rust/helpers/netdevice.c",
        "bytes = min(bytes, READ_ONCE(txq->dql.num_queued) - txq->dql.num_completed);",
        "bytes = min(bytes, UINT_MAX);",
        "test_given_back_after_the_watchdog",
    ),
    Mutant(
        "a program may send back more than the device's MTU",
        DRIVER + "tx/xdp.rs",
        "len > most && len.wrapping_sub(most) > frame.vlan_len()",
        "len > most && len.wrapping_sub(most) > u32::MAX - frame.vlan_len()",
        "test_longer_than_the_mtu",
    ),
    Mutant(
        "a packet of AF_XDP may be longer than its slot",
        "rust/netdev/xsk/desc.rs",
        "self.chunks == 1 && self.first_len <= Slots::CAPACITY",
        "self.chunks == 1 && self.first_len != Slots::CAPACITY",
        "test_xsk and test_echo",
    ),
    Mutant(
        "a chunk of AF_XDP may have less than an Ethernet header",
        "rust/netdev/xsk/pool.rs",
        "if is_long_enough && written",
        "if (is_long_enough || written >= skip) && written",
        "test_device_xsk and test_length",
    ),
    Mutant(
        "a chunk of AF_XDP may be taken for a whole packet",
        DRIVER + "rx/xsk.rs",
        "!rest.mergeable || header.is_whole(",
        "!rest.mergeable || header.is_plain() || header.is_whole(",
        "test_device_xsk and several_buffers",
    ),
    Mutant(
        "a checksum that a socket leaves to the device may be behind its packet",
        "rust/netdev/xsk/request.rs",
        "wanted.filter(|checksum| checksum.is_within(len))",
        "wanted.filter(|checksum| checksum.is_within(len.wrapping_add(1)))",
        "test_device_xsk and test_requests",
    ),
    Mutant(
        "more packets with headers of their own may be under way than there is room for",
        "rust/netdev/xsk/tx.rs",
        "room.min(slots.saturating_sub(self.order.pending()))",
        "room.min(slots)",
        "test_device_xsk and test_requests_under_way",
    ),
    # --- Resets -----------------------------------------------------------------------
    Mutant(
        "a device that breaks each time may be reset for ever",
        "rust/virtio/recovery.rs",
        "        state.count();\n        if state.failures >= MOST_FAILURES {",
        "        state.count();\n        if state.failures >= u32::MAX {",
        "test_recovery and test_given_up",
    ),
    Mutant(
        "a device that is being reset may have a link",
        DRIVER + "health/resets.rs",
        "    link::lose(device);\n",
        "    let _ = link::lose;\n",
        "test_recovery and test_given_up",
    ),
    Mutant(
        "a queue that is leased may be taken from the stack when a device has been reset",
        "rust/netdev/device.rs",
        "pairs.max(leased)",
        "pairs.max(leased.min(0))",
        "test_device_pairs and test_fewer_after_a_reset",
    ),
    # --- Short rings ------------------------------------------------------------------
    Mutant(
        "a command may have more segments than its ring has descriptors",
        "rust/virtio/queue/exchange.rs",
        "> self.max_segments() {",
        "> self.max_segments().max(usize::MAX) {",
        "test_device_short and test_command_longer_than_the_ring",
    ),
    Mutant(
        "a frame of XDP may have more segments than its ring has descriptors",
        "rust/virtio/queue/virtqueue.rs",
        "sg::Table::new(B::SEGMENTS.min(set.max_segments(index, size)))",
        "sg::Table::new(B::SEGMENTS.min(set.max_segments(index, size).max(usize::MAX)))",
        "test_device_xdp and test_more_parts_than_the_ring",
    ),
    # --- Want of memory ---------------------------------------------------------------
    Mutant(
        "a ring without buffers stays empty",
        DRIVER + "rx.rs",
        "owner.napi().schedule_later(REFILL_RETRY_MS);",
        "let _ = (owner.napi(), REFILL_RETRY_MS);",
        "test_memory",
    ),
]
