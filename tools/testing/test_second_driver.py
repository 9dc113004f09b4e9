# SPDX-License-Identifier: GPL-2.0
"""A second driver, of devices in software, on top of the same abstractions: they are good for more than one."""

import re
import time

import pytest

from lab import xdp
from lab.build import build_other
from support import bpf, counters, restart
from support.kernel_log import no_errors  # noqa: F401

NAMES = "here", "there"
# Sends so many bytes to itself through both, each way at the same time, and compares them.
TRAFFIC = """
import hashlib, os, socket, sys, threading
size = int(sys.argv[1])

def serve(listener, sums):
    end, _ = listener.accept()
    got = hashlib.sha256()
    while data := end.recv(1 << 16):
        got.update(data)
    sums.append(got.digest())

def inside(name, action):
    # Of this thread alone.
    os.setns(os.open(f"/run/netns/{name}", os.O_RDONLY), os.CLONE_NEWNET)
    return action()

def stream(source, target, address, port):
    sums, ready, sent = [], threading.Event(), hashlib.sha256()
    def receive():
        listener = inside(target, lambda: socket.create_server((address, port)))
        ready.set()
        serve(listener, sums)
    thread = threading.Thread(target=receive)
    thread.start()
    ready.wait()
    with inside(source, lambda: socket.create_connection((address, port))) as end:
        for _ in range(size >> 16):
            data = os.urandom(1 << 16)
            sent.update(data)
            end.sendall(data)
    thread.join()
    assert sums == [sent.digest()], "what comes is not what was sent"

def checked(*arguments):
    try:
        stream(*arguments)
    except BaseException as error:
        print(error)
        os._exit(1)

ways = [("here", "there", "10.9.0.2", 5001 + i) for i in range(4)] + [("there", "here", "10.9.0.1", 5001 + i) for i in range(4)]
threads = [threading.Thread(target=checked, args=way) for way in ways]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
SIZE = 1 << 20

# Has a program at the other end send frames back, or not.
FRAMES = """
import os, socket, sys
os.setns(os.open("/run/netns/here", os.O_RDONLY), os.CLONE_NEWNET)
end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88b5))
end.bind(("here", 0x88b5))
end.settimeout(20)
there, here = bytes([2] * 6), end.getsockname()[4]
for number in range(200):
    rest = b"\\x88\\xb5" + bytes([number]) * (50 + 7 * number)
    end.send(there + here + rest)
    assert sys.argv[1] == "lost" or end.recv(1 << 16) == here + there + rest, number
"""


@pytest.fixture(scope="module")
def guest(boot, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    module = build_other(folder, "pair")
    starter = restart.built(tmp_path_factory.mktemp("restart"))
    with boot(files=[module, counters.NETDEV, bpf.build("xdp", folder), starter]) as guest:
        xdp.load(guest)
        restart.load(guest)
        guest.run(["insmod", f"/payload/{module.name}"])
        found = guest.run("ls -d /sys/class/net/*/queues/tx-3").stdout.split()
        assert len(found) == len(NAMES), found
        for number, (name, path) in enumerate(zip(NAMES, found), 1):
            old = path.split("/")[4]
            guest.run(f"ip netns add {name} && ip link set {old} netns {name} name {name}")
            guest.run(f"ip -n {name} address add 10.9.0.{number}/24 dev {name} && ip -n {name} link set {name} up")
        yield guest
        guest.run(["rmmod", "pair_rust"])


def ethtool(guest, name, *words, check=True):
    return guest.run(["ip", "netns", "exec", name, "ethtool", words[0], name, *words[1:]], check=check)


def traffic(guest):
    return ["python3", guest.script("pair_traffic.py", TRAFFIC), SIZE]


def frames(guest, outcome):
    return ["python3", guest.script("pair_frames.py", FRAMES), outcome]


def test_tcp_both_ways(guest):
    guest.run(traffic(guest))
    assert not any(drops(guest, "here") + drops(guest, "there"))


def test_all_queues_are_used(guest):
    ethtool(guest, "here", "-L", "combined", 1)
    guest.run(traffic(guest))
    ethtool(guest, "here", "-L", "combined", 4)
    assert ethtool(guest, "here", "-L", "combined", 5, check=False).rc != 0


def test_reconfigured_under_traffic(guest):
    with guest.spawn(traffic(guest)) as running:
        for number in range(20):
            ethtool(guest, NAMES[number % 2], "-L", "combined", 1 + number % 4)
            ethtool(guest, NAMES[number % 2], "-G", "rx", 16 << number % 5, "tx", 16 << number % 5)
        assert running.wait() == 0, running.output()


def test_restarted_under_traffic(guest):
    """No packet is lost: a queue that starts with new memory goes on with what it finds."""
    for name in NAMES:
        ethtool(guest, name, "-L", "combined", 4)
    with guest.spawn(traffic(guest)) as running:
        for number in range(40):
            name = NAMES[number % 2]
            restart.restart(guest, name, number // 2 % 4, netns=name)
        assert running.wait() == 0, running.output()
    assert not any(drops(guest, "here") + drops(guest, "there"))


def drops(guest, name):
    """Received packets, and those to be sent."""
    return [int(count) for count in re.findall(r" [rt]x_drops: (\d+)", ethtool(guest, name, "-S").stdout)]


@pytest.mark.parametrize("program", ["tx", "itself"])
def test_program_sends_back(guest, program):
    with xdp.attached(guest, "there", program, netns=["-n", "there"]):
        guest.run(frames(guest, "back"))
    assert not any(drops(guest, "here") + drops(guest, "there"))


def test_program_attached_under_traffic(guest):
    with guest.spawn(traffic(guest)) as running:
        for _ in range(10):
            for name in NAMES:
                with xdp.attached(guest, name, "pass", netns=["-n", name]):
                    pass
        assert running.wait() == 0, running.output()
    assert not any(drops(guest, "here") + drops(guest, "there"))


def test_program_drops(guest):
    before = sum(drops(guest, "there"))
    with xdp.attached(guest, "there", "drop", netns=["-n", "there"]):
        guest.run(frames(guest, "lost"))
        limit = time.monotonic() + 60
        while sum(drops(guest, "there")) != before + 200 and time.monotonic() < limit:
            time.sleep(0.1)
    assert sum(drops(guest, "there")) == before + 200


def test_what_it_has_not_is_absent(guest):
    for words in (["-x"], ["-c"], ["-s", "speed", 1000]):
        done = ethtool(guest, "here", *words, check=False)
        assert done.rc != 0
        assert "not supported" in done.stderr.lower(), done.stderr


def test_down_and_up(guest):
    for _ in range(3):
        for name in NAMES:
            guest.run(f"ip -n {name} link set {name} down && ip -n {name} link set {name} up")
    guest.run(traffic(guest))
