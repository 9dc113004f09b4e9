# SPDX-License-Identifier: GPL-2.0
"""Memory that nothing points to any more, as the debug kernel finds it."""

from support.queues import online

FILE = "/sys/kernel/debug/kmemleak"
# It looks at no object in the first five seconds of its life (MSECS_MIN_AGE), and reports what did not change between
# two scans.
AGE = 5


def receive_everywhere(guest):
    """Has each CPU receive something: then it frees the packets that others, which were done with them, have left to it because
    it had received them. The list that they are in meanwhile is not always found."""
    receive = "; ".join(f"taskset -c {cpu} ping -q -c 1 127.0.0.1" for cpu in online(guest))
    guest.run(f"ip link set lo up; {receive}")


def found(guest):
    """The reports: for each object its address, size, task, and where it was allocated. Each is made once."""
    receive_everywhere(guest)
    command = f"echo scan >{FILE} && sleep {AGE} && echo scan >{FILE} && cat {FILE} && echo clear >{FILE}"
    return guest.run(command, timeout=300).stdout


def nothing_leaked(guest):
    reports = found(guest)
    assert not reports, f"memory leaks in the guest's kernel:\n{reports}"
