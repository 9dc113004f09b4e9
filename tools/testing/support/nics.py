# SPDX-License-Identifier: GPL-2.0
"""NICs by the properties of QEMU's device, in sets that do not contradict themselves."""

from lab import host

# Without the queue for commands there are no commands.
NO_CONTROL_QUEUE = {
    name: "off"
    for name in (
        "ctrl_vq",
        "ctrl_rx",
        "ctrl_rx_extra",
        "ctrl_vlan",
        "ctrl_mac_addr",
        "ctrl_guest_offloads",
        "guest_announce",
    )
}

# A device that completes no checksums segments no packets, and one that has to complete them gets no GSO packets.
NO_CSUM = {
    name: "off"
    for name in (
        "csum",
        "host_tso4",
        "host_tso6",
        "host_ecn",
        "host_ufo",
        "host_uso",
        "host_tunnel",
        "host_tunnel_csum",
    )
}

# The guest gets no GSO packets.
NO_GUEST_GSO = {
    name: "off"
    for name in (
        "guest_tso4",
        "guest_tso6",
        "guest_ecn",
        "guest_ufo",
        "guest_uso4",
        "guest_uso6",
        "guest_tunnel",
        "guest_tunnel_csum",
    )
}
NO_GUEST_CSUM = NO_GUEST_GSO | {"guest_csum": "off", "ctrl_guest_offloads": "off"}

NO_TUNNEL = {name: "off" for name in ("guest_tunnel", "host_tunnel", "guest_tunnel_csum", "host_tunnel_csum")}

# A packet is spread over several receive buffers, has one large one, or has one that suffices for Ethernet.
MERGEABLE = {}
BIG = {"mrg_rxbuf": "off"}
SMALL = {"mrg_rxbuf": "off"} | NO_GUEST_GSO
LEGACY = {"disable-modern": "on"}
MODERN = {"disable-legacy": "on"}
PACKED = {"packed": "on"}


# What a TAP takes: it counts the Ethernet header too.
TAP_MTU = 65521


def set_mtu(guest, nic, mtu):
    """At both ends."""
    guest.run(["ip", "link", "set", guest.interface(nic), "mtu", mtu])
    host.run("ip", "link", "set", nic.tap, "mtu", str(min(mtu, TAP_MTU)))


def tap_has_gso(nic):
    """Whether the host may send GSO packets to a guest."""
    return "tcp-segmentation-offload: on" in host.run("ethtool", "-k", nic.tap).stdout


def queue_size(guest, nic, queue):
    """What QEMU has for the size of a queue that the driver has set up."""
    path = f"/machine/peripheral/{nic.id}/virtio-backend"
    return guest.qmp("x-query-virtio-queue-status", path=path, queue=queue)["vring-num"]


def interrupts(guest, device):
    """The lines of /proc/interrupts that belong to a device on the virtio bus."""
    return interrupts_of(device, guest.read("/proc/interrupts"))


def interrupts_of(device, text):
    return [line for line in text.splitlines() if f" {device}-" in line or line.endswith(f" {device}")]
