# SPDX-License-Identifier: GPL-2.0
"""Small packets that wait in a socket: they must not hold the memory of a receive buffer."""

import re
import socket
import time

import pytest

from lab import kernel
from lab.agent import PYTHON

PORT = 6100
COUNT = 20


@pytest.fixture(scope="module", params=["on", "off"], ids=["mergeable", "big"])
def guest(boot, driver, request):
    with boot(nics=[{"mrg_rxbuf": request.param}]) as guest:
        driver.load(guest)
        guest.bring_up(guest.nics[0])
        yield guest


def held(guest):
    """The bytes that the socket's packets are accounted with."""
    said = guest.run(["ss", "-Huanm", f"sport = :{PORT}"]).stdout
    return int(re.search(r"skmem:\(r(\d+)", said).group(1))


# Takes packets and does not read them.
RECEIVER = """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", int(sys.argv[1])))
time.sleep(600)
"""


def test_memory_of_small_packets(guest):
    with guest.spawn([*PYTHON, "-c", RECEIVER, PORT]):
        while not guest.run(["ss", "-Huan", f"sport = :{PORT}"]).stdout:
            time.sleep(0.1)
        before = held(guest)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(COUNT):
                sender.sendto(b"x" * 80, (guest.nics[0].guest4, PORT))
        limit = time.monotonic() + kernel.patient(20)
        while (after := held(guest)) == before and time.monotonic() < limit:
            time.sleep(0.1)
        time.sleep(0.5)
        after = held(guest)
    assert 0 < (after - before) / COUNT <= 1024
