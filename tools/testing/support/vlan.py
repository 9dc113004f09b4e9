# SPDX-License-Identifier: GPL-2.0
"""VLAN tags on a link: the guest has a VLAN device, the host puts them on and off at its TAP, by BPF."""

from support import bpf

# That of the BPF program.
ID = 5


def build(folder):
    """Returns what `tagged` needs."""
    return bpf.build("vlan_tag", folder)


def tagged(nic, program):
    """For a `with` block, all that leaves the host's end of a NIC has a tag, and all that comes must have one."""
    return bpf.attached(nic, program, egress="tc/push", ingress="tc/pop")
