# SPDX-License-Identifier: GPL-2.0
"""Whatever is set while packets flow, in any order, for long: packets flow afterwards, and nothing has leaked."""

import os
import random

import pytest

from lab import driver as drivers
from lab import kernel
from support import drawn, exchange, faults, leaks, suspend
from support.kernel_log import no_errors  # noqa: F401

# Settings in all (CYCLES says another number), and how many at a time: of one device, while packets flow through it.
CYCLES, AT_ONCE = int(os.environ.get("CYCLES") or kernel.rounds(1600)), 20


@pytest.fixture(scope="module")
def guest(boot, driver):
    if driver is drivers.C:
        pytest.skip("the C driver answers no more after some of the settings, as with SEED=7")
    with boot(nics=drawn.nics(), files=[exchange.PEER, leaks.POOLS], shared_memory=True, leaks=True) as guest:
        driver.load(guest)
        faults.bring_up(guest)
        with exchange.peer_in(guest), exchange.peer_on_host():
            yield guest


@pytest.mark.parametrize("seed", drawn.seeds(), ids=["drawn"])
def test_reconfigured_under_traffic(guest, driver, seed):
    print(f"SEED={seed}")
    chance = random.Random(seed)
    pools = leaks.pools_in_use(guest)
    for _ in range(0, CYCLES, AT_ONCE):
        nic = chance.choice(guest.nics)
        with exchange.flooded(guest, nic):
            if chance.randrange(4) == 0:
                # It takes place beside what follows.
                guest.run(["ethtool", "--reset", nic.name, "all"], check=False)
            lines = drawn.settings(nic, chance, AT_ONCE)
            print(*lines, sep="\n")
            guest.run("\n".join(lines), check=False, timeout=exchange.TIMEOUT * AT_ONCE)
            happens = chance.randrange(8)
            if happens == 0:
                suspend.to_sleep(guest)
            elif happens < 3:
                faults.bind_again(guest, driver, nic)
    for nic in guest.nics:
        mtu = f"ip link set {nic.name} mtu 1500"
        faults.wait(lambda mtu=mtu: guest.run(mtu, check=False).rc == 0, f"{nic.name} is not there")
        guest.bring_up(nic)
        exchange.reaches(nic)
        exchange.everything(guest, nic)
        faults.bind_again(guest, driver, nic)
    leaks.wait_for_pools(guest, pools)
