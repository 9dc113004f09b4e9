# SPDX-License-Identifier: GPL-2.0
"""A guest: QEMU with a kernel and the lab's disk, ruled from here."""

import base64
import itertools
import json
import os
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

from lab import accel, kernel, payload, reports
from lab.agent import Agent, CommandFailed, GuestDied, as_argv
from lab.background import Background
from lab.nic import Nic
from lab.paths import ENTRY, LOGS, shown
from lab.qmp import Qmp

MACHINES = {"q35": "q35", "microvm": "microvm,pit=on,pic=on,rtc=on"}
# The limit of a boot; one takes 4 to 10 s on an idle machine.
BOOT = 180
# How often a boot is tried. Where QEMU emulates several CPUs, one of them may still see the old bytes of an instruction
# that the kernel patched long before, and take the breakpoint that was there for a moment for a real one. That was seen
# once in some hundred boots, before anything of ours was loaded.
BOOTS = 3
# How much of a file goes over the serial port at once.
CHUNK = 32 * 1024
# How much of the console an error shows.
TAIL = 40

numbers = itertools.count(1)


class Guest:
    """Runs for as long as the `with` block does.

    nics     one dictionary for each NIC, see `Nic`, or a ready one
    files    host files to be found in the guest's /payload, such as modules
    machine  a name of MACHINES, with further properties after a comma if need be
    cpus, memory
    devices  further `-device` values, in front of the NICs: IOMMUs, root ports
    root_ports  how many root ports to plug NICs into, named port0, port1, ...
    cmdline  further words for the kernel's command line
    leaks    a kernel that can look for leaks does: whatever the guest does takes two to six times as long
    extra    further arguments for QEMU
    counter  counts the guest's instructions, see `bench.counter`: one processor, whose clock is the count itself
    terminal QEMU may read from this process's terminal
    """

    def __init__(
        self,
        nics=({},),
        files=(),
        machine="q35",
        cpus=2,
        memory="1G",
        devices=(),
        root_ports=0,
        cmdline="",
        leaks=False,
        extra=(),
        counter=None,
        terminal=False,
    ):
        self.number = next(numbers)
        self.machine, _, options = machine.partition(",")
        self.nics = [nic if isinstance(nic, Nic) else Nic(nic, self.machine) for nic in nics]
        self.console = LOGS / f"guest-{self.number}.console"
        self.files = files
        self.kernel = kernel.chosen()
        self.leaks = leaks and bool(self.kernel.with_leaks)
        self.cmdline = f"{self.kernel.with_leaks if leaks else self.kernel.without_leaks} {cmdline}"
        self.terminal = terminal
        self.agent = self.qmp = self.process = None
        ports = [f"pcie-root-port,id=port{i},chassis={i + 1},slot={i + 1}" for i in range(root_ports)]
        machine = MACHINES[self.machine] + ("," + options if options else "")
        self.counter = counter
        if counter:
            # String instructions count once for each element: without the fast ones, copies are made of words.
            self.processor = ["-accel", "tcg,thread=single", "-cpu", "max,-erms,-fsrm,-fsrs", "-icount", "shift=0"]
            self.processor += counter.arguments()
            # A function has the same address in each run.
            self.cmdline += " nokaslr"
            cpus = 1
        else:
            self.processor = ["-accel", accel.choose(), "-cpu", "max"]
        self.arguments = ["-M", machine, "-smp", str(cpus), "-m", memory]
        for device in [*devices, *ports]:
            self.arguments += ["-device", device]
        self.extra = list(extra)

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="guest-")
        try:
            self._start(Path(self.folder.name))
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def _start(self, folder):
        initrd = payload.make_initrd(folder, self.kernel.initrd, self.files)
        for nic in self.nics:
            nic.make()
        command = self._command(folder, initrd)
        for left in reversed(range(BOOTS)):
            self._launch(folder, command)
            try:
                return self._told(lambda: self.agent.hello(BOOT))
            except GuestDied as error:
                if not left or not self._kernel_started():
                    raise
                warnings.warn(f"the kernel did not come up, and is started again: {error}", stacklevel=2)
            self._end()
            self.console.rename(self.console.with_suffix(f".failed-boot-{BOOTS - left}"))

    def _command(self, folder, initrd):
        disk = "virtio-blk-device" if self.machine == "microvm" else "virtio-blk-pci"
        # On a busy machine the timer may seem dead at boot: it is not tested.
        cmdline = f"console=ttyS0 loglevel=6 panic=-1 oops=panic no_timer_check {self.kernel.cmdline} {self.cmdline}"
        if self.machine == "microvm":
            cmdline += " " + accel.clock_for_microvm()
        command = ["qemu-system-x86_64", *self.processor, "-nodefaults", "-no-user-config"]
        command += ["-display", "none", "-no-reboot", *self.arguments]
        command += ["-chardev", f"file,id=console,path={self.console}", "-serial", "chardev:console"]
        command += ["-chardev", f"socket,id=agent,path={folder}/agent,server=on,wait=off"]
        command += ["-device", "isa-serial,chardev=agent,index=1"]
        command += ["-qmp", f"unix:{folder}/qmp,server=on,wait=off"]
        command += ["-kernel", str(self.kernel.image), "-initrd", str(initrd), "-append", cmdline]
        command += ["-drive", f"file={ENTRY}/guest.ext4,if=none,id=disk,format=raw,snapshot=on"]
        command += ["-device", f"{disk},drive=disk"]
        for nic in self.nics:
            command += nic.arguments()
        return command + self.extra

    def _launch(self, folder, command):
        for name in ("agent", "qmp"):
            (folder / name).unlink(missing_ok=True)
        self.output = open(LOGS / f"guest-{self.number}.qemu", "w+")
        print(*command, file=self.output, flush=True)
        if self.terminal:
            self.process = subprocess.Popen(command)
        else:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=self.output, stderr=subprocess.STDOUT, start_new_session=True
            )
        self.qmp = self._told(lambda: Qmp(self._socket(folder / "qmp")))
        self.agent = self._told(lambda: Agent(self._socket(folder / "agent")))

    def _kernel_started(self):
        """Otherwise QEMU has ended over one of its options, and would again."""
        return self.console.exists() and "Linux version" in self.console.read_text(errors="replace")

    def _socket(self, path):
        """QEMU makes its sockets before it runs the guest, unless it ends over an option."""
        while not path.exists():
            if self.process.poll() is not None:
                raise GuestDied("QEMU did not start")
            time.sleep(0.02)
        return path

    def _end(self):
        for connection in (self.agent, self.qmp):
            if connection:
                connection.close()
        if self.process:
            self.process.kill()
            self.process.wait()
            self.output.close()

    def close(self):
        self._end()
        for nic in self.nics:
            nic.remove()
        self.folder.cleanup()

    def tail(self):
        """The end of the console, and what QEMU said itself (the first line is its command)."""
        lines = self.console.read_text(errors="replace").splitlines() if self.console.exists() else []
        self.output.seek(0)
        lines = lines[-TAIL:] + self.output.read().splitlines()[1:]
        return "\n".join(lines) + f"\n(the whole console is in {shown(self.console)})"

    def _told(self, action):
        """Does `action`; if the guest is gone, the error has the end of its console."""
        try:
            return action()
        except GuestDied as error:
            # What a dying kernel prints may still be on its way.
            if self.process and self.process.poll() is None:
                time.sleep(1)
            raise GuestDied(f"{error}; the end of its console:\n{self.tail()}") from None

    def ask(self, op, limit=60, **arguments):
        """Asks the agent for one of its operations."""
        return self._told(lambda: self.agent.ask(op, limit, **arguments))

    # --- Commands and files ---------------------------------------------------

    def run(self, command, timeout=60, check=True, input=b""):
        """Runs a command, an argv or a line for the shell, and returns its Result."""
        return self._told(lambda: self.agent.run(as_argv(command), timeout, input, check))

    def spawn(self, command):
        """Starts a command in the background."""
        return Background(self, command)

    def put(self, path, data, mode=0o644):
        """Writes a file. Slow: serial; for a big one, see `files`."""
        data = data.encode() if isinstance(data, str) else data
        for start in range(0, max(len(data), 1), CHUNK):
            piece = base64.b64encode(data[start : start + CHUNK]).decode()
            self.ask("put", path=path, data=piece, append=start > 0, mode=mode)

    def get(self, path, start=0):
        """What a file has from byte `start` on."""
        data = b""
        while True:
            answer = self.ask("get", path=path, offset=start + len(data), length=CHUNK)
            piece = base64.b64decode(answer["data"])
            if not piece:
                return data
            data += piece

    # --- The kernel -----------------------------------------------------------

    def kernel_messages(self):
        """The kernel's messages since the last call."""
        return self.ask("messages")["lines"]

    def new_kernel_reports(self):
        """Those since the last call which say that something is broken; empty in a good run."""
        return reports.broken(self.kernel_messages())

    # --- NICs -----------------------------------------------------------------

    def interface(self, nic, timeout=30):
        """The name that a NIC has in the guest, which is found by its address, once a driver is bound."""
        limit = time.monotonic() + kernel.patient(timeout)
        while True:
            for link in json.loads(self.run(["ip", "-json", "link"]).stdout):
                if link.get("permaddr", link.get("address")) == nic.mac:
                    return link["ifname"]
            if time.monotonic() > limit:
                raise CommandFailed(f"no interface with the address {nic.mac} appeared within {timeout} s")
            time.sleep(0.2)

    def bring_up(self, nic):
        """Gives a NIC its addresses and sets it up; returns its name."""
        name = self.interface(nic)
        lines = f"address add {nic.guest4}/24 dev {name}", f"address add {nic.guest6}/64 dev {name} nodad", f"link set {name} up"
        self.run(["ip", "-batch", "-"], input="\n".join(lines).encode())
        return name

    def virtio_device(self, nic):
        """The name of the device on the guest's virtio bus, such as virtio1."""
        path = self.run(["readlink", "-f", f"/sys/class/net/{self.interface(nic)}/device"]).stdout.strip()
        return os.path.basename(path)

    def plug(self, nic):
        """Plugs a NIC into its bus. What was unplugged can be plugged again."""
        device = nic.device()
        self._told(lambda: self.qmp("device_add", **device))
        nic.plugged = True

    def unplug(self, nic, timeout=60):
        """Asks the guest to let go of a NIC and waits until it has."""
        self._told(lambda: self.qmp("device_del", id=nic.id))
        self._told(lambda: self.qmp.wait_event("DEVICE_DELETED", kernel.patient(timeout), device=nic.id))
        nic.plugged = False

    def set_link(self, nic, up):
        self._told(lambda: self.qmp("set_link", name=nic.id, up=up))

    def wait_for_carrier(self, name, up):
        """Waits until an interface follows what its device says of the link."""
        self.run(f"until [ $(cat /sys/class/net/{name}/carrier) = {int(up)} ]; do sleep 0.05; done")
