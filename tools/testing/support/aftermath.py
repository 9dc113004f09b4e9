# SPDX-License-Identifier: GPL-2.0
"""What a test that has failed leaves to look at: the state of both ends, before anything changes it."""

import itertools

from lab import traffic
from lab.agent import CommandFailed, GuestDied
from lab.paths import LOGS

# Interfaces, what waits for them and was dropped meanwhile, neighbours, what streams wait for and what the protocols counted.
ENDS = "ip -s -s address; tc -s qdisc; ip neighbour; ip route; ip -6 route; ss -tuinmo; cat /proc/net/snmp /proc/net/snmp6 /proc/net/netstat"
GUEST = f"""
{ENDS} /proc/net/softnet_stat /proc/interrupts
for path in /sys/class/net/*; do ethtool -S ${{path##*/}}; done
tail -n +1 /tmp/spawn-*
"""
# In seconds. A guest that does not answer may be the very failure.
TIMEOUT = 20

numbers = itertools.count(1)


def said(run, command):
    try:
        done = run(["sh", "-c", f"exec 2>&1; {command}"], timeout=TIMEOUT, check=False)
        return done.stdout
    except (CommandFailed, GuestDied) as error:
        return f"{error}\n"


def keep(guest, test):
    """Writes down what state a guest and the host are in after a test. Returns the path."""
    path = LOGS / f"guest-{guest.number}.failure-{next(numbers)}"
    host, inside = said(traffic.host_run, ENDS), said(guest.run, GUEST)
    path.write_text(f"{test}\n\n--- host ---\n{host}\n--- guest ---\n{inside}")
    return path
