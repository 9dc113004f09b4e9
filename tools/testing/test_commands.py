# SPDX-License-Identifier: GPL-2.0
"""Each command, against a device that does it, refuses it, is late, never answers, or says odd lengths of its answers."""

import errno
import re
import time
from dataclasses import dataclass

import pytest

from lab import device, features
from support import binding, exchange, limit, ordered, queues
from support.kernel_log import errors
from support.kernels import all_only

PAIRS = 2
OFFERED = (
    "CSUM GUEST_CSUM CTRL_GUEST_OFFLOADS MAC GUEST_TSO4 GUEST_TSO6 MRG_RXBUF STATUS CTRL_VQ CTRL_RX CTRL_VLAN MQ CTRL_MAC_ADDR "
    "NOTF_COAL VQ_NOTF_COAL VERSION_1"
)
# In milliseconds. Long enough for a device on a busy machine, and short beside what LATE takes.
LIMIT, LATE = 1000, 3000
REFUSED = 1
# What a device may say that the length of an answer of one byte is: also that with the header and what follows it, of 2.
LENGTHS = (0, 2, 5, 0xFFFF, 0xFFFFFFFF)
SAID_OF_LENGTHS = "its lengths mean nothing"
# When the device is resynchronised, filters come after the number of queues, and interrupts last.
FIRST_RESYNC, LAST_RESYNC = (1, 1), ((6, 2), f"{2 * PAIRS - 1:02x}000000")
MESSAGES = {errno.EINVAL: "Invalid argument", errno.ETIMEDOUT: "timed out", errno.EIO: "Input/output error"}


@dataclass(frozen=True)
class Command:
    """What an administrator types, what the device is told then, and what shows whether it has come true."""

    set: str
    undo: str
    code: tuple[int, int]
    body: str
    shown: str
    # ethtool does not say what the error was, but the stack does in the log.
    logged: bool = False
    # Whether it is for a device that hashes, which is told the number of queues together with that.
    hashes: bool = False
    # How many of these the device is told; the last one has the body.
    count: int = 1
    # What undoes it if the device may have done it although it counts as failed; by default the same command.
    undone_by: tuple[int, int] | None = None


COMMANDS = {
    "mac": Command(
        "ip link set NIC address 02:00:00:00:00:55",
        "ip link set NIC address MAC",
        (1, 1),
        "020000000055",
        "cat /sys/class/net/NIC/address",
    ),
    "pairs": Command("ethtool -L NIC combined 2", "ethtool -L NIC combined 1", (4, 0), "0200", "ethtool -l NIC"),
    "offloads": Command(
        "ethtool -K NIC rx-gro-hw off",
        "ethtool -K NIC rx-gro-hw on",
        (5, 0),
        "0200000000000000",
        "ethtool -k NIC | grep -o 'rx-gro-hw: [a-z]*'",
        logged=True,
    ),
    "vlan": Command(
        "ip link add link NIC name tagged type vlan id 7",
        "ip link delete tagged",
        (2, 0),
        "0700",
        "ip -br link show type vlan",
        undone_by=(2, 1),
    ),
    "hashes": Command(
        "ethtool -N NIC rx-flow-hash tcp4 sd",
        "ethtool -N NIC rx-flow-hash tcp4 sdfn",
        (4, 1),
        # The types, the mask of the table, and the queue of what has no hash: what follows is the same before and after.
        "3d000000" + "0700" + "0000",
        "ethtool -n NIC rx-flow-hash tcp4",
        hashes=True,
    ),
    "interrupts": Command(
        "ethtool -C NIC tx-usecs 9", "ethtool -C NIC tx-usecs 0", (6, 0), "0100000009000000", "ethtool -c NIC"
    ),
    "interrupts of a pair": Command(
        "ethtool -Q NIC queue_mask 0x2 --coalesce tx-usecs 9",
        "ethtool -Q NIC queue_mask 0x2 --coalesce tx-usecs 0",
        (6, 2),
        "03000000" + "0100000009000000",
        "ethtool -Q NIC queue_mask 0x2 --show-coalesce",
        count=2,
    ),
}


@pytest.fixture(scope="module")
def nics():
    """The second one hashes."""
    numbers = {name: number for number, name in features.names().items()}
    plain = [numbers[name] for name in OFFERED.split()]
    return [
        device.Device(plain, PAIRS),
        device.Device([*plain, numbers["RSS"]], PAIRS, key_size=40, table_size=8, hash_types=0x3F),
    ]


@pytest.fixture(scope="module")
def guest(boot, driver, nics):
    with boot(nics=nics, files=[exchange.PEER], shared_memory=True) as guest:
        limit.load(guest, driver, LIMIT)
        # It has the device pass on packets that are tagged for no VLAN, on all interfaces.
        guest.run(["modprobe", "8021q"])
        for nic in nics:
            set_up(guest, nic)
        with exchange.peer_in(guest):
            yield guest


def set_up(guest, nic):
    guest.run(["ethtool", "-L", guest.bring_up(nic), "combined", "1"])


@pytest.fixture
def nic(guest, nics, request):
    return nics["command" in request.fixturenames and request.getfixturevalue("command").hashes]


def answer(nic, code, count=1, **how):
    """How to answer the next commands of this kind. The stack sends others by itself, for instance when IPv6 joins a group."""
    nic.order("script", answers=[{"command": code} | how] * count)


def after(nic, code):
    """What the device has been told after the first command of this kind."""
    sent = ordered.commands(nic)
    return sent[[one for one, _ in sent].index(code) + 1 :]


def resync(nic, already=(), first=FIRST_RESYNC):
    """Waits until the device has been resynchronised, as it may have done what counts as failed; returns what was sent."""
    limit, sent = time.monotonic() + exchange.TIMEOUT, list(already)

    def complete():
        codes = [code for code, _ in sent]
        if first not in codes:
            return False
        rest = sent[codes.index(first) :]
        return any(code == LAST_RESYNC[0] and body.startswith(LAST_RESYNC[1]) for code, body in rest)

    while not complete():
        assert time.monotonic() < limit, f"the device has not been resynchronised: {sent}"
        time.sleep(0.1)
        sent += ordered.commands(nic)
    return sent


def undone_by_resync(nic, command, already=()):
    """Waits for that, and looks whether it undoes the command."""
    sent = resync(nic, already)
    assert (command.undone_by or command.code) in [code for code, _ in sent]
    assert not any(code == command.code and body.startswith(command.body) for code, body in sent), sent


def run(guest, nic, command, check=True):
    command = re.sub(r"\bNIC\b", guest.interface(nic), command).replace("MAC", nic.mac)
    return guest.run(command, timeout=limit.HANGS, check=check)


def fails(guest, nic, command, number, *lines):
    """It fails with this error, says such lines in the log, and all is as it was."""
    before = run(guest, nic, command.shown).stdout
    done = run(guest, nic, command.set, check=False)
    said = errors(guest)
    if command.logged:
        lines += (rf"set_features\(\) failed \(-{number}\)",)
    else:
        # Of a single queue ethtool says that it has failed, and returns 0.
        assert MESSAGES[number] in done.stderr, done
    assert len(said) == len(lines) and all(any(re.search(line, one) for one in said) for line in lines), f"it says {said}"
    assert run(guest, nic, command.shown).stdout == before
    if command.logged:
        # Else the stack remembers what was wanted, and does not ask for it again.
        run(guest, nic, command.undo)


def works(guest, nic, command):
    """The device is told, and all is as wanted; afterwards it is undone."""
    before = run(guest, nic, command.shown).stdout
    ordered.forget_commands(nic)
    run(guest, nic, command.set)
    bodies = [body for code, body in ordered.commands(nic) if code == command.code]
    assert len(bodies) == command.count and bodies[-1].startswith(command.body), bodies
    assert run(guest, nic, command.shown).stdout != before
    run(guest, nic, command.undo)
    assert run(guest, nic, command.shown).stdout == before
    assert errors(guest) == []


@pytest.fixture(params=COMMANDS)
def command(request, guest, nics):
    command = COMMANDS[request.param]
    nic = nics[command.hashes]
    errors(guest)
    yield command
    # Of a test that has failed, nothing is left that another one would meet.
    nic.order("script", answers=[])
    nic.order("release")
    run(guest, nic, command.undo, check=False)


def test_done(guest, nic, command):
    works(guest, nic, command)


def test_refused(guest, nic, command):
    answer(nic, command.code, ack=REFUSED)
    fails(guest, nic, command, errno.EINVAL)
    works(guest, nic, command)


def test_unwritten(guest, nic, command):
    """A command that the device gives back without a word has not been done."""
    answer(nic, command.code, unwritten=True)
    fails(guest, nic, command, errno.EINVAL)
    works(guest, nic, command)


@pytest.mark.parametrize("written", LENGTHS)
def test_length_of_answer(guest, nic, command, written):
    """What it says counts, and not the length that the device says it has."""
    answer(nic, command.code, command.count, written=written)
    works(guest, nic, command)


@pytest.mark.parametrize("hashes", [False, True])
def test_odd_lengths_are_said_once(guest, driver, nics, hashes):
    nic = nics[hashes]
    device = guest.virtio_device(nic)
    binding.unbind(guest, driver, device)
    nic.order("script", answers=[{"written": written} for written in LENGTHS] * 20)
    guest.run(["dmesg", "--clear"])
    binding.bind(guest, driver, device)
    set_up(guest, nic)
    nic.order("script", answers=[])
    exchange.everything(guest, nic)
    log = guest.run(["dmesg", "--notime"]).stdout.splitlines()
    assert len([line for line in log if f" {device}: " in line and SAID_OF_LENGTHS in line]) == 1, log
    assert errors(guest) == []


def test_late(guest, nic, command):
    """No command waits for another one's answer, and packets flow. The device may have done it; when it has answered,
    it is resynchronised."""
    answer(nic, command.code, withheld=True)
    fails(guest, nic, command, errno.ETIMEDOUT, f"within {LIMIT} ms")
    ordered.forget_commands(nic)
    for other in COMMANDS.values():
        if other.hashes == command.hashes:
            fails(guest, nic, other, errno.EIO)
    assert ordered.commands(nic) == []
    exchange.everything(guest, nic)
    nic.order("release")
    undone_by_resync(nic, command)
    works(guest, nic, command)


def test_late_twice(guest, nics):
    """Also of a resync: what it may have done by then and nobody wants is not forgotten over that. It goes on with
    what was left open."""
    nic, command = nics[0], COMMANDS["vlan"]
    answer(nic, command.code, withheld=True)
    fails(guest, nic, command, errno.ETIMEDOUT, f"within {LIMIT} ms")
    ordered.forget_commands(nic)
    answer(nic, command.undone_by, withheld=True)
    nic.order("release")
    log = f"dmesg --notime | grep 'does not forget VLAN {int.from_bytes(bytes.fromhex(command.body), 'little')}'"
    guest.run(f"until {log}; do sleep 0.1; done", timeout=limit.HANGS)
    assert FIRST_RESYNC in [code for code, _ in ordered.commands(nic)]
    nic.order("release")
    codes = [code for code, _ in resync(nic, first=command.undone_by)]
    assert FIRST_RESYNC not in codes and codes.count(command.undone_by) == 1
    errors(guest)
    works(guest, nic, command)


@all_only("test_device_leaks has it")
def test_never(guest, driver, nic, command):
    """The memory of the command comes back with the device's reset."""
    answer(nic, command.code, withheld=True)
    fails(guest, nic, command, errno.ETIMEDOUT, f"within {LIMIT} ms")
    device = guest.virtio_device(nic)
    binding.unbind(guest, driver, device)
    binding.bind(guest, driver, device)
    set_up(guest, nic)
    works(guest, nic, command)


@pytest.mark.parametrize("hashes", [False, True])
def test_fewer_queues_without_an_answer(guest, nics, hashes):
    """The device may have done it, so nothing is sent through the others any more: it would stay there."""
    nic = nics[hashes]
    name = guest.interface(nic)
    run(guest, nic, f"ethtool -L NIC combined {PAIRS}")
    ordered.forget_commands(nic)
    answer(nic, (4, 1) if hashes else (4, 0), delay_ms=LATE)
    done = run(guest, nic, "ethtool -L NIC combined 1", check=False)
    assert done.rc != 0 and MESSAGES[errno.ETIMEDOUT] in done.stderr
    assert queues.used(guest, name)[0] == 1
    exchange.everything(guest, nic)
    resync(nic, after(nic, (4, 1) if hashes else (4, 0)))
    run(guest, nic, f"ethtool -L NIC combined {PAIRS}")
    assert queues.used(guest, name)[0] == PAIRS
    exchange.everything(guest, nic)
    run(guest, nic, "ethtool -L NIC combined 1")
    errors(guest)


@pytest.mark.parametrize("hashes", [False, True])
def test_fewer_queues_refused(guest, nics, hashes):
    """All of them are used still, also to send."""
    nic = nics[hashes]
    name = guest.interface(nic)
    run(guest, nic, f"ethtool -L NIC combined {PAIRS}")
    before = queues.used(guest, name), queues.xps(guest, name)
    answer(nic, (4, 1) if hashes else (4, 0), ack=1)
    done = run(guest, nic, "ethtool -L NIC combined 1", check=False)
    assert done.rc != 0 and MESSAGES[errno.EINVAL] in done.stderr
    assert (queues.used(guest, name), queues.xps(guest, name)) == before
    assert queues.stack_has(guest, name)[1] == PAIRS
    run(guest, nic, "ethtool -L NIC combined 1")
    exchange.everything(guest, nic)
    ordered.forget_commands(nic)
    errors(guest)


def test_filter_of_addresses(guest, nic):
    """The table before the mode, so that nothing is lost in between; each table in full, however long."""
    name = guest.interface(nic)
    addresses = [f"02:00:00:01:{number >> 8:02x}:{number & 255:02x}" for number in range(300)]
    lines = [f"fdb add {address} dev {name} self" for address in addresses]
    guest.run(["bridge", "-batch", "-"], input="\n".join(lines).encode())
    run(guest, nic, "ip link set NIC promisc on")
    ordered.forget_commands(nic)
    run(guest, nic, "ip link set NIC promisc off")
    table, promiscuous, all_multicast = ordered.commands(nic)[-3:]
    assert (promiscuous, all_multicast) == (((0, 0), "00"), ((0, 1), "00"))
    code, body = table[0], bytes.fromhex(table[1])
    assert code == (1, 0)
    count = int.from_bytes(body[:4], "little")
    unicast, rest = body[4 : 4 + 6 * count], body[4 + 6 * count :]
    assert sorted(unicast[i : i + 6].hex(":") for i in range(0, len(unicast), 6)) == addresses
    groups = int.from_bytes(rest[:4], "little")
    assert groups > 0 and len(rest) == 4 + 6 * groups
    assert all(rest[4 + 6 * i] & 1 for i in range(groups))
    guest.run(["bridge", "-batch", "-"], input="\n".join(lines).replace("fdb add", "fdb del").encode())
    assert errors(guest) == []


def test_afterwards(guest, nic):
    exchange.everything(guest, nic)
