# SPDX-License-Identifier: GPL-2.0
"""The guest that all other tests stand on: a broken one must be seen as broken."""

import os
import pty
import select
import subprocess

import pytest

from lab import guest as guests
from lab import traffic
from lab.agent import Agent, CommandFailed, GuestDied
from lab.guest import Guest
from lab.paths import REPO
from support import aftermath, faults, kmemleak, modules
from support.kernels import debug_only, stock_only

of_the_lab = stock_only("what the lab does says nothing of it")


def test_results_of_commands(guest):
    result = guest.run("echo out; echo err >&2; exit 3", check=False)
    assert (result.rc, result.stdout, result.stderr) == (3, "out\n", "err\n")
    assert guest.run(["cat"], input=b"text").stdout == "text"
    with pytest.raises(CommandFailed, match="exit status 3"):
        guest.run("exit 3")


def test_command_out_of_time(guest):
    with pytest.raises(CommandFailed, match="not done within 1 s"):
        guest.run("sleep 1000 & sleep 1000", timeout=1)
    assert guest.run("pgrep sleep", check=False).stdout == ""


def test_background_command(guest):
    with guest.spawn("echo started; touch /tmp/started; exec sleep 1000") as command:
        guest.run("until [ -e /tmp/started ]; do sleep 0.1; done")
        command.stop()
        assert command.wait(check=False) == -15
        assert command.output() == "started\n"


def test_stopped_command_is_forgotten(guest):
    """One that was stopped is not waited for. It keeps no file of the agent, which has room for a thousand."""

    def files():
        return int(guest.run("ls /proc/$(pgrep -o agent)/fd | wc -l").stdout)

    def spawned(times):
        for _ in range(times):
            with guest.spawn("sleep 1000"):
                pass

    spawned(1)
    before = files()
    spawned(5)

    def forgotten():
        spawned(1)
        return files() <= before

    faults.wait(forgotten, "files are kept", 20)


def test_files(guest):
    data = bytes(range(256)) * 300
    guest.put("/tmp/file", data, mode=0o755)
    assert guest.get("/tmp/file") == data
    assert guest.run(["stat", "-c", "%a", "/tmp/file"]).stdout == "755\n"


def test_kernel_reports_are_seen(guest):
    guest.run("echo '<4>WARNING: a test' >/dev/kmsg; echo 'all is well' >/dev/kmsg")
    reports = guest.new_kernel_reports()
    assert len(reports) == 1 and "WARNING: a test" in reports[0]
    assert guest.new_kernel_reports() == []


def test_state_after_a_failure(guest, nic):
    with guest.spawn("echo said in the background; exec sleep 1000"):
        guest.run("until grep -q said /tmp/spawn-*.out; do sleep 0.1; done")
        path = aftermath.keep(guest, "the test")
    try:
        test, _, rest = path.read_text().partition("--- host ---")
        host, _, inside = rest.partition("--- guest ---")
        assert test == "the test\n\n" and nic.tap in host and "Udp6InDatagrams" in host
        wanted = guest.interface(nic), nic.guest6, "Udp6InDatagrams", "rx0_xdp_packets", "said in the background"
        assert [text for text in wanted if text not in inside] == []
    finally:
        path.unlink()


def test_no_state_of_a_guest_that_does_not_answer(guest, monkeypatch):
    def gone(*_, **__):
        raise GuestDied("the guest ended")

    monkeypatch.setattr(guest, "run", gone)
    path = aftermath.keep(guest, "the test")
    assert path.read_text().endswith("--- guest ---\nthe guest ended\n")
    path.unlink()


# What lkdtm is told to do wrong, and what the kernel has to say to it.
LKDTM = {
    "READ_AFTER_FREE": "KASAN: slab-use-after-free",
    "ARRAY_BOUNDS": "UBSAN: array-index-out-of-bounds",
}


@debug_only("the stock kernel does not look for these")
def test_mistakes_are_reported(boot, tmp_path):
    module = modules.build("mistakes", tmp_path)
    with boot(nics=[], files=[module], leaks=True) as guest:

        def reported(wanted):
            lines = guest.new_kernel_reports()
            assert [text for text in wanted if not any(text in line for line in lines)] == [], lines

        # These first: after a report of memory the kernel looks at locks no more.
        guest.run(["insmod", f"/payload/{module.name}"])
        reported(["possible circular locking dependency", "sleeping function called from invalid context"])
        assert 'comm "insmod"' in kmemleak.found(guest)
        reported(["new suspected memory leaks"])
        guest.run(["modprobe", "lkdtm"])
        for mistake, report in LKDTM.items():
            guest.run(f"echo {mistake} >/sys/kernel/debug/provoke-crash/DIRECT")
            reported([report])


def test_link_state(guest, nic):
    name = guest.interface(nic)
    for up in (False, True):
        guest.set_link(nic, up)
        guest.wait_for_carrier(name, up)


def test_hot_plug(boot, driver):
    with boot(nics=[{"bus": "port0"}], root_ports=1) as guest:
        driver.load(guest)
        nic = guest.nics[0]
        guest.bring_up(nic)
        guest.unplug(nic)
        assert nic.mac not in guest.run(["ip", "link"]).stdout
        guest.plug(nic)
        guest.bring_up(nic)
        assert traffic.ping(guest.run, nic.host4) == 5
        assert guest.new_kernel_reports() == []


def test_microvm(boot, driver):
    with boot(machine="microvm") as guest:
        assert guest.run("ls /sys/bus/pci/devices", check=False).stdout == ""
        driver.load(guest)
        nic = guest.nics[0]
        guest.bring_up(nic)
        assert traffic.ping(guest.run, nic.host4) == 5
        assert guest.new_kernel_reports() == []


def test_iommu(boot, driver):
    device = "intel-iommu,intremap=on,device-iotlb=on"
    nic = {"iommu_platform": "on", "disable-legacy": "on", "ats": "on"}
    with boot(machine="q35,kernel-irqchip=split", devices=[device], nics=[nic], cmdline="intel_iommu=on") as guest:
        driver.load(guest)
        nic = guest.nics[0]
        guest.bring_up(nic)
        assert traffic.ping(guest.run, nic.host4) == 5
        assert guest.run("ls /sys/class/iommu").stdout != ""
        assert guest.new_kernel_reports() == []


@of_the_lab
def test_shell_in_a_guest():
    """`make vm`, typed at a terminal."""
    terminal, theirs = pty.openpty()
    command = subprocess.Popen(
        ["make", "-C", REPO, "vm", "DRIVER=c"], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)

    def read_until(text):
        seen = b""
        while text not in seen:
            assert select.select([terminal], [], [], 120)[0], seen
            seen += os.read(terminal, 4096)

    read_until(b"root@guest")
    os.write(terminal, b"echo address $(cat /sys/class/net/eth0/address)\n")
    read_until(b"address 52:54:00:00:00:01")
    os.write(terminal, b"exit\n")
    # The other end of a terminal that nobody has open any more cannot be read.
    with pytest.raises(OSError):
        read_until(b"nobody says this")
    assert command.wait(120) == 0


def test_several_queues_and_nics(boot, driver):
    with boot(nics=[{"queues": 2}, {"packed": "on"}, {"mrg_rxbuf": "off"}]) as guest:
        driver.load(guest)
        for nic in guest.nics:
            guest.bring_up(nic)
            assert traffic.ping(guest.run, nic.host6) == 5
        assert guest.new_kernel_reports() == []


def test_panic_is_seen():
    with Guest(nics=[]) as guest:
        with pytest.raises(GuestDied, match="sysrq triggered crash"):
            guest.run("echo c >/proc/sysrq-trigger")


@of_the_lab
def test_killed_guest_is_seen():
    with Guest(nics=[]) as guest:
        guest.process.kill()
        with pytest.raises(GuestDied):
            guest.run("true")


@of_the_lab
def test_boot_is_tried_again(monkeypatch):
    hello = Agent.hello
    calls = []

    def fail_once(agent, timeout):
        hello(agent, timeout)
        calls.append(timeout)
        if len(calls) == 1:
            raise GuestDied("a test")

    monkeypatch.setattr(Agent, "hello", fail_once)
    with pytest.warns(UserWarning, match="started again: a test"):
        with Guest(boots=True) as guest:
            assert guest.run("echo up").stdout == "up\n"
            assert guest.console.with_suffix(".failed-boot-1").exists()


@of_the_lab
def test_kernel_that_never_comes_up(monkeypatch):
    monkeypatch.setattr(guests, "BOOTS", 2)
    with pytest.warns(UserWarning, match="started again"):
        with pytest.raises(GuestDied, match="Kernel panic"):
            with Guest(nics=[], boots=True, cmdline="rdinit=/nothing root=/dev/nothing"):
                pass


@of_the_lab
def test_refused_option_is_shown():
    with pytest.raises(GuestDied, match="no-such-property"):
        with Guest(nics=[{"no-such-property": "on"}]):
            pass
