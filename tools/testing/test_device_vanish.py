# SPDX-License-Identifier: GPL-2.0
"""A device that is gone from one moment to the next: its program ends while packets flow. QEMU goes on, and every register
of the device reads as ones.

What is not tried is to remove the driver then: the reset that this begins with waits for a register to be 0, in the
kernel's own code for virtio over PCI, and never ends.
"""

import pytest

from support import exchange, faults, limit, ordered

OFFERED = "MAC STATUS CTRL_VQ VERSION_1 MRG_RXBUF CTRL_RX"
LIMIT = 1000
RINGS = {"split": "", "packed": " RING_PACKED"}


@pytest.fixture(scope="module")
def guest(boot, driver):
    if not driver.file:
        pytest.skip("the C driver waits for the device's answer to a command for ever, with the lock of all networking")
    nics = [ordered.made(OFFERED + rings, way="vfio-user") for rings in RINGS.values()]
    with boot(nics=[*nics, {}], files=[exchange.PEER], shared_memory=True) as guest:
        limit.load(guest, driver, LIMIT)
        faults.bring_up(guest)
        with exchange.peer_in(guest), exchange.peer_on_host():
            yield guest


@pytest.mark.parametrize("rings", RINGS)
def test_the_guest_goes_on(guest, rings):
    gone, other = guest.nics[list(RINGS).index(rings)], guest.nics[-1]
    exchange.everything(guest, gone)
    with exchange.flooded(guest, gone):
        # QEMU ends, with an assertion of its own, if the other end goes while it is in the middle of a message to it.
        with guest.paused():
            gone.die()
        assert guest.run(["ping", "-n", "-q", "-c", 5, "-W", 1, gone.host4], check=False).rc != 0
    # Each of these ends, some of them after they have waited for the device.
    for command in ("promisc on", "down", "up", "mtu 1400", "down"):
        guest.run(f"ip link set {gone.name} {command}", check=False)
    for command in ("", "-S", "-g", "-k", "-l"):
        guest.run(f"ethtool {command} {gone.name}", check=False)
    exchange.everything(guest, other)
    # The stack may have missed, and said so, what was to be sent.
    assert [line for line in guest.new_kernel_reports() if not faults.WATCHDOG.search(line)] == []
