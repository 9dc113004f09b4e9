# SPDX-License-Identifier: GPL-2.0
"""Traffic from the guest."""

from bench.bed import ANSWERED, NOBODY

THREAD = "/proc/net/pktgen/kpktgend_0"


def use_queues(count):
    def prepare(bed, side):
        bed.set_queues(side, count)

    return prepare


def pktgen(options, looks=0):
    """The kernel's packet generator. Nobody on the host takes the packets, so nothing comes back. With `looks`, the
    guest waits for the device after each kick."""

    def run(bed, side, count):
        lines = {"dst": side.nic.host4, "dst_mac": NOBODY, "delay": 0, "pkt_size": 60, "count": count} | options
        settings = "".join(f"echo '{key} {value}' >/proc/net/pktgen/{side.name}\n" for key, value in lines.items())
        bed.guest.run(f"set -e\necho rem_device_all >{THREAD}\necho 'add_device {side.name}' >{THREAD}\n{settings}")
        with bed.prompt(looks):
            cost = bed.cost(lambda: bed.guest.run("echo start >/proc/net/pktgen/pgctrl", timeout=300))
        result = bed.guest.run(["cat", f"/proc/net/pktgen/{side.name}"]).stdout
        # Before the run the result is that of the last setting, "OK" as well.
        if " usec, " not in result or "errors: 0" not in result:
            raise RuntimeError(f"pktgen: {result}")
        return cost

    return run


def datagrams(bed, side, count):
    with bed.prompt():
        return bed.cost(lambda: bed.from_guest("udp", side.nic.host4, count, 1400, 1))


def stream(bed, side, count):
    # An acknowledgement that comes late finds the socket as another one, and its route is looked up or not.
    with bed.prompt(ANSWERED):
        return bed.cost(lambda: bed.from_guest("tcp", side.nic.host4, count << 10))
