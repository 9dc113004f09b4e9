# SPDX-License-Identifier: GPL-2.0
"""A driver that does with pools and buffers what none should, by safe code alone: each is refused, or does no harm."""

import errno
import re

import pytest

from lab import driver as drivers
from lab.build import build_other
from support import counters, faults

# What becomes of each, where the device does DMA through an IOMMU, and where it takes guest-physical addresses.
EXPECTED = {
    "the pool of a device that is gone": ("accepted", "accepted"),
    "a pool that is not mapped": (-errno.EINVAL, "accepted"),
    "a pool": ("accepted", -errno.EBUSY),
    "a second pool": (-errno.EBUSY, -errno.EBUSY),
    "a buffer of another pool": (-errno.EINVAL, -errno.EINVAL),
    "a buffer of the pool": ("accepted", -errno.EINVAL),
    "a packet without room in front": (-errno.EINVAL, -errno.EINVAL),
    "a packet longer than its buffer": (-errno.EINVAL, -errno.EINVAL),
    "a fragment of another pool": (-errno.EINVAL, -errno.EINVAL),
    "more than there is room for": (-errno.EINVAL, -errno.EINVAL),
    "a fragment": ("accepted", "accepted"),
}
REPLACED = "a pool whose context is polled"
SAID = re.compile(r"misuse: (.*): (accepted|-\d+)$")
LEFT_BEHIND = "a network device that was never registered is left behind"


@pytest.fixture(scope="module")
def module(driver, tmp_path_factory):
    if driver is not drivers.RUST:
        pytest.skip("there is nothing of the C driver in it")
    return build_other(tmp_path_factory.mktemp("misuse"), "misuse")


@pytest.mark.parametrize("mapped", [True, False], ids=["mapped", "not mapped"])
def test_misuse(boot, module, mapped):
    nic = {"iommu_platform": "on", "disable-legacy": "on"} if mapped else {}
    with boot(nics=[nic], files=[module, counters.NETDEV], cpus=2) as guest:
        guest.kernel_messages()
        guest.run(["insmod", f"/payload/{module.name}"])
        [name] = guest.run("ls /sys/bus/virtio/drivers/misuse_rust/*/net").stdout.split()
        guest.run(["ip", "link", "set", name, "up"])
        said = []

        def all_replaced():
            said.extend(guest.kernel_messages())
            return sum(REPLACED in line for line in said) >= 16 and any("a fragment: " in line for line in said)

        faults.wait(all_replaced, "pools are not replaced")
        found = dict(match.groups() for line in said if (match := SAID.search(line)))
        found.pop(REPLACED)
        assert found == {step: str(results[not mapped]) for step, results in EXPECTED.items()}
        assert any(LEFT_BEHIND in line for line in said)
        guest.run(["rmmod", "misuse_rust"])
        assert guest.new_kernel_reports() == []
