# SPDX-License-Identifier: GPL-2.0
"""A second driver, of devices in software, on top of the same abstractions: they are good for more than one."""

import re

import pytest

from lab.build import build_other
from support import counters
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


@pytest.fixture(scope="module")
def guest(boot, tmp_path_factory):
    module = build_other(tmp_path_factory.mktemp("pair"), "pair")
    with boot(files=[module, counters.NETDEV]) as guest:
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


def test_tcp_both_ways(guest):
    guest.run(traffic(guest))
    for name in NAMES:
        link = ethtool(guest, name, "-S").stdout
        assert not [line for line in re.findall(r"_drops: (\d+)", link) if line != "0"], link


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
