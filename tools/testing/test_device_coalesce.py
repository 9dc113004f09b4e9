# SPDX-License-Identifier: GPL-2.0
"""A device that puts off its interrupts as it is told: what the driver asks for is what there is."""

import contextlib
import itertools

import pytest

from lab import driver as drivers
from lab import xdp
from support import exchange, faults, ordered, restart, sockets
from support.bpf import programs  # noqa: F401
from support.kernel_log import no_errors  # noqa: F401
from support.kernels import all_only

pytestmark = all_only("the device does right here, which make check has with the stock kernel")

OFFERED = "MAC STATUS CTRL_VQ MRG_RXBUF NOTF_COAL VQ_NOTF_COAL VERSION_1"
DEVICES = {
    "flags": "",
    "event index": " EVENT_IDX",
    "packed": " RING_PACKED EVENT_IDX",
    "queues that are reset": " RING_RESET EVENT_IDX",
}
NAMES = list(DEVICES)
# Nobody waits so long, in microseconds; ethtool takes no more.
HALF_AN_HOUR = 1_800_000_000
# So many packets are one interrupt. Some of them may be others than those of the test.
TOGETHER = 64
TOO_FEW = 40
PUT_OFF = f"rx-usecs {HALF_AN_HOUR} rx-frames {TOGETHER}"
# No packet comes twice.
SEEDS = itertools.count(1)
AT_ONCE = "rx-usecs 0 rx-frames 0 tx-usecs 0 tx-frames 1"


@pytest.fixture(scope="module")
def guest(boot, driver, programs, tmp_path_factory):
    # With vhost-user all queues have the same interrupt, and each of them is looked at.
    made = [ordered.made(OFFERED + more, way="vfio-user") for more in DEVICES.values()]
    files = [programs, sockets.PROGRAM, restart.built(tmp_path_factory.mktemp("restart"))]
    with faults.serving(boot, driver, made, files=files) as guest:
        xdp.load(guest)
        restart.load(guest)
        yield guest


@pytest.fixture(params=NAMES)
def nic(guest, request):
    nic = guest.nics[NAMES.index(request.param)]
    yield nic
    at_once(guest, nic)


@pytest.fixture(params=["all", "one queue"])
def put_off(guest, nic, request):
    """Interrupts for what is received are put off, as it is set for all queues, or for one."""
    setting(guest, nic, PUT_OFF, queue=None if request.param == "all" else 0)
    return nic


def setting(guest, nic, words, queue=None):
    mask = f"-C {nic.name}" if queue is None else f"-Q {nic.name} queue_mask {1 << queue:#x} --coalesce"
    done = guest.run(f"ethtool {mask} {words}", check=False)
    assert done.rc == 0 or "unmodified" in done.stderr, done.stderr


def at_once(guest, nic):
    for queue in (None, 0):
        setting(guest, nic, AT_ONCE, queue)


def receive(nic, count):
    """Packets that the guest sends back as soon as it knows of them."""
    sent = [ordered.frame(nic, 100, seed=next(SEEDS)) for _ in range(count)]
    for data in sent:
        assert ordered.receive(nic, data) == 1
    return [ordered.answer(data) for data in sent]


def none_came(guest, nic, wanted):
    guest.run("sleep 0.2")
    came = [bytes.fromhex(packet["bytes"]) for _, packet in nic.order("sent")]
    assert not set(came) & set(wanted), "the guest knows of what it has not been notified of"


def test_enough_packets(guest, put_off):
    """The guest is not notified of too few; when there are enough it is of all of them, with one interrupt."""
    before = put_off.order("interrupts", queue=0)
    first = receive(put_off, TOO_FEW)
    none_came(guest, put_off, first)
    ordered.sent(put_off, *first, *receive(put_off, TOGETHER - TOO_FEW))
    assert 1 <= put_off.order("interrupts", queue=0) - before <= 3


def test_less_is_put_off(guest, put_off):
    """The guest is notified at once of what is due by a new setting."""
    wanted = receive(put_off, TOO_FEW)
    none_came(guest, put_off, wanted)
    setting(guest, put_off, f"rx-frames {TOO_FEW // 2}")
    ordered.sent(put_off, *wanted)


def test_time(guest, nic):
    """Of few packets a notification comes as soon as the time is over, both ways."""
    setting(guest, nic, "rx-usecs 2000 rx-frames 100000 tx-usecs 2000 tx-frames 100000")
    for length in (60, 1514):
        ordered.echo(nic, length)
    exchange.everything(guest, nic)


@contextlib.contextmanager
def ring_of_another_size(guest, nic):
    guest.run(f"ethtool -G {nic.name} rx 128")
    yield
    guest.run(f"ethtool -G {nic.name} rx 256")


@contextlib.contextmanager
def new_memory(guest, nic):
    restart.restart(guest, nic.name)
    yield


@contextlib.contextmanager
def socket_bound(guest, nic):
    with sockets.user(guest, nic.name):
        yield


@contextlib.contextmanager
def socket_closed(guest, nic):
    with sockets.spawn(guest, nic.name) as process:
        process.says("bound")
        sockets.ends(guest, process)
    yield


@pytest.mark.parametrize("reset", [ring_of_another_size, new_memory, socket_bound, socket_closed])
def test_queue_that_was_reset(guest, driver, reset):
    """The device forgets what was set for a queue that is reset, and it is restored."""
    if driver is drivers.C:
        pytest.skip("the C driver has the queue get what is set for all")
    nic = guest.nics[NAMES.index("queues that are reset")]
    setting(guest, nic, PUT_OFF, queue=0)
    with reset(guest, nic):
        first = receive(nic, TOO_FEW)
        none_came(guest, nic, first)
        at_once(guest, nic)
        ordered.sent(nic, *first)
    exchange.everything(guest, nic)
