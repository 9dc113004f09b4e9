# SPDX-License-Identifier: GPL-2.0
"""What a test does with a device that is told to do something wrong, and what the guest says of it."""

import re
import time
from contextlib import contextmanager

import pytest

from support import binding, counters, exchange, ordered
from support.kernel_log import errors

# What the counters of an interface have for packets that were not received.
BAD = ("rx_length_errors", "rx_frame_errors", "rx_dropped")
# What the virtio core says of a used entry for a chain that it has not lent.
BROKEN = re.compile(r"id \d+ (is not a head|out of range)")
# What is said of a transmit queue that is not served for long: by the stack, by the C driver and by ours.
WATCHDOG = re.compile(r"NETDEV WATCHDOG|TX timeout on queue|transmit queue \d+ of \S+ is stuck")


def bring_up(guest):
    """Brings up all devices, and notes the names that they have."""
    for nic in guest.nics:
        nic.name = guest.bring_up(nic)


@contextmanager
def serving(boot, driver, nics, modules=(), **options):
    """A guest with these devices of our own, all of them up, these modules, and its peer serving."""
    files = [exchange.PEER, *options.pop("files", ())]
    with boot(nics=nics, files=files, shared_memory=True, **options) as guest:
        driver.load(guest)
        for module in modules:
            guest.run(["modprobe", module])
        bring_up(guest)
        with exchange.peer_in(guest):
            yield guest


def bad(guest, nic):
    """How many packets were not received, by counter."""
    found = counters.link(guest, nic.name)
    return {name: found[name] for name in BAD}


def wait(condition, what, seconds=exchange.TIMEOUT):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, what
        time.sleep(0.05)


def with_header(**fields):
    """The fault that a header has these fields."""
    return {"header": fields}


def skip_if_it_cannot_be(fault, packed):
    """A packed ring has numbers of 16 bits, and no index."""
    if packed and isinstance(fault, dict) and ("jump" in fault or 0xFFFF < fault["id"] < 0xFFFFFFFF):
        pytest.skip("a packed ring has no place to say that")


def faulty(nic, fault, queue=0, length=200, **order):
    """Has the guest receive a packet with this fault, and returns its bytes."""
    nic.order("faults", queue=queue, faults=[fault])
    data = ordered.frame(nic, length)
    assert ordered.receive(nic, data, queue, **order) > 0
    return data


def counted(guest, nic, fault, counter, **order):
    """A packet with this fault is counted there, once, and the next one arrives."""
    before = bad(guest, nic)
    faulty(nic, fault, **order)
    wait(lambda: bad(guest, nic) != before, "the packet is not counted")
    ordered.echo(nic, 300)
    after = bad(guest, nic)
    more = {name: after[name] - before[name] for name in BAD if after[name] != before[name]}
    assert more == {counter: 1}, f"counted: {more}"


def arrives(guest, nic, fault, **order):
    """A packet with this fault arrives."""
    before = bad(guest, nic)
    data = faulty(nic, fault, **order)
    ordered.sent(nic, ordered.answer(data))
    assert bad(guest, nic) == before


def bind_again(guest, driver, nic):
    bound = guest.virtio_device(nic)
    binding.unbind(guest, driver, bound)
    binding.bind(guest, driver, bound)
    nic.name = guest.bring_up(nic)


def said(guest, pattern):
    """Waits for a line in the log that fits, and returns all errors until then."""
    found = []

    def is_there():
        found.extend(errors(guest))
        return any(pattern.search(line) for line in found)

    wait(is_there, "the log does not say it")
    return found


def said_once(guest, pattern=BROKEN):
    """The log has one line that fits, and no other error."""
    found = said(guest, pattern) + errors(guest)
    assert len(found) == 1, found
