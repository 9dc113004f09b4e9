# SPDX-License-Identifier: GPL-2.0
"""A guest: QEMU with a kernel and the lab's disk, ruled from here."""

import itertools
import json
import os
import socket
import subprocess
import tempfile
import time
import warnings
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from lab import kernel, payload, reports, saved, timing
from lab.agent import Agent, CommandFailed, GuestDied, as_argv
from lab.background import Background
from lab.hardware import PORTS, Hardware
from lab.nic import Nic
from lab.paths import ENTRY, LOGS, shown
from lab.qmp import Qmp

# The limit of a boot; one takes 4 to 10 s on an idle machine.
BOOT = 180
# How often a boot is tried. Where QEMU emulates several CPUs, one of them may still see the old bytes of an instruction
# that the kernel patched long before, and take the breakpoint that was there for a moment for a real one. That was seen
# once in some hundred boots, before anything of ours was loaded.
BOOTS = 3
# How much of a file goes over the agent's port at once.
CHUNK = 32 * 1024
# How much of the console an error shows.
TAIL = 40
# Of the first number of a record of /dev/kmsg, and of errors.
LEVEL, ERROR = 7, 3
# How long an interface is looked for by its address alone, in seconds.
RENAMED = 0.3
# What the random numbers of a guest begin with, in bytes.
SEED = 64

numbers = itertools.count(1)


def message(record):
    """As dmesg shows it, of a record of /dev/kmsg."""
    head, _, text = record.partition(";")
    return f"[{int(head.split(',')[2]) / 1e6:12.6f}] {text}"


class Guest:
    """Runs for as long as the `with` block does.

    nics     one dictionary for each NIC, see `Nic`, or a ready one
    files    host files to be found in the guest's /payload, such as modules
    extra    further arguments for QEMU, of what the guest can do without while it boots
    terminal QEMU may read from this process's terminal
    boots    it boots, where that is what matters. Otherwise it goes on from where another one of the same hardware was
             saved, see `saved`, if that can be
    drive    the root disk of one that boots (the lab's, whose changes are forgotten)
    hardware as in `Hardware`
    """

    # What has to be on the console of a kernel that did not come up, so that it is started again.
    AGAIN = "Linux version"

    def __init__(self, nics=({},), files=(), extra=(), terminal=False, boots=False, drive=None, **hardware):
        self.number = next(numbers)
        self.hardware = Hardware(**hardware)
        kind = self.hardware.kind
        self.nics = [nic if isinstance(nic, Nic) else Nic(nic, kind) for nic in nics]
        self._give_ports()
        self.console = LOGS / f"guest-{self.number}.console"
        self.files = files
        self.kernel = kernel.chosen()
        self.leaks = self.hardware.looks_for_leaks
        self.counter = self.hardware.counter
        self.terminal = terminal
        self.extra = list(extra)
        # On microvm all devices are there from the beginning, and an IOMMU knows no others.
        self.boots = boots or kind != "q35" or bool(self.hardware.devices)
        self.drive = drive or f"file={ENTRY}/guest.ext4,format=raw,snapshot=on"
        self.agent = self.qmp = self.wake = self.process = None
        self.scripts = set()

    def _give_ports(self):
        """Only what is behind a port of its own can be plugged in."""
        first = self.hardware.root_ports
        homeless = [nic for nic in self.nics if not nic.stays and not nic.bus]
        for number, nic in enumerate(homeless, first):
            nic.bus = f"port{number}"
        if homeless or self.hardware.shared_memory:
            # Not one number for each file of tests, or each would have a saved guest of its own.
            self.hardware = replace(self.hardware, root_ports=max(first + len(homeless), PORTS))

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
        state = None if self.boots else saved.state(self.hardware, self.kernel, self._to_be_saved)
        for nic in self.nics:
            nic.make()
        with timing.of("boot" if self.boots else "restore"):
            self._restore(folder, state) if state else self._boot(folder)
            if self.files:
                self.ask("unpack")

    def _to_be_saved(self, drive):
        return Guest(nics=(), boots=True, drive=drive, **vars(self.hardware))

    def _boot(self, folder):
        initrd = payload.make_initrd(folder, self.kernel.initrd)
        command = self._command(folder, self.drive, self.nics)
        command += ["-initrd", str(initrd), "-append", self.hardware.command_line()]
        self._start_kernel(folder, command, BOOT)

    def _start_kernel(self, folder, command, limit):
        """Several times, if need be. QEMU has ended over one of its options if there is nothing of the kernel."""
        for left in reversed(range(BOOTS)):
            self._launch(folder, command)
            try:
                return self._with_console(lambda: self.agent.hello(limit))
            except GuestDied as error:
                if not left or not self._is_on_console(self.AGAIN):
                    raise
                warnings.warn(f"the kernel did not come up, and is started again: {error}", stacklevel=2)
            self._end()
            self.console.rename(self.console.with_suffix(f".failed-boot-{BOOTS - left}"))

    def _restore(self, folder, state):
        # The ports of a guest that was saved are empty.
        later = [nic for nic in self.nics if nic.bus and nic.plugged]
        command = self._command(folder, self._saved_drive(state), [nic for nic in self.nics if nic not in later])
        self._launch(folder, command + saved.arguments(state))
        while self._with_console(lambda: self.qmp("query-status"))["status"] != "running":
            time.sleep(0.02)
        self.resume()
        for nic in later:
            self.plug(nic)

    def _saved_drive(self, state):
        return saved.drive(state)

    def resume(self):
        """Has the guest take notice that it goes on in another place and at another time."""
        self.ask("resumed", time.time_ns(), os.urandom(SEED))

    def _command(self, folder, drive, nics):
        hardware = self.hardware
        command = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
        command += ["-chardev", f"file,id=console,path={self.console}", "-serial", "chardev:console"]
        command += ["-chardev", f"socket,id=agent,path={folder}/agent,server=on,wait=off", *hardware.port("agent")]
        command += ["-chardev", f"socket,id=wake,path={folder}/wake,server=on,wait=off"]
        command += ["-device", "isa-serial,chardev=wake,index=1"]
        command += ["-qmp", f"unix:{folder}/qmp,server=on,wait=off"]
        command += [*hardware.words(), *self._kernel(), *hardware.disk(0, drive)]
        if self.counter:
            command += self.counter.arguments()
        if self.files:
            disk = payload.make_disk(folder, self.files)
            command += hardware.disk(1, f"file={disk},format=raw,readonly=on", ",serial=payload")
        for nic in self.nics:
            command += nic.backend()
        for nic in nics:
            command += nic.arguments() if nic.plugged else []
        return command + self.extra

    def _kernel(self):
        """QEMU's options for the kernel. A guest that goes on has no use for it, but QEMU for the memory of what would load it."""
        return ["-kernel", str(self.kernel.image)]

    def _launch(self, folder, command):
        self.sockets = folder
        for name in ("agent", "qmp", "wake"):
            (folder / name).unlink(missing_ok=True)
        self.output = open(self.console.with_suffix(".qemu"), "w+")
        print(*command, file=self.output, flush=True)
        if self.terminal:
            self.process = subprocess.Popen(command)
        else:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=self.output, stderr=subprocess.STDOUT, start_new_session=True
            )
        self.qmp = self._with_console(lambda: self._connected(Qmp, folder / "qmp"))
        self.agent = self._with_console(lambda: self._connected(Agent, folder / "agent"))

    def _is_on_console(self, text):
        return self.console.exists() and text in self.console.read_text(errors="replace")

    def _connected(self, kind, path):
        """A client of a socket that QEMU makes before it runs the guest, unless it ends over an option. A socket is there for a
        moment before anybody listens."""
        while self.process.poll() is None:
            with suppress(FileNotFoundError, ConnectionRefusedError):
                return kind(path)
            time.sleep(0.02)
        raise GuestDied("QEMU did not start")

    def _end(self):
        for connection in (self.agent, self.qmp, self.wake):
            if connection:
                connection.close()
        if self.process:
            timing.busy(self.process.pid)
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
        # What comes after the reason of a panic can be longer.
        panics = [number for number, line in enumerate(lines) if "Kernel panic - not syncing" in line and "end Kernel" not in line]
        start = min([len(lines) - TAIL, *panics])
        lines = lines[max(start, 0) :] + self.output.read().splitlines()[1:]
        return "\n".join(lines) + f"\n(the whole console is in {shown(self.console)})"

    def _with_console(self, action):
        """Does `action`; if the guest is gone, the error has the end of its console."""
        try:
            return action()
        except GuestDied as error:
            # What a dying kernel prints may still be on its way.
            if self.process and self.process.poll() is None:
                time.sleep(1)
            raise GuestDied(f"{error}; the end of its console:\n{self.tail()}") from None

    def _asked(self, action):
        with timing.of("guest"):
            return self._with_console(action)

    def ask(self, operation, *arguments, limit=60):
        """Asks the agent for one of its operations."""
        return self._asked(lambda: self.agent.ask(operation, *arguments, limit=limit))

    def wait_for(self, number, timeout):
        """For `Background`."""
        return self._asked(lambda: self.agent.wait(number, timeout))

    def save(self, path):
        """Writes the state of the guest to a file. It does not go on after that."""
        self._migrate(f"file:{path}")

    def _migrate(self, uri):
        found = self._leave(uri)
        if found["status"] != "completed":
            raise GuestDied(f"the guest cannot leave: {found}")

    def _leave(self, uri):
        """Has QEMU send the guest; returns how that has ended, as it says it."""
        self._with_console(lambda: self.qmp("migrate", uri=uri))
        while (found := self._with_console(lambda: self.qmp("query-migrate")))["status"] not in ("completed", "failed", "cancelled"):
            time.sleep(0.02)
        return found

    def heard(self, path):
        """The text of a file that somebody in the guest writes when it has slept, or None if it does not answer or has no such
        file yet.

        The kernel's driver of the agent's port has no buffer for it when QEMU says that the host is there, after the guest has slept:
        QEMU says it again.
        """
        self.agent.reconnect()
        try:
            return self.agent.ask("get", path, 0, CHUNK, limit=1)[0].decode()
        except (CommandFailed, GuestDied):
            if self.process.poll() is not None:
                self._with_console(lambda: self.qmp("query-status"))
            return None

    def nudge(self):
        """Sends a byte to the second serial port, which raises an interrupt if the guest has it open."""
        if not self.wake:
            self.wake = socket.socket(socket.AF_UNIX)
            self.wake.connect(f"{self.sockets}/wake")
        self.wake.sendall(b"\n")

    # --- Commands and files ---------------------------------------------------

    def run(self, command, timeout=60, check=True, input=b""):
        """Runs a command, an argv or a line for the shell, and returns its Result."""
        return self._asked(lambda: self.agent.run(as_argv(command), timeout, input, check))

    def spawn(self, command):
        """Starts a command in the background."""
        return Background(self, command)

    def put(self, path, data, mode=0o644):
        """Writes a file. For a big one, see `files`."""
        data = data.encode() if isinstance(data, str) else data
        for start in range(0, max(len(data), 1), CHUNK):
            self.ask("put", path, int(start > 0), mode, data[start : start + CHUNK])

    def get(self, path, start=0):
        """What a file has from byte `start` on."""
        data = b""
        while True:
            [piece] = self.ask("get", path, start + len(data), CHUNK)
            data += piece
            if len(piece) < CHUNK:
                return data

    def read(self, path):
        """The text of a short file, such as one of sysfs. There is no command that would take much longer."""
        return self.get(path).decode()

    def entries(self, folder, file, text):
        """The names of the entries of a folder in which a file says a text."""
        return [name.decode() for name in self.ask("entries", folder, file, text)]

    def contents(self, folder):
        """The text of all files in a folder, such as one of sysfs, by their names."""
        found = [data.decode() for data in self.ask("files", folder)]
        return dict(zip(found[::2], found[1::2]))

    def script(self, name, text):
        """Puts a program into /tmp that is the same each time, once; returns its path."""
        path = f"/tmp/{name}"
        if path not in self.scripts:
            self.put(path, text)
            self.scripts.add(path)
        return path

    # --- The kernel -----------------------------------------------------------

    def kernel_messages(self):
        """The kernel's messages since the last call."""
        return [message(record) for record in self._records(0)]

    def kernel_errors(self):
        """The text of those at the level of errors and above since the last call of this function."""
        records = (record.partition(";") for record in self._records(1))
        return [text for head, _, text in records if int(head.split(",")[0]) & LEVEL <= ERROR]

    def _records(self, reader):
        [records] = self.ask("messages", reader)
        return records.decode(errors="replace").splitlines()

    def new_kernel_reports(self):
        """Those since the last call which say that something is broken; empty in a good run."""
        return reports.broken(self.kernel_messages())

    # --- NICs -----------------------------------------------------------------

    def interface(self, nic, timeout=30):
        """The name that a NIC has in the guest, which is found by its address, once a driver is bound."""
        start = time.monotonic()
        limit = start + kernel.patient(timeout)
        while True:
            for name in self.ask("interfaces", nic.mac):
                return name.decode()
            # It may have been given another address since. That takes longer to be found out.
            if time.monotonic() > start + RENAMED:
                for link in json.loads(self.run(["ip", "-json", "link"]).stdout):
                    if link.get("permaddr") == nic.mac:
                        return link["ifname"]
            if time.monotonic() > limit:
                raise CommandFailed(f"no interface with the address {nic.mac} appeared within {timeout} s")
            time.sleep(0.05)

    def bring_up(self, nic):
        """Gives a NIC its addresses and sets it up; returns its name."""
        name = self.interface(nic)
        replace = f"address replace {nic.guest4}/24 dev {name}", f"address replace {nic.guest6}/64 dev {name} nodad"
        self.run(["ip", "-batch", "-"], input="\n".join([*replace, f"link set {name} up"]).encode())
        return name

    @contextmanager
    def paused(self):
        """For so long no processor of the guest runs: it does not see what the host does in the order that it is done. QEMU stops the queues
        of a device by vhost-user meanwhile: what is to be received by one waits until the end, so have it by vfio-user."""
        self._with_console(lambda: self.qmp("stop"))
        yield
        self._with_console(lambda: self.qmp("cont"))

    def disk(self, serial):
        """The device of a disk that was given this serial number in `extra`."""
        [name] = self.entries("/sys/block", "serial", serial)
        return f"/dev/{name}"

    def virtio_device(self, nic):
        """The name of the device on the guest's virtio bus, such as virtio1."""
        [path] = self.ask("link", f"/sys/class/net/{self.interface(nic)}/device")
        return os.path.basename(path.decode())

    def plug(self, nic):
        """Plugs a NIC into its bus. What was unplugged can be plugged again."""
        self._with_console(lambda: self.qmp.execute("device_add", nic.device()))
        nic.plugged = True

    def unplug(self, nic, timeout=60):
        """Asks the guest to let go of a NIC and waits until it has."""
        self._with_console(lambda: self.qmp("device_del", id=nic.id))
        self._with_console(lambda: self.qmp.wait_event("DEVICE_DELETED", kernel.patient(timeout), device=nic.id))
        nic.plugged = False

    def set_link(self, nic, up):
        self._with_console(lambda: self.qmp("set_link", name=nic.id, up=up))

    def wait_for_carrier(self, name, up, timeout=60):
        """Waits until an interface follows what its device says of the link; `CommandFailed` if it does not in that time."""
        limit = time.monotonic() + kernel.patient(timeout)
        while self.read(f"/sys/class/net/{name}/carrier").strip() != str(int(up)):
            if time.monotonic() > limit:
                raise CommandFailed(f"the carrier of {name} is not {'on' if up else 'off'}")
            time.sleep(0.02)
