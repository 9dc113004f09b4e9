# SPDX-License-Identifier: GPL-2.0
"""The machine that QEMU is to be, without its NICs: what decides whether a saved guest can go on in it."""

from dataclasses import dataclass

from lab import accel, kernel

MACHINES = {"q35": "q35", "microvm": "microvm,pit=on,pic=on,rtc=on"}
# QEMU emulates a string instruction element by element: without the fast ones, the kernel copies and clears words and not
# bytes. That and page tables of four levels in the place of five have a command in the guest take two thirds of the time.
EMULATED = "max,-erms,-fsrm,-fsrs,-la57"
# What is counted is what has always been.
COUNTED = ["-accel", "tcg,thread=single", "-cpu", "max,-erms,-fsrm,-fsrs", "-icount", "shift=0"]
# The disks and the way to the agent are functions of one device, since tests put a NIC into each other place on the bus. The last
# one, a disk with the files of a run, is not there when a guest is saved.
PLACES = "addr=1.0,multifunction=on", "addr=1.2"
PORT_PLACE = "addr=1.1"
# So are the root ports, of which each of these has so many.
PORT_PLACES, FUNCTIONS = (0x1E, 0x1D), 8
PORTS = len(PORT_PLACES) * FUNCTIONS


def port(number):
    place = f"{PORT_PLACES[number // FUNCTIONS]:x}.{number % FUNCTIONS}"
    return f"pcie-root-port,id=port{number},chassis={number + 1},slot={number + 1},addr={place},multifunction=on"


@dataclass(frozen=True)
class Hardware:
    """
    machine  a name of MACHINES, with further properties after a comma if need be
    cpus, memory
    shared_memory  the guest's memory is where a device in another process can reach it
    devices  `-device` values that come before all NICs: IOMMUs
    root_ports  how many root ports to plug NICs into, named port0, port1, ..., PORTS at most
    cmdline  further words for the kernel's command line
    leaks    a kernel that can look for leaks does: whatever the guest does takes two to six times as long
    counter  counts the guest's instructions, see `bench.counter`: one processor, whose clock is the count itself
    """

    machine: str = "q35"
    cpus: int = 2
    memory: str = "1G"
    shared_memory: bool = False
    devices: tuple = ()
    root_ports: int = 0
    cmdline: str = ""
    leaks: bool = False
    counter: object = None

    @property
    def kind(self):
        return self.machine.partition(",")[0]

    @property
    def looks_for_leaks(self):
        return self.leaks and bool(kernel.chosen().with_leaks)

    def processor(self):
        chosen = accel.choose()
        return ["-accel", chosen, "-cpu", EMULATED if chosen == accel.TCG else "max"]

    def words(self):
        """QEMU's options for all of it."""
        _, comma, options = self.machine.partition(",")
        words = list(COUNTED) if self.counter else self.processor()
        words += ["-M", MACHINES[self.kind] + comma + options, "-m", self.memory]
        words += ["-smp", str(1 if self.counter else self.cpus)]
        if self.shared_memory:
            words += ["-object", f"memory-backend-memfd,id=shared,size={self.memory},share=on"]
            words += ["-machine", "memory-backend=shared"]
        for device in [*self.devices, *map(port, range(self.root_ports))]:
            words += ["-device", device]
        return words

    def disk(self, number, drive, properties=""):
        """A disk with what the drive has: 0 is the guest's root, 1 has the files of a run."""
        name = f"disk{number}"
        model, place = ("virtio-blk-pci", f",{PLACES[number]}") if self.kind == "q35" else ("virtio-blk-device", "")
        return ["-drive", f"{drive},if=none,id={name}", "-device", f"{model},drive={name}{place}{properties}"]

    def port(self, chardev):
        """A port of virtio-serial, which has the name of what it leads to."""
        model = f"virtio-serial-pci,{PORT_PLACE}" if self.kind == "q35" else "virtio-serial-device"
        return ["-device", f"{model},id=ports", "-device", f"virtserialport,bus=ports.0,chardev={chardev},name={chardev}"]

    def command_line(self):
        """The kernel's."""
        chosen = kernel.chosen()
        # On a busy machine the timer may seem dead at boot: it is not tested.
        words = ["console=ttyS0 loglevel=6 panic=-1 oops=panic no_timer_check", chosen.cmdline]
        words += [chosen.with_leaks if self.leaks else chosen.without_leaks, self.cmdline]
        if self.counter:
            # A function has the same address in each run.
            words.append("nokaslr")
        if self.kind == "microvm":
            words.append(accel.clock_for_microvm())
        return " ".join(filter(None, words))
