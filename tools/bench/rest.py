# SPDX-License-Identifier: GPL-2.0
"""What a driver costs before the first packet: memory, probe, code."""

import lzma
import re
import subprocess
from pathlib import Path

from bench.bed import BUS
from bench.rows import COUNTED, MEMORY, SIZE, Row
from lab.paths import RELEASE

C_MODULE = Path(f"/usr/lib/modules/{RELEASE}/kernel/drivers/net/virtio_net.ko.xz")
RUNS = 3
# How often a device is bound for a figure: a timer's interrupt comes in between now and then.
PROBES = 50
# A stream that a receive queue has to hold many buffers for.
LOAD = 64 << 20


def free_kib(bed):
    """What the guest has free, with the lists of each CPU, and without what it could free at once."""
    bed.guest.run("echo 3 >/proc/sys/vm/drop_caches")
    text = bed.guest.run(["cat", "/proc/zoneinfo"]).stdout
    pages = re.findall(r"^ +(?:nr_free_pages|count:) +(\d+)$", text, re.MULTILINE)
    return sum(map(int, pages)) * 4


def held(bed, side, load=None):
    """KiB that are taken from when a device is bound and its interface set up. C keeps its buffers until it is unbound."""
    bed.unbind(side.driver, side.device)
    before = free_kib(bed)
    bed.bind(side.driver, side.device)
    bed.set_up(side)
    if load:
        load()
    return before - free_kib(bed)


def memory(name, kind, loaded=False):
    def rows(bed):
        found = {}
        for _ in range(RUNS):
            for side in bed.sides[kind]:
                load = (lambda nic=side.nic: bed.from_host("tcp", nic.guest4, LOAD)) if loaded else None
                found.setdefault(side.label, []).append(held(bed, side, load))
        yield Row.of(name, MEMORY, "KiB/device", found["C"], found["ours"])

    return name, kind, rows


def probe(bed):
    """Binding a device to its driver, which is loaded: what the processor does for the process that asks for it."""
    found = {}
    sides = bed.sides["plain"]
    # It is a little dearer the later a device is found. So the drivers take turns with one.
    device = sides[0].device
    for _ in range(RUNS):
        for side in sides:
            bed.unbind(sides[0].driver, device)
            bed.bind(side.driver, device)
            command = ["/payload/traffic", "bind", f"{BUS}/{side.driver.name}", device, PROBES]
            found.setdefault(side.label, []).append(int(bed.guest.run(command).stdout) / 1000)
            bed.unbind(side.driver, device)
            bed.bind(sides[0].driver, device)
    bed.set_up(sides[0])
    yield Row.of("probe", COUNTED, "1000 instructions", found["C"], found["ours"])


def text_bytes(module):
    """The sections of a module that hold code."""
    lines = subprocess.run(["size", "-A", module], capture_output=True, text=True, check=True).stdout.splitlines()
    sections = [line.split() for line in lines if line.startswith(".")]
    return sum(int(size) for name, size, *_ in sections if "text" in name)


def text_row(ours, folder):
    c = Path(folder) / "virtio_net.ko"
    c.write_bytes(lzma.decompress(C_MODULE.read_bytes()))
    return Row.of(TEXT, SIZE, "bytes", [text_bytes(c)], [text_bytes(ours)])


TEXT = "size of the module's text"

# By name: the kind of NIC, and what makes the rows.
IN_GUEST = (
    memory("memory at rest, mergeable buffers", "plain"),
    memory("memory at rest, small buffers", "small"),
    memory("memory after a stream of 64 MiB", "prompt", loaded=True),
    ("probe", "plain", probe),
)
