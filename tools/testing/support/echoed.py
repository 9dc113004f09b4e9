# SPDX-License-Identifier: GPL-2.0
"""Raw frames from the guest. The last argument is JSON and says which.

echoed.py send ...    sends them, and no more
echoed.py there ...   sends them to one that sends each back, so many at once, and compares what comes, byte for byte

Runs in the guest.
"""

import json
import os
import socket
import sys

import peer

SO_RCVBUFFORCE = 33
TIMEOUT = 120


def opened(interface, cpu):
    """The processor chooses the queue."""
    os.sched_setaffinity(0, {cpu})
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    link.bind((interface, peer.ETHERTYPE))
    link.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
    link.settimeout(TIMEOUT)
    return link


def send(interface, frames):
    with opened(interface, 0) as link:
        for frame in frames:
            link.send(bytes.fromhex(frame))


def there(interface, target, lengths, batch, cpu):
    with opened(interface, cpu) as link:
        source, target = link.getsockname()[4], bytes.fromhex(target)
        kind = peer.ETHERTYPE.to_bytes(2, "big")
        for start in range(0, len(lengths), batch):
            now = lengths[start : start + batch]
            bodies = [kind + peer.content(length, length - 14) for length in now]
            for body in bodies:
                link.send(target + source + body)
            for body in bodies:
                answer = link.recv(peer.PIECE)
                same = answer == source + target + body
                assert same, f"a frame of {len(body) + 12} bytes came back as other {len(answer)}"


if __name__ == "__main__":
    {"send": send, "there": there}[sys.argv[1]](**json.loads(sys.argv[2]))
