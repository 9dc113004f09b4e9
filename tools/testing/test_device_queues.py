# SPDX-License-Identifier: GPL-2.0
"""A device of our own with more pairs of queues than the guest uses: those that are not used work all the same."""

import json
from pathlib import Path

import pytest

from lab import driver as drivers
from lab.agent import PYTHON
from support import bypass, counters, exchange, faults, ordered, queues
from support.kernel_log import no_errors  # noqa: F401

PLAIN = "MAC STATUS CTRL_VQ VERSION_1 MQ"
DEVICES = {
    "small": PLAIN,
    "chained": PLAIN + " GUEST_CSUM GUEST_TSO4 INDIRECT_DESC",
    "mergeable": PLAIN + " MRG_RXBUF EVENT_IDX",
}
NAMES = list(DEVICES)
CPUS, PAIRS = 2, 4


@pytest.fixture(scope="module")
def guest(boot, driver):
    # With vhost-user all queues share one interrupt, so any of them has the driver look at all.
    nics = [ordered.made(names, PAIRS, way="vfio-user") for names in DEVICES.values()]
    with faults.serving(boot, driver, nics, files=[counters.NETDEV], cpus=CPUS) as guest:
        yield guest


@pytest.fixture(params=NAMES)
def nic(guest, request):
    return guest.nics[NAMES.index(request.param)]


def test_delivered_to_any_queue(guest, nic):
    """Whatever the driver has told the device; also when the interface has been down, and when there were fewer."""
    assert queues.used(guest, nic.name) == (CPUS, PAIRS)
    for pair in range(PAIRS):
        ordered.echo(nic, 200, queue=2 * pair)
    guest.run(["ip", "link", "set", nic.name, "down"])
    queues.use(guest, nic.name, 1)
    guest.bring_up(nic)
    for pair in range(PAIRS):
        ordered.echo(nic, 200, queue=2 * pair)
    queues.use(guest, nic.name, CPUS)
    exchange.everything(guest, nic)


def test_given_back_while_down(guest, nic):
    """A packet of a queue that is not used any more comes back while the interface is down: it is sent, and counts."""
    pair, size = PAIRS - 1, 1400
    folder = f"/sys/class/net/{nic.name}/queues"

    def sent():
        return counters.link(guest, nic.name)["tx_bytes"]

    queues.use(guest, nic.name, PAIRS)
    exchange.reaches(nic)
    # All is sent through this one, and nothing by itself.
    guest.run(f"echo 1 >/proc/sys/net/ipv6/conf/{nic.name}/disable_ipv6")
    guest.run(f"cd {folder}; for i in tx-*; do echo 0 >$i/xps_cpus; done; echo {(1 << CPUS) - 1:x} >tx-{pair}/xps_cpus")
    guest.run(f"echo 1000000 >{folder}/tx-{pair}/byte_queue_limits/limit_min")
    nic.order("stop", queue=2 * pair + 1, on=True)
    guest.run(["ping", "-n", "-q", "-c", 1, "-W", 1, "-s", size, nic.host4], check=False)
    queues.use(guest, nic.name, CPUS)
    guest.run(["ip", "link", "set", nic.name, "down"])
    before = sent()
    nic.order("stop", queue=2 * pair + 1, on=False)
    # It is heard in vain.
    nic.order("interrupt", queue=2 * pair + 1, count=1)
    guest.run(["ip", "link", "set", nic.name, "up"])
    # What is found besides is shorter.
    faults.wait(lambda: sent() > before + size, "what the device has given back stays in the ring")
    guest.run(f"echo 0 >/proc/sys/net/ipv6/conf/{nic.name}/disable_ipv6")
    guest.bring_up(nic)
    exchange.reaches(nic)
    exchange.everything(guest, nic)


# Sends frames that say their number, and are of one kind or the other in turn.
IN_TURN = """
import socket, sys
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
link.bind((sys.argv[1], 0))
for i in range(int(sys.argv[2])):
    link.send(bytes.fromhex("02000000ffff02000000fffe") + (b"\\x88\\xf0", b"\\x88\\xf1")[i % 2] + bytes([i]) * 50)
"""
KINDS = b"\x88\xf0", b"\x88\xf1"


@pytest.fixture
def mapped(guest):
    """A device whose packets of the second kind a filter has sent through the second queue, and all others go through the
    first."""
    nic = guest.nics[NAMES.index("mergeable")]
    lines = [
        f"cd /sys/class/net/{nic.name}/queues && echo 0 >tx-1/xps_cpus && echo 3 >tx-0/xps_cpus",
        "echo 1000000 | tee tx-*/byte_queue_limits/limit_min",
        f"tc qdisc replace dev {nic.name} root handle 1: mq",
        # All in one flow, so that they stay in order, and none too old.
        f"tc qdisc replace dev {nic.name} parent 1:1 handle 10: fq_codel target 10s interval 100s",
        f"tc filter add dev {nic.name} parent 10: prio 1 protocol 0x88f1 matchall classid 10:1 action skbedit queue_mapping 1",
        f"tc filter add dev {nic.name} parent 10: prio 2 protocol all matchall classid 10:1",
    ]
    guest.run(" && ".join(lines))
    guest.put("/tmp/fill.py", Path(bypass.__file__).read_text())
    guest.put("/tmp/in_turn.py", IN_TURN)
    # Nothing else may have the driver look.
    nic.order("peer", kind="sink")
    yield nic
    nic.order("peer", kind="tap")
    guest.run(f"tc qdisc delete dev {nic.name} root")


def requeued(guest, nic):
    (found,) = [one for one in json.loads(guest.run(f"tc -s -j qdisc show dev {nic.name}").stdout) if one["handle"] == "10:"]
    return found["requeues"]


@pytest.mark.parametrize("count", [2, 20])
def test_sent_together_for_different_queues(guest, driver, mapped, count):
    """The stack sends them with the lock of the first queue, after which the second may be in use elsewhere."""
    before = requeued(guest, mapped)
    mapped.order("stop", queue=1, on=True)
    python = " ".join(PYTHON)
    guest.run(f"{python} /tmp/fill.py {mapped.name} && {python} /tmp/in_turn.py {mapped.name} {count}")
    mapped.order("sent")
    mapped.order("stop", queue=1, on=False)
    found = {}

    def all_sent():
        for queue, packet in mapped.order("sent"):
            data = bytes.fromhex(packet["bytes"])
            if data[12:14] in KINDS:
                found[data[14]] = queue
        return len(found) == count

    faults.wait(all_sent, "not all are sent")
    assert [found[i] for i in range(count)] == [1, 3] * (count // 2)
    if driver is drivers.RUST:
        # C does not look whose lock is held.
        assert requeued(guest, mapped) > before
