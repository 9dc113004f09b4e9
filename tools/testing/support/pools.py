# SPDX-License-Identifier: GPL-2.0
"""Prints the kernel's page pools as JSON. Runs in the guest; those without a network device are not seen.

One that was given up while pages of it were in use stays until the last page is back: it has `detached`.
"""

import json
import socket
import struct

NETLINK_GENERIC = 16
# linux/netlink.h, linux/genetlink.h, linux/netdev.h
NLMSG_ERROR, NLMSG_DONE, NLM_F_REQUEST, NLM_F_DUMP = 2, 3, 0x001, 0x300
GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 16, 3, 1, 2
NETDEV_CMD_PAGE_POOL_GET = 5
POOL_ATTRIBUTES = {1: "id", 2: "ifindex", 4: "inflight", 6: "detached"}


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
            if kind == NLMSG_ERROR:
                raise OSError(-struct.unpack_from("=i", data, 16)[0], "netlink")
            if kind == NLMSG_DONE:
                return
            yield dict(attributes(data[20:size]))
            data = data[(size + 3) & ~3 :]
        if not flags:
            return


def pools():
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
    link.bind((0, 0))
    name = struct.pack("=HH7sx", 11, CTRL_ATTR_FAMILY_NAME, b"netdev\0")
    (family,) = ask(link, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0, name)
    (number,) = struct.unpack("=H", family[CTRL_ATTR_FAMILY_ID])
    for pool in ask(link, number, NETDEV_CMD_PAGE_POOL_GET, NLM_F_DUMP):
        yield {name: int.from_bytes(pool[kind], "little") for kind, name in POOL_ATTRIBUTES.items() if kind in pool}


print(json.dumps(list(pools())))
