# SPDX-License-Identifier: GPL-2.0
"""Timestamps of packets that are sent, which the driver takes in software."""

from lab.agent import PYTHON

# Sends a datagram and waits for its timestamp, which comes back through the socket's error queue.
PROGRAM = """
import select, socket, sys
TIMESTAMPING, ERROR_QUEUE = 37, 0x2000
SOFTWARE, SENT, ONLY_TIMESTAMP = 1 << 4, 1 << 1, 1 << 11
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.setsockopt(socket.SOL_SOCKET, TIMESTAMPING, SOFTWARE | SENT | ONLY_TIMESTAMP)
    s.sendto(b"x", (sys.argv[1], 9))
    poll = select.poll()
    poll.register(s, select.POLLERR)
    if not poll.poll(20_000):
        sys.exit("no timestamp came")
    _, ancillary, _, _ = s.recvmsg(0, 512, ERROR_QUEUE)
    print([kind for level, kind, _ in ancillary if level == socket.SOL_SOCKET])
"""


def test_driver_says_what_it_does(guest, nic):
    said = guest.run(["ethtool", "-T", guest.interface(nic)]).stdout
    assert "software-transmit" in said


def test_sent_packet_gets_a_timestamp(guest, nic):
    assert guest.run([*PYTHON, "-c", PROGRAM, nic.host4]).stdout == "[37]\n"
