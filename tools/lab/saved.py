# SPDX-License-Identifier: GPL-2.0
"""Guests that have booted once and are kept in the lab's cache: memory and disk, under what they were made from.

A guest begins from one of them in a second. It has what a booted one has, and devices that were not there when the other
was saved, which its kernel finds when it looks at the bus again.
"""

import hashlib
import os
import re
import shutil
import subprocess
import warnings
from pathlib import Path

from lab import build, payload, qemu
from lab.agent import GuestDied
from lab.paths import CACHE, ENTRY, RELEASE

MEMORY, DISK = "memory", "disk.qcow2"
# How often it is tried to make one.
TRIES = 3
# What tests run all the time: a guest that is saved has it in its memory.
USED = """
for program in ip ethtool ping ss modprobe insmod rmmod tar python3 cat grep sleep readlink sysctl; do
	for file in $(command -v $program) $(ldd $(command -v $program) | sed -n 's/.*=> \\(\\S*\\).*/\\1/p'); do cat $file; done
done >/dev/null
/payload/agent python -c 'pass'
ping -c 1 127.0.0.1; ip link; ss -Hltn; ethtool --version; modprobe --version
mkdir -p /var/lib/lab && echo 'this guest was saved' >/var/lib/lab/saved
sync
"""


def identity(path):
    """Says for a file of the lab whether it is the same as it was: one is made aside, and not changed after that."""
    found = os.stat(path)
    return f"{path} {found.st_size} {found.st_mtime_ns} {found.st_ino}"


def processor():
    """KVM gives the guest what the host's has."""
    return re.search(r"^flags.*$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)[0]


def digest(hardware, kernel):
    made_from = [*hardware.words(), *hardware.port(""), *hardware.disk(0, ""), hardware.command_line()]
    made_from += [qemu.version(), processor(), payload.programs(), USED]
    made_from += map(identity, (ENTRY / "guest.ext4", kernel.image, kernel.initrd))
    return hashlib.sha256("\n".join(made_from).encode()).hexdigest()[:12]


def overlay(path, lower=ENTRY / "guest.ext4", form="raw"):
    """A disk that holds what the guest has changed of another one: the lab's."""
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", lower, "-F", form, path], check=True)
    return f"file={path},format=qcow2"


def state(hardware, kernel, boot):
    """The folder with a saved guest. Is there none yet, `boot(drive)` boots one whose root disk is that of the drive, for a
    `with` block."""
    folder = CACHE / f"guest-{digest(hardware, kernel)}-{RELEASE}"
    # As with all that is in the cache, see prune() in setup.sh.
    mark = folder / "release"
    if not mark.exists():
        with build.lock(CACHE / "guests"):
            if not mark.exists():
                make(folder, boot)
    mark.touch()
    return folder


def make(folder, boot):
    """Nothing of ours is in such a guest; if it dies, QEMU has made it stumble, as in a boot (`guest.BOOTS`)."""
    for left in reversed(range(TRIES)):
        try:
            return save(folder, boot)
        except GuestDied as error:
            if not left:
                raise
            warnings.warn(f"the guest that is to be saved is booted again: {error}", stacklevel=2)


def save(folder, boot):
    partial = CACHE / "guests" / "partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    with boot(overlay(partial / DISK)) as guest:
        guest.run(USED, check=False)
        guest.kernel_messages()
        guest.save(partial / MEMORY)
    (partial / "release").write_text(RELEASE + "\n")
    partial.rename(folder)


def arguments(folder):
    """QEMU's, to go on from what the folder has. Nobody else on the network has to know where the guest is now."""
    return ["-global", "migration.announce-rounds=0", "-incoming", f"file:{folder / MEMORY}"]


def drive(folder):
    """Of the root disk, as it was left; what a guest writes goes elsewhere and ends with it."""
    return f"file={folder / DISK},format=qcow2,snapshot=on"
