# SPDX-License-Identifier: GPL-2.0
"""A device of our own with more pairs of queues than the guest uses: those that are not used work all the same."""

import pytest

from support import counters, exchange, faults, ordered, queues
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
    nics = [ordered.made(names, PAIRS) for names in DEVICES.values()]
    with faults.serving(boot, driver, nics, files=[counters.NETDEV], cpus=CPUS) as guest:
        yield guest


@pytest.fixture(params=NAMES)
def nic(guest, request):
    return guest.nics[NAMES.index(request.param)]


def set_up(guest, nic):
    guest.run(f"ip link set {nic.name} up && ip address replace {nic.guest6}/64 dev {nic.name} nodad")


def test_delivered_to_any_queue(guest, nic):
    """Whatever the driver has told the device; also when the interface has been down, and when there were fewer."""
    assert queues.used(guest, nic.name) == (CPUS, PAIRS)
    for pair in range(PAIRS):
        ordered.echo(nic, 200, queue=2 * pair)
    guest.run(["ip", "link", "set", nic.name, "down"])
    queues.use(guest, nic.name, 1)
    set_up(guest, nic)
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
    exchange.reaches(guest.run, nic.host4)
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
    set_up(guest, nic)
    exchange.reaches(guest.run, nic.host4)
    exchange.everything(guest, nic)
