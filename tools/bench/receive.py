# SPDX-License-Identifier: GPL-2.0
"""Traffic to the guest."""

from bench.bed import ANSWERED

# The host's kernel goes on with a stream in a thread of its own.
FILLED = 30


def drop_at_ingress(bed, side):
    let_in(bed, side)
    bed.guest.run(
        f"tc qdisc add dev {side.name} clsact && tc filter add dev {side.name} ingress matchall action drop"
    )


def let_in(bed, side):
    """Undoes that."""
    bed.guest.run(f"tc qdisc delete dev {side.name} clsact", check=False)


def use_queues(count):
    def prepare(bed, side):
        drop_at_ingress(bed, side)
        bed.set_queues(side, count)

    return prepare


def frames(bed, side, count, size=60):
    bed.from_host("frames", side.nic.tap, side.nic.mac, count, size)


def long_frames(bed, side, count):
    frames(bed, side, count, 1514)


def datagrams(size, flows=1):
    def send(bed, side, count):
        bed.from_host("udp", side.nic.guest4, count, size, flows)

    return send


def backlog(send):
    """All is sent while the guest stands still, so that it finds a packet whenever it looks for one."""

    def run(bed, side, count):
        before, taken = bed.received(side), bed.taken(side)

        def deliver():
            with bed.paused():
                send(bed, side, count)
            bed.wait_taken(side, taken + count)

        cost = bed.cost(deliver)
        arrived = bed.received(side) - before
        if arrived != count:
            raise RuntimeError(f"{side.label}: {count} packets were sent, {arrived} arrived")
        return cost

    return run


def to_socket(bed, side, count):
    """The program that owns the socket comes when all packets are there: it takes none by none otherwise, or many
    at a time, as luck has it."""
    bed.guest.run(f"kill -STOP {bed.udp_sink}")
    cost = backlog(datagrams(64))(bed, side, count)
    return cost + bed.cost(lambda: bed.guest.run(f"kill -CONT {bed.udp_sink}"))


def stream(bed, side, count):
    with bed.prompt(FILLED):
        return bed.cost(lambda: bed.stream_to(side, count << 10))


def transactions(what):
    def run(bed, side, count):
        with bed.prompt(ANSWERED):
            return bed.cost(lambda: bed.from_host(what, side.nic.guest4, count))

    return run
