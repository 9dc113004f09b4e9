# SPDX-License-Identifier: GPL-2.0
"""Drivers and devices on the guest's virtio bus."""

BUS = "/sys/bus/virtio"


def bind(guest, driver, device, check=True):
    return guest.run(f"echo {device} >{BUS}/drivers/{driver.name}/bind", check=check).rc == 0


def unbind(guest, driver, device):
    guest.run(f"echo {device} >{BUS}/drivers/{driver.name}/unbind")


def bound(guest, driver):
    """The devices that a driver has."""
    return guest.run(f"cd {BUS}/drivers/{driver.name} && ls -d virtio* 2>/dev/null || true").stdout.split()


def hand_over(guest, devices, giver, taker):
    """Takes devices from a driver, and gives them to another one, which is loaded for that."""
    for device in devices:
        unbind(guest, giver, device)
    taker.load(guest)
    for device in devices:
        # A driver that is loaded takes what is free.
        if device not in bound(guest, taker):
            bind(guest, taker, device)


def device_at(guest, address):
    """The device on the virtio bus that a PCI device is, bound or not: 0000:00:ADDRESS.0."""
    return guest.run(f"cd /sys/bus/pci/devices/0000:00:{address}.0 && ls -d virtio*").stdout.strip()
