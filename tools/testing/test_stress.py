# SPDX-License-Identifier: GPL-2.0
"""A lot of traffic, of which nothing may be lost or counted as an error."""

import hashlib
import json
import os
import time

import pytest

from lab import driver as drivers
from lab import host, kernel, traffic
from support import binding, exchange, healing
from support.exchange import TIMEOUT
from support.kernel_log import no_errors  # noqa: F401

PORT = 6000
GB = 1 << 30
MB = 1 << 20
PINGS = kernel.rounds(100_000)
FILE = kernel.rounds(500 * MB)
# How often all kinds of traffic come. CYCLES says another number.
ROUNDS = int(os.environ.get("CYCLES") or kernel.rounds(8))
# How long the guest is stopped meanwhile, in seconds.
STOPPED = kernel.rounds(16)
# Of the counters, those that traffic moves; all others count what has gone wrong.
MOVES = {"rx_packets", "rx_bytes", "tx_packets", "tx_bytes", "multicast", "rx_multicast"}


@pytest.fixture(scope="module")
def guest(boot, driver):
    """The second NIC has the C driver, to compare with."""
    with boot(nics=[{}, {}], memory="3G", files=[exchange.PEER]) as guest:
        driver.load(guest)
        binding.hand_over(guest, [guest.virtio_device(guest.nics[1])], driver, drivers.C)
        for nic in guest.nics:
            guest.bring_up(nic)
        yield guest


def counters(guest, name):
    """All that the interface has: what `ip` shows, and each file in sysfs."""
    link = json.loads(guest.run(["ip", "-s", "-s", "-json", "link", "show", name]).stdout)[0]["stats64"]
    found = {f"{way}_{counter}": value for way in ("rx", "tx") for counter, value in link[way].items()}
    files = guest.run(f"cd /sys/class/net/{name}/statistics && grep . *").stdout
    return found | {file: int(value) for file, value in (line.split(":") for line in files.splitlines())}


def moved(before, after):
    return {name for name in after if after[name] != before[name]} - MOVES


@pytest.mark.parametrize("to_guest", [False, True], ids=["guest-to-host", "host-to-guest"])
@pytest.mark.parametrize("number, size", [(0, kernel.rounds(5 * GB)), (1, kernel.rounds(GB))], ids=["tested", "C"])
def test_tcp_moves_no_error_counter(guest, driver, number, size, to_guest):
    nic = guest.nics[number]
    name = guest.interface(nic)
    wanted = drivers.C if number else driver
    assert f"driver: {wanted.name}\n" in guest.run(["ethtool", "-i", name]).stdout
    before = counters(guest, name)
    server = ["iperf3", "-s", "-1", "-p", traffic.PORT]
    client = ["iperf3", "--json", "-n", size, "-p", traffic.PORT, "-c"]
    if to_guest:
        with traffic.guest_server(guest, server):
            done = traffic.host_run([*client, nic.guest4], timeout=600)
    else:
        with traffic.host_server(server):
            done = guest.run([*client, nic.host4], timeout=600)
    assert json.loads(done.stdout)["end"]["sum_sent"]["bytes"] >= size
    after = counters(guest, name)
    assert not moved(before, after)
    way = "rx" if to_guest else "tx"
    assert after[f"{way}_bytes"] - before[f"{way}_bytes"] >= size
    assert after[f"{way}_packets"] - before[f"{way}_packets"] >= size // 65536


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("stress") / "file"
    path.write_bytes(os.urandom(FILE))
    yield path
    path.unlink()


def digest(path):
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def test_large_file(guest, file):
    """To the guest and back: it is the same in the guest, and after the way back."""
    nic = guest.nics[0]
    wanted = digest(file)
    with traffic.guest_server(guest, f"socat -u TCP-LISTEN:{PORT},reuseaddr CREATE:/tmp/file", PORT) as receiver:
        host.run("socat", "-u", f"FILE:{file}", f"TCP:{nic.guest4}:{PORT}", timeout=300)
        receiver.wait()
    assert guest.run(["sha256sum", "/tmp/file"], timeout=300).stdout.split()[0] == wanted
    back = file.with_suffix(".back")
    with traffic.host_server(["socat", "-u", f"TCP-LISTEN:{PORT},reuseaddr", f"CREATE:{back}"], PORT) as receiver:
        guest.run(["socat", "-u", "FILE:/tmp/file", f"TCP:{nic.host4}:{PORT}"], timeout=300)
        receiver.wait(TIMEOUT)
    guest.run(["rm", "/tmp/file"])
    assert digest(back) == wanted
    back.unlink()


def icmp(text, counter):
    names, values = (line.split() for line in text.splitlines() if line.startswith("Icmp: "))
    return int(values[names.index(counter)])


@pytest.mark.parametrize("to_guest", [False, True], ids=["guest-to-host", "host-to-guest"])
def test_flood_of_pings(guest, to_guest):
    """The stack's own counters tell: at its end `ping` does not wait for answers as long as a busy machine may take."""
    nic = guest.nics[0]
    run, address = (traffic.host_run, nic.guest4) if to_guest else (guest.run, nic.host4)

    def answers():
        return icmp(run(["cat", "/proc/net/snmp"]).stdout, "InEchoReps")

    before = answers()
    done = run(["ping", "-q", "-f", "-c", PINGS, address], timeout=600, check=False)
    assert f"{PINGS} packets transmitted" in done.stdout, done.stdout + done.stderr
    limit = time.monotonic() + TIMEOUT
    while answers() - before < PINGS and time.monotonic() < limit:
        time.sleep(0.2)
    assert answers() - before == PINGS, done.stdout


def test_watchdog_leaves_it_alone(guest, driver):
    """Under all traffic, and while the guest does not run: it looks again at most."""
    if driver is drivers.C:
        pytest.skip("the C driver has no watchdog")
    nic = guest.nics[0]
    nic.name = guest.interface(nic)
    with exchange.peer_in(guest), exchange.peer_on_host():
        for number in range(ROUNDS):
            with exchange.flooded(guest, nic):
                exchange.tcp_to_guest(nic.guest4, 16 * MB)
                exchange.tcp_from_guest(nic.guest4, 16 * MB)
                if number == 0:
                    with guest.paused():
                        time.sleep(STOPPED)
            exchange.everything(guest, nic)
    assert healing.rungs(guest, nic)[1:] == [0, 0, 0]
