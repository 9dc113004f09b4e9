# SPDX-License-Identifier: GPL-2.0
"""Prints what the kernel tells about network devices in the netlink family "netdev", as JSON, and has it manage queues. Runs in the guest.

netdev.py pools   page pools of network devices. One that was given up while pages of it were in use stays until the
                  last page is back: it has `detached`.
netdev.py usage   how often each of them allocated and recycled pages, and how
netdev.py sums    counters of each device
netdev.py queues  counters of each queue
netdev.py devices            what each device can do
netdev.py contexts           NAPI contexts
netdev.py defer ID NUMBER    sets how many interrupts the context ID puts off
netdev.py leases             receive queues that are leased: whose, and to which queue of which device
netdev.py netkit NAME QUEUES   makes a device of netkit that has no peer, and room for so many receive queues
netdev.py lease NAME OTHER QUEUE   gives a device of netkit a receive queue of another device
netdev.py provide NAME QUEUE   has a receive queue take its buffers from a dma-buf
"""

import fcntl
import json
import os
import socket
import struct
import sys

NETLINK_ROUTE, NETLINK_GENERIC = 0, 16
# linux/netlink.h, linux/genetlink.h, linux/netdev.h
NLMSG_ERROR, NLMSG_DONE, NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP, NLM_F_CREATE_EXCL = 2, 3, 0x001, 0x004, 0x300, 0x600
SOL_NETLINK, NETLINK_CAP_ACK, NETLINK_EXT_ACK, NLMSGERR_ATTR_MSG, NLA_F_NESTED = 270, 10, 11, 1, 0x8000
GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 16, 3, 1, 2
DEV_GET, PAGE_POOL_GET, PAGE_POOL_STATS_GET, QUEUE_GET, NAPI_GET, QSTATS_GET, BIND_RX, NAPI_SET, QUEUE_CREATE = 1, 5, 9, 10, 11, 12, 13, 14, 16
QSTATS_SCOPE, QSTATS_SCOPE_QUEUE = 4, 1
POOL_INFO = 1
QUEUE_ID, QUEUE_IFINDEX, QUEUE_TYPE, QUEUE_LEASE, LEASE_IFINDEX, LEASE_QUEUE = 1, 2, 3, 8, 1, 2
DMABUF_IFINDEX, DMABUF_QUEUES, DMABUF_FD = 1, 2, 3
# linux/rtnetlink.h, linux/if_link.h
RTM_NEWLINK, IFLA_IFNAME, IFLA_LINKINFO, IFLA_NUM_RX_QUEUES, IFLA_INFO_KIND, IFLA_INFO_DATA = 16, 3, 18, 32, 1, 2
IFLA_NETKIT_MODE, IFLA_NETKIT_PAIRING, NETKIT_L2, NETKIT_DEVICE_SINGLE = 5, 10, 0, 1
# linux/udmabuf.h, and the length of such memory
UDMABUF_CREATE, UDMABUF_LEN = 0x40187542, 1 << 20

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
    return answers(link, family, flags, struct.pack("=BBH", command, 1, 0) + payload)


def answers(link, kind, flags, body):
    for option in NETLINK_CAP_ACK, NETLINK_EXT_ACK:
        link.setsockopt(SOL_NETLINK, option, 1)
    link.send(struct.pack("=IHHII", 16 + len(body), kind, NLM_F_REQUEST | flags, 1, 0) + body)
    while True:
        data = link.recv(1 << 16)
        while data:
            size, kind = struct.unpack_from("=IH", data)
            error = struct.unpack_from("=i", data, 16)[0] if kind == NLMSG_ERROR else 0
            if error:
                raise OSError(-error, dict(attributes(data[36:size])).get(NLMSGERR_ATTR_MSG, b"netlink").strip(b"\0").decode())
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


def attribute(kind, value):
    """A number of 32 bits, a text, or others in it."""
    if isinstance(value, dict):
        value, kind = b"".join(attribute(*item) for item in value.items()), kind | NLA_F_NESTED
    if isinstance(value, int):
        value = struct.pack("=I", value)
    if isinstance(value, str):
        value = value.encode() + b"\0"
    return struct.pack("=HH", 4 + len(value), kind) + value.ljust((len(value) + 3) & ~3, b"\0")


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


def leases():
    found = []
    for queue in request(QUEUE_GET):
        lease = dict(attributes(queue.get(QUEUE_LEASE, b"")))
        if lease:
            other = dict(attributes(lease[LEASE_QUEUE]))
            places = (queue[QUEUE_IFINDEX], queue[QUEUE_ID], lease[LEASE_IFINDEX], other[QUEUE_ID])
            found.append([int.from_bytes(place, "little") for place in places])
    return found


def netkit(name, queues):
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE)
    link.bind((0, 0))
    data = {IFLA_NETKIT_MODE: NETKIT_L2, IFLA_NETKIT_PAIRING: NETKIT_DEVICE_SINGLE}
    wanted = {IFLA_IFNAME: name, IFLA_NUM_RX_QUEUES: int(queues), IFLA_LINKINFO: {IFLA_INFO_KIND: "netkit", IFLA_INFO_DATA: data}}
    body = bytes(16) + b"".join(attribute(*item) for item in wanted.items())
    return list(answers(link, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE_EXCL, body))


def lease(name, other, queue):
    """The number that the queue has there."""
    wanted = {
        QUEUE_IFINDEX: socket.if_nametoindex(name),
        QUEUE_TYPE: 0,
        QUEUE_LEASE: {LEASE_IFINDEX: socket.if_nametoindex(other), LEASE_QUEUE: {QUEUE_ID: int(queue), QUEUE_TYPE: 0}},
    }
    (answer,) = request(QUEUE_CREATE, b"".join(attribute(*item) for item in wanted.items()), 0)
    return int.from_bytes(answer[QUEUE_ID], "little")


def provide(name, queue):
    memory = os.memfd_create("buffers", os.MFD_ALLOW_SEALING)
    os.truncate(memory, UDMABUF_LEN)
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    with open("/dev/udmabuf", "rb") as device:
        buffers = fcntl.ioctl(device, UDMABUF_CREATE, bytearray(struct.pack("=IIQQ", memory, 0, 0, UDMABUF_LEN)))
    wanted = {DMABUF_IFINDEX: socket.if_nametoindex(name), DMABUF_FD: buffers, DMABUF_QUEUES: {QUEUE_ID: int(queue), QUEUE_TYPE: 0}}
    return list(request(BIND_RX, b"".join(attribute(*item) for item in wanted.items()), 0))


if __name__ == "__main__":
    known = {
        "pools": pools,
        "usage": usage,
        "sums": counters,
        "queues": queues,
        "devices": devices,
        "contexts": contexts,
        "defer": defer,
        "leases": leases,
        "netkit": netkit,
        "lease": lease,
        "provide": provide,
    }
    print(json.dumps(known[sys.argv[1]](*sys.argv[2:])))
