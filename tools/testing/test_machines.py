# SPDX-License-Identifier: GPL-2.0
"""Machines that differ in how a driver reaches its device: virtio-mmio, behind an IOMMU, with a single CPU."""

import pytest

from lab import driver as drivers
from lab import features
from support import counters, exchange
from support.kernel_log import no_errors  # noqa: F401
from support.nics import PACKED, SMALL, interrupts


def tried(guest, driver):
    """All traffic through all NICs of a guest; the names of the features negotiated on each."""
    driver.load(guest)
    negotiated = []
    with exchange.peer_in(guest):
        for nic in guest.nics:
            guest.bring_up(nic)
            negotiated.append(features.negotiated(guest, nic))
            exchange.everything(guest, nic)
            exchange.frames_echo(nic, range(14, 1515, 7))
    return negotiated


@pytest.mark.parametrize("legacy", ["off", "on"], ids=["modern", "legacy"])
def test_microvm(boot, driver, legacy):
    options = {"machine": "microvm", "extra": ["-global", f"virtio-mmio.force-legacy={legacy}"]}
    with boot(nics=[{}, SMALL], files=[exchange.PEER, counters.NETDEV], **options) as guest:
        assert guest.run("ls /sys/bus/pci/devices", check=False).stdout == ""
        for negotiated in tried(guest, driver):
            assert ("VERSION_1" in negotiated) == (legacy == "off")
        if driver is drivers.RUST:
            for nic in guest.nics:
                (context,) = counters.contexts(guest, guest.interface(nic))
                (line,) = interrupts(guest, guest.virtio_device(nic))
                assert context["irq"] == int(line.split(":")[0])


def test_one_cpu(boot, driver):
    with boot(nics=[{}, PACKED], files=[exchange.PEER], cpus=1) as guest:
        assert guest.run(["nproc"]).stdout == "1\n"
        tried(guest, driver)


def test_iommu(boot, driver):
    """Without DMA addresses in the right places the IOMMU faults: the device reaches no memory but what was mapped."""
    unit = "intel-iommu,intremap=on,device-iotlb=on"
    common = {"iommu_platform": "on", "disable-legacy": "on", "ats": "on"}
    nics = [common, common | PACKED, common | SMALL]
    options = {"devices": [unit], "cmdline": "intel_iommu=on iommu.passthrough=0"}
    with boot(machine="q35,kernel-irqchip=split", nics=nics, files=[exchange.PEER], **options) as guest:
        assert guest.run("ls /sys/class/iommu").stdout != ""
        for negotiated in tried(guest, driver):
            assert "ACCESS_PLATFORM" in negotiated
        for nic in guest.nics:
            path = f"/sys/class/net/{guest.interface(nic)}/device/../iommu_group/type"
            assert guest.read(path).strip() in ("DMA", "DMA-FQ")
        assert not [line for line in guest.kernel_messages() if "DMAR: [" in line]
