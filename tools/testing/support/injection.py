# SPDX-License-Identifier: GPL-2.0
"""Has the debug kernel refuse memory, now and then, to what the driver calls, in any context."""

from contextlib import contextmanager

DEBUGFS = "/sys/kernel/debug"
PER_CENT = 1
# More than there will be: what is left of them says how many there were.
MOST = 1 << 30
PAGE = 4096
# How many callers are looked at, which is the most.
DEPTH = 32
# Memory is refused also to who can wait for it and, where there are pages for all, to who takes a single one.
EACH = {
    "failslab": {"ignore_gfp_wait": "N"},
    "fail_page_alloc": {"ignore_gfp_wait": "N", "ignore_gfp_highmem": "N", "min_order": 0},
}
KINDS = tuple(EACH)


def text_of(guest, module):
    """Where a module's code begins and ends. What is behind its last page is nobody's."""
    lines = guest.run(f"grep '\\[{module}\\]$' /proc/kallsyms | grep -i ' t '", timeout=120).stdout.splitlines()
    addresses = sorted(int(line.split()[0], 16) for line in lines)
    return addresses[0], addresses[-1] + PAGE


def set_all(guest, kind, **settings):
    words = [f"echo {value} >{DEBUGFS}/{kind}/{name.replace('_', '-')}" for name, value in settings.items()]
    guest.run("set -e; " + "; ".join(words))


@contextmanager
def injected(guest, text):
    """For a `with` block: a share of the allocations fail that have code of this text_of() among their callers."""
    start, end = text
    for kind in KINDS:
        callers = {"stacktrace_depth": DEPTH, "require_start": start, "require_end": end}
        set_all(guest, kind, verbose=0, interval=1, times=MOST, **callers, **EACH[kind], probability=PER_CENT)
    try:
        yield
    finally:
        for kind in KINDS:
            set_all(guest, kind, probability=0)


def refused(guest):
    """How many allocations have failed of those since the injection began, by kind."""
    left = guest.run("cat " + " ".join(f"{DEBUGFS}/{kind}/times" for kind in KINDS)).stdout.split()
    return {kind: MOST - int(number) for kind, number in zip(KINDS, left)}
