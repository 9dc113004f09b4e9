# SPDX-License-Identifier: GPL-2.0
"""xdp-tools: what people run on a NIC that has XDP."""

import re
import signal
import socket
import time
from contextlib import contextmanager
from itertools import islice

import pytest

from lab import kernel
from lab.paths import layer
from support import counters, exchange, packets
from support.kernel_log import no_errors  # noqa: F401
from support.kernels import whole_only

LENGTHS = (60, 128, 1000, 1514)
UDP_PORTS = 4000, 9
# At the end of each column of the first line of a second, whatever else a tool has there.
FIGURES = "/s "


@pytest.fixture(scope="module")
def guest(boot, driver):
    tools = layer("xdp-tools") / "xdp-tools.tar"
    with boot(nics=[{"queues": 2}, {}], files=[exchange.PEER, tools]) as guest:
        driver.load(guest)
        guest.run(f"tar -C / -xf /payload/{tools.name} && mount -t bpf none /sys/fs/bpf")
        for nic in guest.nics:
            guest.bring_up(nic)
        with exchange.peer_in(guest):
            yield guest


@pytest.fixture
def names(guest):
    return [guest.interface(nic) for nic in guest.nics]


@pytest.fixture(autouse=True)
def goes_on(guest, names):
    """Each tool takes its program away. For the next test it is taken away where one has not."""
    yield
    left = [name for name in names if "prog/xdp" in guest.run(["ip", "link", "show", "dev", name]).stdout]
    for name in left:
        guest.run(["ip", "link", "set", "dev", name, "xdpdrv", "off"])
    assert not left, f"a program is left at {left}"
    for nic in guest.nics:
        exchange.reaches(nic)


@contextmanager
def running(guest, *command):
    """A tool for a `with` block, from when it shows its first figures: its maps are filled then, and it no longer dies of the
    signal that it has to end well of."""
    with guest.spawn([*command, "-i", 1]) as tool:
        tool.says(FIGURES)
        yield tool
        tool.stop(signal.SIGINT)
        tool.wait()


def grown(guest, name, before, counter):
    return counters.ethtool(guest, name)[counter] - before[counter]


def test_bench_drop(guest, names):
    for touch in ("no-touch", "swap-macs"):
        before = counters.ethtool(guest, names[0])
        with running(guest, "xdp-bench", "drop", "-p", touch, names[0]):
            exchange.send_frames(guest.nics[0], LENGTHS)
            limit = time.monotonic() + exchange.TIMEOUT
            while grown(guest, names[0], before, "rx_xdp_drops") < len(LENGTHS):
                assert time.monotonic() < limit, touch
                time.sleep(0.05)


def test_bench_pass(guest, names):
    with running(guest, "xdp-bench", "pass", names[0]):
        exchange.everything(guest, guest.nics[0])


def test_bench_tx(guest, names):
    with running(guest, "xdp-bench", "tx", names[0]):
        exchange.frames_echo(guest.nics[0], LENGTHS)


@pytest.mark.parametrize("mode", ["redirect", "redirect-map", "redirect-multi"])
def test_bench_redirect(guest, names, mode):
    """The frames leave the other NIC as they are, but for the addresses."""
    one, other = guest.nics
    before = counters.ethtool(guest, names[1])
    with running(guest, "xdp-bench", mode, *names), seen_at(other, exchange.peer.ETHERTYPE) as link:
        exchange.send_frames(one, LENGTHS)
        for length in LENGTHS:
            assert link.recv(1 << 16)[14:] == exchange.peer.content(length, length - 14)
    assert grown(guest, names[1], before, "tx_xdp_tx") == len(LENGTHS)


@pytest.mark.parametrize("action", ["disabled", "pass"])
def test_bench_redirect_cpu(guest, names, action):
    with running(guest, "xdp-bench", "redirect-cpu", "-c", 0, "-c", 1, "-r", action, names[0]):
        exchange.everything(guest, guest.nics[0])


@contextmanager
def seen_at(nic, protocol):
    """What the host gets from a NIC."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as link:
        link.bind((nic.tap, protocol))
        link.settimeout(exchange.TIMEOUT)
        yield link


def datagrams(link, port):
    """The datagrams to a port among the frames that come: the IP packet, and what it says."""
    while True:
        frame = link.recv(1 << 16)
        said = packets.Received(frame)
        if said.protocol == packets.UDP and said.ports[1] == port:
            yield frame[14:], said


def test_forward(guest, names):
    """Routed between the NICs by the guest's own tables."""
    one, other = guest.nics
    guest.run(["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"])
    for nic in guest.nics:
        exchange.ping(guest.run, nic.host4)
    before = counters.ethtool(guest, names[1])
    guest.run(["xdp-forward", "load", *names])
    packet = packets.ip_packet("192.0.2.1", other.host4, packets.UDP, packets.udp(*UDP_PORTS, b"forwarded"))
    with seen_at(other, 0x0800) as link, socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind((one.tap, 0))
        sender.send(exchange.mac_bytes(one.mac) + exchange.mac_bytes(exchange.tap_mac(one)) + b"\x08\x00" + packet)
        came, _ = next(datagrams(link, UDP_PORTS[1]))
    guest.run(["xdp-forward", "unload", *names])
    assert came[8] == packet[8] - 1 and came[12:] == packet[12:]
    assert grown(guest, names[1], before, "tx_xdp_tx") == 1


def test_monitor(guest, names):
    """Sees what the tracepoints say of frames on their way to another NIC."""
    with running(guest, "xdp-monitor", "-s", "-e") as monitor:
        with running(guest, "xdp-bench", "redirect-map", *names):
            limit = time.monotonic() + kernel.patient(60)
            while not re.search(rf"xmit {names[0]}->{names[1]} +[1-9]", monitor.output()):
                assert time.monotonic() < limit, monitor.output()
                exchange.send_frames(guest.nics[0], LENGTHS)


def test_dump(guest, names):
    """What comes to a program, and what it makes of it."""
    nic = guest.nics[0]
    with running(guest, "xdp-bench", "tx", names[0]):
        with guest.spawn(["xdpdump", "-i", names[0], "--rx-capture", "entry,exit", "-x"]) as dump:
            dump.says("listening on")
            exchange.frames_echo(nic, LENGTHS)
            limit = time.monotonic() + kernel.patient(60)
            wanted = [f"{at}: packet size {length} bytes" for length in LENGTHS for at in ("@entry", "@exit[TX]")]
            while not all(line in dump.output() for line in wanted):
                assert time.monotonic() < limit, dump.output()


@whole_only("the kernel takes half a minute of a processor to load all that the tool has, twice")
def test_trafficgen(guest, names):
    """Frames that the kernel makes, as many as there is room for, sent where no program is."""
    nic, count = guest.nics[1], 200
    ends = ["-m", exchange.tap_mac(nic), "-a", nic.host6, "-A", nic.guest6, "-p", UDP_PORTS[1]]
    before = counters.ethtool(guest, names[1])
    # When it has sent all, it interrupts itself, and has exit status 1 as after any signal. Told to leave at once, it waits for
    # its threads, and has exit status 0.
    command = ["env", "XDP_SAMPLE_IMMEDIATE_EXIT=1", "xdp-trafficgen", "udp", *ends, "-n", count, names[1]]
    with seen_at(nic, 0x86DD) as link:
        done = guest.run(command)
        said = [said for _, said in islice(datagrams(link, UDP_PORTS[1]), count)]
    assert "Couldn't" not in done.stdout + done.stderr
    assert all(one.is_complete() for one in said)
    assert grown(guest, names[1], before, "tx_xdp_tx") == count
    assert grown(guest, names[1], before, "tx_xdp_tx_drops") == 0
