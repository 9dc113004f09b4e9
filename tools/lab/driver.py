# SPDX-License-Identifier: GPL-2.0
"""The driver under test: the project's own, or the in-tree C one to compare with."""

import os
from dataclasses import dataclass

from lab import build
from lab.paths import die


@dataclass(frozen=True)
class Driver:
    name: str
    # The file in the guest's /payload; None for a module of the stock kernel.
    file: str | None

    def payload(self, folder):
        """Builds what the guest needs beside its stock kernel."""
        return [build.build_into(folder)] if self.file else []

    def load(self, guest, *parameters):
        if not self.file:
            guest.run(["modprobe", self.name, *parameters])
            return
        path = f"/payload/{self.file}"
        needed = guest.run(["modinfo", "-F", "depends", path]).stdout.strip()
        for module in filter(None, needed.split(",")):
            guest.run(["modprobe", module])
        guest.run(["insmod", path, *parameters])

    def unload(self, guest):
        guest.run(["rmmod", self.name])


RUST = Driver("virtio_net_rust", build.MODULE)
C = Driver("virtio_net", None)


def chosen():
    name = os.environ.get("DRIVER", "rust")
    drivers = {"rust": RUST, "c": C}
    if name not in drivers:
        die(f"DRIVER={name}: the driver is one of {', '.join(drivers)}")
    return drivers[name]
