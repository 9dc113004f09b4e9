# SPDX-License-Identifier: GPL-2.0
"""The kernel's packet generator, in the guest: it calls the driver's transmit function in a loop of its own."""

import json
import re
import signal
import time
from contextlib import contextmanager, nullcontext

from lab import host, traffic
from support import counters, exchange

THREAD = "/proc/net/pktgen/kpktgend_0"
# The thread removes devices when it comes to it, which on a busy machine is after the command has returned. One that is added
# meanwhile would go with them.
DEVICES = "ls /proc/net/pktgen | grep -qv -e kpktgend -e pgctrl"
REMOVE = f"if {DEVICES}; then\necho rem_device_all >{THREAD}\nwhile {DEVICES}; do sleep 0.1; done\nfi\n"


def send(guest, nic, name, timeout=300, **options):
    """Sends packets to the host's end of a NIC; returns how many it says were sent, and how many errors it had."""
    lines = [f"dst {nic.host4}", f"src_min {nic.guest4}", f"dst_mac {exchange.tap_mac(nic)}", "delay 0"]
    lines += [f"{key} {value}" for key, value in options.items()]
    settings = "".join(f"echo '{line}' >/proc/net/pktgen/{name}\n" for line in lines)
    guest.run(
        f"set -e\n{REMOVE}echo 'add_device {name}' >{THREAD}\n{settings}"
        "echo start >/proc/net/pktgen/pgctrl\n"
        # On a busy machine it does not wait: its thread has not started yet when it looks. The result is that of the
        # last setting until then, "Starting" for a while, and what the run took in the end.
        f"until grep -q -e 'Result: OK: .* usec' -e 'Result: Error' /proc/net/pktgen/{name}; do sleep 0.1; done",
        timeout=timeout,
    )
    result = guest.read(f"/proc/net/pktgen/{name}")
    guest.run(REMOVE)
    sent, errors = re.search(r"pkts-sofar: (\d+) +errors: (\d+)", result).groups()
    assert "Result: OK: " in result, result
    return int(sent), int(errors)


def tap(nic):
    """Packets that came from the guest, and those of them that the host had to drop."""
    stats = json.loads(host.run("ip", "-s", "-json", "link", "show", nic.tap).stdout)[0]["stats64"]["rx"]
    return stats["packets"] + stats["dropped"]


def statistics(guest, name):
    return {file: value for file, value in counters.link(guest, name).items() if file.startswith("tx_")}


@contextmanager
def nudged(guest, nic):
    """For a `with` block, other packets are sent now and then; gives a list that has their number in the end."""
    numbers = []
    with guest.spawn(["ping", "-n", "-q", "-i", "0.2", nic.host4]) as command:
        yield numbers
        command.stop(signal.SIGINT)
        command.wait(check=False)
        numbers.append(int(re.search(r"(\d+) packets transmitted", command.output())[1]))


def all_arrive(guest, nic, name, count, timeout=300, nudge=False, **options):
    """Sends `count` packets; each is sent once, counted once and arrives once, and none is dropped anywhere.

    With `nudge` others are sent meanwhile: the generator waits until its last packet has been freed, and without an
    interrupt that is when another one is sent.
    """
    # When the guest has answered the first the device has taken all before it, and with the second they are counted.
    exchange.ping(traffic.host_run, nic.guest4)
    exchange.ping(traffic.host_run, nic.guest4)
    before, tap_before = statistics(guest, name), tap(nic)
    with nudged(guest, nic) if nudge else nullcontext([0]) as nudges:
        sent, errors = send(guest, nic, name, timeout, count=count, **options)
    assert errors == 0 and sent >= count
    pings = sum(nudges)
    limit = time.monotonic() + exchange.TIMEOUT
    while statistics(guest, name)["tx_packets"] - before["tx_packets"] < sent and time.monotonic() < limit:
        # Without an interrupt, packets are counted when the next one is sent.
        exchange.ping(traffic.host_run, nic.guest4)
        pings += 1
    # The stacks at both ends may send a few packets of their own meanwhile.
    after, arrived = statistics(guest, name), tap(nic) - tap_before
    counted = after["tx_packets"] - before["tx_packets"]
    assert sent <= counted <= sent + pings + 20, (sent, counted, pings)
    assert abs(arrived - counted) <= 2
    assert {counter for counter in after if after[counter] != before[counter]} == {"tx_packets", "tx_bytes"}
    exchange.ping(traffic.host_run, nic.guest4)
    exchange.ping(traffic.host_run, nic.guest6)
