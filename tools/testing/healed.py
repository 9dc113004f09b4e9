# SPDX-License-Identifier: GPL-2.0
"""`make healing`: how long nothing flows after a fault, by the guest's clock, with the C driver and with ours: median and worst."""

import re
import statistics
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import driver as drivers
from lab import kernel
from lab.agent import PYTHON
from lab.guest import Guest
from lab.paths import REPO, shown
from support import exchange, faults, healing, ordered

OFFERED = "MAC STATUS CTRL_VQ CTRL_RX VERSION_1 MRG_RXBUF EVENT_IDX"
RX, TX = 0, 1
TIMES = 10
# After this time, in seconds, a fault counts as one that does not heal. A device may be silent for ten.
NEVER = kernel.patient(20)
# From one request to the next, what is no pause yet, and how long a pause is waited for, in seconds.
EACH, PAUSE, AT_MOST = 0.05, 0.25, 4
# Packets that a socket with room for few sends: how long the longest of them waits until those before it are known to be sent.
SENDER = """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
longest = 0
for _ in range(12):
    start = time.monotonic()
    s.sendto(bytes(1000), (sys.argv[1], 9))
    longest = max(longest, time.monotonic() - start)
print(longest)
"""


def one_request(guest, nic):
    """How long a single request waits for its answer."""
    done = guest.run(["ping", "-n", "-c", "1", "-W", NEVER, nic.host4], check=False, timeout=2 * NEVER)
    found = re.search(r"time=([\d.]+) ms", done.stdout)
    return float(found[1]) / 1000 if found else None


def longest_wait(guest, nic):
    """How long a process waits until its packets are known to be sent."""
    done = guest.run(["timeout", NEVER, *PYTHON, "-c", SENDER, nic.host4], check=False, timeout=2 * NEVER)
    return float(done.stdout) if done.rc == 0 else None


@dataclass(frozen=True)
class Fault:
    """name   what the table calls it
    limit   what it is to heal in
    happens  has the device do it: a context, at whose end the device does right
    measure  how long nothing flows, or None
    """

    name: str
    limit: str
    happens: callable
    measure: callable


@contextmanager
def lost_kick(guest, nic):
    nic.order("deafen", queue=TX, count=1)
    yield
    nic.order("deafen", queue=TX, count=0)


def muted(queue):
    @contextmanager
    def lost(guest, nic):
        nic.order("mute", queue=queue, on=True)
        yield
        nic.order("mute", queue=queue, on=False)
        nic.order("interrupt", queue=queue, count=1)

    return lost


@contextmanager
def needs_reset(guest, nic):
    nic.order("break_down")
    yield


def broken(queue):
    @contextmanager
    def breaks(guest, nic):
        nic.order("faults", queue=queue, faults=[{"id": 300}])
        yield
        nic.order("faults", queue=queue, faults=[])

    return breaks


@contextmanager
def function_reset(guest, nic):
    healing.reset_function(guest, healing.function(guest, nic))
    yield


@contextmanager
def silent(guest, nic):
    """What it did not do it does once it has been reset, and not before."""
    # Only what is said from now on.
    guest.kernel_messages()
    nic.order("stop", queue=TX, on=True)
    limit = time.monotonic() + NEVER
    while time.monotonic() < limit:
        if "resetting" in "".join(guest.kernel_messages()):
            nic.order("stop", queue=TX, on=False)
            break
        time.sleep(0.02)
    yield
    nic.order("stop", queue=TX, on=False)


def now(guest):
    return float(guest.run("date +%s.%N").stdout)


def stream(guest, nic, happens):
    """The longest pause between answers from when the fault happens until they come again."""
    with guest.spawn(["ping", "-n", "-D", "-i", EACH, nic.host4]) as pinging:

        def answered():
            return [float(when) for when in re.findall(r"^\[([\d.]+)\].* time=", pinging.output(), re.MULTILINE)]

        faults.wait(lambda: len(answered()) > 10, "no answers before the fault")
        start = now(guest)
        with happens(guest, nic):
            # Before answers come after that, a pause is one of a busy host.
            happened = now(guest)
            limit = time.monotonic() + NEVER
            while time.monotonic() < limit:
                times = [when for when in answered() if when > start - 1]
                pauses = [after - before for before, after in zip(times, times[1:])]
                begun = max(pauses, default=0) > PAUSE or times and times[-1] > start + AT_MOST
                if begun and times[-1] > happened and max(pauses[-5:]) < PAUSE:
                    return max(pauses)
                time.sleep(0.1)
    return None


def at_once(measure):
    def measured(guest, nic, happens):
        with happens(guest, nic):
            return measure(guest, nic)

    return measured


FAULTS = (
    Fault("a kick is lost", "1 s", lost_kick, at_once(one_request)),
    Fault("interrupts of a receive queue are lost", "1 s", muted(RX), at_once(one_request)),
    Fault("interrupts of a transmit queue are lost", "1 s", muted(TX), at_once(longest_wait)),
    Fault("a receive queue breaks", "2 s", broken(RX), stream),
    Fault("a transmit queue breaks", "2 s", broken(TX), stream),
    Fault("``DEVICE_NEEDS_RESET``", "3 s", needs_reset, stream),
    Fault("the function is reset", "3 s", function_reset, stream),
    Fault("silent: a transmit queue is not served", "13 s", silent, stream),
)


def measured(driver, fault, times):
    """How long it took each time; what does not heal is tried once."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        nic = ordered.made(OFFERED, way="vfio-user")
        with Guest(nics=[nic], files=driver.payload(Path(folder)), shared_memory=True) as guest:
            driver.load(guest)
            faults.bring_up(guest)
            exchange.reaches(nic)
            while len(found) < times:
                # So that what was before is not held against it, and with the same distance to the last glance each time.
                guest.run("sleep 3")
                exchange.reaches(nic)
                found.append(fault.measure(guest, nic, fault.happens))
                print(f"{driver.name}: {fault.name}: {found[-1]}", flush=True)
                if found[-1] is None:
                    break
    return found


def text(found):
    if None in found:
        return "not", f"in {NEVER:.0f} s"
    return f"{statistics.median(found):.2f} s", f"{max(found):.2f} s"


def main(commit):
    rows = [("fault", "limit", "median", "worst", "median, C", "worst, C")]
    for fault in FAULTS:
        results = [text(measured(driver, fault, TIMES)) for driver in (drivers.RUST, drivers.C)]
        rows.append((fault.name, fault.limit, *results[0], *results[1]))
    widths = [max(map(len, column)) for column in zip(*rows)]
    rule = "  ".join("=" * width for width in widths)
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    table = "\n".join([rule, lines[0], rule, *lines[1:], rule])
    page = REPO / "build" / "healing.rst"
    page.write_text(f"{TIMES} times each, at {commit}:\n\n{table}\n")
    print(table, f"page: {shown(page)}", sep="\n")


main(sys.argv[1] if len(sys.argv) > 1 else "unknown")
