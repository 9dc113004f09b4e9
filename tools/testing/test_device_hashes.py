# SPDX-License-Identifier: GPL-2.0
"""A device that hashes as it is told: packets come with that hash, through the queue that follows from it."""

import pytest

from lab import traffic, xdp
from lab import driver as drivers
from support import binding, bpf, counters, device_hashes, exchange, faults, ordered
from support.device_hashes import FLOWS, KINDS, OTHER, TCP, UDP
from support.kernel_log import no_errors  # noqa: F401
from support.kernels import all_only, stock_only

PAIRS, TABLE, KEY = 4, 128, 40
SIZES = {"key_size": KEY, "table_size": TABLE, "hash_types": 0x1FF}
PLAIN = "MAC STATUS CTRL_VQ VERSION_1"
DEVICES = {
    "both": (PLAIN + " MRG_RXBUF MQ RSS HASH_REPORT", PAIRS),
    "rss": (PLAIN + " MQ RSS INDIRECT_DESC EVENT_IDX", PAIRS),
    "hash": (PLAIN + " HASH_REPORT", 1),
}
NAMES = list(DEVICES)
NEW_KEY = bytes(range(100, 100 + KEY))
NEEDS_BTF = stock_only("a program that asks for metadata needs the kernel's BTF")


@pytest.fixture(scope="module")
def guest(boot, driver, tmp_path_factory):
    if driver is drivers.C:
        pytest.skip("the C driver breaks a rule: its commands have a byte behind the key")
    nics = [ordered.made(names, pairs, **SIZES) for names, pairs in DEVICES.values()]
    files = [exchange.PEER, counters.NETDEV, FLOWS, bpf.build("hash", tmp_path_factory.mktemp("bpf"))]
    with boot(nics=nics, files=files, shared_memory=True, cpus=PAIRS) as guest:
        driver.load(guest)
        for nic in guest.nics:
            start(guest, nic)
        with exchange.peer_in(guest):
            yield guest


def start(guest, nic):
    name = guest.bring_up(nic)
    # A device with one queue and no hashes has nothing to turn on.
    if nic is not guest.nics[NAMES.index("rss")]:
        guest.run(["ethtool", "-K", name, "rxhash", "on"])
    exchange.ping(traffic.host_run, nic.guest4)
    exchange.ping(traffic.host_run, nic.guest6)


@pytest.fixture(params=NAMES)
def nic(guest, request):
    return guest.nics[NAMES.index(request.param)]


@pytest.fixture(params=["both", "rss"])
def steering(guest, request):
    return guest.nics[NAMES.index(request.param)]


def ethtool(guest, nic, option, *words, check=True):
    return guest.run(["ethtool", option, guest.interface(nic), *words], check=check)


def hash_of(nic, key, six, protocol, ports):
    return device_hashes.hashed(nic, key, six, protocol, ports)


def expect(guest, nic, hash_of=hash_of, each=3, extension=b""):
    """Packets of each kind have the hash that `hash_of` says, None for no hash."""
    table, key = device_hashes.rxfh(guest, nic)
    sent, wanted = [], []
    for six, protocol in [kind for kind in KINDS if kind[0] or not extension] * each:
        ports = 3000 + 7 * len(sent), 9
        value = hash_of(nic, key, six, protocol, ports)
        queue = table[value % TABLE] if table and value is not None else 0
        sent.append(device_hashes.frame(nic, len(sent), six, protocol, ports, extension))
        reported = value or 0 if nic is not guest.nics[NAMES.index("rss")] else 0
        wanted.append((reported, queue))
    left = device_hashes.missing(guest, nic, sent, wanted)
    assert not left, [(KINDS[number % len(KINDS)], wanted[number]) for number in left]


def test_hash(guest, nic):
    expect(guest, nic)


# Of `enum xdp_rss_hash_type`, by whether it is IPv6 and by protocol.
XDP_TYPES = {False: 1, True: 2}, {TCP: 8 | 16, UDP: 8 | 32, OTHER: 0}
ENODATA, EOPNOTSUPP = -61, -95


def told(guest, nic, count):
    """What a program is told of frames of each kind: the error, the hash and its type."""
    sent = [device_hashes.frame(nic, number, *kind, (3000 + 7 * number, 9)) for number, kind in enumerate(KINDS[:count])]
    device_hashes.send(nic, sent)

    def seen():
        frames = xdp.entries(guest, "frames", of="hash")
        return [frames[number] for number in range(count) if frames[number]["seen"]]

    faults.wait(lambda: len(seen()) == count, "a program has not seen all frames")
    return [(frame["error"], frame["hash"], frame["kind"]) for frame in seen()]


@NEEDS_BTF
def test_hash_for_programs(guest, nic):
    name = guest.interface(nic)
    _, key = device_hashes.rxfh(guest, nic)
    if nic is guest.nics[NAMES.index("rss")]:
        wanted = [(EOPNOTSUPP, 0, 0)] * len(KINDS)
    else:
        values = [hash_of(nic, key, *kind, (3000 + 7 * number, 9)) for number, kind in enumerate(KINDS)]
        networks, transports = XDP_TYPES
        wanted = [(0, value, networks[six] | transports[protocol]) for value, (six, protocol) in zip(values, KINDS)]
    with xdp.loaded(guest, "hash", name), xdp.attached(guest, name, "hash", of="hash"):
        assert told(guest, nic, len(KINDS)) == wanted


@NEEDS_BTF
def test_no_hash_for_programs(guest):
    """As the device has said nothing that can be one."""
    nic = guest.nics[NAMES.index("hash")]
    name = guest.interface(nic)
    nic.order("faults", queue=0, faults=[faults.with_header(hash_value=0x12345678, hash_report=10)] * 1000)
    with xdp.loaded(guest, "hash", name), xdp.attached(guest, name, "hash", of="hash"):
        assert told(guest, nic, 2) == [(ENODATA, 0, 0)] * 2
    nic.order("faults", queue=0, faults=[])


def test_traffic(guest, nic):
    exchange.everything(guest, nic)


def test_extension_headers(guest, nic):
    """The driver asks for no hash of their addresses, so they are passed over."""
    expect(guest, nic, each=2, extension=bytes([0, 1, 4, 0, 0, 0, 0]))


# None, one that the driver does not ask for, and some that there are not.
@pytest.mark.parametrize("report", [0, 7, 10, 0xFFFF])
def test_type_that_cannot_be(guest, report):
    """What is said of such a hash is not taken for one."""
    nic = guest.nics[NAMES.index("hash")]
    nic.order("faults", queue=0, faults=[faults.with_header(hash_value=0x12345678, hash_report=report)] * 1000)
    expect(guest, nic, hash_of=lambda *_: None)
    nic.order("faults", queue=0, faults=[])
    expect(guest, nic)


def received(guest, name):
    """How many packets came through each queue."""
    shown = counters.of_queues(guest, name)
    return [shown[f"rx{queue}"]["rx-packets"] for queue in range(PAIRS)]


@all_only("the device does right here, which make check has with the stock kernel")
def test_counters_of_queues(guest, steering):
    """All packets of a flow count in its queue."""
    name = guest.interface(steering)
    table, key = device_hashes.rxfh(guest, steering)
    seen = set()
    # They differ in all bits: where the key has zeroes, one that differs in few has the same queue.
    for port in range(1000, 61000, 5003):
        flow = False, UDP, (port, 9)
        queue = table[device_hashes.hashed(steering, key, *flow) % TABLE]
        if queue in seen:
            continue
        seen.add(queue)
        before = received(guest, name)
        device_hashes.send(steering, [device_hashes.frame(steering, 0, *flow)] * 60)
        faults.wait(lambda: received(guest, name)[queue] >= before[queue] + 60, f"queue {queue} does not count")
        came = [now - then for now, then in zip(received(guest, name), before)]
        assert sum(came) - came[queue] < 60, (queue, came)
    assert len(seen) > 1


TABLES = {
    "start 1 equal 3": [1 + i % 3 for i in range(TABLE)],
    "weight 1 0 3": [0] * (TABLE // 4) + [2] * (3 * TABLE // 4),
}


@all_only("the device does right here, which make check has with the stock kernel")
def test_tables(guest, steering):
    for words, table in TABLES.items():
        ethtool(guest, steering, "-X", *words.split())
        assert device_hashes.rxfh(guest, steering)[0] == table
        expect(guest, steering, each=2)
    ethtool(guest, steering, "-X", "default")


def test_fewer_queues(guest, steering):
    for pairs in (2, PAIRS):
        ethtool(guest, steering, "-L", "combined", pairs)
        assert set(device_hashes.rxfh(guest, steering)[0]) == set(range(pairs))
        expect(guest, steering, each=2)


def test_key(guest, nic):
    _, before = device_hashes.rxfh(guest, nic)
    ethtool(guest, nic, "-X", "hkey", NEW_KEY.hex(":"))
    assert device_hashes.rxfh(guest, nic)[1] == NEW_KEY != before
    expect(guest, nic, each=2)
    ethtool(guest, nic, "-X", "hkey", before.hex(":"))


def test_fields(guest, nic):
    """Of UDP over IPv4 the addresses only, and of IPv6 only UDP: what has no hash goes to the first queue."""

    def of_some(nic, key, six, protocol, ports):
        if six:
            return hash_of(nic, key, six, protocol, ports) if protocol == UDP else None
        return hash_of(nic, key, six, TCP if protocol == TCP else OTHER, ports)

    ethtool(guest, nic, "-N", "rx-flow-hash", "udp4", "sd")
    ethtool(guest, nic, "-N", "rx-flow-hash", "tcp6", "r")
    expect(guest, nic, of_some, each=2)
    ethtool(guest, nic, "-N", "rx-flow-hash", "tcp6", "sdfn")
    ethtool(guest, nic, "-N", "rx-flow-hash", "udp4", "sdfn")


@pytest.mark.parametrize("what", [("-X", "equal", "1"), ("-X", "hkey", NEW_KEY.hex(":")), ("-L", "combined", "1")])
def test_device_refuses(guest, what):
    """It goes on as it was told before, and the driver knows that."""
    nic = guest.nics[NAMES.index("both")]
    nic.order("script", answers=[{"ack": 1}])
    assert ethtool(guest, nic, *what, check=False).rc != 0
    expect(guest, nic, each=2)


def test_device_bound_again(guest, driver, nic):
    """A reset has the device forget all, and the driver sends it again."""
    virtio = guest.virtio_device(nic)
    binding.unbind(guest, driver, virtio)
    binding.bind(guest, driver, virtio)
    start(guest, nic)
    expect(guest, nic)
