# SPDX-License-Identifier: GPL-2.0
"""What comes with each run: an archive behind the initial ram disk with the guest's scripts and modules."""

import shutil
import subprocess
from pathlib import Path

from lab.paths import REPO


def make_initrd(folder, start, files):
    """Makes folder/initrd of the kernel's own one, `start`, and /payload with `files`."""
    folder = Path(folder)
    content = folder / "content" / "payload"
    shutil.copytree(REPO / "tools" / "lab" / "payload", content)
    (content / "init").chmod(0o755)
    for file in files:
        shutil.copy(file, content)
    archive = subprocess.run(
        "find payload | cpio --quiet -o -H newc", shell=True, cwd=content.parent, check=True, capture_output=True
    ).stdout
    initrd = folder / "initrd"
    initrd.write_bytes(start.read_bytes() + archive)
    return initrd
