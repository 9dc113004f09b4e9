# SPDX-License-Identifier: GPL-2.0
"""DPDK, which has NICs by AF_XDP: its program for tests forwards all that comes from one to the other, with the addresses the other way
round.
"""

import signal

import pytest

from lab.paths import layer
from support import counters, exchange
from support.kernel_log import no_errors  # noqa: F401
from support.nics import PACKED

LENGTHS = (60, 64, 128, 224, 225, 1000, 1514)
# Its memory is of huge pages: packets begin anywhere in it, and the kernel wants each of them in one piece.
HUGE_PAGES = 64
FORWARDING = ["--forward-mode=macswap", "--total-num-mbufs=8192", "--stats-period=1"]


@pytest.fixture(scope="module")
def guest(boot, driver):
    tools = layer("dpdk") / "dpdk.tar"
    with boot(nics=[{"queues": 2}, PACKED], files=[tools]) as guest:
        driver.load(guest)
        guest.run(f"tar -C / -xf /payload/{tools.name} && mount -t bpf none /sys/fs/bpf")
        guest.run(f"echo {HUGE_PAGES} >/proc/sys/vm/nr_hugepages")
        for nic in guest.nics:
            guest.bring_up(nic)
        # All has to come to the one queue of a NIC that it is told of.
        guest.run(["ethtool", "-L", guest.interface(guest.nics[0]), "combined", 1])
        yield guest


def forwarding(guest):
    """The program, which ends when it is interrupted."""
    names = [guest.interface(nic) for nic in guest.nics]
    devices = [word for number, name in enumerate(names) for word in ("--vdev", f"net_af_xdp{number},iface={name}")]
    options = ["--in-memory", "--no-pci", "--no-telemetry", "-l", "0,1"]
    return guest.spawn(["dpdk-testpmd", *options, *devices, "--", *FORWARDING])


def test_forward(guest):
    """Both ways. It polls busily: the kernel wakes up neither queue for it."""
    one, other = guest.nics
    names = [guest.interface(nic) for nic in guest.nics]
    before = [counters.ethtool(guest, name) for name in names]
    with forwarding(guest) as program:
        program.says("Port statistics")
        for _ in range(4):
            exchange.frames_echo(one, 4 * LENGTHS, ends=other)
            exchange.frames_echo(other, 4 * LENGTHS, ends=one)
        program.stop(signal.SIGINT)
        program.wait()
    for name, counted in zip(names, before, strict=True):
        after = counters.ethtool(guest, name)
        # Counted where nothing is copied. Other packets of the host's are forwarded too.
        for counter in ("rx_xdp_redirects", "tx_xdp_tx"):
            assert after[counter] - counted[counter] >= 16 * len(LENGTHS), counter
        assert after["tx_xdp_tx_drops"] == counted["tx_xdp_tx_drops"]
        # It has queues polled all the time. The device is told of chunks that are lent.
        kicks, received = (after[counter] - counted[counter] for counter in ("rx_kicks", "rx_xdp_packets"))
        assert kicks <= received + 64
        assert "prog/xdp" not in guest.run(["ip", "link", "show", "dev", name]).stdout
    for nic in guest.nics:
        exchange.reaches(nic)
