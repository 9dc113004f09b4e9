# SPDX-License-Identifier: GPL-2.0
"""What is counted: traffic, by the packet, the byte or the transaction."""

from dataclasses import dataclass, field
from collections.abc import Callable
from itertools import product

from bench import receive, transmit, xdp, xsk

# The guest's own clock says when the device looks at the ring: as often in each run, 50 us apart.
LAZY = {"ioeventfd": "off", "tx": "timer", "x-txtimer": "50000"}
# The guest waits for the device instead, see `Counter.wait`.
PROMPT = {"ioeventfd": "off"}
# The C driver has AF_XDP without copies only so.
DMA = {"iommu_platform": "on", "disable-legacy": "on"}
NO_GUEST_GSO = dict.fromkeys(("guest_tso4", "guest_tso6", "guest_ecn", "guest_ufo", "guest_uso4", "guest_uso6"), "off")
SMALL = {"mrg_rxbuf": "off"} | NO_GUEST_GSO

KINDS = {
    "plain": LAZY,
    "packed": LAZY | {"packed": "on"},
    "small": LAZY | SMALL,
    "small, packed": LAZY | SMALL | {"packed": "on"},
    "queues": LAZY | {"queues": 4},
    "DMA": LAZY | DMA,
    "DMA, packed": LAZY | DMA | {"packed": "on"},
    "prompt": PROMPT,
    "prompt, no guest GSO": PROMPT | NO_GUEST_GSO,
    "prompt, small": PROMPT | SMALL,
}


@dataclass(frozen=True)
class Workload:
    """Traffic of two lengths: what the second costs more than the first is free of all that happens but once.

    name   what the table calls it
    unit   what is counted
    kind   the kind of NIC
    run    sends `count` units through a NIC: run(bed, side, count) returns how many instructions the guest needed
    counts both lengths
    prepare  what to do before the runs with a NIC: prepare(bed, side)
    finish   what to do after them
    runs   how often to measure each driver
    """

    name: str
    unit: str
    kind: str
    run: Callable
    counts: tuple[int, int]
    prepare: Callable = field(default=lambda bed, side: None)
    finish: Callable = field(default=lambda bed, side: None)
    runs: int = 3


# If each packet took the same time, the device would look at the ring always at the same point of the driver, which
# decides over the number of interrupts.
VARIED = {"flag": "TXSIZE_RND", "min_pkt_size": 60, "max_pkt_size": 75}


def pktgen(name, kind="plain", **options):
    return Workload(name, "packet", kind, transmit.pktgen(options), (2_000, 100_000))


def dropped(name, kind, send=receive.frames):
    return Workload(name, "packet", kind, receive.backlog(send), (1_000, 25_000), receive.drop_at_ingress)


def queues(count):
    many = "1 queue" if count == 1 else f"{count} queues"
    yield Workload(
        f"transmit 60 B, {many}",
        "packet",
        "queues",
        transmit.pktgen(VARIED | {"queue_map_min": 0, "queue_map_max": count - 1}),
        (2_000, 100_000),
        transmit.use_queues(count),
    )
    yield Workload(
        f"receive 60 B, dropped at tc, {many}",
        "packet",
        "queues",
        receive.backlog(receive.datagrams(18, flows=32)),
        (1_000, 25_000),
        receive.use_queues(count),
    )


def programs():
    """XDP: each verdict with each kind of buffers and rings, short frames and long ones."""
    kinds = {"plain": "", "packed": ", packed ring", "small": ", small buffers", "small, packed": ", small buffers, packed ring"}
    lengths = {60: receive.frames, 1514: receive.long_frames}

    def each(what, prepare, run_with, kinds=kinds):
        for (size, send), (kind, buffers) in product(lengths.items(), kinds.items()):
            name = f"XDP {size} B, {what}{buffers}"
            yield Workload(name, "packet", kind, run_with(size, send), (1_000, 25_000), prepare, xdp.detach)

    def received(_size, send):
        return receive.backlog(send)

    yield from each("dropped", xdp.before("drop"), received)
    yield from each("passed, dropped at tc", xdp.before("pass"), received)
    yield from each("sent back", xdp.before("tx"), received)
    second = xdp.second("queues")
    yield from each("redirected", xdp.both("queues"), lambda size, send: xdp.sent_to(second, received(size, send)))
    yield from each("redirected to veth", xdp.before("redirect"), lambda size, send: xdp.sent_to(xdp.veth, received(size, send)))
    # What is sent for others is in no buffer of the NIC's.
    rings = {kind: kinds[kind] for kind in ("plain", "packed")}
    frames = xdp.before("pass")
    yield from each("sent for others", frames, lambda size, _: xdp.sent_to(xdp.itself, xdp.live_frames(size)), rings)


def sockets():
    """AF_XDP: a process that receives, sends, or does both."""
    for kind, size, ring in (("DMA", 64, ""), ("DMA, packed", 64, ", packed ring"), ("DMA", 1500, "")):

        def send(bed, side, count, size=size):
            receive.frames(bed, side, count, size)

        for what, prepare in (("received", xsk.serving("receive")), ("forwarded", xsk.serving("forward"))):
            run = receive.backlog(send)
            yield Workload(f"AF_XDP {size} B, {what}{ring}", "packet", kind, run, (1_000, 25_000), prepare, xsk.finish)
        yield Workload(f"AF_XDP {size} B, sent{ring}", "packet", kind, xsk.frames(size), (2_000, 100_000))


ALL = (
    pktgen("transmit 60 B", **VARIED),
    pktgen("transmit 60 B, xmit_more", burst=32),
    pktgen("transmit 60 B, clones", clone_skb=1000),
    pktgen("transmit 60 B, clones, xmit_more", clone_skb=1000, burst=32),
    pktgen("transmit 60 B, packed ring", "packed", **VARIED),
    Workload(
        "transmit 1500 B in 4 fragments",
        "packet",
        "prompt",
        transmit.pktgen({"pkt_size": 1500, "frags": 4}, looks=3),
        (1_000, 31_000),
    ),
    dropped("receive 60 B, dropped at tc", "plain"),
    dropped("receive 60 B, dropped at tc, packed ring", "packed"),
    dropped("receive 60 B, dropped at tc, small buffers", "small"),
    dropped("receive 1514 B, dropped at tc", "plain", receive.long_frames),
    dropped("receive 1514 B, dropped at tc, small buffers", "small", receive.long_frames),
    Workload("receive 64 B to a UDP socket", "packet", "plain", receive.to_socket, (1_000, 25_000), receive.let_in),
    *queues(1),
    *queues(2),
    *queues(4),
    *programs(),
    *sockets(),
    Workload("transmit UDP 1400 B", "packet", "prompt", transmit.datagrams, (1_000, 13_000)),
    Workload("transmit TCP with TSO", "KiB", "prompt", transmit.stream, (4 << 10, 132 << 10), runs=5),
    Workload("receive TCP, mergeable buffers", "KiB", "prompt", receive.stream, (4 << 10, 216 << 10)),
    Workload("receive TCP, guest TSO off", "KiB", "prompt, no guest GSO", receive.stream, (2 << 10, 82 << 10)),
    Workload("receive TCP 1500 B, small buffers", "KiB", "prompt, small", receive.stream, (2 << 10, 82 << 10)),
    Workload("TCP_RR", "transaction", "prompt", receive.transactions("tcp-rr"), (100, 2_100)),
    Workload("UDP_RR", "transaction", "prompt", receive.transactions("udp-rr"), (100, 2_100)),
)
