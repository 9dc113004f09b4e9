# SPDX-License-Identifier: GPL-2.0
"""Which of the kernel's messages say that something is broken."""

import re

BROKEN = re.compile(
    r"WARNING: |\bBUG: |\bBUG at |\bOops\b|general protection|Call Trace|lockup|blocked for more than"
    r"|detected stalls?|self-detected stall|scheduling while atomic|sleeping function called"
    r"|KASAN|UBSAN|KFENCE|KCSAN|DMA-API|refcount_t|unable to handle|Bad page|page allocation failure"
    r"|list_(?:add|del) corruption|NETDEV WATCHDOG|transmit queue \d+ timed out|Kernel panic"
    r"|panicked at|unregister_netdevice: waiting|kmemleak|Possible unsafe locking|circular locking"
    r"|inconsistent lock state|suspicious RCU usage|non-static key|INFO: lockdep|ODEBUG|ref_tracker"
    r"|stalled pool shutdown",
    re.IGNORECASE,
)

# What sounds alike: the words of the command line, a timer that is late while an emulated machine boots, and what the
# debug kernel says as it starts to look, or of a single reference that it does not look at because it was refused memory.
HARMLESS = re.compile(
    r"ommand line:|MP-BIOS bug|DMA-API: (?:preallocated|debugging enabled)|kmemleak: Kernel memory leak detector (?:initialized|disabled)"
    r"|KernelAddressSanitizer initialized|ref_tracker: memory allocation failure"
)


def broken(lines):
    return [line for line in lines if BROKEN.search(line) and not HARMLESS.search(line)]
