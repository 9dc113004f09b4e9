# SPDX-License-Identifier: GPL-2.0
"""A device that changes what it says of itself: the link, and what must not change; or that says so for no reason."""

import socket
import struct

import pytest

from support import binding, exchange, faults, ordered
from support.kernel_log import errors, no_errors  # noqa: F401

OFFERED = "MAC MTU STATUS CTRL_VQ GUEST_ANNOUNCE VERSION_1 SPEED_DUPLEX"
DEVICES = {"mergeable": OFFERED + " MRG_RXBUF", "small": OFFERED}
NAMES = list(DEVICES)
MTU = 1500
# Where the fields are (virtio 1.3, section 5.1.4), and bits of the status.
STATUS, PAIRS_AT, MTU_AT, SPEED_AT = 6, 8, 10, 12
UP, ANNOUNCE = 1, 2
ACK = (3, 0)
ARP = b"\x08\x06"
MANY = 200


@pytest.fixture(scope="module")
def guest(boot, driver):
    nics = [ordered.made(names, mtu=MTU, speed=1000, duplex=1) for names in DEVICES.values()]
    with faults.serving(boot, driver, nics) as guest:
        yield guest


@pytest.fixture(params=NAMES)
def nic(guest, request):
    nic = guest.nics[NAMES.index(request.param)]
    ordered.forget_commands(nic)
    return nic


def set_status(nic, status):
    nic.order("configure", offset=STATUS, bytes=struct.pack("<H", status).hex())


def status(nic):
    return struct.unpack_from("<H", bytes.fromhex(nic.order("configuration")), STATUS)[0]


def commands(nic):
    return [code for code, _ in ordered.commands(nic)]


def flap(guest, nic):
    for up in (False, True):
        set_status(nic, int(up))
        guest.wait_for_carrier(nic.name, up)


def test_link(guest, nic):
    for _ in range(5):
        flap(guest, nic)
        exchange.ping(guest.run, nic.host4)
    exchange.everything(guest, nic)


def test_link_that_changes_often(guest, nic):
    """The last one counts, also if the driver has not seen those between."""
    for last in (False, True):
        for number in range(MANY):
            set_status(nic, number % 2)
        set_status(nic, int(last))
        guest.wait_for_carrier(nic.name, last)
    exchange.everything(guest, nic)


def test_link_that_changes_while_the_interface_is_down(guest, nic):
    for up in (False, True):
        guest.run(["ip", "link", "set", nic.name, "down"])
        set_status(nic, int(up))
        guest.run(["ip", "link", "set", nic.name, "up"])
        guest.wait_for_carrier(nic.name, up)
    guest.run(["ip", "address", "replace", f"{nic.guest6}/64", "dev", nic.name, "nodad"])
    exchange.everything(guest, nic)


def gratuitous(nic):
    """How many packets the guest has sent since the last call that tell everybody where it is."""
    own = socket.inet_aton(nic.guest4)
    packets = [bytes.fromhex(packet["bytes"]) for _, packet in nic.order("sent")]
    return len([one for one in packets if one[12:14] == ARP and one[28:32] == own == one[38:42]])


def test_announce(nic):
    gratuitous(nic)
    set_status(nic, UP | ANNOUNCE)
    faults.wait(lambda: gratuitous(nic), "nobody is told where the guest is")
    faults.wait(lambda: status(nic) == UP, "the device is not told that this has been done")
    assert commands(nic) == [ACK]


def test_announce_that_is_refused(guest, nic):
    """It stays for the device to ask again."""
    nic.order("script", answers=[{"ack": 1}])
    set_status(nic, UP | ANNOUNCE)
    faults.wait(lambda: commands(nic) == [ACK], "the device is not told that it has been announced")
    assert status(nic) == UP | ANNOUNCE
    nic.order("configure")
    faults.wait(lambda: status(nic) == UP, "the device is not told that it has been announced when it asks again")
    exchange.everything(guest, nic)


def speed(guest, nic):
    return guest.read(f"/sys/class/net/{nic.name}/speed").strip()


def test_speed(guest, nic):
    """It holds from when the link comes up."""
    assert speed(guest, nic) == "1000"
    for new in (2500, 1000):
        nic.order("configure", offset=SPEED_AT, bytes=struct.pack("<I", new).hex())
        flap(guest, nic)
        assert speed(guest, nic) == str(new)


def mtus(guest, nic):
    text = guest.run(["ip", "-d", "link", "show", nic.name]).stdout.split()
    return {word: text[text.index(word) + 1] for word in ("mtu", "maxmtu")}


# What a device must not change, or cannot say.
CANNOT_BE = {
    "MTU of 0": (MTU_AT, bytes(2)),
    "MTU that is lower": (MTU_AT, struct.pack("<H", 576)),
    "MTU that is higher": (MTU_AT, struct.pack("<H", 9000)),
    "another address": (0, bytes.fromhex("0200000000aa")),
    "no queues": (PAIRS_AT, bytes(2)),
    "most queues": (PAIRS_AT, b"\xff\xff"),
    "unknown bits": (STATUS, struct.pack("<H", 0xFFFC | UP)),
    "speed": (SPEED_AT, struct.pack("<IB", 0x80000000, 2)),
    "nothing but ones": (8, b"\xff" * 16),
}


@pytest.mark.parametrize("what", CANNOT_BE)
def test_what_cannot_be(guest, nic, what):
    """The driver keeps what it was told at first."""
    before, settings = nic.order("configuration"), mtus(guest, nic)
    offset, value = CANNOT_BE[what]
    nic.order("configure", offset=offset, bytes=value.hex())
    # Something that the driver does follow comes after it.
    flap(guest, nic)
    assert mtus(guest, nic) == settings == {"mtu": str(MTU), "maxmtu": str(MTU)}
    exchange.pings(guest, nic)
    nic.order("configure", bytes=before)
    flap(guest, nic)
    exchange.everything(guest, nic)


def test_interrupts_without_reason(guest, nic):
    for _ in range(MANY):
        nic.order("configure")
    assert commands(nic) == []
    exchange.everything(guest, nic)


def test_news_while_nobody_listens(guest, driver, nic):
    """What has changed while the device was not bound is true afterwards."""
    virtio = guest.virtio_device(nic)
    for up in (False, True):
        flap(guest, nic)
        binding.unbind(guest, driver, virtio)
        set_status(nic, int(up))
        binding.bind(guest, driver, virtio)
        nic.name = guest.bring_up(nic)
        guest.wait_for_carrier(nic.name, up)
    flap(guest, nic)
    exchange.everything(guest, nic)
    assert errors(guest) == []
