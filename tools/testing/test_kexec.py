# SPDX-License-Identifier: GPL-2.0
"""Another kernel is started in place of the one that runs, with the devices as that one has left them."""

import re
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab import guest as guests
from lab import kernel, payload
from support import exchange, kexec
from support.kernel_log import no_errors  # noqa: F401
from support.kernels import stock_only
from support.nics import PACKED, SMALL

pytestmark = stock_only("only a compressed kernel can be started by another one on x86")

KEXEC = Path(kexec.__file__)
# What a kernel has that is started by a panic, and pairs of queues of the NIC that it is to send the dump by.
RESERVED, PAIRS = "128M", 32
# How much memory the NIC may take then, in bytes: it has one CPU, which is one pair. It is about 12 MiB, as far as what else the guest
# does lets one see; rings that are filled for all pairs take 16 more.
TAKEN = 18 << 20


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """What a guest needs to start the kernel that it runs a second time, with the agent."""
    folder = tmp_path_factory.mktemp("kexec")
    image = shutil.copy(kernel.chosen().image, folder / "image")
    return [KEXEC, exchange.PEER, image, payload.make_initrd(folder, kernel.chosen().initrd)]


def load(guest, when, words=""):
    line = f"{guest.hardware.command_line()} {words}"
    return ["python3", "-S", "-E", f"/payload/{KEXEC.name}", when, "/payload/image", "/payload/initrd", line]


def available(guest):
    """How much memory a guest has left, in bytes."""
    return 1024 * int(re.search(r"^MemAvailable: *(\d+)", guest.read("/proc/meminfo"), re.MULTILINE)[1])


def works_again(guest, driver):
    """The agent is the other kernel's, and so is all that the driver knows. Returns how much memory the NICs take."""
    guest.agent.hello(guests.BOOT)
    guest.ask("unpack")
    guest.run(["rm", "/payload/image", "/payload/initrd"])
    # Nobody has unmounted the disk.
    guest.kernel_messages()
    before = available(guest)
    driver.load(guest)
    for nic in guest.nics:
        guest.bring_up(nic)
    taken = before - available(guest)
    with exchange.peer_in(guest):
        for nic in guest.nics:
            exchange.pings(guest, nic)
    assert guest.new_kernel_reports() == []
    return taken


@pytest.fixture
def busy(boot, driver, files):
    """A function that boots a guest which has packets both ways through all its NICs, as long as its kernel runs."""

    @contextmanager
    def booted(**options):
        with boot(files=files, **options) as guest, exchange.peer_on_host():
            driver.load(guest)
            for nic in guest.nics:
                guest.bring_up(nic)
                guest.spawn([*exchange.COMMAND, "flood", nic.host4, exchange.PAUSE])
            for nic in guest.nics:
                exchange.reaches(nic)
            yield guest

    return booted


def test_under_traffic(busy, driver):
    """Devices are reset when the kernel ends, under the driver, which goes on sending."""
    with busy(nics=[{"queues": 2}, PACKED | SMALL]) as guest:
        guest.spawn(load(guest, "now"))
        works_again(guest, driver)


def test_after_a_panic(busy, driver):
    """Nobody has told the devices, and there is little memory."""
    with busy(nics=[{"queues": PAIRS}], cmdline=f"crashkernel={RESERVED}") as guest:
        guest.run(load(guest, "panic", "nr_cpus=1 reset_devices"))
        guest.spawn("echo c >/proc/sysrq-trigger")
        taken = works_again(guest, driver)
        assert taken < TAKEN, f"{taken >> 20} MiB are taken"
