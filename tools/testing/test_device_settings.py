# SPDX-License-Identifier: GPL-2.0
"""What a device is told about hashes and interrupts, and what becomes of it when it refuses; sizes that cannot be."""

import re
import struct

import pytest

from lab import device, features
from support import exchange, faults, ordered, queues
from support.kernel_log import errors

PAIRS, TABLE, KEY = 2, 8, 40
OFFERED = "MAC MRG_RXBUF STATUS CTRL_VQ MQ RSS NOTF_COAL VQ_NOTF_COAL VERSION_1"
CONFIG = {"key_size": KEY, "table_size": TABLE, "hash_types": 0x1FF}
REFUSES, DOES = {"ack": 1}, {"ack": 0}
PAIRS_SET, RSS_CONFIG, TX_SET, RX_SET, VQ_SET = (4, 0), (4, 1), (6, 0), (6, 1), (6, 2)
COMMANDS = {"CTRL_VQ", "MQ", "RSS", "NOTF_COAL", "VQ_NOTF_COAL"}
# What a device says that cannot be, what the line must name, and which features are done without.
BAD = {
    "no table": ({"table_size": 0}, ["table", "VIRTIO_NET_F_RSS"], {"RSS"}),
    "odd table": ({"table_size": 100}, ["table", " 100 ", " 64\n"], set()),
    "no key": ({"key_size": 0}, ["keys", " 0 ", "VIRTIO_NET_F_RSS"], {"RSS"}),
    "short key": ({"key_size": 39}, ["keys", " 39 ", "VIRTIO_NET_F_RSS"], {"RSS"}),
    # With a single pair, the control queue is where it is without several.
    "no queues": ({"pairs": 1, "said": 0}, [" 0 pairs", "VIRTIO_NET_F_MQ"], {"MQ", "RSS"}),
    "too many pairs": ({"pairs": 1, "said": 1025}, [" 1025 pairs", "VIRTIO_NET_F_CTRL_VQ"], COMMANDS),
    "most pairs": ({"pairs": 1, "said": 0x8000}, [" 32768 pairs", "VIRTIO_NET_F_CTRL_VQ"], COMMANDS),
    "more pairs than can be": ({"pairs": 1, "said": 0xFFFF}, [" 65535 pairs", "VIRTIO_NET_F_MQ"], {"MQ", "RSS"}),
}
NETWORK_DEVICES = "grep -l 0x0001 /sys/bus/virtio/devices/*/device"
# Some of the queues are not there, so the control queue is not where it should be.
FEWER = {"one pair": {"said": PAIRS + 1}, "many pairs": {"said": 1024}}


def made(pairs=PAIRS, **config):
    numbers = {name: number for number, name in features.names().items()}
    return device.Device([numbers[name] for name in OFFERED.split()], pairs, **CONFIG | config)


@pytest.fixture(scope="module")
def nics():
    return [made(), *(made(**config) for config, *_ in BAD.values()), *(made(**config) for config in FEWER.values())]


@pytest.fixture(scope="module")
def guest(boot, driver, nics):
    with boot(nics=nics, files=[exchange.PEER], shared_memory=True) as guest:
        # A guest may take its time to find what was plugged in. Then the driver has all of them when loading is done.
        faults.wait(lambda: len(guest.run(NETWORK_DEVICES, check=False).stdout.split()) == len(nics), "not all devices are found")
        driver.load(guest)
        guest.first_messages = guest.run(["dmesg", "--notime"]).stdout.splitlines(keepends=True)
        guest.first_errors = errors(guest)
        guest.at_first = commands(nics[0])
        guest.bring_up(nics[0])
        with exchange.peer_in(guest):
            yield guest


@pytest.fixture
def nic(guest, nics):
    commands(nics[0])
    # A driver that does not send what a test waits for leaves the answer.
    nics[0].order("script", answers=[])
    return nics[0]


def commands(nic):
    """The commands since the last call: class and code, and what follows."""
    return [(code, bytes.fromhex(body)) for code, body in ordered.commands(nic)]


def ethtool(guest, nic, words, check=True):
    return guest.run("ethtool " + words.replace("NIC", guest.interface(nic)), check=check)


@pytest.mark.parametrize("bad", BAD)
def test_numbers_that_cannot_be(guest, nics, bad):
    """Such a device is taken without the feature, as one line says."""
    config, words, without = BAD[bad]
    nic = nics[1 + list(BAD).index(bad)]
    guest.bring_up(nic)
    assert set(features.negotiated(guest, nic)) == set(OFFERED.split()) - without
    who = f" {guest.virtio_device(nic)}: "
    said = [line for line in guest.first_messages if who in line]
    assert len(said) == 1 and all(word in said[0] for word in words), said
    hashes = ethtool(guest, nic, "-x NIC", check=False).stdout
    assert bool(re.search(r"RSS hash key:\n[0-9a-f]{2}:", hashes)) == ("RSS" not in without), hashes
    if bad == "odd table":
        # Eight entries are in a row.
        assert re.findall(r"^ +(\d+):", hashes, re.MULTILINE)[-1] == "56", hashes
    assert queues.used(guest, guest.interface(nic)) == (config.get("pairs", PAIRS),) * 2
    if "CTRL_VQ" not in without:
        ethtool(guest, nic, "-C NIC rx-usecs 7")
        assert commands(nic)[-1][0] == RX_SET
    exchange.reaches(nic)


@pytest.mark.parametrize("fewer", FEWER)
def test_fewer_queues_than_said(guest, nics, fewer):
    nic = nics[1 + len(BAD) + list(FEWER).index(fewer)]
    assert nic.mac not in guest.run(["ip", "link"]).stdout, "the driver takes the device"


def test_nothing_else_is_said(guest):
    """Of the devices with fewer queues, that they cannot be set up."""
    said = [line for line in guest.first_errors if "probe with driver" not in line]
    assert len(said) == len(FEWER), said


def rss(table, key, pairs, types=0x3F):
    body = struct.pack(f"<IHH{TABLE}HHB", types, TABLE - 1, 0, *table, pairs, len(key))
    return RSS_CONFIG, body + key


def key_of(guest, nic):
    return bytes.fromhex(re.search(r"RSS hash key:\n(.*)", ethtool(guest, nic, "-x NIC").stdout)[1].replace(":", ""))


def test_hashes_at_first(guest, nic):
    """Not the types that take addresses from extension headers, and no other command for the number of queues."""
    assert guest.at_first == [rss([0, 1] * (TABLE // 2), key_of(guest, nic), PAIRS)]


def test_hashes(guest, nic):
    key = key_of(guest, nic)
    ethtool(guest, nic, "-X NIC equal 1")
    assert commands(nic) == [rss([0] * TABLE, key, PAIRS)]
    ethtool(guest, nic, "-L NIC combined 1")
    assert commands(nic) == [rss([0] * TABLE, key, 1)]
    ethtool(guest, nic, "-L NIC combined 2")
    ethtool(guest, nic, "-X NIC default")
    assert commands(nic) == [rss([0] * TABLE, key, 2), rss([0, 1] * (TABLE // 2), key, 2)]
    ethtool(guest, nic, "-N NIC rx-flow-hash udp4 sd")
    ethtool(guest, nic, "-N NIC rx-flow-hash udp4 sdfn")
    assert [body[:4] for _, body in commands(nic)] == [b"\x3b\0\0\0", b"\x3f\0\0\0"]


@pytest.mark.parametrize("what", ["-X NIC equal 1", "-L NIC combined 1", "-N NIC rx-flow-hash tcp6 r"])
def test_refused_hashes(guest, nic, what):
    def state():
        shown = ("-x NIC", "-l NIC", "-n NIC rx-flow-hash tcp6")
        return [ethtool(guest, nic, words).stdout for words in shown]

    before = state()
    nic.order("script", answers=[REFUSES])
    done = ethtool(guest, nic, what, check=False)
    assert done.rc != 0 and "Invalid argument" in done.stderr
    assert state() == before


# --- Interrupts -------------------------------------------------------------------

SHOWN = ("rx-usecs", "rx-frames", "tx-usecs", "tx-frames")


def numbers(text):
    found = dict(re.findall(r"^(\S+):\s+(\d+)$", text, re.MULTILINE))
    return [int(found[name]) for name in SHOWN]


def settings(guest, nic):
    """Of all queues, and of each pair."""
    text = ethtool(guest, nic, "-Q NIC queue_mask 0x3 --show-coalesce").stdout
    pairs = re.split(r"^Queue: \d+$", text, flags=re.MULTILINE)[1:]
    return [numbers(ethtool(guest, nic, "-c NIC").stdout), *(numbers(pair) for pair in pairs)]


def moderation(usecs, frames):
    return struct.pack("<II", frames, usecs)


def of_queue(number, usecs, frames):
    return VQ_SET, struct.pack("<HH", number, 0) + moderation(usecs, frames)


FIRST = [0, 0, 0, 1]
ALL = [10, 4, 20, 8]
OWN = [30, 5, 40, 9]
SET = "rx-usecs {} rx-frames {} tx-usecs {} tx-frames {}"


def set_own(guest, nic):
    """For all queues, and for one pair other ones."""
    ethtool(guest, nic, "-C NIC " + SET.format(*ALL))
    ethtool(guest, nic, "-Q NIC queue_mask 0x2 --coalesce " + SET.format(*OWN))
    commands(nic)
    assert settings(guest, nic) == [ALL, ALL, OWN]


def test_interrupts(guest, nic):
    assert settings(guest, nic) == [FIRST] * 3
    ethtool(guest, nic, "-C NIC " + SET.format(*ALL))
    assert commands(nic) == [(TX_SET, moderation(20, 8)), (RX_SET, moderation(10, 4))]
    assert settings(guest, nic) == [ALL] * 3
    ethtool(guest, nic, "-Q NIC queue_mask 0x2 --coalesce " + SET.format(*OWN))
    assert commands(nic) == [of_queue(2, 30, 5), of_queue(3, 40, 9)]
    assert settings(guest, nic) == [ALL, ALL, OWN]


# How many commands the device does before it refuses one.
@pytest.mark.parametrize("done", [0, 1])
def test_refused_interrupts(guest, nic, done):
    """What it has done of it is undone, and what queues have of their own is kept."""
    set_own(guest, nic)
    before = settings(guest, nic)
    nic.order("script", answers=[DOES] * done + [REFUSES])
    failed = ethtool(guest, nic, "-C NIC rx-usecs 99 tx-usecs 98", check=False)
    assert failed.rc != 0 and "Invalid argument" in failed.stderr
    assert settings(guest, nic) == before
    again = [of_queue(0, 10, 4), of_queue(1, 20, 8), of_queue(2, 30, 5), of_queue(3, 40, 9)]
    assert commands(nic)[done + 1 :] == [(TX_SET, moderation(20, 8)), (RX_SET, moderation(10, 4)), *again]


@pytest.mark.parametrize("done", [0, 1])
def test_refused_interrupts_of_a_queue(guest, nic, done):
    set_own(guest, nic)
    before = settings(guest, nic)
    nic.order("script", answers=[DOES] * done + [REFUSES])
    failed = ethtool(guest, nic, "-Q NIC queue_mask 0x1 --coalesce rx-usecs 99 tx-usecs 98", check=False)
    assert "Invalid argument" in failed.stderr
    assert settings(guest, nic) == before
    assert of_queue(0, 10, 4) in commands(nic)[done + 1 :]


def test_napi_with_a_device_that_refuses(guest, nic):
    """It goes on with the interface down, and only together with what the device is told."""
    name = guest.interface(nic)
    before = settings(guest, nic)
    assert "busy" in ethtool(guest, nic, "-C NIC tx-frames 0", check=False).stderr
    assert commands(nic) == []
    guest.run(f"ip link set {name} down")
    nic.order("script", answers=[REFUSES])
    assert ethtool(guest, nic, "-C NIC tx-frames 0", check=False).rc != 0
    guest.bring_up(nic)
    assert settings(guest, nic) == before
    # NAPI is on still: with the interface up it cannot be turned off.
    assert "busy" in ethtool(guest, nic, "-C NIC tx-frames 0", check=False).stderr
    exchange.everything(guest, nic)
    assert errors(guest) == []
