# SPDX-License-Identifier: GPL-2.0
"""AF_XDP without copies: a process turns back what comes to its socket, while all else goes on beside it."""

import signal
import socket
import struct

import pytest

from lab import host, kernel, xdp
from support import counters, exchange, peer, sockets, suspend, xsk_requests
from support.bpf import programs  # noqa: F401
from support.kernel_log import errors, no_errors  # noqa: F401
from support.nics import BIG, PACKED, SMALL, set_mtu
from support.sockets import spawn, user

# The device says that its addresses are those of DMA. Without, it takes guest-physical ones.
DMA = {"iommu_platform": "on", "disable-legacy": "on"}
DEVICES = {
    "mergeable": {"queues": 2},
    "packed": DMA | PACKED,
    "small": SMALL | DMA,
    "short rings": PACKED | {"rx_queue_size": 256, "tx_queue_size": 256, "indirect_desc": "off"},
    "big": BIG,
    "no reset": {"queue_reset": "off"},
}
NAMES = list(DEVICES)
ABLE = NAMES[:4]
# Up to 224 bytes are copied to be sent.
LENGTHS = (14, 15, 16, 17, 31, 60, 64, 127, 128, 129, 224, 225, 1000, 1513, 1514)


@pytest.fixture(scope="module")
def guest(boot, driver, programs):
    with boot(nics=[*DEVICES.values()], files=[exchange.PEER, programs, sockets.PROGRAM]) as guest:
        driver.load(guest)
        xdp.load(guest)
        sockets.bring_up(guest, named(guest, "mergeable"))
        with exchange.peer_in(guest):
            yield guest


def named(guest, name):
    return guest.nics[NAMES.index(name)]


@pytest.fixture(params=ABLE)
def nic(guest, request):
    nic = named(guest, request.param)
    with exchange.reached(nic):
        yield nic


@pytest.fixture
def name(guest, nic):
    return guest.interface(nic)


# How a socket is bound. What is common to all is tested with the first way.
WAYS = {"aligned": {}, "no wakeup": {"wakeup": False}, "unaligned": {"unaligned": True}, "busy": {"busy": True}}
BOUND = [(name, "aligned") for name in ABLE] + [("packed", "no wakeup"), ("small", "unaligned"), ("short rings", "unaligned")]
BOUND += [("mergeable", "busy"), ("packed", "busy")]


@pytest.mark.parametrize("nic, way", BOUND, indirect=["nic"])
def test_echo(guest, nic, name, way):
    before = counters.ethtool(guest, name)
    with xdp.attached(guest, name, "to_socket"), user(guest, name, **WAYS[way]) as counted:
        # More than there are chunks.
        for _ in range(5):
            exchange.frames_echo(nic, 8 * LENGTHS)
        exchange.everything(guest, nic)
        exchange.frames_echo(nic, LENGTHS)
    assert counted["sent"] == 41 * len(LENGTHS) and not sockets.wrong(counted), counted
    # They are used as they are passed; some that went to the stack come again in between.
    assert counted["back"] < counted["sent"] / 4, counted
    after = counters.ethtool(guest, name)
    for counter in ("rx_xdp_redirects", "tx_xdp_tx"):
        assert after[counter] - before[counter] == 41 * len(LENGTHS)
    for counter in ("rx_drops", "rx_xdp_drops", "tx_xdp_tx_drops"):
        assert after[counter] == before[counter]


# In chunks of 4 KiB: as much as one holds, one byte more, two full ones, and the longest.
LONG = (60, 3456, 3468, 3469, 6924, 6937, 8000, 9013, 9014)
SEVERAL = [("mergeable", {}), ("packed", {"wakeup": False}), ("packed", {"unaligned": True}), ("short rings", {})]


@pytest.mark.parametrize("nic, way", SEVERAL, indirect=["nic"])
def test_several_chunks(guest, nic, name, way):
    """Packets that no chunk holds, to a socket and from it. C has them in copy mode only."""
    set_mtu(guest, nic, 9000)
    before = counters.ethtool(guest, name)
    with xdp.attached(guest, name, "to_socket_frags"), user(guest, name, several=True, **way) as counted:
        for _ in range(4):
            exchange.frames_echo(nic, 8 * LONG)
            exchange.frames_echo(nic, 8 * LENGTHS)
        exchange.pings(guest, nic, 9000)
    packets = 32 * (len(LONG) + len(LENGTHS))
    assert counted["sent"] == packets and counted["chunks"] > packets and not sockets.wrong(counted), counted
    after = counters.ethtool(guest, name)
    for counter in ("rx_xdp_redirects", "tx_xdp_tx"):
        assert after[counter] - before[counter] == packets
    for counter in ("rx_drops", "rx_xdp_drops", "tx_xdp_tx_drops"):
        assert after[counter] == before[counter]
    set_mtu(guest, nic, 1500)


REQUESTS = [("mergeable", {}), ("packed", {"wakeup": False}), ("small", {"unaligned": True}), ("short rings", {})]
# Options of a packet socket: what the device is told comes before each packet.
SOL_PACKET, PACKET_VNET_HDR = 263, 15
HEADER = struct.Struct("<BBHHHH")


@pytest.mark.parametrize("metadata", xsk_requests.METADATA)
@pytest.mark.parametrize("nic, way", REQUESTS, indirect=["nic"])
def test_requests(guest, nic, name, way, metadata):
    """Checksums that are left to the device (XDP_TX_METADATA), of packets that are copied and of others; what is not in the packet, or that
    nobody knows, is left out. More packets than there is room for headers."""
    before = counters.ethtool(guest, name)
    head = exchange.frame_head(nic)
    frames = 6 * [*xsk_requests.frames(metadata)]
    with (
        xdp.attached(guest, name, "to_socket"),
        user(guest, name, metadata=metadata, **way) as counted,
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender,
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as link,
    ):
        sender.bind((nic.tap, 0))
        link.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        link.bind((nic.tap, peer.ETHERTYPE))
        link.settimeout(exchange.TIMEOUT)
        for start in range(0, len(frames), 16):
            batch = frames[start : start + 16]
            for frame in batch:
                sender.send(head + frame.body)
            for frame in batch:
                answer = link.recv(peer.PIECE)
                flags, gso_type, _, _, *checksum = HEADER.unpack_from(answer)
                assert answer[HEADER.size :][14:] == frame.body
                assert (flags, *checksum) == frame.header and gso_type == 0
        exchange.everything(guest, nic)
    assert counted["sent"] == len(frames) and not sockets.wrong(counted), counted
    assert counters.ethtool(guest, name)["tx_xdp_tx_drops"] == before["tx_xdp_tx_drops"]


def test_several_chunks_for_others(guest):
    """What is in one chunk is copied for whoever gets it; in several, for the stack alone: who else gets the copy of the kernel's has the
    first of them, so that is dropped. So is what the program or the socket does not take."""
    nic = named(guest, "mergeable")
    name = guest.interface(nic)
    set_mtu(guest, nic, 9000)
    lost = 0
    before = counters.ethtool(guest, name)
    for program, several in (("tx_frags", True), ("itself_frags", True), ("to_socket", True), ("to_socket_frags", False)):
        if not several:
            # Or the socket is not bound.
            set_mtu(guest, nic, 1500)
        with user(guest, name, several=several):
            if program == "to_socket":
                set_mtu(guest, nic, 3400)
            with xdp.attached(guest, name, program):
                host.run("ip", "link", "set", nic.tap, "mtu", "9000")
                exchange.send_frames(nic, LONG[-4:])
                exchange.frames_echo(nic, LENGTHS)
                lost += 4
                assert counters.ethtool(guest, name)["rx_xdp_drops"] - before["rx_xdp_drops"] == lost, program
    set_mtu(guest, nic, 1500)


def test_without_a_program(guest, nic, name):
    """All goes to the stack as the device hands it over: large packets too, and those whose checksum is open. With C it does not."""
    with user(guest, name):
        exchange.everything(guest, nic)


# What a program does with a packet that is in a chunk.
CHANGES = {
    "tx": lambda body: body,
    "itself": lambda body: body,
    "push": lambda body: bytes([0x5A]) * 200 + body,
    "pull": lambda body: body[10:],
    "grow": lambda body: body + bytes(100),
    "shrink": lambda body: body[:-20],
    "meta": lambda body: body,
}


def test_other_verdicts(guest, nic, name):
    """They are sent, or come to the stack, as from any buffer: a copy. The chunk is received into again."""
    lengths = [100, 128, 129, 1000, 1314]
    with user(guest, name, chunks=40):
        for program, changed in CHANGES.items():
            with xdp.attached(guest, name, program):
                exchange.frames_echo(nic, 10 * lengths, answer_to=changed)


def test_dropped(guest, nic, name):
    before = counters.ethtool(guest, name)
    with user(guest, name, chunks=40):
        for program in ("drop", "aborted", "unknown"):
            with xdp.attached(guest, name, program):
                for _ in range(8):
                    exchange.send_frames(nic, LENGTHS)
                    exchange.reaches(nic)
    after = counters.ethtool(guest, name)
    assert after["rx_xdp_drops"] - before["rx_xdp_drops"] == 3 * 8 * len(LENGTHS)


def test_few_chunks(guest, nic, name):
    """The kernel waits for more, and goes on when there are some."""
    with xdp.attached(guest, name, "to_socket"), user(guest, name, chunks=4):
        for _ in range(10):
            exchange.frames_echo(nic, LENGTHS, batch=4)


def test_settings(guest):
    """The pool stays through all that can be set."""
    nic = named(guest, "mergeable")
    name = guest.interface(nic)
    with xdp.attached(guest, name, "to_socket"), user(guest, name, chunks=256):
        for command in (
            ["ethtool", "-G", name, "rx", 128, "tx", 128],
            f"ip link set {name} down; ip link set {name} up",
            f"ethtool -L {name} combined 2; ethtool -L {name} combined 1",
            ["ethtool", "-G", name, "rx", 256, "tx", 256],
        ):
            guest.run(command)
            exchange.reaches(nic)
            exchange.frames_echo(nic, 5 * LENGTHS)
    guest.bring_up(nic)
    exchange.everything(guest, nic)


def test_suspend(guest):
    """With C the pool is lost, and the kernel oopses when the socket is closed."""
    names = [guest.interface(named(guest, name)) for name in ABLE]
    for name in names:
        xdp.attach(guest, name, "to_socket")
    with user(guest, names[0]), user(guest, names[1]), user(guest, names[2], unaligned=True):
        for _ in range(2):
            suspend.to_sleep(guest)
            for name in ABLE[:3]:
                nic = named(guest, name)
                exchange.reaches(nic)
                exchange.frames_echo(nic, 4 * LENGTHS)
    for name in names:
        xdp.detach(guest, name)
    for nic in guest.nics:
        exchange.reaches(nic)


def test_suspended_while_closed(guest):
    """A socket that is bound while the interface is down, and a pool that is taken away then."""
    nic = named(guest, "packed")
    name = guest.interface(nic)
    guest.run(["ip", "link", "set", name, "down"])
    with user(guest, name):
        suspend.to_sleep(guest)
    guest.bring_up(nic)
    exchange.everything(guest, nic)


@pytest.mark.parametrize("nic", ["mergeable", "packed"], indirect=True)
def test_killed(guest, nic, name):
    """Under traffic, both ways."""
    xdp.attach(guest, name, "to_socket")
    with exchange.peer_on_host(), exchange.flooded(guest, nic):
        for _ in range(kernel.rounds(40)):
            with spawn(guest, name) as process:
                process.says("bound")
                exchange.send_frames(nic, 30 * LENGTHS)
                process.stop(signal.SIGKILL)
                process.ended()
    xdp.detach(guest, name)
    exchange.everything(guest, nic)


@pytest.mark.parametrize("way", [{}, {"unaligned": True}, {"several": True}, {"metadata": 16}], ids=str)
def test_hostile(guest, way):
    """What a process does wrong is its own matter: it receives into the same memory twice, so nothing is compared."""
    nic = named(guest, "packed" if "unaligned" in way else "mergeable")
    name = guest.interface(nic)
    several = "several" in way
    set_mtu(guest, nic, 9000 if several else 1500)
    with exchange.reached(nic), xdp.attached(guest, name, "to_socket_frags" if several else "to_socket"):
        with user(guest, name, hostile=True, **way) as counted:
            for _ in range(20):
                exchange.send_frames(nic, 4 * (LONG if several else LENGTHS))
                guest.run(["ip", "-s", "link", "show", name])
    set_mtu(guest, nic, 1500)
    assert counted["tx_invalid_descs"] >= 10, counted


def test_removed(guest, nic, driver):
    """A device that goes takes the pool with it."""
    name = guest.interface(nic)
    virtio = guest.virtio_device(nic)
    xdp.attach(guest, name, "to_socket")
    with spawn(guest, name) as process:
        process.says("bound")
        guest.run(f"echo {virtio} >/sys/bus/virtio/drivers/{driver.name}/unbind; echo {virtio} >/sys/bus/virtio/drivers/{driver.name}/bind")
        process.stop()
        process.ended()
    guest.bring_up(nic)


@pytest.mark.parametrize("device, reason", [("big", "chains of pages"), ("no reset", "VIRTIO_F_RING_RESET")])
def test_refused(guest, device, reason):
    """The log says why, and a socket that does not insist on it is served with copies."""
    nic = named(guest, device)
    name = guest.interface(nic)
    guest.kernel_messages()
    with spawn(guest, name) as process:
        assert process.wait(check=False) != 0
    with xdp.attached(guest, name, "to_socket"), user(guest, name, zerocopy=False):
        exchange.frames_echo(nic, LENGTHS)
    said = [line for line in guest.kernel_messages() if "AF_XDP" in line]
    assert len(said) <= 1 and all(reason in line for line in said)
    assert not errors(guest)
