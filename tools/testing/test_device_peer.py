# SPDX-License-Identifier: GPL-2.0
"""A device that keeps what the guest sends, or sends it back, in place of the TAP, and writes packets to a file."""

import json
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab import host
from lab.agent import PYTHON
from support import capture, device_hashes, exchange, faults, inject, ordered, packets, pcapng, peer
from support.kernel_log import no_errors  # noqa: F401
from support.kernels import stock_only

pytestmark = stock_only("it is the device that is tried")

PLAIN = "MAC STATUS CTRL_VQ VERSION_1 CSUM HOST_TSO4"
RECEIVES = "GUEST_CSUM GUEST_TSO4 GUEST_TSO6 CTRL_GUEST_OFFLOADS"
DEVICES = {
    "small": (PLAIN, 1, {}),
    "pairs": (PLAIN + " MRG_RXBUF MQ GUEST_CSUM", 2, {}),
    "packed, GSO, pci": (f"{PLAIN} {RECEIVES} RING_PACKED MRG_RXBUF EVENT_IDX", 1, {"way": "vfio-user"}),
}
NAMES = list(DEVICES)
CAPTURE = Path(capture.__file__)
FILES = [exchange.PEER, Path(packets.__file__), CAPTURE, CAPTURE.with_name("sender.py"), CAPTURE.with_name("echoed.py")]
MARK = exchange.mac_bytes(inject.MARK)
LENGTHS = [14, 15, 60, 127, 128, 129, 1000, 1513, 1514]
MANY = 100


@pytest.fixture(scope="module")
def guest(boot, driver):
    nics = [ordered.made(names, pairs, **config) for names, pairs, config in DEVICES.values()]
    with boot(nics=nics, files=FILES, shared_memory=True, cpus=2) as guest:
        driver.load(guest)
        faults.bring_up(guest)
        yield guest


@pytest.fixture(params=NAMES)
def nic(guest, request):
    return guest.nics[NAMES.index(request.param)]


@contextmanager
def peered(nic, kind):
    nic.order("peer", kind=kind)
    try:
        yield
    finally:
        nic.order("peer", kind="tap")


def script(guest, name, what, **arguments):
    guest.run([*PYTHON, f"/payload/{name}.py", what, json.dumps(arguments)], timeout=180)


def there(guest, nic, lengths, batch, cpu=0):
    """Frames to one that is to send them back."""
    script(guest, "echoed", "there", interface=nic.name, target=MARK.hex(), lengths=lengths, batch=batch, cpu=cpu)


def own(nic, length, seed=0):
    """A frame that the guest sends."""
    return ordered.answer(ordered.frame(nic, length, seed))


def send(guest, nic, *frames):
    # Forgets what was sent before and may be the same.
    nic.order("sent")
    script(guest, "echoed", "send", interface=nic.name, frames=[frame.hex() for frame in frames])
    ordered.sent(nic, *frames)


def crossed(path):
    """Which of a test's own packets are in a file: the guest's stack has some now and then."""
    kind = peer.ETHERTYPE.to_bytes(2, "big")
    return [packet for packet in pcapng.read(path) if packet.data[12:14] == kind]


def more(nic, before):
    """What is counted since then."""
    return {name: value - before[name] for name, value in nic.order("counters").items()}


# --- Peers ------------------------------------------------------------------------


def test_echo(guest, nic):
    with peered(nic, "echo"):
        there(guest, nic, LENGTHS, 1)
        there(guest, nic, [60 + 7 * number for number in range(2 * MANY)], MANY)


def test_echo_in_the_same_pair(guest, tmp_path):
    nic = guest.nics[NAMES.index("pairs")]
    for pair in range(nic.pairs):
        path = tmp_path / str(pair)
        nic.order("capture", path=str(path))
        with peered(nic, "echo"):
            there(guest, nic, LENGTHS, 1, cpu=pair)
        nic.order("capture", path=None)
        found = [(packet.way, packet.queue) for packet in crossed(path)]
        assert found == [("out", 2 * pair + 1), ("in", 2 * pair)] * len(LENGTHS)


LEFT = {"flags": inject.NEEDS_CSUM, "start": 34, "offset": 16}
GSO = LEFT | {"gso_type": inject.TCPV4, "gso_size": 1000, "hdr_len": 54}


def sent_back(guest, nic, header, size):
    """Whether TCP with this header comes back to the driver, with that header."""
    addresses = {"macs": (MARK + exchange.mac_bytes(nic.mac)).hex(), "ends": (nic.guest4, nic.host4)}
    arguments = {**addresses, "protocol": packets.TCP, "ports": (9, 9), "partial": True}
    frame = packets.frame(data=peer.content(size, size), **arguments)
    command = [*PYTHON, f"/payload/{CAPTURE.name}", inject.MARK]
    with guest.spawn(command) as seen:
        seen.says("interface")
        before = nic.order("counters")
        nic.order("sent")
        with peered(nic, "echo"):
            sent = [(inject.header(**header).hex(), size, arguments)]
            script(guest, "sender", "frames", interface=nic.name, sent=sent)
            ordered.sent(nic, frame)
        if more(nic, before)["refused"]:
            return False
        faults.wait(lambda: seen.output().count("\n") > 1, "the packet is not received")
        found = json.loads(seen.output().splitlines()[1])
    assert found["length"] == len(frame)
    # The kernel has a length of headers of its own.
    assert found == found | header | {"hdr_len": found["hdr_len"]}
    return True


def test_echo_of_what_is_negotiated(guest, nic):
    """A packet whose checksum the driver leaves to the device, and one that the device is to segment."""
    name = NAMES[guest.nics.index(nic)]
    assert sent_back(guest, nic, LEFT, 500) == (name != "small")
    assert sent_back(guest, nic, GSO, 3000) == ("GSO" in name)


def test_echo_of_what_is_turned_off(guest):
    nic = guest.nics[NAMES.index("packed, GSO, pci")]
    for state, gso in (("off", False), ("on", True)):
        guest.run(["ethtool", "-K", nic.name, "rx-gro-hw", state])
        assert sent_back(guest, nic, LEFT, 500)
        assert sent_back(guest, nic, GSO, 3000) == gso


def tap_received(nic):
    return int(Path(f"/sys/class/net/{nic.tap}/statistics/rx_packets").read_text())


def test_sink(guest, nic, tmp_path):
    """Nothing goes to the TAP, and nothing comes from there, then or later."""
    path = tmp_path / "packets"
    nic.order("capture", path=str(path))
    frames = [own(nic, length) for length in LENGTHS]
    with peered(nic, "sink"):
        before, tap = nic.order("counters"), tap_received(nic)
        send(guest, nic, *frames)
        device_hashes.send(nic, [ordered.frame(nic, 500)] * MANY)
        faults.wait(lambda: more(nic, before)["dropped"] >= MANY, "what the TAP has is not counted")
        counted = more(nic, before)
        assert counted["sent"] >= len(frames) and counted["received"] == counted["refused"] == 0
        assert tap_received(nic) == tap
    exchange.answers(guest.run, nic.host4)
    exchange.reaches(nic)
    nic.order("capture", path=None)
    assert crossed(path) == [pcapng.Packet("out", 1, frame) for frame in frames]


# --- The file ---------------------------------------------------------------------


def test_capture(guest, nic, tmp_path):
    """All of both ways in their order, byte for byte."""
    send(guest, nic, own(nic, 60, 1))
    path, wanted = tmp_path / "packets", []
    nic.order("capture", path=str(path))
    for length in LENGTHS[::4]:
        came, went = ordered.frame(nic, length), own(nic, length, 2)
        assert ordered.receive(nic, came) > 0
        send(guest, nic, went)
        wanted += [pcapng.Packet("in", 0, came), pcapng.Packet("out", 1, went)]
    went = [own(nic, length, 3) for length in LENGTHS]
    send(guest, nic, *went)
    wanted += [pcapng.Packet("out", 1, data) for data in went]
    nic.order("capture", path=None)
    send(guest, nic, own(nic, 60, 4))
    assert crossed(path) == wanted
    counted = host.run("tcpdump", "-n", "--count", "-r", str(path), f"ether proto {peer.ETHERTYPE}").stdout
    assert counted.split()[0] == str(len(wanted))


def test_capture_in_several_buffers(guest, tmp_path):
    nic, path = guest.nics[NAMES.index("pairs")], tmp_path / "packets"
    nic.order("capture", path=str(path))
    data = ordered.frame(nic, 3000)
    assert ordered.receive(nic, data, most=200) == 16
    # Ends the first one.
    nic.order("capture", path=str(tmp_path / "other"))
    nic.order("capture", path=None)
    assert crossed(path) == [pcapng.Packet("in", 0, data)]
    assert crossed(tmp_path / "other") == []


def test_capture_that_cannot_begin(guest, tmp_path):
    nic = guest.nics[0]
    with pytest.raises(AssertionError, match="No such file"):
        nic.order("capture", path=str(tmp_path / "nowhere" / "packets"))
    with pytest.raises(AssertionError, match="No space"):
        nic.order("capture", path="/dev/full")
    nic.order("capture", path=None)


def test_capture_that_cannot_go_on(guest, tmp_path):
    """It is said once. Packets go on."""
    nic = guest.nics[0]
    host.run("mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(tmp_path))
    try:
        nic.order("capture", path=str(tmp_path / "packets"))
        with peered(nic, "echo"):
            there(guest, nic, [1000] * MANY, 1)
        with pytest.raises(AssertionError, match="not whole: No space"):
            nic.order("capture", path=None)
        nic.order("capture", path=None)
    finally:
        host.run("umount", str(tmp_path))
    exchange.reaches(nic)
