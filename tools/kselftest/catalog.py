# SPDX-License-Identifier: GPL-2.0
"""Which of the kernel's tests are run, for how long, and on which devices."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Test:
    """A test by its path in the kernel's tools/testing/selftests.

    limit     seconds that it may take, emulated and on a busy machine
    required  part of `make kselftest`; the others run when KSELFTEST asks for them
    unjudged  why not to judge subtests, by patterns of their names
    bare      the interface is down and has no address when the test starts
    alone     why no other guest may run beside it, if so
    arguments words behind its name; {nic} and {mate} are interfaces
    nic       properties that the device needs besides those of the setup
    mate      there is a second NIC with the same driver instead of another machine
    """

    path: str
    limit: int = 300
    required: bool = True
    unjudged: dict[str, str] = field(default_factory=dict, hash=False)
    bare: bool = False
    alone: str = ""
    arguments: tuple[str, ...] = ()
    nic: dict[str, str] = field(default_factory=dict, hash=False)
    mate: bool = False


@dataclass(frozen=True)
class Setup:
    """A guest and its device under test: QEMU's properties, and those of `lab.nic`."""

    name: str
    text: str
    nic: dict[str, object]


# Of four pairs, a driver uses three at first: one for each CPU of the guest.
SETUPS = (
    Setup("1q", "one pair of queues", {}),
    Setup("mq", "four pairs of queues", {"queues": 4}),
)

WHERE = "further chunks begin where the device puts them, in front of where the test looks, by the length of its header; C skips it"
FAST = "4096 packets, one by one, must arrive within three seconds"
RATE = "it wants 4000 packets in each second"
DUMP = "this driver has a dump of registers, which is a subtest with another name, and passes"
TIMED = "a packet must arrive within milliseconds of a given time"
SLOW = "packets must arrive without a pause; kselftest ignores it on machines that it is told are slow"

# Those that move packets, or configure how they move.
DATA_PATH = (
    Test("drivers/net/ping.py"),
    Test("drivers/net/queues.py"),
    Test("drivers/net/stats.py"),
    Test("drivers/net/ring_reconfig.py"),
    Test("drivers/net/napi_id.py"),
    Test("drivers/net/napi_threaded.py"),
    Test("drivers/net/gro.py", limit=900, unjudged={"gro.test.*_large_*": SLOW}),
    Test("drivers/net/hds.py"),
    Test("drivers/net/macsec.py"),
    Test("drivers/net/xdp.py", limit=900),
    Test("drivers/net/so_txtime.py", unjudged={"so_txtime.*": TIMED}, alone=TIMED),
    Test("drivers/net/hw/csum.py", alone="a hundred packets must arrive within two seconds from when the receiver starts"),
    Test("drivers/net/hw/tso.py"),
    Test("drivers/net/hw/uso.py"),
    Test("drivers/net/hw/gro_hw.py"),
    Test("drivers/net/hw/irq.py"),
    Test("drivers/net/hw/pp_alloc_fail.py", unjudged={"pp_alloc_fail.test_pp_alloc": RATE}, alone=RATE),
    Test("drivers/net/hw/xdp_metadata.py", limit=900),
    Test("drivers/net/hw/nk_netns.py"),
    Test("drivers/net/hw/nk_qlease.py"),
    Test("net/netdevice.sh", bare=True, unjudged={"*: ethtool dump not supported": DUMP}),
    Test("net/vlan_hw_filter.sh"),
)

# Those of what comes on top: receive side scaling, and memory of other owners.
FURTHER = tuple(
    Test(path, required=False, limit=900)
    for path in (
        "drivers/net/shaper.py",
        "drivers/net/hw/devmem.py",
        "drivers/net/hw/ethtool_std_stats.sh",
        "drivers/net/hw/iou-zcrx.py",
        "drivers/net/hw/nic_timestamp.py",
        "drivers/net/hw/ntuple.py",
        "drivers/net/hw/rss_api.py",
        "drivers/net/hw/rss_ctx.py",
        "drivers/net/hw/rss_drv.py",
        "drivers/net/hw/rss_flow_label.py",
        "drivers/net/hw/rss_input_xfrm.py",
        "drivers/net/hw/toeplitz.py",
    )
)

# Those of AF_XDP. The C driver has it without copies only so.
DMA = {"iommu_platform": "on", "disable-legacy": "on"}
SOCKETS = (
    Test(
        "bpf/xskxceiver",
        required=False,
        limit=600,
        unjudged={
            "* HW_SW_*_RING_SIZE": FAST,
            "ZC *_INV_DESC_MULTI_BUFF": WHERE,
            "ZC SEND_RECEIVE*_9K_PACKETS": WHERE,
            "ZC XDP_ADJUST_TAIL_GROW_MULTI_BUFF": WHERE,
        },
        arguments=("-i", "{nic}", "-i", "{mate}"),
        nic=DMA,
        mate=True,
    ),
    Test("drivers/net/hw/xsk_reconfig.py", required=False, nic=DMA),
)

KNOWN = DATA_PATH + FURTHER + SOCKETS


def chosen(wanted):
    """The tests that KSELFTEST asks for: part of a path, `all`, or nothing for those that are required."""
    if not wanted:
        return DATA_PATH
    return tuple(test for test in KNOWN if wanted == "all" or wanted in test.path)


def named(paths):
    """Those with these paths, in their order."""
    tests = {test.path: test for test in KNOWN}
    return [tests[path] for path in paths]
