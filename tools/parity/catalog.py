# SPDX-License-Identifier: GPL-2.0
"""The questions: commands for the guest's shell, in the order in which they are put. NIC stands for the interface."""

from dataclasses import dataclass

from parity import own
from testing.support.nics import LEGACY, NO_CONTROL_QUEUE, PACKED

# The guest has something to announce: addresses of IPv4 and no packets of its own.
QUIET = "sysctl -q net.ipv6.conf.NIC.disable_ipv6=1; ip address add 198.51.100.7/24 dev NIC; ip link set NIC up"
SENT = "n=$(cat /sys/class/net/NIC/statistics/tx_packets); sleep 2; test $(cat /sys/class/net/NIC/statistics/tx_packets) -gt $n"
CARRIER = "timeout 20 sh -c 'until grep {} /sys/class/net/NIC/carrier; do sleep 0.1; done'"
ROUNDS = {"initial": 700, "max": 700, "rounds": 5, "step": 100}
# Properties of QEMU's device, or what makes another one.
SETUPS = {
    "plain": {},
    "mq": {"queues": 4},
    "rss": {"queues": 4, "rss": "on", "hash": "on"},
    "legacy": LEGACY,
    "packed": PACKED,
    "small": {"mrg_rxbuf": "off", **{f"guest_{name}": "off" for name in ("tso4", "tso6", "ecn", "ufo", "uso4", "uso6")}},
    "no commands": NO_CONTROL_QUEUE,
    "speed": {"speed": "10000", "duplex": "full"},
    "mtu": {"host_mtu": "1400"},
    own.NAME: own.made,
}


@dataclass(frozen=True)
class Question:
    """`of` are the operations of the C driver that it goes through, and the commands to the device."""

    of: str
    command: str
    setup: str = "plain"
    # Whether what QEMU has in its receive filter is part of the answer.
    filter: bool = False
    # What QEMU is told first, over QMP.
    monitor: tuple[str, dict] | None = None

    @property
    def name(self):
        return f"{self.command} ({self.setup})"


def each(of, commands, setup="plain", **options):
    return [Question(of, command, setup, **options) for command in commands.strip().splitlines()]


QUESTIONS = [
    # --- The interface ------------------------------------------------------------
    *(Question("feature bits", "cat /sys/class/net/NIC/device/features", setup) for setup in SETUPS),
    *(Question("probe", "ip -details -oneline link show NIC", setup) for setup in SETUPS),
    *(Question("probe", "ethtool -k NIC", setup) for setup in SETUPS),
    *each(
        "ndo_open ndo_stop ndo_start_xmit ndo_get_stats64",
        """
ip link set NIC up && timeout 20 sh -c 'until grep -x up /sys/class/net/NIC/operstate; do sleep 0.1; done'
ip link set NIC down && cat /sys/class/net/NIC/operstate /sys/class/net/NIC/carrier
ip link set NIC up && cat /sys/class/net/NIC/carrier
ls /sys/class/net/NIC/statistics
""",
    ),
    *each(
        "ndo_validate_addr ndo_set_mac_address VIRTIO_NET_CTRL_MAC_ADDR_SET",
        """
ip link set NIC address 01:00:00:00:00:01
ip link set NIC address 00:00:00:00:00:00
ip link set NIC address 02:00:00:00:00:77 && cat /sys/class/net/NIC/address
cat /sys/class/net/NIC/addr_assign_type
""",
        filter=True,
    ),
    *each(
        "ndo_set_mac_address",
        """
ip link set NIC address 02:00:00:00:00:78; cat /sys/class/net/NIC/address
""",
        "legacy",
        filter=True,
    ),
    *each(
        "ndo_set_mac_address",
        """
ip link set NIC address 02:00:00:00:00:79; cat /sys/class/net/NIC/address
""",
        "no commands",
    ),
    *each(
        "ndo_set_rx_mode VIRTIO_NET_CTRL_RX_PROMISC VIRTIO_NET_CTRL_RX_ALLMULTI VIRTIO_NET_CTRL_MAC_TABLE_SET",
        """
ip link set NIC promisc on
ip link set NIC promisc off
ip link set NIC allmulticast on
ip link set NIC allmulticast off
ip maddress add 01:00:5e:01:02:03 dev NIC
ip maddress del 01:00:5e:01:02:03 dev NIC
ip link add link NIC name mac0 address 02:00:00:00:01:01 type macvlan && ip link set mac0 up
ip link delete mac0
for i in $(seq 10 90); do ip maddress add 01:00:5e:01:02:$i dev NIC; done
for i in $(seq 10 90); do ip maddress del 01:00:5e:01:02:$i dev NIC; done
""",
        filter=True,
    ),
    *each("ndo_set_rx_mode", "ip link set NIC promisc on; ip link set NIC promisc off", "no commands"),
    *each(
        "ndo_vlan_rx_add_vid ndo_vlan_rx_kill_vid VIRTIO_NET_CTRL_VLAN_ADD VIRTIO_NET_CTRL_VLAN_DEL",
        """
ip link set NIC up && ip link add link NIC name vlan7 type vlan id 7
ip link add link NIC name vlan4094 type vlan id 4094
ip link delete vlan7; ip link delete vlan4094
""",
        filter=True,
    ),
    Question("VIRTIO_NET_CTRL_ANNOUNCE_ACK", QUIET, "packed"),
    Question("VIRTIO_NET_CTRL_ANNOUNCE_ACK", SENT, "packed"),
    Question("VIRTIO_NET_CTRL_ANNOUNCE_ACK", SENT, "packed", monitor=("announce-self", ROUNDS)),
    *(
        Question("config_changed", wait, "packed", monitor=("set_link", {"up": up}))
        for up, wait in ((False, CARRIER.format(0)), (True, CARRIER.format(1)))
    ),
    *each(
        "MTU",
        """
ip link set NIC mtu 67
ip link set NIC mtu 68 && cat /sys/class/net/NIC/mtu
ip link set NIC mtu 65535 && cat /sys/class/net/NIC/mtu
ip link set NIC mtu 65536
ip link set NIC mtu 1500
""",
    ),
    *each("MTU", "ip link set NIC mtu 1401\nip link set NIC mtu 1400 && cat /sys/class/net/NIC/mtu", "mtu"),
    *each(
        "ndo_set_features ndo_features_check VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET",
        """
ethtool -K NIC rx-gro-hw off; ethtool -k NIC
ethtool -K NIC rx-gro-hw on; ethtool -k NIC
ethtool -K NIC rx off; ethtool -k NIC
ethtool -K NIC rx on; ethtool -k NIC
ethtool -K NIC tx off; ethtool -k NIC
ethtool -K NIC tx on; ethtool -k NIC
ethtool -K NIC lro on; ethtool -k NIC
ethtool -K NIC ntuple on
ethtool -K NIC rxvlan on
""",
    ),
    Question("ndo_set_features", "ethtool -K NIC rx-gro-hw on", "small"),
    *each("ndo_get_phys_port_name", "cat /sys/class/net/NIC/phys_port_name"),
    *each("ndo_tx_timeout", "cat /sys/class/net/NIC/queues/tx-0/tx_timeout /proc/sys/net/core/netdev_budget"),
    *each(
        "ndo_bpf ndo_xdp_xmit ndo_xsk_wakeup",
        "ip -details link show NIC | grep -o 'xdp[a-z_]*'; bpftool net show dev NIC",
    ),
    # --- ethtool ------------------------------------------------------------------
    *each("get_drvinfo", "ethtool -i NIC"),
    *each("get_link", "ethtool NIC | grep Link"),
    *each(
        "get_link_ksettings set_link_ksettings",
        """
ethtool NIC
ethtool -s NIC speed 1000 duplex full; ethtool NIC
ethtool -s NIC speed 1000 duplex half; ethtool NIC
ethtool -s NIC autoneg on
ethtool -s NIC port tp
ethtool -s NIC speed 4294967295
ethtool -r NIC
""",
    ),
    *each(
        "get_link_ksettings set_link_ksettings",
        """
ip link set NIC up; timeout 20 sh -c 'until ethtool NIC | grep -q 10000Mb; do sleep 0.1; done'; ethtool NIC
ethtool -s NIC speed 100; ethtool NIC
""",
        "speed",
    ),
    *each(
        "get_ringparam set_ringparam",
        """
ethtool -g NIC
ethtool -G NIC rx 128; ethtool -g NIC
ethtool -G NIC tx 128; ethtool -g NIC
ethtool -G NIC rx 256 tx 256; ethtool -g NIC
ethtool -G NIC rx 257
ethtool -G NIC rx 0
ethtool -G NIC rx 100; ethtool -g NIC
ethtool -G NIC rx 256
ethtool -G NIC rx-mini 1
ethtool -G NIC rx-buf-len 4096
ethtool -G NIC tcp-data-split on
""",
    ),
    Question("set_ringparam", "ethtool -G NIC rx 128", "legacy"),
    *each(
        "get_channels set_channels VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET",
        """
ethtool -l NIC
ethtool -L NIC combined 1; ethtool -l NIC
ethtool -L NIC combined 4; ethtool -l NIC
ethtool -L NIC combined 0
ethtool -L NIC combined 5
ethtool -L NIC rx 1
ethtool -L NIC tx 1
ethtool -L NIC other 1
ethtool -L NIC combined 2; ethtool -l NIC
ls /sys/class/net/NIC/queues
""",
        "mq",
    ),
    *each("get_channels set_channels", "ethtool -l NIC\nethtool -L NIC combined 2"),
    *(Question("get_strings get_sset_count get_ethtool_stats", "ethtool -S NIC", setup) for setup in ("plain", "mq")),
    *each("get_ts_info", "ethtool -T NIC"),
    *each(
        "get_coalesce set_coalesce VIRTIO_NET_CTRL_NOTF_COAL_TX_SET VIRTIO_NET_CTRL_NOTF_COAL_RX_SET",
        """
ethtool -c NIC
ip link set NIC down && ethtool -C NIC tx-frames 0; ethtool -c NIC
ethtool -C NIC tx-frames 1; ethtool -c NIC
ip link set NIC up && ethtool -C NIC tx-frames 0
ethtool -C NIC tx-frames 2
ethtool -C NIC rx-frames 0
ethtool -C NIC rx-frames 2
ethtool -C NIC rx-usecs 10
ethtool -C NIC tx-usecs 10
ethtool -C NIC adaptive-rx on
ethtool -C NIC adaptive-tx on
ethtool -C NIC rx-usecs-irq 1
""",
    ),
    *each(
        "get_per_queue_coalesce set_per_queue_coalesce VIRTIO_NET_CTRL_NOTF_COAL_VQ_SET VIRTIO_NET_CTRL_NOTF_COAL_VQ_GET",
        """
ethtool -Q NIC queue_mask 0x1 --show-coalesce
ethtool -Q NIC queue_mask 0x100 --show-coalesce
ethtool -Q NIC queue_mask 0x1 --coalesce tx-frames 1
ethtool -Q NIC queue_mask 0x1 --coalesce rx-usecs 10
ethtool -Q NIC queue_mask 0x1 --coalesce rx-frames 2
ethtool -Q NIC queue_mask 0x10 --coalesce rx-frames 1
""",
        "mq",
    ),
    *each(
        "get_coalesce set_coalesce VIRTIO_NET_CTRL_NOTF_COAL_TX_SET VIRTIO_NET_CTRL_NOTF_COAL_RX_SET",
        """
ip link set NIC up && ethtool -c NIC
ethtool -C NIC rx-usecs 10 rx-frames 4 tx-usecs 20 tx-frames 8; ethtool -c NIC
ethtool -C NIC rx-usecs 4294967295; ethtool -c NIC
ethtool -C NIC rx-usecs 4294967296
ethtool -C NIC rx-usecs 10 rx-usecs-irq 1
ethtool -C NIC tx-frames 0; ethtool -c NIC
ethtool -C NIC adaptive-rx on rx-usecs 11; ethtool -c NIC
ethtool -C NIC adaptive-rx on; ethtool -c NIC
ethtool -C NIC rx-usecs 11; ethtool -c NIC
ethtool -C NIC adaptive-tx on
ethtool -C NIC adaptive-rx off rx-usecs 12; ethtool -c NIC
""",
        own.NAME,
    ),
    *each(
        "get_per_queue_coalesce set_per_queue_coalesce VIRTIO_NET_CTRL_NOTF_COAL_VQ_SET VIRTIO_NET_CTRL_NOTF_COAL_VQ_GET",
        """
ethtool -Q NIC queue_mask 0x3 --show-coalesce
ethtool -Q NIC queue_mask 0x2 --coalesce rx-usecs 30 rx-frames 5 tx-usecs 40 tx-frames 9; ethtool -Q NIC queue_mask 0x3 --show-coalesce
ethtool -Q NIC queue_mask 0x1 --coalesce adaptive-rx on; ethtool -Q NIC queue_mask 0x3 --show-coalesce
ethtool -Q NIC queue_mask 0x1 --coalesce rx-usecs 31; ethtool -Q NIC queue_mask 0x3 --show-coalesce
ethtool -Q NIC queue_mask 0x1 --coalesce adaptive-rx off; ethtool -Q NIC queue_mask 0x3 --show-coalesce
ethtool -Q NIC queue_mask 0x2 --coalesce tx-frames 0; ethtool -Q NIC queue_mask 0x3 --show-coalesce
ethtool -Q NIC queue_mask 0x4 --show-coalesce
ethtool -Q NIC queue_mask 0x4 --coalesce rx-usecs 1
ethtool -C NIC rx-usecs 1; ethtool -Q NIC queue_mask 0x3 --show-coalesce
""",
        own.NAME,
    ),
    *each(
        "get_strings get_sset_count get_ethtool_stats VIRTIO_NET_CTRL_STATS_QUERY VIRTIO_NET_CTRL_STATS_GET",
        """
ethtool -S NIC
ethtool -L NIC combined 2; ethtool -S NIC | grep _hw_
ethtool -L NIC combined 1; ethtool -S NIC | grep _hw_
""",
        own.NAME,
    ),
    *each(
        "get_rxfh set_rxfh set_rxfh_fields VIRTIO_NET_CTRL_MQ_RSS_CONFIG",
        """
ethtool -L NIC combined 2; ethtool -x NIC | sed 's/..:.*/KEY/'
ethtool -X NIC equal 1; ethtool -x NIC | sed 's/..:.*/KEY/'
ethtool -X NIC hkey 01:02:03
ethtool -X NIC weight 0 1; ethtool -x NIC | sed 's/..:.*/KEY/'
ethtool -N NIC rx-flow-hash tcp6 sd; ethtool -n NIC rx-flow-hash tcp6
ethtool -N NIC rx-flow-hash udp4 r; ethtool -n NIC rx-flow-hash udp4
""",
        own.NAME,
    ),
    Question("get_link_ksettings", "timeout 20 sh -c 'until ethtool NIC | grep -q 10000Mb; do sleep 0.1; done'; ethtool NIC", own.NAME),
    *each(
        "get_rxfh_key_size get_rxfh_indir_size get_rxfh set_rxfh get_rx_ring_count VIRTIO_NET_CTRL_MQ_RSS_CONFIG",
        """
ip link set NIC up && ethtool -x NIC | sed 's/..:.*/KEY/'
ethtool -L NIC combined 4; ethtool -x NIC | sed 's/..:.*/KEY/'
ethtool -X NIC equal 2; ethtool -x NIC | sed 's/..:.*/KEY/'
ethtool -X NIC weight 1 2 3 1; ethtool -x NIC | sed 's/..:.*/KEY/'
ethtool -X NIC equal 5
ethtool -X NIC equal 0
ethtool -X NIC hkey 01:02:03
ethtool -X NIC hkey $(printf '%02x:' $(seq 1 39))28; ethtool -x NIC
ethtool -X NIC hfunc xor
ethtool -X NIC hfunc crc32
ethtool -X NIC default; ethtool -x NIC
ethtool -X NIC xfrm symmetric-xor
ethtool -X NIC context new equal 2
ethtool -L NIC combined 2; ethtool -x NIC
ethtool -K NIC rxhash on; ethtool -k NIC | grep receive-hashing
ethtool -K NIC rxhash off; ethtool -k NIC | grep receive-hashing
ethtool -K NIC rxhash on
""",
        "rss",
    ),
    *each(
        "get_rxfh_fields set_rxfh_fields VIRTIO_NET_CTRL_MQ_HASH_CONFIG",
        "\n".join(
            f"ethtool -n NIC rx-flow-hash {flow}"
            for flow in ("tcp4", "tcp6", "udp4", "udp6", "sctp4", "ah4", "ether", "ip4", "ip6")
        )
        + """
ethtool -N NIC rx-flow-hash tcp4 sd; ethtool -n NIC rx-flow-hash tcp4
ethtool -N NIC rx-flow-hash tcp4 sdfn; ethtool -n NIC rx-flow-hash tcp4
ethtool -N NIC rx-flow-hash udp4 sdfn; ethtool -n NIC rx-flow-hash udp4
ethtool -N NIC rx-flow-hash udp6 sdfn; ethtool -n NIC rx-flow-hash udp6
ethtool -N NIC rx-flow-hash udp4 s
ethtool -N NIC rx-flow-hash tcp4 v
ethtool -N NIC rx-flow-hash sctp4 sd
ethtool -N NIC flow-type tcp4 dst-port 80 action 1
""",
        "rss",
    ),
    *each("get_rxfh set_rxfh", "ethtool -x NIC\nethtool -X NIC equal 1\nethtool -n NIC rx-flow-hash tcp4", "plain"),
    *each("get_rxfh set_rxfh", "ethtool -x NIC\nethtool -X NIC equal 1\nethtool -n NIC rx-flow-hash tcp4", "mq"),
    # What neither driver has.
    *each(
        "operations that C lacks",
        """
ethtool -a NIC
ethtool -A NIC rx on
ethtool -e NIC
ethtool -d NIC
ethtool -m NIC
ethtool -p NIC 1
ethtool -t NIC
ethtool --show-eee NIC
ethtool --show-fec NIC
ethtool --show-priv-flags NIC
ethtool --get-dump NIC
ethtool --reset NIC all
""",
    ),
    # --- Module and sysfs ---------------------------------------------------------
    *each(
        "parameters",
        """
cd /sys/module/MODULE/parameters && grep . napi_weight csum gso napi_tx
cd /sys/module/MODULE/parameters && stat -c '%n %a' napi_weight csum gso napi_tx
""",
    ),
    *each(
        "sysfs",
        """
ls -d /sys/class/net/NIC/queues/rx-0/* /sys/class/net/NIC/queues/tx-0/*
cat /sys/class/net/NIC/queues/rx-0/virtio_net/mergeable_rx_buffer_size
""",
    ),
    *each("sysfs", "cat /sys/class/net/NIC/queues/rx-0/virtio_net/mergeable_rx_buffer_size", "small"),
]
