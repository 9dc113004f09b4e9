# SPDX-License-Identifier: GPL-2.0
"""A guest that goes on from where another one was saved is as good as one that has booted, and is not the other one."""

import time
from contextlib import contextmanager

import pytest

from lab import features, kernel, saved
from lab.agent import GuestDied
from support import exchange
from support.kernel_log import no_errors  # noqa: F401
from support.nics import LEGACY, PACKED

NICS = [{}, PACKED, LEGACY, {"queues": 2}]
# A clock that nobody has set is as far back as the state is old, which may be a second: it is set to this far from now.
FAR = 40 * 24 * 3600
# What the kernel has found of the machine, and how it goes about it.
MACHINE = """
cd /sys/bus/pci/devices
for device in *; do echo $device $(cat $device/class $device/vendor $device/device); done
ls /sys/bus/virtio/devices /sys/devices/system/cpu /sys/block
cat /proc/cmdline
"""


def shown(guest, driver):
    """What a guest shows of itself, and of its NICs when they have carried packets."""
    found = [guest.run(MACHINE).stdout]
    driver.load(guest)
    for nic in guest.nics:
        name = guest.bring_up(nic)
        found.append((name, guest.virtio_device(nic), features.negotiated(guest, nic)))
    with exchange.peer_in(guest):
        for nic in guest.nics:
            exchange.everything(guest, nic)
    found.append([line.split()[-1] for line in guest.read("/proc/interrupts").splitlines() if "virtio" in line])
    return found


def test_is_as_good_as_a_booted_one(boot, driver):
    with boot(nics=NICS, files=[exchange.PEER]) as guest:
        restored = shown(guest, driver)
    with boot(nics=NICS, files=[exchange.PEER], boots=True) as guest:
        assert "Linux version" in guest.console.read_text(errors="replace")
        assert shown(guest, driver) == restored


@pytest.fixture(scope="module")
def pair(boot):
    """Two that go on from the same state."""
    with boot(nics=[]) as one, boot(nics=[]) as other:
        assert not one.boots and not other.boots
        yield one, other


def test_random_numbers_differ(pair):
    drawn = [guest.run("head -c 32 /dev/urandom | sha256sum; cat /proc/sys/kernel/random/uuid").stdout for guest in pair]
    assert drawn[0].splitlines()[0] != drawn[1].splitlines()[0]
    assert drawn[0].splitlines()[1] != drawn[1].splitlines()[1]


def test_clock_is_the_host_s(pair):
    """Within the time that a busy machine needs to tell: a state is kept for weeks."""
    one, _ = pair
    one.run(["date", "-s", f"@{int(time.time()) - FAR}"])
    one.resume()
    assert abs(float(one.run(["date", "+%s"]).stdout) - time.time()) < kernel.patient(3600)


def test_disk_is_that_of_the_memory(pair):
    """What one writes the other does not see; and what was written before they were saved is there when it is read again."""
    one, other = pair
    for guest in pair:
        guest.run("echo 3 >/proc/sys/vm/drop_caches")
        assert guest.read("/var/lib/lab/saved") == "this guest was saved\n"
    one.run("head -c 30000000 /dev/urandom >/var/lib/lab/file; sync; echo 3 >/proc/sys/vm/drop_caches")
    assert other.run("ls /var/lib/lab").stdout == "saved\n"
    for guest in pair:
        assert guest.run("find /usr/bin -type f | xargs cat | wc -c").stdout.strip() != "0"


@pytest.mark.parametrize("deaths, made", [(1, True), (saved.TRIES, False)])
def test_dies_while_it_is_made(monkeypatch, tmp_path, deaths, made):
    (tmp_path / "guests").mkdir()
    monkeypatch.setattr(saved, "CACHE", tmp_path)
    monkeypatch.setattr(saved, "overlay", str)
    left = [GuestDied("a test")] * deaths

    class Fake:
        def run(self, *_, **__):
            if left:
                raise left.pop()

        def kernel_messages(self):
            pass

        def save(self, path):
            path.touch()

    @contextmanager
    def boot(_):
        yield Fake()

    with pytest.warns(UserWarning, match="booted again: a test"):
        try:
            saved.make(tmp_path / "state", boot)
        except GuestDied:
            assert not made
    assert (tmp_path / "state" / saved.MEMORY).exists() == made
