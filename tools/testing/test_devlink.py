# SPDX-License-Identifier: GPL-2.0
"""What devlink says of a device and of the health of its parts, and that users have the say in what is done about it."""

import re

import pytest

from lab import driver as drivers
from lab import kernel
from support import binding, commands, devlink, exchange, faults, healing, ordered, rings
from support.kernel_log import errors, no_errors  # noqa: F401

OFFERED = "MAC STATUS CTRL_VQ CTRL_RX VERSION_1 MRG_RXBUF"
RX, TX, CONTROL = 0, 1, 2
PARTS = {"tx", "rx", "ctrl", "device"}
# How long the device may be silent, and may take for a command, in milliseconds.
LIMIT, COMMAND = 1000, 200
HEALTHY, ERROR = "healthy", "error"
ROUNDS = kernel.rounds(8)


@pytest.fixture(scope="module")
def guest(boot, driver):
    if driver is drivers.C:
        pytest.skip("the C driver has no devlink")
    with faults.serving(boot, driver, [ordered.made(OFFERED, way="vfio-user")]) as guest, exchange.peer_on_host():
        commands.parameter(guest, "stall_timeout", LIMIT)
        commands.parameter(guest, "control_timeout", COMMAND)
        yield guest


@pytest.fixture
def nic(guest):
    nic = guest.nics[0]
    # What failed before is forgiven.
    healing.by_hand(guest, nic)
    faults.wait(lambda: all_healthy(guest, nic), "it is not healthy")
    yield nic
    exchange.everything(guest, nic)


@pytest.fixture
def name(guest, nic):
    return devlink.handle(guest, nic)


def all_healthy(guest, nic):
    states = devlink.states(guest, devlink.handle(guest, nic))
    return all(state == HEALTHY for state, *_ in states.values())


def negotiated(guest, nic):
    """The features of the device, as one number."""
    bits = guest.read(f"/sys/class/net/{nic.name}/device/features").strip()
    return sum(1 << place for place, bit in enumerate(bits) if bit == "1")


def test_info(guest, nic, name):
    info = devlink.info(guest, name)
    assert info["driver"] == drivers.RUST.name
    assert info["versions"]["fixed"] == {"board.id": "1af4:0001"}
    running = info["versions"]["running"]
    assert (running["virtio"], running["virtio.ring"]) == ("1", "split")
    assert int(running["virtio.features"], 16) == negotiated(guest, nic)


def test_show(guest, name):
    found = devlink.health(guest, name)
    assert set(found) == PARTS
    assert all(one["auto_recover"] and one["grace_period"] == 0 for one in found.values())


def silence(guest, nic):
    """Nothing is sent any more."""
    nic.order("stop", queue=TX, on=True)
    assert ordered.receive(nic, ordered.frame(nic, 200)) == 1


def breaks(queue):
    def fault(guest, nic):
        nic.order("faults", queue=queue, faults=["twice"])
        ordered.receive(nic, ordered.frame(nic, 200))
        nic.order("interrupt", queue=queue, count=1)

    return fault


def owe_an_answer(guest, nic):
    nic.order("stop", queue=CONTROL, on=True)
    for _ in range(2):
        guest.run(f"ip link set {nic.name} promisc on; ip link set {nic.name} promisc off")


def break_down(guest, nic):
    nic.order("break_down")


# What happens, which reporter has it, and what a dump says of that.
FAULTS = {
    "silent": (silence, "tx", "device has not sent what is in transmit queue 0"),
    "broken transmit queue": (breaks(TX), "tx", "transmit queue 0 is broken"),
    "broken receive queue": (breaks(RX), "rx", "receive queue 0 is broken"),
    "no answer": (owe_an_answer, "ctrl", "device has not answered a command"),
    "needs a reset": (break_down, "device", "device says that it needs a reset"),
}


def stopped(nic, on):
    for queue in (TX, CONTROL):
        nic.order("stop", queue=queue, on=on)


@pytest.mark.parametrize("kind", FAULTS)
def test_reported(guest, nic, name, kind):
    """And mended: counted where it belongs, with what was so then, and nowhere else."""
    fault, part, said = FAULTS[kind]
    guest.run(["devlink", "health", "dump", "clear", name, "reporter", part])
    before = devlink.states(guest, name)
    fault(guest, nic)
    _, count, recovered = before[part]
    after = before | {part: (HEALTHY, count + 1, recovered + 1)}
    faults.said(guest, healing.reset_because(nic, rf"{said}.*"))
    stopped(nic, False)
    faults.wait(lambda: devlink.states(guest, name) == after, "it is not reported and mended")
    dump = devlink.dumped(guest, name, part)
    assert dump["fault"].startswith(said)
    exchange.reaches(nic)
    errors(guest)
    nic.order("violations")


def test_diagnose(guest, nic, name):
    """Each queue, at any time."""
    sent = devlink.diagnosed(guest, name, "tx")["queues"]
    assert [one["queue"] for one in sent] == [0] and sent[0]["state"] == "in use"
    nic.order("stop", queue=TX, on=True)
    assert ordered.receive(nic, ordered.frame(nic, 200)) == 1
    faults.wait(lambda: devlink.diagnosed(guest, name, "tx")["queues"][0]["silent"] >= 1, "it is not silent")
    one = devlink.diagnosed(guest, name, "tx")["queues"][0]
    assert 0 < one["free"] < one["size"] and one["owed"] == one["size"] - one["free"]
    # What the device has not used.
    assert 0 < (one["available index"] - one["used index"]) % 0x10000 <= one["owed"]
    nic.order("stop", queue=TX, on=False)

    def looked():
        return devlink.diagnosed(guest, name, "rx")["queues"][0]["state"] == "in use"

    faults.wait(looked, "nobody looks at the receive queue")
    one = devlink.diagnosed(guest, name, "rx")["queues"][0]
    # Most of it is lent.
    assert 2 * one["free"] < one["size"] and one["received"] > 0
    assert one["owed"] == one["size"] - one["free"] and "used index" in one
    control = devlink.diagnosed(guest, name, "ctrl")
    assert (control["state"], control["owed"], control["silent"]) == ("in use", 0, 0)
    assert control["available index"] == control["used index"] > 0 and "ms since interrupt" not in control
    whole = devlink.diagnosed(guest, name, "device")
    assert (whole["state"], whole["status"]) == ("in use", healing.READY)
    assert [whole[f"{step}"] for step in ("polls", "kicks", "resets", "given up")] == healing.rungs(guest, nic)


def since(guest, name):
    """How long ago the last kick and the last interrupt of the transmit queue were, in milliseconds by the guest's clock."""
    one = devlink.diagnosed(guest, name, "tx")["queues"][0]
    return [one.get(f"ms since {what}") for what in ("kick", "interrupt")]


def test_last_kick_and_interrupt(guest, nic, name):
    """Of a device whose interrupts get lost it is seen that it is told, and says nothing."""
    quiet = 600

    def told():
        ordered.echo(nic, 200)
        nic.order("interrupt", queue=TX, count=1)
        return None not in since(guest, name) and max(since(guest, name)) < quiet

    faults.wait(told, "no kick and interrupt are seen")
    nic.order("mute", queue=TX, on=True)
    faults.wait(lambda: min(since(guest, name)) > quiet, "the guest sends all the time")
    _, before = since(guest, name)

    def kicked():
        ordered.echo(nic, 200)
        kick, interrupt = since(guest, name)
        assert interrupt > before
        return kick < quiet

    faults.wait(kicked, "no kick is seen")
    nic.order("mute", queue=TX, on=False)
    faults.wait(told, "no interrupt is seen")


def test_registers(guest, nic):
    shown = guest.run(["ethtool", "-d", nic.name, "hex", "on"]).stdout
    data = bytes.fromhex("".join(re.findall(r"^0x\w+:\s+([0-9a-f ]+)$", shown, re.MULTILINE)))
    status, *features, pairs, used, rx, tx = (int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4))
    assert sum(word << 32 * place for place, word in enumerate(features)) == negotiated(guest, nic)
    assert (status, len(features), pairs, used) == (healing.READY, 4, 1, 1)
    assert (rx, tx) == rings.sizes(guest, nic.name)[0]


@pytest.fixture
def left(guest, nic, name):
    """A device that a user wants to be left as it is, whatever part has a fault."""
    for part in PARTS:
        devlink.set_health(guest, name, part, auto_recover="false")
    yield
    for part in PARTS:
        devlink.set_health(guest, name, part, auto_recover="true")


LEFT = re.compile(r"leaving \S+, as devlink has it$")


def test_left(guest, nic, name, left):
    """Nothing is reset until a user says so, and the fault counts once."""
    before, (_, count, recovered) = healing.rungs(guest, nic), devlink.states(guest, name)["device"]
    break_down(guest, nic)
    said = faults.said(guest, LEFT)
    # Some glances later that is as it was.
    guest.run("sleep 1.2")
    assert devlink.states(guest, name)["device"] == (ERROR, count + 1, recovered)
    assert nic.order("status") != healing.READY and healing.rungs(guest, nic)[2:] == before[2:]
    said += errors(guest)
    assert all(LEFT.search(line) for line in said) and len([line for line in said if "needs a reset" in line]) == 1, said
    assert devlink.diagnosed(guest, name, "device")["state"] == "needs a reset"

    assert "in progress" in devlink.recover(guest, name, "device").stderr
    devlink.wait_for_state(guest, name, "device", HEALTHY)
    assert devlink.states(guest, name)["device"] == (HEALTHY, count + 1, recovered + 1)
    assert nic.order("status") == healing.READY
    # What the stack has sent meanwhile may be owed for as long as a queue may be.
    assert all(LEFT.search(line) for line in errors(guest))


def test_comes_to_rights(guest, nic, name, left):
    """What was left, and is well again by itself."""
    (_, count, recovered) = devlink.states(guest, name)["tx"]
    silence(guest, nic)
    devlink.wait_for_state(guest, name, "tx", ERROR)
    stopped(nic, False)
    devlink.wait_for_state(guest, name, "tx", HEALTHY)
    assert devlink.states(guest, name)["tx"] == (HEALTHY, count + 1, recovered)
    assert nic.order("status") == healing.READY
    assert all(LEFT.search(line) or faults.WATCHDOG.search(line) for line in errors(guest))


def test_grace_period(guest, nic, name):
    """What breaks again within it is left."""
    break_down(guest, nic)
    healing.healed(guest, nic, "device says that it needs a reset")
    devlink.wait_for_state(guest, name, "device", HEALTHY)
    devlink.set_health(guest, name, "device", grace_period=60000)
    for part in PARTS - {"device"}:
        devlink.set_health(guest, name, part, auto_recover="false")
    break_down(guest, nic)
    faults.said(guest, LEFT)
    assert devlink.states(guest, name)["device"][0] == ERROR
    errors(guest)
    devlink.set_health(guest, name, "device", grace_period=0)
    for part in PARTS - {"device"}:
        devlink.set_health(guest, name, part, auto_recover="true")
    devlink.recover(guest, name, "device")
    devlink.wait_for_state(guest, name, "device", HEALTHY)
    assert all(LEFT.search(line) for line in errors(guest))


def test_recover_while_healthy(guest, nic, name):
    """Nothing is done: so it is in the core."""
    before = devlink.states(guest, name)
    assert devlink.recover(guest, name, "tx").rc == 0
    assert devlink.states(guest, name) == before
    assert nic.order("status") == healing.READY


LOOP = """
while :; do
  for part in tx rx ctrl device; do
    devlink health diagnose {name} reporter $part
    devlink health dump show {name} reporter $part
    devlink health dump clear {name} reporter $part
  done
  devlink dev info {name}
done >/dev/null 2>&1
"""


def test_asked_at_any_time(guest, driver, nic, name):
    """While it is bound and unbound, reset, set up and down."""
    device = guest.virtio_device(nic)
    loop = ["sh", "-c", LOOP.format(name=name)]
    with guest.spawn(loop), guest.spawn(loop):
        for _ in range(ROUNDS):
            binding.unbind(guest, driver, device)
            binding.bind(guest, driver, device)
            nic.name = guest.bring_up(nic)
            break_down(guest, nic)
            faults.said(guest, healing.reset_because(nic, ".*"))
            guest.run(["ip", "link", "set", nic.name, "down"])
            faults.wait(lambda: nic.order("status") == healing.READY, "it is not reset")
            guest.bring_up(nic)
    errors(guest)
    nic.order("violations")
