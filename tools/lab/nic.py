# SPDX-License-Identifier: GPL-2.0
"""One NIC of a guest: a virtio-net device, the TAP behind it, and the addresses of both ends."""

import itertools

from lab import host

# Numbers are not used again within a run: two guests at once never share a TAP or a network.
numbers = itertools.count(1)


class Nic:
    """Made from the properties of QEMU's device, by the names that QEMU gives them, and these of the lab:

    queues   pairs of queues of the TAP; the device gets `mq=on` and vectors for them if it has none (1)
    bus      the bus to plug the device into, such as a root port (the machine's own)
    plugged  False leaves the device out at boot: `Guest.plug` adds it (True)
    """

    def __init__(self, properties, machine):
        properties = dict(properties)
        self.number = next(numbers)
        self.queues = properties.pop("queues", 1)
        self.bus = properties.pop("bus", None)
        self.plugged = properties.pop("plugged", True)
        self.tap = f"tap{self.number}"
        self.id = f"nic{self.number}"
        self.netdev_id = f"net{self.number}"
        self.mac = properties.setdefault("mac", f"52:54:00:00:{self.number >> 8:02x}:{self.number & 255:02x}")
        self.pci = machine != "microvm"
        if self.queues > 1:
            properties.setdefault("mq", "on")
            if self.pci:
                properties.setdefault("vectors", str(2 * self.queues + 2))
        self.properties = properties
        self.guest4 = f"10.{self.number >> 8}.{self.number & 255}.2"
        self.host4 = f"10.{self.number >> 8}.{self.number & 255}.1"
        self.guest6 = f"fd00:{self.number:x}::2"
        self.host6 = f"fd00:{self.number:x}::1"

    @property
    def addresses(self):
        """The host's, of the interface `link`."""
        return f"{self.host4}/24", f"{self.host6}/64"

    @property
    def link(self):
        return self.tap

    def make(self):
        host.make_tap(self.tap, self.queues, *self.addresses)

    def remove(self):
        host.remove(self.tap)

    # Whether QEMU can go on from a saved state with the device in it; otherwise it is plugged in afterwards.
    stays = True

    def backend(self):
        """QEMU's options for what is behind the device."""
        queues = f",queues={self.queues}" if self.queues > 1 else ""
        return ["-netdev", f"tap,id={self.netdev_id},ifname={self.tap},script=no,downscript=no{queues}"]

    def device(self):
        driver = "virtio-net-pci" if self.pci else "virtio-net-device"
        place = {"bus": self.bus} if self.bus else {}
        return {"driver": driver, "id": self.id, "netdev": self.netdev_id, **place, **self.properties}

    def arguments(self):
        """QEMU's options for the device."""
        device = self.device()
        return ["-device", device.pop("driver") + "".join(f",{k}={v}" for k, v in device.items())]


class Bridged(Nic):
    """One that the host reaches over a bridge, which has its addresses, so that another NIC, or the same one in another place, can
    have the guest's."""

    def __init__(self, properties, machine="q35"):
        super().__init__(properties, machine)
        self.made = 0

    @property
    def link(self):
        return f"bridge{self.number}"

    def make(self):
        host.make_bridge(self.link, f"02:00:00:01:{self.number >> 8:02x}:{self.number & 255:02x}", *self.addresses)
        self.make_tap()

    def make_tap(self):
        """For whoever opens `tap` from now on. The last one stays as it is, in the hands of who has it, and the one before goes."""
        self.tap = f"tap{self.number}{'ab'[self.made % 2]}"
        if self.made > 1:
            host.remove(self.tap)
        self.made += 1
        host.make_tap(self.tap, self.queues)
        self.add(self.tap)

    def add(self, tap):
        host.run("ip", "link", "set", tap, "master", self.link)

    def remove(self):
        for link in (f"tap{self.number}a", f"tap{self.number}b", self.link):
            host.remove(link)
