# SPDX-License-Identifier: GPL-2.0
"""A device that can do no more until it is reset, whose function is reset, or that has news while a driver comes or goes."""

import struct
import threading

import pytest

from lab import kernel
from support import binding, exchange, faults, leaks, ordered
from support.kernel_log import errors, no_errors  # noqa: F401

OFFERED = "MAC STATUS CTRL_VQ VERSION_1 MRG_RXBUF"
DEVICES = {"split": OFFERED, "packed": OFFERED + " RING_PACKED"}
NAMES = list(DEVICES)
# The device status (virtio 1.3, section 2.1) of one that is in use, and the bit of one that cannot be.
READY, NEEDS_RESET = 0x0F, 0x40
# Where the status of the link is in the configuration.
LINK = 6
ROUNDS = kernel.rounds(20)
# Between two news, in seconds. A configuration that changes while it is read, again and again, is refused.
PAUSE = 0.02


@pytest.fixture(scope="module")
def guest(boot, driver):
    nics = [ordered.made(names, way="vfio-user") for names in DEVICES.values()]
    files = [exchange.PEER, leaks.POOLS]
    with boot(nics=nics, files=files, shared_memory=True) as guest:
        driver.load(guest)
        faults.bring_up(guest)
        with exchange.peer_in(guest), exchange.peer_on_host():
            yield guest


@pytest.fixture(params=NAMES)
def nic(guest, request):
    return guest.nics[NAMES.index(request.param)]


def is_alive(guest, nic):
    return guest.run(["ping", "-n", "-q", "-c", 1, "-W", 1, nic.host4], check=False).rc == 0


def only_missed_packets(guest):
    """On a busy machine the stack may have missed, and said so, those that the device had."""
    assert [line for line in errors(guest) if not faults.WATCHDOG.search(line)] == []
    guest.kernel_messages()


@pytest.mark.parametrize("under", [False, True], ids=["idle", "under traffic"])
def test_needs_reset(guest, driver, nic, under):
    """Nothing goes any more, and all goes once the device is bound again, which is what resets it."""
    virtio = guest.virtio_device(nic)
    before = len(leaks.pools(guest))

    def break_down():
        nic.order("break_down")
        assert nic.order("status") == READY | NEEDS_RESET
        assert not is_alive(guest, nic)
        binding.unbind(guest, driver, virtio)

    assert nic.order("status") == READY
    if under:
        with exchange.flooded(guest, nic):
            break_down()
    else:
        break_down()
    assert nic.order("status") & NEEDS_RESET == 0
    binding.bind(guest, driver, virtio)
    nic.name = guest.bring_up(nic)
    assert nic.order("status") == READY
    exchange.everything(guest, nic)
    leaks.wait_for_pools(guest, before)
    only_missed_packets(guest)


def function(guest, nic):
    """The folder of the PCI function of a NIC."""
    return guest.run(["readlink", "-f", f"/sys/class/net/{nic.name}/device/.."]).stdout.strip()


def reset_function(guest, path):
    guest.run(f"echo flr >{path}/reset_method && echo 1 >{path}/reset")


def test_reset_of_the_function_while_nobody_has_it(guest, driver, nic):
    virtio, path = guest.virtio_device(nic), function(guest, nic)
    binding.unbind(guest, driver, virtio)
    reset_function(guest, path)
    assert nic.order("status") == 0
    binding.bind(guest, driver, virtio)
    # The core of virtio has not seen the reset, and does not acknowledge the device once more.
    assert {one["section"] for one in nic.order("violations")} == {"3.1.1"}
    nic.name = guest.bring_up(nic)
    exchange.everything(guest, nic)


def test_reset_of_the_function_in_use(guest, driver, nic):
    """The driver is not asked, and need not notice: all goes once the device is bound again."""
    virtio = guest.virtio_device(nic)
    reset_function(guest, function(guest, nic))
    assert nic.order("status") == 0
    assert not is_alive(guest, nic)
    binding.unbind(guest, driver, virtio)
    # It went on until then with queues that were not enabled.
    nic.order("violations")
    binding.bind(guest, driver, virtio)
    nic.name = guest.bring_up(nic)
    exchange.everything(guest, nic)
    only_missed_packets(guest)


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
