# SPDX-License-Identifier: GPL-2.0
"""The module's parameters: names, types and defaults are the C driver's; wrong values are refused; each has its effect."""

import json
import re

import pytest

from lab import driver as drivers
from lab.agent import CommandFailed
from support import exchange
from support.kernel_log import errors

# Type, mode of the file, default
PARAMETERS = {
    "napi_weight": ("int", "444", "64"),
    "csum": ("bool", "444", "Y"),
    "gso": ("bool", "444", "Y"),
    "napi_tx": ("bool", "644", "Y"),
}
# What the C driver lacks
OURS = {"control_timeout": ("uint", "644", "5000"), "stall_timeout": ("uint", "644", "10000")}
TRACING = "/sys/kernel/tracing"


@pytest.fixture
def parameters(driver):
    return PARAMETERS if driver is drivers.C else PARAMETERS | OURS


@pytest.fixture(scope="module")
def guest(boot):
    with boot(files=[exchange.PEER]) as guest:
        yield guest


@pytest.fixture
def load(guest, driver):
    """A function that loads the driver with parameters, until the end of the test."""

    def loaded(*parameters):
        driver.load(guest, *parameters)
        return f"/sys/module/{driver.name}/parameters"

    yield loaded
    if driver.name in guest.run(["lsmod"]).stdout.split():
        driver.unload(guest)


def module_info(guest, driver, field):
    lines = guest.run(["modinfo", "-F", field, f"/payload/{driver.file}" if driver.file else driver.name]).stdout
    return dict(line.split(":", 1) for line in lines.splitlines())


def test_module_says_what_it_takes(guest, driver, parameters):
    assert module_info(guest, driver, "parmtype") == {name: kind for name, (kind, _, _) in parameters.items()}
    if driver.file:
        texts = module_info(guest, driver, "parm")
        assert set(texts) == set(parameters) and all(texts.values())


def test_defaults(guest, load, parameters):
    path = load()
    found = guest.run(f"cd {path} && for name in *; do echo $name $(stat -c %a $name) $(cat $name); done").stdout
    found = {name: (mode, value) for name, mode, value in map(str.split, found.splitlines())}
    assert found == {name: (mode, value) for name, (_, mode, value) in parameters.items()}


def test_values_are_taken(guest, load):
    path = load("napi_weight=17", "csum=0", "gso=n", "napi_tx=off")
    values = guest.run(f"cd {path} && cat napi_weight csum gso napi_tx").stdout.split()
    assert values == ["17", "N", "N", "N"]


def test_bool_needs_no_value(guest, load):
    path = load("csum")
    assert guest.read(f"{path}/csum") == "Y\n"


WRONG = ["napi_weight=many", "napi_weight=99999999999", "napi_weight=", "csum=perhaps", "gso=2", "napi_tx="]
OUT_OF_BOUNDS = ["control_timeout=0", "control_timeout=60001", "control_timeout=-1", "control_timeout", "stall_timeout=600001"]


@pytest.mark.parametrize("parameter", WRONG + OUT_OF_BOUNDS)
def test_wrong_values_are_refused(guest, driver, load, parameter):
    if parameter in OUT_OF_BOUNDS and driver is drivers.C:
        pytest.skip("the C driver does not have it")
    with pytest.raises(CommandFailed, match="Invalid argument|Invalid parameters|Numerical result out of range"):
        load(parameter)
    assert driver.name not in guest.run(["lsmod"]).stdout.split()
    assert parameter.split("=")[0] in "\n".join(errors(guest))


def test_written_while_loaded(guest, load):
    path = load()
    guest.run(f"echo N >{path}/napi_tx")
    assert guest.read(f"{path}/napi_tx") == "N\n"
    with pytest.raises(CommandFailed):
        guest.run(f"echo perhaps >{path}/napi_tx")
    assert guest.read(f"{path}/napi_tx") == "N\n"


def test_bounds_while_loaded(guest, driver, load):
    if driver is drivers.C:
        pytest.skip("the C driver does not have it")
    path = f"{load('control_timeout=60000')}/control_timeout"
    for value, taken in (("0", False), ("60001", False), ("1", True), ("4294967297", False)):
        before = guest.read(path)
        assert (guest.run(f"echo {value} >{path}", check=False).rc == 0) == taken
        assert guest.read(path) == (f"{value}\n" if taken else before)


def features(guest):
    return json.loads(guest.run(["ethtool", "--json", "-k", guest.interface(guest.nics[0])]).stdout)[0]


@pytest.mark.parametrize("on", [True, False])
def test_csum(guest, load, on):
    """Only what is on at first: it can be turned on later. With gso on, the C driver turns csum on as well."""
    load(f"csum={int(on)}", f"gso={int(on)}")
    found = features(guest)["tx-checksum-ip-generic"]
    assert found["active"] == found["requested"] == on and not found["fixed"]
    name = guest.bring_up(guest.nics[0])
    guest.run(["ethtool", "-K", name, "tx", "off" if on else "on"])
    assert features(guest)["tx-checksum-ip-generic"]["active"] != on
    with exchange.peer_in(guest):
        exchange.everything(guest, guest.nics[0])


def budgets(guest, name):
    """How many packets each poll of an interface might take."""
    trace = guest.read(f"{TRACING}/trace")
    return {int(budget) for budget in re.findall(rf"napi_poll: .* {name} work \d+ budget (\d+)", trace)}


@pytest.mark.parametrize("weight", [1, 7, 64])
def test_napi_weight(guest, load, weight):
    load(f"napi_weight={weight}")
    name = guest.bring_up(guest.nics[0])
    guest.run(f"mount -t tracefs none {TRACING} 2>/dev/null; cd {TRACING} && echo >trace && echo 1 >events/napi/napi_poll/enable")
    with exchange.peer_in(guest):
        exchange.everything(guest, guest.nics[0])
    guest.run(f"echo 0 >{TRACING}/events/napi/napi_poll/enable")
    found = budgets(guest, name)
    assert weight in found and max(found) <= 64, found


@pytest.mark.parametrize("weight", [0, -1])
def test_weight_that_lets_nothing_through(guest, driver, load, weight):
    if not driver.file:
        pytest.skip("the C driver takes it, and polls for ever")
    load(f"napi_weight={weight}")
    found = errors(guest)
    assert len(found) == 2 and f"napi_weight={weight} receives nothing" in found[0], found
    assert guest.nics[0].mac not in guest.run(["ip", "link"]).stdout
