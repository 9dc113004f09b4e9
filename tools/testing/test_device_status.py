# SPDX-License-Identifier: GPL-2.0
"""A device whose function is reset while nobody has it, or that has news while a driver comes or goes."""

import struct
import threading

import pytest

from lab import kernel
from support import binding, exchange, faults, healing, ordered
from support.kernel_log import errors, no_errors  # noqa: F401

OFFERED = "MAC STATUS CTRL_VQ VERSION_1 MRG_RXBUF"
DEVICES = {"split": OFFERED, "packed": OFFERED + " RING_PACKED"}
NAMES = list(DEVICES)
# Where the status of the link is in the configuration.
LINK = 6
ROUNDS = kernel.rounds(20)
# Between two news, in seconds. A configuration that changes while it is read, again and again, is refused.
PAUSE = 0.02


@pytest.fixture(scope="module")
def guest(boot, driver):
    nics = [ordered.made(names, way="vfio-user") for names in DEVICES.values()]
    with faults.serving(boot, driver, nics) as guest, exchange.peer_on_host():
        yield guest


@pytest.fixture(params=NAMES)
def nic(guest, request):
    return guest.nics[NAMES.index(request.param)]


def test_reset_of_the_function_while_nobody_has_it(guest, driver, nic):
    virtio, path = guest.virtio_device(nic), healing.function(guest, nic)
    binding.unbind(guest, driver, virtio)
    healing.reset_function(guest, path)
    assert nic.order("status") == 0
    binding.bind(guest, driver, virtio)
    # The core of virtio has not seen the reset, and does not acknowledge the device once more.
    assert {one["section"] for one in nic.order("violations")} == {"3.1.1"}
    nic.name = guest.bring_up(nic)
    exchange.everything(guest, nic)


def set_link(nic, up):
    nic.order("configure", offset=LINK, bytes=struct.pack("<H", up).hex())


def test_news_while_a_driver_comes_and_goes(guest, driver, nic):
    """The carrier is what was said last, whenever that was."""
    virtio, over, count = guest.virtio_device(nic), threading.Event(), 0

    def change():
        nonlocal count
        while not over.wait(PAUSE):
            set_link(nic, count % 2)
            count += 1

    changer = threading.Thread(target=change)
    changer.start()
    try:
        for _ in range(ROUNDS):
            binding.unbind(guest, driver, virtio)
            binding.bind(guest, driver, virtio)
            nic.name = guest.bring_up(nic)
    finally:
        over.set()
        changer.join()
    assert count > ROUNDS
    for up in (False, True):
        set_link(nic, up)
        guest.wait_for_carrier(nic.name, up)
    exchange.everything(guest, nic)
    assert errors(guest) == []
