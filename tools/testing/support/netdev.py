# SPDX-License-Identifier: GPL-2.0
"""Prints what the kernel tells about network devices in the netlink family "netdev", as JSON. Runs in the guest.

netdev.py pools   page pools of network devices. One that was given up while pages of it were in use stays until the
                  last page is back: it has `detached`.
netdev.py usage   how often each of them allocated and recycled pages, and how
netdev.py sums    counters of each device
netdev.py queues  counters of each queue
netdev.py devices            what each device can do
netdev.py contexts           NAPI contexts
netdev.py defer ID NUMBER    sets how many interrupts the context ID puts off
"""

import json
import socket
import struct
import sys

NETLINK_GENERIC = 16
# linux/netlink.h, linux/genetlink.h, linux/netdev.h
NLMSG_ERROR, NLMSG_DONE, NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 2, 3, 0x001, 0x004, 0x300
GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 16, 3, 1, 2
DEV_GET, PAGE_POOL_GET, PAGE_POOL_STATS_GET, NAPI_GET, QSTATS_GET, NAPI_SET = 1, 5, 9, 11, 12, 14
QSTATS_SCOPE, QSTATS_SCOPE_QUEUE = 4, 1
POOL_INFO = 1

POOL = {1: "id", 2: "ifindex", 4: "inflight", 6: "detached"}
USAGE = {
    8: "alloc-fast",
    9: "alloc-slow",
    11: "alloc-empty",
    12: "alloc-refill",
    14: "recycle-cached",
    15: "recycle-cache-full",
    16: "recycle-ring",
    17: "recycle-ring-full",
}
DEVICE = {1: "ifindex", 6: "xsk-features"}
CONTEXT = {1: "ifindex", 2: "id", 3: "irq", 5: "defer"}
# Those that no driver here has a name for are shown by number.
COUNTERS = {
    1: "ifindex",
    2: "queue-type",
    3: "queue-id",
    8: "rx-packets",
    9: "rx-bytes",
    10: "tx-packets",
    11: "tx-bytes",
    12: "rx-alloc-fail",
    33: "tx-stop",
    34: "tx-wake",
}


def attributes(data):
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        yield kind & 0x3FFF, data[4:size]
        data = data[(size + 3) & ~3 :]


def ask(link, family, command, flags, payload=b""):
    """Yields the attributes of each answer."""
    head = struct.pack("=IHHII", 20 + len(payload), family, NLM_F_REQUEST | flags, 1, 0)
    link.send(head + struct.pack("=BBH", command, 1, 0) + payload)
    while True:
        data = link.recv(1 << 16)
        while data:
            size, kind = struct.unpack_from("=IH", data)
            error = struct.unpack_from("=i", data, 16)[0] if kind == NLMSG_ERROR else 0
            if error:
                raise OSError(-error, "netlink")
            if kind in (NLMSG_ERROR, NLMSG_DONE):
                return
            yield dict(attributes(data[20:size]))
            data = data[(size + 3) & ~3 :]
        if not flags:
            return


def request(command, payload=b"", flags=NLM_F_DUMP):
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
    link.bind((0, 0))
    name = struct.pack("=HH7sx", 11, CTRL_ATTR_FAMILY_NAME, b"netdev\0")
    (family,) = ask(link, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0, name)
    (number,) = struct.unpack("=H", family[CTRL_ATTR_FAMILY_ID])
    return ask(link, number, command, flags, payload)


def numbers(found, names):
    return {names[kind]: int.from_bytes(value, "little") for kind, value in found.items() if kind in names}


def pools():
    return [numbers(found, POOL) for found in request(PAGE_POOL_GET)]


def usage():
    return [
        numbers(dict(attributes(found[POOL_INFO])), POOL) | numbers(found, USAGE) for found in request(PAGE_POOL_STATS_GET)
    ]


def counters(payload=b""):
    all_of = [numbers(found, {kind: COUNTERS.get(kind, kind) for kind in found}) for found in request(QSTATS_GET, payload)]
    for found in all_of:
        if "queue-type" in found:
            found["queue"] = ("rx", "tx")[found.pop("queue-type")] + str(found.pop("queue-id"))
    return all_of


def queues():
    return counters(struct.pack("=HHQ", 12, QSTATS_SCOPE, QSTATS_SCOPE_QUEUE))


def devices():
    return [numbers(found, DEVICE) for found in request(DEV_GET)]


def contexts():
    return [numbers(found, CONTEXT) for found in request(NAPI_GET)]


def defer(context, number):
    payload = b"".join(struct.pack("=HHI", 8, kind, int(value)) for kind, value in ((2, context), (5, number)))
    return list(request(NAPI_SET, payload, NLM_F_ACK))


if __name__ == "__main__":
    known = {
        "pools": pools,
        "usage": usage,
        "sums": counters,
        "queues": queues,
        "devices": devices,
        "contexts": contexts,
        "defer": defer,
    }
    print(json.dumps(known[sys.argv[1]](*sys.argv[2:])))
