# SPDX-License-Identifier: GPL-2.0
"""A device that is gone from one moment to the next: its program ends while packets flow. QEMU goes on, and every register
of the device reads as ones.

What is not tried is to remove the driver then: the reset that this begins with waits for a register to be 0, in the
kernel's own code for virtio over PCI, and never ends.
"""

import pytest

from lab import device
from support import exchange, faults, ordered


@pytest.mark.parametrize("rings", ["", " RING_PACKED"], ids=["split", "packed"])
def test_the_guest_goes_on(boot, driver, rings):
    if not driver.file:
        pytest.skip("the C driver waits for the device's answer to a command for ever, with the lock of all networking")
    gone = ordered.made("MAC STATUS CTRL_VQ VERSION_1 MRG_RXBUF CTRL_RX" + rings, way="vfio-user")
    with boot(nics=[gone, {}], files=[exchange.PEER], extra=device.SHARED_MEMORY) as guest:
        driver.load(guest)
        faults.bring_up(guest)
        with exchange.peer_in(guest), exchange.peer_on_host():
            exchange.everything(guest, gone)
            with exchange.flooded(guest, gone):
                gone.process.kill()
                gone.process.wait()
                assert guest.run(["ping", "-n", "-q", "-c", 5, "-W", 1, gone.host4], check=False).rc != 0
            # Each of these ends, some of them after they have waited for the device.
            for command in ("promisc on", "down", "up", "mtu 1400", "down"):
                guest.run(f"ip link set {gone.name} {command}", check=False)
            for command in ("", "-S", "-g", "-k", "-l"):
                guest.run(f"ethtool {command} {gone.name}", check=False)
            exchange.everything(guest, guest.nics[1])
