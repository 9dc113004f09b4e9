# SPDX-License-Identifier: GPL-2.0
"""What the C driver has, read from its source, so that no operation is left without a question."""

import re

from lab.paths import LINUX

SOURCE = LINUX / "drivers/net/virtio_net.c"
OPERATIONS = re.compile(r"^static const struct (?:net_device_ops|ethtool_ops) \w+ = \{(.*?)^\};", re.MULTILINE | re.DOTALL)
MEMBER = re.compile(r"^\s*\.(\w+)\s*=", re.MULTILINE)
COMMAND = re.compile(r"\b(VIRTIO_NET_CTRL_\w+)\b")
# A class of commands, not a command; and what is told, not asked.
NO_COMMANDS = re.compile(r"VIRTIO_NET_CTRL_(RX|MAC|VLAN|ANNOUNCE|MQ|GUEST_OFFLOADS|NOTF_COAL|STATS)$|.*_(MIN|MAX)$")
# Not an operation, but what one of them is given.
DATA = {"supported_coalesce_params"}
# Answers to these can only be had from a device that QEMU does not have.
NO_DEVICE = {
    "VIRTIO_NET_CTRL_STATS_QUERY": "no device of QEMU's has statistics",
    "VIRTIO_NET_CTRL_STATS_GET": "no device of QEMU's has statistics",
    "VIRTIO_NET_CTRL_NOTF_COAL_VQ_SET": "no device of QEMU's coalesces notifications",
    "VIRTIO_NET_CTRL_NOTF_COAL_VQ_GET": "no device of QEMU's coalesces notifications",
    "VIRTIO_NET_CTRL_NOTF_COAL_TX_SET": "no device of QEMU's coalesces notifications",
    "VIRTIO_NET_CTRL_NOTF_COAL_RX_SET": "no device of QEMU's coalesces notifications",
}


def operations():
    text = SOURCE.read_text()
    found = {name for body in OPERATIONS.findall(text) for name in MEMBER.findall(body)} - DATA
    return found | {name for name in COMMAND.findall(text) if not NO_COMMANDS.match(name)}


def without_question(questions):
    asked = {name for question in questions for name in question.of.split()}
    return sorted(operations() - asked - set(NO_DEVICE))
