# SPDX-License-Identifier: GPL-2.0
"""A device that says something wrong of a packet for the guest: it is counted, and the next one arrives."""

import pytest

from support import counters, exchange, faults, healing, ordered
from support.inject import ECN, NEEDS_CSUM, TCPV4, TCPV6, TUNNEL4, UFO, USO
from support.kernel_log import errors, no_errors  # noqa: F401

PLAIN = "MAC STATUS CTRL_VQ VERSION_1 GUEST_CSUM"
HASHES = {"key_size": 40, "table_size": 8, "hash_types": 0x1FF}
DEVICES = {
    "small": (PLAIN, {}),
    "chained": (PLAIN + " GUEST_TSO4 INDIRECT_DESC", {}),
    "mergeable": (PLAIN + " MRG_RXBUF EVENT_IDX", {}),
    "packed, mergeable": (PLAIN + " RING_PACKED MRG_RXBUF EVENT_IDX", {}),
    "mergeable, GSO, hashes": (PLAIN + " GUEST_TSO4 MRG_RXBUF HASH_REPORT", HASHES),
}
NAMES = list(DEVICES)
MERGEABLE = [name for name in NAMES if "mergeable" in name]
GUEST_GSO = ["chained", "mergeable, GSO, hashes"]
ETHERNET = 14


@pytest.fixture(scope="module")
def guest(boot, driver):
    nics = [ordered.made(names, **config) for names, config in DEVICES.values()]
    with faults.serving(boot, driver, nics, files=[counters.NETDEV]) as guest:
        yield guest


def header_size(name):
    return 20 if "hashes" in name else 12


# --- The length -------------------------------------------------------------------

# More than any buffer of the driver's has.
TOO_LONG = 0x20000


@pytest.mark.parametrize("length", [0, 1, "header - 1", "header", "header and 13", TOO_LONG, 0x80000000, 0xFFFFFFFF])
@pytest.mark.parametrize("name", NAMES)
def test_length(guest, name, length):
    sizes = {"header - 1": header_size(name) - 1, "header": header_size(name), "header and 13": header_size(name) + 13}
    fault = {"length": sizes.get(length, length)}
    faults.counted(guest, guest.nics[NAMES.index(name)], fault, "rx_length_errors")


@pytest.mark.parametrize("length", [TOO_LONG, 0xFFFFFFFF])
@pytest.mark.parametrize("name", MERGEABLE)
def test_length_of_a_further_buffer(guest, name, length):
    nic = guest.nics[NAMES.index(name)]
    faults.counted(guest, nic, {"length": length}, "rx_length_errors", length=1000, most=300)


# --- The number of buffers --------------------------------------------------------


@pytest.mark.parametrize("buffers", [1, 3])
@pytest.mark.parametrize(
    "fault, counter",
    [
        ({"num_buffers": 0}, "rx_frame_errors"),
        ({"more_buffers": 1}, "rx_length_errors"),
        ({"num_buffers": 300}, "rx_length_errors"),
        ({"num_buffers": 65535}, "rx_length_errors"),
    ],
    ids=["none", "one too many", "more than the ring", "most"],
)
@pytest.mark.parametrize("name", MERGEABLE)
def test_number_of_buffers(guest, name, fault, counter, buffers):
    nic = guest.nics[NAMES.index(name)]
    if fault == {"num_buffers": 0} and buffers > 1:
        pytest.skip("its other buffers are packets of their own then")
    faults.counted(guest, nic, fault, counter, length=600, most=600 // buffers + 20)


@pytest.mark.parametrize("number", [0, 2, 65535])
@pytest.mark.parametrize("name", ["small", "chained"])
def test_number_that_means_nothing(guest, name, number):
    """Without mergeable buffers it is 1, and nobody needs to look."""
    faults.arrives(guest, guest.nics[NAMES.index(name)], {"num_buffers": number})


# --- The header -------------------------------------------------------------------

NOT_NEGOTIATED = {
    "unknown": 2,
    "unknown 5": 5,
    "unknown, highest": 0x7F,
    "tcp6": TCPV6,
    "ufo": UFO,
    "uso": USO,
    "ecn": TCPV4 | ECN,
    "ecn alone": ECN,
    "tunnel": TCPV4 | TUNNEL4,
    "all": 0xFF,
}


@pytest.mark.parametrize("kind", NOT_NEGOTIATED)
@pytest.mark.parametrize("name", NAMES)
def test_gso_type(guest, name, kind):
    fault = faults.with_header(gso_type=NOT_NEGOTIATED[kind], gso_size=1400, hdr_len=54)
    faults.counted(guest, guest.nics[NAMES.index(name)], fault, "rx_frame_errors")


CHECKSUM = {"flags": NEEDS_CSUM, "csum_start": 34, "csum_offset": 16}
# Nothing but its type is wrong.
COULD_BE = {
    "tcp6": {"gso_type": TCPV6},
    "uso": {"gso_type": USO, "csum_offset": 6},
    "ecn": {"gso_type": TCPV4 | ECN},
}


@pytest.mark.parametrize("kind", COULD_BE)
@pytest.mark.parametrize("name", NAMES)
def test_gso_type_of_a_packet_that_could_be(guest, name, kind):
    fault = faults.with_header(**CHECKSUM | {"gso_size": 100, "hdr_len": 54} | COULD_BE[kind])
    faults.counted(guest, guest.nics[NAMES.index(name)], fault, "rx_frame_errors")


CANNOT_BE = {
    "start beyond": CHECKSUM | {"csum_start": 200},
    "start at the end": CHECKSUM | {"csum_start": 199},
    "start, highest": CHECKSUM | {"csum_start": 0xFFFF},
    "offset beyond": CHECKSUM | {"csum_offset": 165},
    "offset, highest": CHECKSUM | {"csum_offset": 0xFFFF},
    "both, highest": CHECKSUM | {"csum_start": 0xFFFF, "csum_offset": 0xFFFF},
}


@pytest.mark.parametrize("kind", CANNOT_BE)
@pytest.mark.parametrize("name", NAMES)
def test_checksum(guest, name, kind):
    faults.counted(guest, guest.nics[NAMES.index(name)], faults.with_header(**CANNOT_BE[kind]), "rx_frame_errors")


WRONG_FIELDS = {
    "no size": {"gso_size": 0},
    "no checksum": {"flags": 0},
    "start beyond": {"csum_start": 200},
}


@pytest.mark.parametrize("kind", WRONG_FIELDS)
@pytest.mark.parametrize("name", GUEST_GSO)
def test_gso_fields(guest, name, kind):
    fields = CHECKSUM | {"gso_type": TCPV4, "gso_size": 1400, "hdr_len": 54} | WRONG_FIELDS[kind]
    faults.counted(guest, guest.nics[NAMES.index(name)], faults.with_header(**fields), "rx_frame_errors")


HARMLESS = {
    "header length": {"hdr_len": 0xFFFF},
    "sizes without a type": {"gso_size": 0xFFFF, "csum_start": 0xFFFF, "csum_offset": 0xFFFF},
    "flags that are not known": {"flags": 0xF8},
    "hash of no known type": {"hash_value": 1, "hash_report": 0xFFFF},
    "hash of a type that was not asked for": {"hash_value": 1, "hash_report": 7},
}


@pytest.mark.parametrize("kind", HARMLESS)
@pytest.mark.parametrize("name", NAMES)
def test_what_means_nothing(guest, name, kind):
    faults.arrives(guest, guest.nics[NAMES.index(name)], faults.with_header(**HARMLESS[kind]))


# --- Which buffer -----------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_order(guest, name):
    """A device may use buffers in any order."""
    nic = guest.nics[NAMES.index(name)]
    nic.order("faults", queue=0, faults=["later"])
    first, second = (ordered.frame(nic, 500, seed) for seed in (1, 2))
    for data in (first, second):
        assert ordered.receive(nic, data) == 1
    ordered.sent(nic, ordered.answer(second), ordered.answer(first))


@pytest.mark.parametrize("name", NAMES)
def test_never(guest, name):
    """What the device keeps is missed by nobody."""
    nic = guest.nics[NAMES.index(name)]
    for _ in range(10):
        faults.faulty(nic, "never")
    ordered.echo(nic, 300)


WRONG = {
    "out of range": {"id": 256},
    "out of range, 16 bits": {"id": 0xFFFF},
    "out of range, more bits": {"id": 0x10000},
    "out of range, highest": {"id": 0xFFFFFFFF},
    "twice": "twice",
    "index too far": {"jump": 257},
    "index half around": {"jump": 0x8000},
}


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("name", NAMES)
def test_wrong_buffer(guest, driver, name, kind):
    """The core takes no more from the queue then, and says so; the device is reset."""
    faults.skip_if_it_cannot_be(WRONG[kind], "packed" in name)
    nic = guest.nics[NAMES.index(name)]
    faults.faulty(nic, WRONG[kind])
    healing.queue_heals(guest, driver, nic, "receive")
    ordered.echo(nic, 300)


def test_afterwards(guest, driver):
    for nic in guest.nics:
        faults.bind_again(guest, driver, nic)
        exchange.everything(guest, nic)
    assert errors(guest) == []
