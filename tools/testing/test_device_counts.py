# SPDX-License-Identifier: GPL-2.0
"""What the device has counted is what the driver has done, by each way that there is to ask."""

import pytest

from lab import driver as drivers
from support import counters, faults, ordered
from support.kernel_log import errors
from support.kernels import all_only

pytestmark = all_only("the device does right here, which make check has with the stock kernel")

OFFERED = "MAC STATUS CTRL_VQ CTRL_RX CSUM GUEST_CSUM DEVICE_STATS VERSION_1 MRG_RXBUF"
DEVICES = {
    "plain": {},
    "event index": {"more": " EVENT_IDX"},
    "packed, pci": {"more": " RING_PACKED EVENT_IDX", "way": "vfio-user"},
}
# Some of one buffer, and some of several.
LENGTHS = (60, 200, 1514, 9000, 20_000)
# NETDEV_A_QSTATS_RX_HW_DROPS and NETDEV_A_QSTATS_RX_HW_DROP_OVERRUNS
DROPS, OVERRUNS = "13", "14"
NEEDS_CSUM = {"flags": 1, "csum_start": 34, "csum_offset": 6}


@pytest.fixture(scope="module")
def guest(boot, driver):
    nics = [ordered.made(OFFERED + config.pop("more", ""), **config) for config in map(dict, DEVICES.values())]
    with faults.serving(boot, driver, nics, files=[counters.NETDEV]) as guest:
        for nic in guest.nics:
            guest.run(["ip", "link", "set", nic.name, "mtu", 65535])
        yield guest


@pytest.fixture(params=range(len(DEVICES)), ids=list(DEVICES))
def nic(guest, request):
    return guest.nics[request.param]


@pytest.fixture(autouse=True)
def nothing_but_the_report_of_c(guest, driver):
    """C writes its request past the end that the array has in its declaration, which UBSAN reports."""
    yield
    if driver is drivers.C:
        found = guest.new_kernel_reports()
        assert all("virtio_net.c" in line for line in found if "UBSAN" in line), found
        errors(guest)
    assert errors(guest) == []


def shown(guest, nic, *names):
    found = counters.ethtool(guest, nic.name)
    return [found[name] for name in names]


def grows(guest, nic, names, run):
    """By how much counters grow."""
    before = shown(guest, nic, *names)
    run()
    return [now - then for now, then in zip(shown(guest, nic, *names), before)]


def test_packets_and_bytes(guest, nic):
    """As the driver has counted them, since the device began and beside whatever the guest sends by itself."""

    kinds = [(side, what) for side in ("rx", "tx") for what in ("packets", "bytes")]

    def of_device():
        return shown(guest, nic, *(f"{side}0_hw_{what}" for side, what in kinds))

    def of_driver():
        found = counters.of_queues(guest, nic.name)
        return [found[f"{side}0"][f"{side}-{what}"] for side, what in kinds]

    for length in LENGTHS:
        ordered.echo(nic, length)
    assert all(count >= few for count, few in zip(of_device(), [len(LENGTHS), sum(LENGTHS)] * 2))
    faults.wait(lambda: of_device() == of_driver(), "the device and the driver do not count the same")


def test_checksums(guest, nic):
    """Those that the receiver is to complete."""
    sent = [ordered.frame(nic, length) for length in LENGTHS]
    (more,) = grows(guest, nic, ["rx_hw_needs_csum"], lambda: [ordered.receive(nic, data, header=NEEDS_CSUM) for data in sent])
    assert more == len(LENGTHS)
    (more,) = grows(guest, nic, ["rx_hw_needs_csum"], lambda: ordered.echo(nic, 100))
    assert more == 0


def test_kicks_and_interrupts(guest, nic):
    """Interrupts without a reason count too."""

    def send():
        for _ in range(10):
            ordered.echo(nic, 100)

    names = "rx_hw_interrupts", "tx_hw_notifications"
    interrupts, kicks = grows(guest, nic, names, send)
    assert 0 < interrupts and 0 < kicks
    assert 1000 <= grows(guest, nic, names, lambda: nic.order("interrupt", queue=0, count=1000))[0] < 1100


def test_commands(guest, nic):
    """Those that were done, and one that was refused. Asking is a command too, which is done when it is answered."""
    names = "cq_hw_command_num", "cq_hw_ok_num"

    def change():
        ordered.forget_commands(nic)
        nic.order("script", answers=[{"command": [0, 0], "ack": 1}])
        guest.run(f"ip link set {nic.name} promisc on; ip link set {nic.name} promisc off")
        # Nobody waits for these.
        faults.wait(lambda: len(found) >= 2 or found.extend(ordered.commands(nic)), "the device is not told")

    found = []
    commands, done = grows(guest, nic, names, change)
    assert commands >= 3 and commands - done == 1, found
    errors(guest)


def test_drops(guest, nic):
    """For want of buffers: the packet is longer than all of them."""

    def dropped():
        found = counters.of_queues(guest, nic.name)["rx0"]
        return found[DROPS], found[OVERRUNS]

    before = dropped()
    assert ordered.receive(nic, ordered.frame(nic, 65_000), most=20) == 0
    assert dropped() == (before[0] + 1, before[1] + 1)
    ordered.echo(nic, 100)
