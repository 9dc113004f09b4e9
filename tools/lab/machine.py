# SPDX-License-Identifier: GPL-2.0
"""A machine as a user has one: Debian with systemd and udev, which boots from its own disk by firmware, GRUB and initial ram disk."""

import os
import re
import shutil
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from lab import agent, host, qemu, timing
from lab.guest import Guest
from lab.paths import LOGS, RELEASE, layer

SIZE = "4G"
# Where the first partition begins, in sectors and in bytes.
START, OFFSET = 2048, 2048 * 512
# What programs are given that run in such a root without its being booted.
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", "HOME": "/root"}
TIMEOUT = 240
# The disk of a machine that has none.
NONE = "null-co://"


def tool(path):
    """The command that is a program of the layer, for the host of a machine."""
    folder = layer("machine") / "tools" / "usr"
    return ["env", f"LD_LIBRARY_PATH={folder}/lib/x86_64-linux-gnu", str(folder / path)]


def more(name):
    """The packages that a machine lacks to have one of those that it can have besides."""
    return sorted((layer("machine") / "more" / name).glob("*.deb"))


def unpack(folder):
    """The root of a machine, as a folder that can be changed."""
    root = folder / "root"
    root.mkdir()
    host.run("tar", "-C", root, "--zstd", "-xf", layer("machine") / "root.tar.zst", timeout=TIMEOUT)
    # What systemd does when /usr is newer has been done by those who made it.
    for name in "etc", "var":
        (root / name / ".updated").touch()
    return root


def run_in(root, *argv, check=True):
    """Runs a program in a root that is not booted, as on the system of the processor."""
    script = 'mount -t proc proc "$0/proc"; mount --rbind /dev "$0/dev"; exec chroot "$0" "$@"'
    command = ["unshare", "--mount", "sh", "-ec", script, str(root), *map(str, argv)]
    with timing.of("host"):
        done = subprocess.run(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[5:])}: exit status {done.returncode}\n{done.stdout}")
    return done


def install(root, *packages):
    """Installs packages from files as a user does; returns what apt says."""
    place = root / "packages"
    place.mkdir()
    for package in packages:
        shutil.copy(package, place)
    names = [f"/packages/{package.name}" for package in packages]
    said = run_in(root, "apt-get", "install", "--yes", "--no-install-recommends", *names).stdout
    shutil.rmtree(place)
    return said


def initrd(root, release=RELEASE):
    """The names of the files of the initial ram disk."""
    return run_in(root, "lsinitramfs", f"/boot/initrd.img-{release}").stdout.split()


def make_disk(root, disk):
    """Makes of a root a disk that boots: a partition table, GRUB in the sectors before the only partition, and that."""
    host.run("truncate", f"--size={SIZE}", disk)
    table = f"start={START}, type=83, bootable"
    host.run(*tool("sbin/sfdisk"), "--quiet", "--label", "dos", disk, input=table)
    blocks = (os.stat(disk).st_size - OFFSET) // 1024
    options = ["-q", "-L", "machine", "-E", f"offset={OFFSET},lazy_itable_init=1,lazy_journal_init=1", "-d", root]
    host.run("mkfs.ext4", *options, disk, f"{blocks}k", timeout=TIMEOUT)
    with open(disk, "r+b") as file:
        # What follows is the partition table.
        file.write((root / "usr/lib/grub/i386-pc/boot.img").read_bytes()[:440])
        file.seek(512)
        file.write((root / "boot/core.img").read_bytes())
    return disk


def direct(root, *words):
    """QEMU's options to start the kernel of a root with no firmware and no GRUB, with the words that GRUB has for it, and others."""
    line = re.search(r"^linux \S+ (.*)$", (root / "boot/grub/grub.cfg").read_text(), re.MULTILINE)[1]
    files = {"-kernel": root / f"boot/vmlinuz-{RELEASE}", "-initrd": root / f"boot/initrd.img-{RELEASE}"}
    return [str(word) for option in files.items() for word in option] + ["-append", " ".join([line, *words])]


# What the firmware starts from a disk that it knows, what that starts, and where the latter looks for what to do.
SHIM, GRUB, CONFIG = "EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/grubx64.efi", "EFI/debian/grub.cfg"
# Who has told shim of a key, whoever that is.
OWNER = "00000000-0000-0000-0000-000000000001"


def secure_boot(folder, key):
    """The options of a machine whose firmware starts what is signed: Debian's shim, GRUB and kernel. Its owner has told shim of a key.
    `folder` is for what is the machine's own."""
    tools = layer("machine") / "tools" / "usr"
    system = folder / "esp"
    for name in SHIM, CONFIG:
        (system / name).parent.mkdir(parents=True)
    shutil.copy(tools / "lib/shim/shimx64.efi.signed", system / SHIM)
    shutil.copy(tools / "lib/grub/x86_64-efi-signed/grubx64.efi.signed", system / GRUB)
    (system / CONFIG).write_text("search --set=root --label machine\nconfigfile ($root)/boot/grub/grub.cfg\n")
    variables = shutil.copy(tools / "share/OVMF/OVMF_VARS_4M.ms.fd", folder / "variables")
    enroll = ["python3", "-m", "virt.firmware.vars", "--inplace", variables, "--add-mok", OWNER, key]
    host.run("env", f"PYTHONPATH={tools}/lib/python3/dist-packages", *map(str, enroll))
    code = f"if=pflash,unit=0,format=raw,readonly=on,file={tools}/share/OVMF/OVMF_CODE_4M.ms.fd"
    disk = f"driver=vvfat,dir={system},read-only=on,if=none,id=esp"
    extra = ["-global", "driver=cfi.pflash01,property=secure,value=on", "-global", "ICH9-LPC.disable_s3=1"]
    for drive in code, f"if=pflash,unit=1,format=raw,file={variables}", disk:
        extra += ["-drive", drive]
    return {"machine": "q35,smm=on", "extra": [*extra, "-device", "virtio-blk-pci,drive=esp"]}


class Machine(Guest):
    """The machine of a disk, whose changes are forgotten at its end unless `keep` is set. Its kernel is started from the disk, or as
    `kernel` says, see `direct`. The other options are those of `Guest`. Only what QEMU does wrong has it start again: that it comes up
    is what is tested."""

    AGAIN = qemu.STUMBLED

    def __init__(self, disk, keep=False, files=(), kernel=(), **options):
        drive = f"file={disk},format=raw,snapshot={'off' if keep else 'on'}"
        super().__init__(files=[agent.program(), *files], boots=True, drive=drive, **options)
        self.started = list(kernel)

    def _boot(self, folder):
        self._start_kernel(folder, self._command(folder, self.drive, self.nics), TIMEOUT)

    def _kernel(self):
        return self.started


@contextmanager
def dhcp(nic):
    """Has the host give the guest's NIC the address that the lab has for it, which is its gateway, too, whoever asks there: programs
    have names of their own for the same NIC."""
    leases = Path(f"/tmp/{nic.tap}.leases")
    words = ["--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root", f"--interface={nic.tap}", "--bind-interfaces"]
    words += [f"--dhcp-range={nic.guest4},{nic.guest4},1h", f"--dhcp-host={nic.mac},id:*,{nic.guest4}", f"--dhcp-leasefile={leases}"]
    words += [f"--pid-file={leases}.pid", "--log-dhcp", f"--log-facility={LOGS}/{nic.tap}.dnsmasq"]
    process = subprocess.Popen([*tool("sbin/dnsmasq"), *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()
        with suppress(FileNotFoundError):
            leases.unlink()


def wait_for(condition, text, timeout=TIMEOUT):
    limit = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < limit, text
        time.sleep(0.1)
    return found
