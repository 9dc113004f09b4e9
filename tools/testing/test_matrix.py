# SPDX-License-Identifier: GPL-2.0
"""Traffic through devices of every kind that QEMU can be told to be: transports, rings, headers, queue sizes."""

from contextlib import contextmanager

import pytest

from lab import features, host
from support import exchange
from support.kernel_log import no_errors  # noqa: F401
from support.nics import BIG, LEGACY, MODERN, NO_CONTROL_QUEUE, NO_CSUM, NO_GUEST_CSUM, PACKED, SMALL, interrupts, queue_size

# Of each device: its properties, and features that must and must not be negotiated. What is combined with what in
# test_modes.py is not here; more than these have no room on the bus.
DEVICES = {
    "modern": (
        MODERN,
        "VERSION_1 MRG_RXBUF EVENT_IDX INDIRECT_DESC CSUM GUEST_CSUM CTRL_VQ STATUS MAC",
        "RING_PACKED MTU",
    ),
    "transitional": ({"disable-legacy": "off", "disable-modern": "off"}, "VERSION_1 MRG_RXBUF", "RING_PACKED"),
    "legacy": (LEGACY, "MRG_RXBUF ANY_LAYOUT", "VERSION_1"),
    "legacy, small": (LEGACY | SMALL, "ANY_LAYOUT", "VERSION_1 MRG_RXBUF"),
    "legacy, header apart": (LEGACY | {"any_layout": "off"}, "MRG_RXBUF", "VERSION_1 ANY_LAYOUT"),
    "legacy, small, header apart": (LEGACY | SMALL | {"any_layout": "off"}, "", "VERSION_1 MRG_RXBUF ANY_LAYOUT"),
    "packed": (PACKED, "VERSION_1 RING_PACKED MRG_RXBUF EVENT_IDX INDIRECT_DESC", ""),
    "packed, no event_idx": (PACKED | {"event_idx": "off"}, "RING_PACKED", "EVENT_IDX"),
    "packed, no indirect": (PACKED | {"indirect_desc": "off"}, "RING_PACKED", "INDIRECT_DESC"),
    "no event_idx": ({"event_idx": "off"}, "VERSION_1", "EVENT_IDX"),
    "no indirect": ({"indirect_desc": "off"}, "VERSION_1", "INDIRECT_DESC"),
    "no indirect, legacy, header apart": (
        LEGACY | {"indirect_desc": "off", "any_layout": "off"},
        "",
        "VERSION_1 INDIRECT_DESC ANY_LAYOUT",
    ),
    "small": (SMALL, "VERSION_1", "MRG_RXBUF GUEST_TSO4"),
    "big": (BIG, "VERSION_1 GUEST_TSO4", "MRG_RXBUF"),
    "legacy, big": (LEGACY | BIG, "GUEST_TSO4", "VERSION_1 MRG_RXBUF"),
    "packed, big, no indirect": (PACKED | BIG | {"indirect_desc": "off"}, "RING_PACKED GUEST_TSO4", "MRG_RXBUF"),
    "no control queue": (NO_CONTROL_QUEUE, "VERSION_1", "CTRL_VQ CTRL_RX CTRL_VLAN CTRL_MAC_ADDR"),
    "no csum": (NO_CSUM, "GUEST_CSUM", "CSUM"),
    "no guest_csum": (NO_GUEST_CSUM, "CSUM", "GUEST_CSUM"),
    "no status": ({"status": "off"}, "VERSION_1", "STATUS"),
    "rx 1024": ({"rx_queue_size": "1024"}, "VERSION_1", ""),
    "rx 1024, packed, small": (PACKED | SMALL | {"rx_queue_size": "1024"}, "RING_PACKED", "MRG_RXBUF"),
    "intx": ({"vectors": "0"}, "VERSION_1", ""),
    "shared vector": ({"vectors": "2"}, "VERSION_1", ""),
    "mtu 1400": ({"host_mtu": "1400"}, "MTU", ""),
    "mtu 9000": ({"host_mtu": "9000"}, "MTU MRG_RXBUF", ""),
    "mtu 9000, big": (SMALL | {"host_mtu": "9000"}, "MTU", "MRG_RXBUF GUEST_TSO4"),
    "mtu 65535": ({"host_mtu": "65535"}, "MTU MRG_RXBUF", ""),
    "mtu 65535, big": (BIG | {"host_mtu": "65535"}, "MTU GUEST_TSO4", "MRG_RXBUF"),
}
NAMES = list(DEVICES)
# It counts the Ethernet header too.
TAP_MTU = 65521


@pytest.fixture(scope="module")
def guest(boot, driver):
    nics = [properties for properties, _, _ in DEVICES.values()]
    with boot(nics=nics, files=[exchange.PEER], memory="2G") as guest:
        driver.load(guest)
        with exchange.peer_in(guest):
            yield guest


@contextmanager
def up(guest, nic):
    name = guest.bring_up(nic)
    try:
        yield name
    finally:
        guest.run(f"ip link set {name} down && ip address flush dev {name}")


def mtu_of(guest, name):
    return int(guest.read(f"/sys/class/net/{name}/mtu"))


def match_tap(nic, mtu):
    """Gives the other end the same MTU, or the largest that a TAP takes, and returns it."""
    mtu = min(mtu, TAP_MTU)
    host.run("ip", "link", "set", nic.tap, "mtu", str(mtu))
    return mtu


@pytest.mark.parametrize("device", NAMES)
def test_traffic(guest, device):
    _, wanted, unwanted = DEVICES[device]
    nic = guest.nics[NAMES.index(device)]
    with up(guest, nic) as name:
        negotiated = set(features.negotiated(guest, nic))
        assert set(wanted.split()) <= negotiated
        assert not set(unwanted.split()) & negotiated
        exchange.everything(guest, nic, match_tap(nic, mtu_of(guest, name)))


# A page, the first buffers of a merged packet, and their sums lie in these ranges.
JUMBO = [*range(14, 9015, 67), *range(1400, 2200, 3), *range(3500, 4300, 3), *range(9000, 9015)]
# All that are about as long as so many pages with the header before them, and some others, up to what a TAP takes.
LONGEST = 65535
GIANT = sorted({*range(14, LONGEST, 997), *range(LONGEST - 20, LONGEST + 1)}.union(*(
    range(pages * 4096 - 40, min(pages * 4096 + 20, LONGEST)) for pages in range(1, 17)
)))


LENGTHS = {
    "modern": range(14, 1515),
    "small": range(14, 1515),
    "legacy": range(14, 1515),
    "legacy, small": range(14, 1515),
    "legacy, header apart": range(14, 1515),
    "legacy, small, header apart": range(14, 1515),
    "big": range(14, 1515),
    "legacy, big": range(14, 1515),
    "packed, no indirect": range(14, 1515),
    "packed, big, no indirect": range(14, 1515),
    "mtu 9000": JUMBO,
    "mtu 9000, big": JUMBO,
    "mtu 65535": GIANT,
    "mtu 65535, big": GIANT,
}


@pytest.mark.parametrize("device", LENGTHS)
def test_frames_of_all_lengths(guest, device):
    nic = guest.nics[NAMES.index(device)]
    with up(guest, nic) as name:
        match_tap(nic, mtu_of(guest, name))
        exchange.frames_echo(nic, LENGTHS[device])


# On a TAP, QEMU takes no other size than 256 for the queue that sends: up to 1024 needs another kind of back end.
@pytest.mark.parametrize(
    "device, sizes",
    [("modern", (256, 256)), ("packed", (256, 256)), ("rx 1024", (1024, 256))],
    ids=["modern", "packed", "rx 1024"],
)
def test_queue_sizes(guest, device, sizes):
    nic = guest.nics[NAMES.index(device)]
    assert (queue_size(guest, nic, 0), queue_size(guest, nic, 1)) == sizes


INTERRUPTS = [("modern", 3, "MSIX"), ("shared vector", 2, "MSIX"), ("intx", 1, "IO-APIC")]


@pytest.mark.parametrize("device, count, text", INTERRUPTS)
def test_interrupts(guest, device, count, text):
    lines = interrupts(guest, guest.virtio_device(guest.nics[NAMES.index(device)]))
    assert len(lines) == count and all(text in line for line in lines), lines


GIVEN = {"mtu 1400": 1400, "mtu 9000": 9000, "mtu 9000, big": 9000, "mtu 65535": 65535, "mtu 65535, big": 65535}


@pytest.mark.parametrize("device, mtu", [("modern", 1500), ("small", 1500), *GIVEN.items()])
def test_mtu(guest, device, mtu):
    name = guest.interface(guest.nics[NAMES.index(device)])
    assert mtu_of(guest, name) == mtu


def test_mtu_is_limited_by_the_device(guest):
    name = guest.interface(guest.nics[NAMES.index("mtu 1400")])
    assert guest.run(["ip", "link", "set", name, "mtu", "1401"], check=False).rc != 0
    assert mtu_of(guest, name) == 1400
