# SPDX-License-Identifier: GPL-2.0
"""What a guest gets besides its disk: the lab's first process, its agent and its Python, behind the initial ram disk, and the
files of a run, on a disk of their own that is there for each run anew.
"""

import shutil
import subprocess
from pathlib import Path

from lab import agent
from lab.paths import REPO

INIT = REPO / "tools" / "lab" / "init"
INTERPRETER = REPO / "tools" / "lab" / "interpreter.py"


def make_initrd(folder, start):
    """Makes folder/initrd of the kernel's own one, `start`, and /payload with these programs."""
    content = Path(folder) / "content" / "payload"
    content.mkdir(parents=True)
    shutil.copy(INIT, content / "init").chmod(0o755)
    shutil.copy(INTERPRETER, content)
    shutil.copy(agent.program(), content / "agent")
    archive = subprocess.run(
        "find payload | cpio --quiet -o -H newc", shell=True, cwd=content.parent, check=True, capture_output=True
    ).stdout
    initrd = Path(folder) / "initrd"
    initrd.write_bytes(start.read_bytes() + archive)
    return initrd


def make_disk(folder, files):
    """Makes folder/payload.tar, which is the disk: an archive without a file system, of `files` by their names alone."""
    disk = Path(folder) / "payload.tar"
    # Of those with the same name the last one counts.
    kept = {Path(file).name: Path(file) for file in files}
    words = [word for file in kept.values() for word in ("-C", file.parent, file.name)]
    subprocess.run(["tar", "-cf", disk, "--owner=0", "--group=0", *(words or ["-T", "/dev/null"])], check=True)
    return disk


def programs():
    """What these are made of."""
    return INIT.read_text() + INTERPRETER.read_text() + agent.made_from()
