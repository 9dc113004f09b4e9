# SPDX-License-Identifier: GPL-2.0
"""The table: each fault, what shows it, and what becomes of it. A row of which C is not said does the same with it."""

from faults.row import Otherwise, Row

NEXT = "the next arrives"
BROKEN = "one line of the virtio core; the device is reset, with one line, and all flows"
BROKEN_C = Otherwise("one line of the virtio core; the queue is broken until the device is bound again", r"until the device is bound again")


def rows(section, file, *listed):
    """The rows of a section: fault, tests of the file, what our driver does, and what C does if that is something else."""
    return tuple(Row(section, fault, rf"{file}.py::{tests}", *does) for fault, tests, *does in listed)


TOO_LONG = "(131072|2147483648|4294967295)"
LENGTH_AND_DROPPED = r"counted: \{'rx_length_errors': 1, 'rx_dropped': 1\}"
DROPPED = Otherwise("the same, and ``rx_dropped`` too", LENGTH_AND_DROPPED)
RECEIVED = rows(
    "Received packets",
    "test_device_receive",
    (
        "used length of 0, or of less than the header and an Ethernet header",
        r"test_length\[.*-(0|1|header.*)\]",
        f"``rx_length_errors``; {NEXT}",
    ),
    (
        "used length above what was lent",
        rf"test_length\[(?!chained).*-{TOO_LONG}\]",
        f"``rx_length_errors``; {NEXT}",
        DROPPED,
    ),
    (
        "the same where a chain of buffers is lent",
        rf"test_length\[chained-{TOO_LONG}\]",
        f"``rx_length_errors``; {NEXT}",
        Otherwise(f"``rx_dropped``; {NEXT}", r"counted: \{'rx_dropped': 1\}"),
    ),
    (
        "used length of a further buffer above what was lent",
        r"test_length_of_a_further_buffer",
        f"``rx_length_errors``; {NEXT}",
        DROPPED,
    ),
    (
        "``num_buffers`` 0",
        r"test_number_of_buffers\[.*-none-1\]",
        f"``rx_frame_errors``; {NEXT}",
        Otherwise(f"``rx_length_errors`` and ``rx_dropped``; {NEXT}", LENGTH_AND_DROPPED),
    ),
    (
        "``num_buffers`` one too many, 300, 65535",
        r"test_number_of_buffers\[.*-(one too many|more than the ring|most)-.\]",
        f"``rx_length_errors``; {NEXT}",
        DROPPED,
    ),
    (
        "any ``num_buffers`` without mergeable buffers",
        r"test_number_that_means_nothing",
        "means nothing: the packet arrives",
    ),
    (
        "GSO type that is unknown, or was not negotiated",
        r"test_gso_type\[",
        f"``rx_frame_errors``; {NEXT}",
    ),
    (
        "GSO type that was not negotiated, of a packet that is right otherwise",
        r"test_gso_type_of_a_packet_that_could_be\[.*-(uso|ecn)\]",
        f"``rx_frame_errors``; {NEXT}",
        Otherwise(
            "takes it",
            "the packet is not counted",
            r"test_device_receive.py::test_gso_type_of_a_packet_that_could_be\[(small|chained)-(uso|ecn)\]",
        ),
    ),
    (
        "GSO packet with ``gso_size`` 0, without a checksum, or with one that begins behind the packet",
        r"test_gso_fields",
        f"``rx_frame_errors``; {NEXT}",
    ),
    (
        "``csum_start`` or ``csum_offset`` outside of the packet",
        r"test_checksum",
        f"``rx_frame_errors``; {NEXT}",
    ),
    (
        "``hdr_len`` 65535; sizes and offsets without a type; unknown flags",
        r"test_what_means_nothing\[.*-(header length|sizes without a type|flags that are not known)\]",
        "means nothing: the packet arrives",
    ),
    (
        "hash of an unknown type, of one that was not asked for, or where none was negotiated",
        r"test_what_means_nothing\[.*-hash of",
        "means nothing: the packet arrives",
    ),
    ("buffers used in another order", r"test_order", "both packets arrive"),
    ("buffer never given back", r"test_never", NEXT),
    (
        "``id`` out of range, buffer given back twice, used index 257 or 32768 too far",
        r"test_wrong_buffer",
        BROKEN,
        BROKEN_C,
    ),
) + rows(
    "Received packets",
    "test_device_queues",
    (
        "delivered to a queue that the driver has said it does not use",
        r"test_delivered_to_any_queue",
        "the packet arrives",
    ),
)

WATCHDOG = r"NETDEV WATCHDOG|TX timeout on queue"
OTHER_QUEUES = rows(
    "Sent packets, interrupts and silence",
    "test_device_transmit",
    ("any used length", r"test_length", "means nothing"),
    ("packets given back in another order", r"test_order", "all flows"),
    (
        "packets never given back",
        r"test_never",
        "the stack's watchdog says so, ``tx_timeouts`` counts; after ``stall_timeout`` the device is reset, with one line, and all flows",
        Otherwise(
            "the stack's watchdog says so, ``tx_timeouts`` counts; nothing flows until the device is bound again",
            r"nothing flows",
            also=WATCHDOG,
            alone=True,
        ),
    ),
    (
        "one packet never given back, and little is sent",
        r"test_one_never",
        "the watchdog may say so once; all flows after that",
        Otherwise("the queue stands still for good", r"the guest did not send", also=WATCHDOG, alone=True),
    ),
    (
        "``id`` never lent or out of range, packet given back twice, used index 257 or 32768 too far",
        r"test_wrong_packet",
        BROKEN,
        BROKEN_C,
    ),
    ("interrupts of a queue lost", r"test_interrupts_lost", "the next one is enough"),
    (
        "interrupts without a reason, 1000 at once, or 50 for each packet",
        r"test_(interrupts_without_reason|storm_with_each_packet)",
        "all flows",
    ),
    (
        "kicks ignored for a while, in the transmit queue or in both",
        r"test_device_that_stops\[",
        "all flows when the device goes on",
    ),
    (
        "a device that does nothing for ten seconds",
        r"test_device_that_stops_for_long",
        "the stack's watchdog may say so; all flows when the device goes on",
    ),
    (
        "does nothing until the queue is full and the kernel has sent a message through it (netconsole)",
        r"test_kernel_speaks_while_the_queue_is_full",
        "all flows when the device goes on",
    ),
) + rows(
    "Sent packets, interrupts and silence",
    "test_device_queues",
    (
        "packets of a queue that is not used any more, given back while the interface is down",
        r"test_given_back_while_down",
        "they count as sent once it is up",
    ),
)

HANGS = r"not done within \d+ s"
DONE = r"Result\(rc=0|it says \[\]"
REFUSED = "fails with ``EINVAL``; all is as it was"
RESYNC = "the device is resynchronised"
# Of a device that reports no hashes, C remembers the types and tells it nothing.
TO_DEVICE = "(mac|pairs|offloads|vlan|interrupts)"

COMMANDS = (
    *rows(
        "Commands that somebody waits for",
        "test_commands",
        (
            "refused, or given back without a word: the address, the number of queues, offloads, interrupts",
            r"test_(refused|unwritten)\[(mac|pairs|offloads|interrupts)",
            REFUSED,
        ),
        ("the same: a VLAN", r"test_(refused|unwritten)\[vlan", REFUSED, Otherwise("takes it as done", DONE)),
        (
            "the same: the types of hashes",
            r"test_(refused|unwritten)\[hashes",
            REFUSED,
            Otherwise("says that it is done: the device is not told before ``rxhash`` is on", DONE),
        ),
        (
            "answered with a used length of 0, of 2 or more, or with that of the command besides: up to 4294967295",
            rf"test_length_of_answer\[{TO_DEVICE}",
            "means nothing: what the answer says counts",
        ),
        (
            "the same all the time",
            r"test_odd_lengths_are_said_once",
            "means nothing; one line for each device",
            Otherwise("means nothing", r"assert 0 == 1"),
        ),
        (
            "answered late",
            r"test_late",
            f"fails with ``ETIMEDOUT``, one line; packets flow; other commands fail at once; {RESYNC} once it has answered",
            Otherwise("hangs until then, with the rtnl lock", HANGS, r"test_commands.py::test_late\[(mac|vlan)\]"),
        ),
        (
            "never answered",
            r"test_never",
            "fails with ``ETIMEDOUT``, one line; when others have waited for ``stall_timeout`` the device is reset, unless that is 0",
            Otherwise("hangs, with the rtnl lock", HANGS, r"test_commands.py::test_never\[(pairs|offloads)\]"),
        ),
        (
            "fewer queues, answered late",
            r"test_fewer_queues_without_an_answer",
            "fails; nothing is sent through the others, as the device may have done it; more are used when it is told so",
            Otherwise("waits for the answer", DONE),
        ),
    ),
    *rows(
        "Commands that somebody waits for",
        "test_device_settings",
        ("refused: the table of hashes", r"test_refused_hashes\[-X", REFUSED, Otherwise("takes it as done", DONE)),
        ("refused: the number of queues of a device that hashes", r"test_refused_hashes\[-L", REFUSED),
        (
            "refused: interrupts, the first command of several",
            r"test_refused_interrupts(_of_a_queue)?\[0\]",
            f"{REFUSED}, also in the device",
            Otherwise("the same, but it is not restored in the device", r"assert \[\] == \[|in \[\]"),
        ),
        (
            "refused: interrupts, a later one",
            r"test_refused_interrupts(_of_a_queue)?\[1\]",
            f"{REFUSED}, also in the device",
            Otherwise("fails with ``EINVAL``; what was done of it stays", r"\[10, 4, 98, 8\] != |\[99, 4, 20, 8\] != "),
        ),
    ),
)

QUIET = rows(
    "Commands that nobody waits for",
    "test_quiet_commands",
    (
        "refused, or given back without a word",
        r"test_refused",
        "a line; the next one works",
        Otherwise("a warning", r"but: net \w+: Failed to .*\n$", r"test_quiet_commands.py::test_refused\[(promiscuous|vlan)"),
    ),
    (
        "answered with a used length of 0, of 2, or of 4294967295",
        r"test_length_of_answer",
        "means nothing: what the answer says counts",
    ),
    (
        "answered late",
        r"test_late",
        "a line; nobody waits, and packets flow; the device is resynchronised once it has answered",
        Otherwise("what needs the rtnl lock hangs until then", HANGS, r"test_quiet_commands.py::test_late\[promiscuous\]"),
    ),
    (
        "never answered",
        r"test_never",
        "a line; nobody waits, and packets flow; when others have waited for ``stall_timeout`` the device is reset, unless that is 0",
        Otherwise("what needs the rtnl lock hangs", HANGS, r"test_quiet_commands.py::test_never\[addresses\]"),
    ),
)

UBSAN = r"UBSAN: array-index-out-of-bounds in .*virtio_net\.c"


def statistics(text, shown, tests=None):
    """Of C, which needs a guest for each: most of these end in a loop that holds the rtnl lock."""
    return Otherwise(text, shown, rf"test_device_stats.py::{tests}" if tests else None, also=UBSAN, alone=True)


LOOP = "hangs, with the rtnl lock"
MANY_COMMANDS = rows(
    "Many commands",
    "test_device_slow",
    (
        "statistics of 20 pairs of queues, of which each request takes 0.7 s",
        r"test_counters",
        "given up after the limit of one command, with a line",
        Otherwise("asks once, and waits, with the rtnl lock", r"assert \[\(8, 1\)\] == ", also=UBSAN, alone=True),
    ),
    (
        "resync of all settings, after one had no answer",
        r"test_others_come_between",
        "others have the rtnl lock in between",
        Otherwise("hangs at the one, with the rtnl lock", HANGS, alone=True),
    ),
    (
        "all settings, restored when the machine wakes up",
        r"test_resume",
        "it is awake before all are restored, and the rest comes later",
        Otherwise("VLANs are not restored", r"the device has not been told", also=UBSAN, alone=True),
    ),
)
STATISTICS = rows(
    "Statistics",
    "test_device_stats",
    (
        "none: all that was asked for",
        r"test_values",
        "each is shown",
        statistics("the same, and a report of UBSAN: it writes its request past the end of an array", UBSAN),
    ),
    (
        "an entry of size 0",
        r"test_answer_that_cannot_be\[size 0\]",
        "what comes before it counts, the rest is 0",
        statistics(LOOP, HANGS),
    ),
    (
        "an entry whose size is below its header's",
        r"test_answer_that_cannot_be\[size below",
        "what comes before it counts, the rest is 0",
        statistics(LOOP, HANGS),
    ),
    (
        "half a header",
        r"test_answer_that_cannot_be\[half",
        "what comes before it counts, the rest is 0",
        statistics(LOOP, HANGS),
    ),
    (
        "an entry of size 65535",
        r"test_answer_that_cannot_be\[size 65535",
        "what comes before it counts, the rest is 0",
        statistics("takes it: its counters count", r"assert \{'rx_hw_packets'"),
    ),
    (
        "no entries, or fewer than were asked for, or fewer counters in them, or one that ends a byte behind what is written",
        r"test_answer_that_was_not_asked_for\[(nothing|fewer|part|size)",
        "what is there counts, the rest is 0",
        statistics(LOOP, HANGS, r"test_answer_that_was_not_asked_for\[fewer"),
    ),
    (
        "entries of other types or virtqueues, twice, or with more counters",
        r"test_answer_that_was_not_asked_for\[(more|other|twice)",
        "what was asked for counts",
        statistics(LOOP, HANGS, r"test_answer_that_was_not_asked_for\[other v"),
    ),
    (
        "refused",
        r"test_no_answer\[script0\]",
        "a line, all are 0; the next time they are there",
        Otherwise("all are 0; no line", r"AssertionError: \[", also=UBSAN),
    ),
    (
        "given back without a word",
        r"test_no_answer\[script1\]",
        "a line, all are 0; the next time they are there",
        # What is there follows from what was in the memory.
        statistics("no line; all are 0, or it hangs, with the rtnl lock", rf"AssertionError: \[|{HANGS}"),
    ),
    (
        "a late answer",
        r"test_no_answer\[script2\]",
        "a line, all are 0; the next time they are there",
        statistics("waits for it, with the rtnl lock", r"assert \{'rx_hw_packets'"),
    ),
    (
        "a used length of 0, of 1, or of 4294967295",
        r"test_length_of_answer",
        "means nothing: what the answer says counts",
        statistics("the same, and that report of UBSAN", UBSAN, r"test_length_of_answer\[0\]"),
    ),
    (
        "does not say what it counts",
        r"test_device_that_does_not_say",
        "one line, no counters; all flows",
        Otherwise("no line", r"assert \(0 == 1\)", also=UBSAN),
    ),
)

# Of as many pairs as the device says, in the first test of its file.
TOO_LARGE = r"WARNING: mm/page_alloc\.c"
TAKEN = Otherwise("takes it as it is; no line", r"Extra items in the left set", also=TOO_LARGE)
NO_LINE = Otherwise("takes it as it is; no line", r"assert \(0 == 1\b", also=TOO_LARGE)

FIRST = (
    *rows(
        "What the device says of itself at first",
        "test_bad_devices",
        ("commands without a control queue", r"test_refused.*\[commands", "refused, one line each time; nothing is left behind"),
        (
            "MTU of 60",
            r"test_mtu_too_small",
            "done without ``MTU``; one line",
            Otherwise("the same; no line", r"assert \(0 == 1\b"),
        ),
        (
            "address that is one of a group",
            r"test_random_mac",
            "another one by chance, one line; all flows",
            Otherwise("takes it", "is no local unicast address"),
        ),
    ),
    *rows(
        "What the device says of itself at first",
        "test_device_settings",
        (
            "table of hashes of 0 entries, or key of 0 or of 39 bytes",
            r"test_numbers_that_cannot_be\[(no table|.* key)",
            "done without ``RSS``; one line",
            TAKEN,
        ),
        ("table of hashes of 100 entries", r"test_numbers_that_cannot_be\[odd table", "64 are used; one line", NO_LINE),
        (
            "0 or 65535 pairs of queues",
            r"test_numbers_that_cannot_be\[(no queues|more pairs than can be)",
            "one pair is used, without ``MQ`` and ``RSS``; one line",
            TAKEN,
        ),
        (
            "1025 or 32768 pairs of queues, of which one is there",
            r"test_numbers_that_cannot_be\[(too many|most) pairs",
            "one pair is used, without commands; one line",
            Otherwise("refused when the queues cannot be set up", r"no interface with the address"),
        ),
        ("one pair of queues more than there are", r"test_fewer_queues_than_said\[one pair", "refused"),
    ),
    *rows(
        "What the device says of itself at first",
        "test_device_pairs",
        (
            "refuses the number of queues that suits the CPUs",
            r"test_refused\[[1-4]\]",
            "the largest number below is used that it takes, else the largest at all, else one; lines say so",
            Otherwise("one pair is used", r"assert \(2,\) == "),
        ),
    ),
    *rows(
        "What the device says of itself at first",
        "test_device_short",
        (
            "its configuration has 4, 7, 10, 11, 17 or 23 bytes",
            r"test_features\[(?!24)",
            "done without those features that there is no room for; a line for each",
            Otherwise("the kernel stops there: a ``BUG()`` of the transport", r"RIP: 0010:vp_get", alone=True),
        ),
    ),
    *rows(
        "What the device says of itself at first",
        "test_device_features",
        (
            "offers an offload without what it depends on",
            r"test_features\[nothing",
            "done without",
            Otherwise("takes it (violates 5.1.3.1)", "Extra items in the left set"),
        ),
    ),
)

LATER = rows(
    "What it says later",
    "test_device_config",
    (
        "link down and up, 200 times in a row while it is read, or while the interface is down or nobody has the device",
        r"test_(link|news)",
        "the carrier is what was said last",
    ),
    (
        "wants to be announced",
        r"test_announce",
        "gratuitous ARP, and the command that it was done; if the device refuses that, again with the next news",
    ),
    ("another speed", r"test_speed", "it holds when the link comes up again"),
    (
        "another MTU, address or number of queues than at first, a speed that cannot be, unknown bits, nothing but ones",
        r"test_what_cannot_be",
        "means nothing: what was said first holds",
    ),
    ("interrupts for no news, 200 times", r"test_interrupts_without_reason", "all flows"),
)

GONE = rows(
    "A device that goes away",
    "test_device_gone",
    ("unplugged under traffic", r"test_unplugged_under_traffic", "nothing is left; others go on"),
    ("unplugged while it does nothing", r"test_unplugged_while_it_does_nothing", "nothing is left; others go on"),
    (
        "unplugged while it owes the answer to a command",
        r"test_unplugged_while_it_owes",
        "nothing is left; others go on",
        Otherwise("stays; what needs the rtnl lock hangs", r"did not answer within \d+ s|" + HANGS, alone=True),
    ),
    (
        "dead from one moment to the next, under traffic",
        r"test_dead\b(?!_)",
        "packets are lost; it can be unbound, and nothing is left; others go on",
        Otherwise("what needs the rtnl lock hangs", HANGS, alone=True),
    ),
    (
        "dead, and asked to do a command",
        r"test_dead_when",
        "it can be unbound, and nothing is left; others go on",
        # If the stack happens to have something to send.
        Otherwise("what needs the rtnl lock hangs", HANGS, also="NETDEV WATCHDOG", alone=True),
    ),
)

ROWS = (*RECEIVED, *OTHER_QUEUES, *COMMANDS, *QUIET, *MANY_COMMANDS, *STATISTICS, *FIRST, *LATER, *GONE)

# Of virtio, by section and what the device says: in words.
RULES = {
    r"5\.1\.3\.1: feature": "it accepts offloads without those that they depend on (5.1.3.1)",
    r"5\.1\.6\.5\.[67]: command 4\.[12]: 1 bytes behind the key": "what it sends about hashes has a byte behind the key: the "
    "size of its structure is rounded up; devices do not look there",
    r"5\.1\.6\.5\.6: command 4\.2: reserved": "of hashes without queues, it sends reserved bytes that are not 0",
    # What the device takes for what then is up to the key, which is random.
    r"5\.1\.6\.5\.7: command 4\.1: (a table|a key|it is malformed|receive queue|\d+ queues to send|(?!1 bytes)\d+ bytes behind)": (
        "it asks for hashes of sizes that cannot be, if a device has them"
    ),
}
# What it does not do each time.
RULES_BY_CHANCE = {
    r"5\.1\.6\.5\.6\.1: a packet in the transmit queue": "of fewer queues it tells the stack last, which may send through the "
    "others meanwhile (5.1.6.5.6.1); not each time",
    r"2\.7: queue \d+: Guest memory error: invalid guest address": "after an answer with statistics that it does not come to the end of, "
    "it lends memory that is not there (2.7); not each time",
}
