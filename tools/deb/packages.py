# SPDX-License-Identifier: GPL-2.0
"""Makes the packages: what debhelper wants to find is put into a folder, and there it runs."""

import re
import shutil
import subprocess
import textwrap
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import format_datetime
from pathlib import Path

from lab import build, unpacked
from lab.paths import LOGS, RELEASE, REPO, die, shown

SOURCE = REPO / "tools" / "deb"
FOLDER = REPO / "build" / "deb"
NAME = "virtio-net-rust"
MODULES = f"{NAME}-modules-{RELEASE}"
MAINTAINER = "The virtio-net Rust driver's authors <authors@virtio-net-rust.example.org>"
# Of the sources, what DKMS builds from: nothing of the lab but what the Makefile asks about a kernel tree.
MODULE = ("CHANGELOG.md", "Kbuild", "Makefile", "rust", "drivers", "tools/lab/kdir.sh", "tools/lab/suite.sh")
HEADING = re.compile(r"^## (\d+(?:\.\d+)+) \((\d{4}-\d\d-\d\d)\)$", re.MULTILINE)


@dataclass(frozen=True)
class Version:
    """The newest in CHANGELOG.md."""

    number: str
    date: datetime
    changes: list

    @classmethod
    def newest(cls):
        text = (REPO / "CHANGELOG.md").read_text()
        found = HEADING.search(text)
        if not found:
            die("CHANGELOG.md has no heading with a version and its date")
        rest = text[found.end() :].partition("\n## ")[0]
        entries = re.findall(r"^- (.*(?:\n  .*)*)", rest, re.MULTILINE)
        date = datetime.fromisoformat(found[2]).replace(tzinfo=timezone.utc)
        return cls(found[1], date, [" ".join(entry.split()) for entry in entries])

    def changelog(self):
        """As Debian has it."""
        marks = {"initial_indent": "  * ", "subsequent_indent": "    "}
        changes = "\n".join(textwrap.fill(change, 78, **marks) for change in self.changes)
        signed = f" -- {MAINTAINER}  {format_datetime(self.date)}"
        return f"{NAME} ({self.number}) unstable; urgency=medium\n\n{changes}\n\n{signed}\n"


def filled_in(text, version):
    known = {"RELEASE": RELEASE, "VERSION": version.number, "DATE": f"{version.date:%Y-%m-%d}", "MAINTAINER": MAINTAINER}
    return re.sub(r"@([A-Z]+)@", lambda found: known[found[1]], text)


def name_in_debian(path):
    """The files that debhelper finds by a package's name are here by its kind, as the name has the kernel's release."""
    kind, _, rest = path.name.removesuffix(".in").partition(".")
    package = {"modules": MODULES, "dkms": f"{NAME}-dkms"}.get(kind)
    return f"{package}.{rest}" if package else path.name.removesuffix(".in")


def stage(tree, version):
    """Puts into `tree` what the packages are made of."""
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    (tree / "debian").mkdir()
    for path in (SOURCE / "debian").iterdir():
        target = tree / "debian" / name_in_debian(path)
        target.write_text(filled_in(path.read_text(), version) if path.suffix == ".in" else path.read_text())
        target.chmod(path.stat().st_mode)
    (tree / "debian" / "changelog").write_text(version.changelog())
    shutil.copytree(SOURCE / "files", tree / "files")
    (tree / "man").mkdir()
    for path in (SOURCE / "man").iterdir():
        (tree / "man" / path.name).write_text(filled_in(path.read_text(), version))
    shutil.copy(REPO / "CHANGELOG.md", tree)
    shutil.copytree(SOURCE / "source", tree / "source")
    for name in MODULE:
        source, target = REPO / name, tree / "source" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=build.BUILT)
        else:
            shutil.copy(source, target)


def make(folder=FOLDER):
    """Makes the packages anew, and returns their paths."""
    version = Version.newest()
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.deb"):
        old.unlink()
    tree = folder / "tree"
    stage(tree, version)
    build.build_into(tree)
    log = LOGS / "deb.log"
    epoch = f"SOURCE_DATE_EPOCH={version.date.timestamp():.0f}"
    line = f"cd {tree} && exec env {epoch} dpkg-buildpackage --build=binary --no-sign --no-check-builddeps"
    with open(log, "w") as output:
        command = unpacked.command("deb", "sh", "-ec", line)
        if subprocess.run(command, stdout=output, stderr=subprocess.STDOUT).returncode != 0:
            die(f"the packages cannot be made; see {shown(log)}\n{log.read_text()[-2000:]}")
    shutil.rmtree(tree)
    # What an archive would want to know besides.
    for path in [*folder.glob("*.buildinfo"), *folder.glob("*.changes")]:
        path.unlink()
    return sorted(folder.glob("*.deb"))
