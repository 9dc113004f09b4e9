# SPDX-License-Identifier: GPL-2.0
"""Commands to the device that a module with fault points takes away, or has refused."""

from lab import driver as drivers

# Their classes (virtio 1.3, section 5.1.6.5). Those that say what the guest receives are sent whenever the stack
# likes, for instance when IPv6 joins a group: a fault without a class may hit one of them.
MODE, MAC, VLAN, QUEUES, OFFLOADS = 0, 1, 2, 4, 5


def parameter(guest, name, value):
    guest.run(f"echo {value} >/sys/module/{drivers.RUST.name}/parameters/{name}")


def refuse(guest, kind):
    """The next command of this class counts as refused by the device."""
    parameter(guest, "fault_class", kind)
    parameter(guest, "fault_answers", 1)


def refuse_first(kind):
    """The parameters with which the module does so from the beginning."""
    return [f"fault_class={kind}", "fault_answers=1"]


def withhold(guest, kind):
    """The device is not told about the next command of this class."""
    parameter(guest, "fault_class", kind)
    parameter(guest, "fault_kicks", 1)


def resynced(guest):
    """Waits until the device, which did not answer in time, has been resynchronised."""
    log = "dd if=/dev/kmsg bs=8192 iflag=nonblock 2>/dev/null"
    last = f"{log} | grep -E 'has not answered|resynchronised' | tail -n 1"
    guest.run(f"until {last} | grep -q resynchronised; do sleep 0.2; done")
