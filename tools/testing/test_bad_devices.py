# SPDX-License-Identifier: GPL-2.0
"""Devices that contradict themselves: what makes no sense is done without, or they are refused in one line and leave nothing
behind."""

import pytest

from lab import features
from support import binding, exchange, leaks
from support.kernel_log import errors, no_errors  # noqa: F401

# Of each device: its properties, and what the line must name.
REFUSED = {
    "commands without a control queue": ({"ctrl_vq": "off"}, ["VIRTIO_NET_F_CTRL_VQ"]),
}
NAMES = list(REFUSED)
# QEMU offers VIRTIO_NET_F_MAC whatever it is told. An address that no interface may have ends in the same place.
BAD_MAC = "01:00:00:00:00:01"
SMALL_MTU = "60"


def slot(number):
    return f"{16 + number:02x}"


@pytest.fixture(scope="module")
def guest(boot, driver):
    nics = [properties | {"addr": f"0x{slot(i)}"} for i, (properties, _) in enumerate(REFUSED.values())]
    options = leaks.LOOKED_FOR | {"files": [exchange.PEER, leaks.POOLS]}
    with boot(nics=[*nics, {"host_mtu": SMALL_MTU}, {"mac": BAD_MAC, "addr": "0x1c"}, {}], **options) as guest:
        driver.load(guest)
        guest.first_errors = errors(guest)
        guest.first_messages = guest.kernel_messages()
        guest.bring_up(guest.nics[-1])
        with exchange.peer_in(guest):
            yield guest


def of_driver(lines, device):
    """Less the line that the driver core adds to any failure."""
    return [line for line in lines if f" {device}: " in line and "probe with driver" not in line]


@pytest.mark.parametrize("name", NAMES)
def test_refused(guest, name):
    number = NAMES.index(name)
    device = binding.device_at(guest, slot(number))
    leaks.nothing_left(guest, guest.nics[number], device)
    said = of_driver(guest.first_errors, device)
    assert len(said) == 1, said
    for text in REFUSED[name][1]:
        assert text in said[0]


@pytest.mark.parametrize("name", NAMES)
def test_refused_again_and_again(guest, driver, name):
    number = NAMES.index(name)
    device = binding.device_at(guest, slot(number))
    path = f"{binding.BUS}/drivers/{driver.name}/bind"
    before = leaks.pools(guest)

    def refuse(rounds):
        guest.run(f"for i in $(seq {rounds}); do ! echo {device} >{path} || exit 1; done 2>/dev/null")
        said = of_driver(errors(guest), device)
        assert len(said) == rounds and len(set(said)) == 1

    assert not leaks.of_rounds(guest, 100, refuse)
    leaks.nothing_left(guest, guest.nics[number], device)
    assert leaks.pools(guest) == before


def test_others_go_on(guest):
    exchange.everything(guest, guest.nics[-1])


def test_random_mac(guest):
    """Instead of an address that cannot be used; the interface works with it."""
    nic = guest.nics[-2]
    device = binding.device_at(guest, "1c")
    name = guest.run(["ls", f"{binding.BUS}/devices/{device}/net"]).stdout.strip()
    nic.mac = guest.read(f"/sys/class/net/{name}/address").strip()
    first = int(nic.mac[:2], 16)
    assert first & 1 == 0 and first & 2 == 2, f"{nic.mac} is no local unicast address"
    assert guest.read(f"/sys/class/net/{name}/addr_assign_type") == "1\n"
    assert len([line for line in guest.first_messages if device in line and "MAC" in line]) == 1
    guest.bring_up(nic)
    exchange.everything(guest, nic)


def test_mtu_too_small(guest):
    """It is done without; the MTU is that of Ethernet."""
    nic = guest.nics[-3]
    device = guest.virtio_device(nic)
    assert "MTU" not in features.negotiated(guest, nic)
    said = [line for line in guest.first_messages if f" {device}: " in line]
    assert len(said) == 1 and all(word in said[0] for word in ("MTU", SMALL_MTU, "68")), said
    guest.bring_up(nic)
    exchange.everything(guest, nic)


def test_module_can_be_unloaded(guest, driver):
    """The last test of this guest."""
    driver.unload(guest)
    driver.load(guest)
    errors(guest)
    guest.bring_up(guest.nics[-1])
    exchange.everything(guest, guest.nics[-1])
