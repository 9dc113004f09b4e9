# SPDX-License-Identifier: GPL-2.0
"""Receive side scaling: packets come through the queue, and with the hash, that follow from what has been set."""

import re
import socket
import struct

import pytest

from lab import driver as drivers
from lab import traffic
from support import binding, commands, counters, device_hashes, exchange, faults, packets, queues, toeplitz
from support.device_hashes import FLOWS
from support.kernel_log import errors, no_errors  # noqa: F401
from support.nics import PACKED, SMALL

PAIRS = 4
BOTH = {"queues": PAIRS, "rss": "on", "hash": "on"}
DEVICES = {
    "both": BOTH,
    "packed, small": BOTH | PACKED | SMALL,
    # What has no tunnels has a shorter header.
    "both, short": BOTH | {"guest_tunnel": "off", "guest_tunnel_csum": "off", "host_tunnel": "off"}
    | {"host_tunnel_csum": "off"},
    "rss": {"queues": PAIRS, "rss": "on"},
    "hash": {"queues": PAIRS, "hash": "on"},
    "none": {"queues": PAIRS},
}
NAMES = list(DEVICES)
STEERING = ["both", "packed, small", "rss"]
# Others choose in QEMU: see `wake`.
BULK = ["rss", "hash"]
HASHING = ["both", "packed, small", "both, short", "hash"]
TCP, UDP, OTHER = 6, 17, 253
KINDS = [(six, protocol) for six in (False, True) for protocol in (TCP, UDP, OTHER)]
TABLE, KEY = 128, 40
ADDRESSES = {"IP SA", "IP DA"}
ALL = ADDRESSES | {"L4"}
# Of packets, before an interface is set up.
WAITING = 100
NEW_KEY = bytes(range(100, 100 + KEY))


# For each NIC, see `Device`.
changed = {}


def written(key):
    return key.hex(":")


@pytest.fixture(scope="module")
def guest(boot, driver):
    with boot(nics=DEVICES.values(), files=[exchange.PEER, FLOWS], cpus=PAIRS, memory="2G") as guest:
        driver.load(guest)
        for nic in guest.nics:
            wake(guest, driver, guest.bring_up(nic))
            exchange.ping(traffic.host_run, nic.guest4)
            exchange.ping(traffic.host_run, nic.guest6)
        with exchange.peer_in(guest), exchange.peer_on_host():
            yield guest


def wake(guest, driver, name):
    """Any command about queues has QEMU read from the TAP again.

    Where it chooses the receive queue itself, it stops reading from a queue of the TAP when a packet from there is for a
    receive queue without buffers, and goes on when the one of the same number gets some. When an interface comes up,
    they get them one by one with the C driver. In bulk traffic it can happen any time, so there is none on these devices.
    """
    if driver is drivers.C:
        guest.run(["ethtool", "-X", name, "default"], check=False)


class Device:
    """A NIC of the guest, and what it has been told."""

    def __init__(self, guest, nic):
        self.guest, self.nic, self.name = guest, nic, guest.interface(nic)
        # The options of ethtool that were used since it was as at first: each command takes its time.
        self.changed = changed.setdefault((guest.number, nic.id), set())

    def ethtool(self, *words, check=True):
        self.changed.add(words[0])
        return self.guest.run(["ethtool", *words], check=check)

    def rss(self):
        """The table, and the key."""
        text = self.ethtool("-x", self.name).stdout
        table = [int(word) for line in re.findall(r"^ +\d+: (.*)$", text, re.MULTILINE) for word in line.split()]
        key = re.search(r"RSS hash key:\n(.*)", text)[1]
        assert re.search(r"toeplitz: on", text)
        return table, bytes.fromhex(key.replace(":", "")) if ":" in key else b""

    def fields(self, flow):
        text = self.ethtool("-n", self.name, "rx-flow-hash", flow).stdout
        return {word for word in ALL if word in text}

    def state(self):
        """All that can be set."""
        return self.rss(), [self.fields(flow) for flow in ("tcp4", "udp4", "tcp6", "udp6")], self.hash_is_on()

    def hash_is_on(self):
        text = self.ethtool("-k", self.name).stdout
        return re.search(r"^receive-hashing: (.*)$", text, re.MULTILINE)[1]

    def set_hash(self, on):
        self.ethtool("-K", self.name, "rxhash", "on" if on else "off")

    def reset(self):
        """To what it was at first."""
        if queues.used(self.guest, self.name)[0] != PAIRS:
            queues.use(self.guest, self.name, PAIRS)
            self.changed.add("-X")
        if "-X" in self.changed and self.rss()[0]:
            self.ethtool("-X", self.name, "default")
        if "-N" in self.changed:
            for flow in "tcp4", "udp4", "tcp6", "udp6":
                self.ethtool("-N", self.name, "rx-flow-hash", flow, "sdfn")
        self.changed.clear()


def device_of(guest, name):
    device = Device(guest, guest.nics[NAMES.index(name)])
    if name != "none":
        device.reset()
    return device


@pytest.fixture(params=STEERING)
def steering(guest, request):
    return device_of(guest, request.param)


@pytest.fixture(params=HASHING)
def hashing(guest, request):
    device = device_of(guest, request.param)
    device.set_hash(True)
    return device


def frame(nic, number, six, protocol, ports):
    ends = (nic.host6, nic.guest6) if six else (nic.host4, nic.guest4)
    if protocol == TCP:
        packet = packets.ip_packet(*ends, TCP, packets.tcp(*ports, b"flow"))
    else:
        packet = packets.ip_packet(*ends, UDP, packets.udp(*ports, b"flow"))
    if protocol == OTHER:
        at = 6 if six else 9
        packet = packet[:at] + bytes([OTHER]) + packet[at + 1 :]
    source = b"\x02\0\0\0" + struct.pack(">H", number)
    return exchange.mac_bytes(nic.mac) + source + (b"\x86\xdd" if six else b"\x08\x00") + packet


def all_fields(six, protocol):
    return "ports" if protocol in (TCP, UDP) else "addresses"


def expect(device, hashes=True, fields=all_fields, each=6):
    """Sends frames of each kind. All must come through the right queue, and with the right hash if there are any."""
    nic = device.nic
    table, key = device.rss()
    sent, wanted = [], []
    for six, protocol in KINDS * each:
        ends = (nic.host6, nic.guest6) if six else (nic.host4, nic.guest4)
        ports = 3000 + 7 * len(sent), 9
        match fields(six, protocol):
            case "ports":
                hashed = toeplitz.of_ports(key, *ends, ports)
            case "addresses":
                hashed = toeplitz.of_addresses(key, *ends)
            case "nothing":
                hashed = 0
        # Without a table the host chooses the queue; without a hash it is the first.
        queue = (table[hashed % TABLE] if fields(six, protocol) != "nothing" else 0) if table else None
        sent.append(frame(nic, len(sent), six, protocol, ports))
        wanted.append((hashed if hashes else 0, queue))
    missing = device_hashes.missing(device.guest, device.nic, sent, wanted)
    assert not missing, [(KINDS[number % len(KINDS)], wanted[number]) for number in missing]


# --- At first ---------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_at_first(guest, driver, name):
    device = Device(guest, guest.nics[NAMES.index(name)])
    # The C driver offers to turn on what the device has not.
    hashes = "off" if name in HASHING or driver is drivers.C and name == "rss" else "off [fixed]"
    if name == "none":
        assert device.rss() == ([], b"")
        assert device.hash_is_on() == hashes
        return
    (table, key), fields, on = device.state()
    assert len(key) == KEY and any(key)
    assert table == ([] if name == "hash" else [i % PAIRS for i in range(TABLE)])
    assert fields == [ALL] * 4
    assert on == hashes


def test_all_have_the_key_of_the_machine(guest):
    assert len({device_of(guest, name).rss()[1] for name in STEERING}) == 1


# --- What is received -------------------------------------------------------------


@pytest.mark.parametrize("name", ["both", "packed, small"])
def test_packets_that_wait(guest, driver, name):
    """Those that QEMU has for any of the queues before the interface is set up come when it is, and those after them."""
    if driver is drivers.C:
        pytest.skip("the C driver has QEMU stop there: see wake()")
    nic = guest.nics[NAMES.index(name)]
    device = guest.virtio_device(nic)
    binding.unbind(guest, driver, device)
    binding.bind(guest, driver, device)
    interface = guest.interface(nic)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as link:
        link.bind((nic.tap, 0))
        for number in range(WAITING):
            link.send(frame(nic, number, False, UDP, (3000 + 7 * number, 9)))
    guest.bring_up(nic)
    faults.wait(lambda: counters.link(guest, interface)["rx_packets"] >= WAITING, "packets wait")
    exchange.ping(guest.run, nic.host4)
    exchange.ping(guest.run, nic.host6)


def test_each_ring_is_kicked(guest, driver, steering):
    """When an interface is set up, also of rings where QEMU wants no notification because there are buffers.

    A packet from one queue of the TAP that comes to another has it say so, while it waits for a notification to read on.
    """
    if driver is drivers.C:
        pytest.skip("the C driver kicks those that QEMU asks for: see wake()")

    def kicks():
        found = counters.ethtool(guest, steering.name)
        return [found[f"rx{queue}_kicks"] for queue in range(PAIRS)]

    before = kicks()
    guest.run(f"ip link set {steering.name} down && ip link set {steering.name} up")
    guest.bring_up(steering.nic)
    assert all(now > then for now, then in zip(kicks(), before)), (before, kicks())


def test_hash(hashing):
    expect(hashing)


@pytest.mark.parametrize("name", BULK)
def test_connections(guest, name):
    exchange.everything(guest, device_of(guest, name).nic)


def test_queue_without_hash(steering, driver):
    """What a packet is not told is still what its queue is chosen by."""
    if driver is drivers.C and steering.hash_is_on() == "on":
        pytest.skip("with the C driver all packets go through the first queue then")
    if steering.hash_is_on() == "on":
        steering.set_hash(False)
    expect(steering, hashes=False)


def test_hash_goes_and_comes(hashing, driver):
    if driver is drivers.C and hashing.rss()[0]:
        pytest.skip("with the C driver all packets go through the first queue then")
    for on in (False, True):
        hashing.set_hash(on)
        expect(hashing, hashes=on, each=2)


TABLES = {
    "equal 1": [0] * TABLE,
    "equal 3": [i % 3 for i in range(TABLE)],
    "start 2 equal 2": [2 + i % 2 for i in range(TABLE)],
    "weight 1 0 3": [0] * (TABLE // 4) + [2] * (3 * TABLE // 4),
}


def test_tables(steering):
    on = steering.hash_is_on() == "on"
    for words, table in TABLES.items():
        steering.ethtool("-X", steering.name, *words.split())
        assert steering.rss()[0] == table
        expect(steering, hashes=on, each=2)
    steering.ethtool("-X", steering.name, "default")
    assert steering.rss()[0] == [i % PAIRS for i in range(TABLE)]
    expect(steering, hashes=on, each=2)


def test_key(hashing):
    before = hashing.rss()
    hashing.ethtool("-X", hashing.name, "hkey", written(NEW_KEY))
    assert hashing.rss() == (before[0], NEW_KEY)
    expect(hashing, each=2)
    hashing.ethtool("-X", hashing.name, "hkey", written(before[1]))
    assert hashing.rss() == before


def test_fields(hashing):
    """Of UDP over IPv4 the addresses only; then of TCP over IPv6 nothing, nor of other packets over IPv6."""
    hashing.ethtool("-N", hashing.name, "rx-flow-hash", "udp4", "sd")
    assert hashing.state()[1] == [ALL, ADDRESSES, ALL, ALL]
    expect(hashing, each=2, fields=lambda six, kind: "addresses" if (six, kind) == (False, UDP) else all_fields(six, kind))
    hashing.ethtool("-N", hashing.name, "rx-flow-hash", "tcp6", "r")
    assert hashing.state()[1] == [ALL, ADDRESSES, set(), ALL]

    def fields(six, protocol):
        if six:
            return "ports" if protocol == UDP else "nothing"
        return "addresses" if protocol == UDP else all_fields(six, protocol)

    expect(hashing, each=2, fields=fields)


# --- The number of queues ---------------------------------------------------------


def test_default_table_follows_the_number(steering):
    on = steering.hash_is_on() == "on"
    for pairs in (2, 1, 3, PAIRS):
        queues.use(steering.guest, steering.name, pairs)
        assert queues.used(steering.guest, steering.name) == (pairs, PAIRS)
        assert steering.rss()[0] == [i % pairs for i in range(TABLE)]
        expect(steering, hashes=on, each=2)


def test_set_table_stays(steering, driver):
    """Fewer queues than it has are refused; with another number of queues it holds."""
    if driver is drivers.C:
        pytest.skip("the C driver has QEMU forget the table then")
    on = steering.hash_is_on() == "on"
    queues.use(steering.guest, steering.name, 3)
    steering.ethtool("-X", steering.name, "equal", 2)
    done = steering.ethtool("-L", steering.name, "combined", 1, check=False)
    assert done.rc != 0
    assert queues.used(steering.guest, steering.name) == (3, PAIRS)
    for pairs in (2, PAIRS):
        queues.use(steering.guest, steering.name, pairs)
        assert steering.rss()[0] == [i % 2 for i in range(TABLE)]
        expect(steering, hashes=on, each=2)


def test_numbers_and_tables_change_under_traffic(guest):
    steering = device_of(guest, "rss")
    name = steering.name
    with exchange.flooded(guest, steering.nic):
        change = f"ethtool -L {name} combined 2; ethtool -X {name} equal 2; ethtool -X {name} default"
        guest.run(f"set -e; for i in $(seq 10); do {change}; ethtool -L {name} combined {PAIRS}; done", timeout=600)
    device = steering.guest.virtio_device(steering.nic)
    assert queues.carried(guest, steering.nic, name, device) >= {f"output.{i}" for i in range(PAIRS)}
    exchange.everything(guest, steering.nic)
    expect(steering, hashes=False, each=2)


# --- What is refused --------------------------------------------------------------


REFUSED = [
    "-X {} equal 5",
    "-X {} start 3 equal 2",
    "-X {} weight 1 1 1 1 1",
    "-X {} hkey 01:02:03",
    "-X {} hfunc xor",
    "-X {} hfunc crc32",
    "-X {} xfrm symmetric-xor",
    "-X {} context new",
    "-N {} rx-flow-hash tcp4 s",
    "-N {} rx-flow-hash tcp4 m",
    "-N {} rx-flow-hash sctp4 sd",
    "-N {} rx-flow-hash ah4 r",
    "-N {} rx-flow-hash ether sd",
]


def test_refused(guest):
    device = device_of(guest, "both")
    before = device.state()
    done = {what: device.ethtool(*what.format(device.name).split(), check=False).rc for what in REFUSED}
    assert all(done.values()), done
    assert device.state() == before


NOT_THERE = [("hash", "-X {} equal 2"), ("none", "-X {} equal 2"), ("none", "-N {} rx-flow-hash tcp4 sd")]


@pytest.mark.parametrize("name, what", NOT_THERE)
def test_not_there(guest, name, what):
    device = device_of(guest, name)
    assert device.ethtool(*what.format(device.name).split(), check=False).rc != 0


# --- A device that refuses --------------------------------------------------------


@pytest.fixture(scope="module")
def faulty(boot, driver, faulty_module):
    """A guest with a driver whose commands a test can have refused."""
    with boot(nics=[BOTH, DEVICES["hash"]], files=[faulty_module, exchange.PEER, FLOWS], cpus=PAIRS) as guest:
        driver.load(guest)
        for nic in guest.nics:
            wake(guest, driver, guest.bring_up(nic))
            exchange.ping(traffic.host_run, nic.guest4)
        with exchange.peer_in(guest), exchange.peer_on_host():
            yield guest


COMMANDS = ["-X {} equal 2", f"-X {{}} hkey {written(NEW_KEY)}", "-N {} rx-flow-hash udp4 sd", "-L {} combined 2"]


@pytest.mark.parametrize("what", COMMANDS, ids=["table", "key", "fields", "channels"])
def test_device_refuses(faulty, what):
    device = Device(faulty, faulty.nics[0])
    before = device.state(), queues.used(faulty, device.name)
    commands.refuse(faulty, commands.QUEUES)
    done = device.ethtool(*what.format(device.name).split(), check=False)
    assert done.rc != 0 and "Invalid argument" in done.stderr, done
    assert (device.state(), queues.used(faulty, device.name)) == before
    # The fault is the driver's alone: QEMU has done as it was told.
    device.reset()
    device.ethtool("-X", device.name, "hkey", written(NEW_KEY))
    device.ethtool("-X", device.name, "hkey", written(before[0][0][1]))
    expect(device, hashes=False, each=2)


def test_device_refuses_one_of_two_features(faulty):
    """Then it keeps the other too: here those that the device does before the one that it refuses."""
    device = Device(faulty, faulty.nics[1])
    commands.refuse(faulty, commands.QUEUES)
    assert device.ethtool("-K", device.name, "rxhash", "on", check=False).rc != 0
    assert device.hash_is_on().startswith("off")
    assert "set_features() failed (-22)" in "".join(errors(faulty))
    # The stack does not try again what it has tried.
    for on in (False, True):
        device.set_hash(on)
    expect(device, each=2)
    exchange.everything(faulty, device.nic)


def test_device_refuses_at_first(faulty, driver):
    """It does without, and with as many queues."""
    driver.unload(faulty)
    driver.load(faulty, *commands.refuse_first(commands.QUEUES))
    # The fault is that of the device that is probed first; both are tried.
    names = [faulty.bring_up(nic) for nic in faulty.nics]
    refused = [faulty.run(["ethtool", "-x", name], check=False).rc != 0 for name in names]
    assert sorted(refused) == [False, True]
    for nic, name in zip(faulty.nics, names):
        wake(faulty, driver, name)
        assert queues.used(faulty, name) == (PAIRS, PAIRS)
        exchange.pings(faulty, nic)
    without = Device(faulty, faulty.nics[refused.index(True)])
    assert without.ethtool("-X", without.name, "default", check=False).rc != 0
    assert without.ethtool("-K", without.name, "rxhash", "on", check=False).rc != 0
    errors(faulty)
    queues.use(faulty, without.name, 2)
    exchange.pings(faulty, without.nic)
