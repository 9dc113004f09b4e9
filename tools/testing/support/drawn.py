# SPDX-License-Identifier: GPL-2.0
"""Settings of an interface that are drawn by chance, and what shows all of them."""

import os
import random

from lab import driver as drivers
from support import ordered

# In one line those of which one is drawn. What cannot be, or not now, is refused.
SETTINGS = """
ip link set NIC up | ip link set NIC down
ip link set NIC down; ethtool -C NIC tx-frames 0; ip link set NIC up | ip link set NIC down; ethtool -C NIC tx-frames 1
ip link set NIC mtu 1300 | ip link set NIC mtu 1500
ip link set NIC address 02:00:00:00:00:66 | ip link set NIC address MAC
ip link set NIC promisc on | ip link set NIC promisc off
ip link set NIC allmulticast on | ip link set NIC allmulticast off
ip link set NIC txqueuelen 500 | ip link set NIC txqueuelen 1000
ethtool -C NIC tx-frames 0 | ethtool -C NIC tx-frames 1 | ethtool -C NIC tx-usecs 20 tx-frames 8
ethtool -C NIC rx-usecs 10 rx-frames 4 | ethtool -C NIC rx-usecs 0 rx-frames 0
ethtool -C NIC adaptive-rx on | ethtool -C NIC adaptive-rx off
ethtool -Q NIC queue_mask 0x2 --coalesce tx-frames 0 | ethtool -Q NIC queue_mask 0x2 --coalesce tx-frames 9
ethtool -Q NIC queue_mask 0x1 --coalesce rx-usecs 30 rx-frames 5 | ethtool -Q NIC queue_mask 0x2 --coalesce adaptive-rx on
echo N >NAPI_TX | echo Y >NAPI_TX
ethtool -G NIC rx 64 | ethtool -G NIC tx 128 | ethtool -G NIC rx 256 tx 256
ethtool -L NIC combined 1 | ethtool -L NIC combined 2 | ethtool -L NIC combined 3
ethtool -X NIC equal 1 | ethtool -X NIC weight 1 2 | ethtool -X NIC default
ethtool -N NIC rx-flow-hash udp4 sd | ethtool -N NIC rx-flow-hash udp4 sdfn
ethtool -N NIC rx-flow-hash tcp6 sd | ethtool -N NIC rx-flow-hash tcp6 sdfn
ethtool -K NIC rx-gro-hw off | ethtool -K NIC rx-gro-hw on
ethtool -K NIC rxhash off | ethtool -K NIC rxhash on
ethtool -K NIC tx off | ethtool -K NIC tx on | ethtool -K NIC sg off | ethtool -K NIC sg on
ethtool -K NIC tso off | ethtool -K NIC tso on | ethtool -K NIC gro off | ethtool -K NIC gro on
ethtool -s NIC speed 1000 duplex full | ethtool -s NIC speed 2500 duplex half
"""
SHOWN = """
ip -details link show NIC
ethtool -a NIC
ethtool -c NIC
ethtool -Q NIC queue_mask 0x7 --show-coalesce
ethtool -g NIC
ethtool -k NIC
ethtool -l NIC
ethtool -n NIC
ethtool -n NIC rx-flow-hash udp4
ethtool -n NIC rx-flow-hash tcp6
ethtool -x NIC
"""
# Devices that have most of it: all at once, rings that can be resized, and QEMU's own, which is told nothing of interrupts.
PAIRS, TABLE, KEY = 2, 8, 40
OFFERED = (
    "CSUM GUEST_CSUM CTRL_GUEST_OFFLOADS MAC GUEST_TSO4 GUEST_TSO6 MRG_RXBUF STATUS CTRL_VQ CTRL_RX CTRL_VLAN MQ CTRL_MAC_ADDR "
    "RSS NOTF_COAL VQ_NOTF_COAL DEVICE_STATS VERSION_1"
)
CONFIG = {"key_size": KEY, "table_size": TABLE, "hash_types": 0x1FF}
NAPI_TX = f"/sys/module/{drivers.RUST.name}/parameters/napi_tx"


def nics():
    return [
        ordered.made(OFFERED, PAIRS, **CONFIG),
        ordered.made(f"{OFFERED} RING_RESET", 3, way="vfio-user", **CONFIG),
        {"queues": PAIRS},
    ]


def seeds(*fixed):
    """These, and one that nobody knows yet, or SEED."""
    return [*fixed, int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 32))]


def settings(nic, chance, count):
    """So many lines for the shell, for the interface with the name `nic.name`."""
    lines = [chance.choice(line.split("|")).strip() for line in chance.choices(SETTINGS.strip().splitlines(), k=count)]
    return [line.replace("NAPI_TX", NAPI_TX).replace("NIC", nic.name).replace("MAC", nic.mac) for line in lines]


def is_up(guest, nic):
    return guest.run(f"ip link show {nic.name} | grep -q '[<,]UP[,>]'", check=False).rc == 0


def shown(guest, nic):
    """What shows each setting, also that there is none; of an interface that is up once it has its carrier."""
    if is_up(guest, nic):
        guest.wait_for_carrier(nic.name, True)
    lines = SHOWN.strip().replace("NIC", nic.name).splitlines()
    return guest.run("\n".join(f"echo '{line}:'; {line} 2>&1" for line in lines), check=False).stdout.splitlines()
