# SPDX-License-Identifier: GPL-2.0
"""The kernel's packet generator, in the guest: it calls the driver's transmit function in a loop of its own."""

import re

from support import exchange

THREAD = "/proc/net/pktgen/kpktgend_0"


def send(guest, nic, name, **options):
    """Sends packets to the host's end of a NIC; returns how many it says were sent, and how many errors it had."""
    lines = [f"dst {nic.host4}", f"src_min {nic.guest4}", f"dst_mac {exchange.tap_mac(nic)}", "delay 0"]
    lines += [f"{key} {value}" for key, value in options.items()]
    settings = "".join(f"echo '{line}' >/proc/net/pktgen/{name}\n" for line in lines)
    guest.run(
        f"set -e\necho rem_device_all >{THREAD}\necho 'add_device {name}' >{THREAD}\n{settings}"
        "echo start >/proc/net/pktgen/pgctrl",
        timeout=300,
    )
    result = guest.run(["cat", f"/proc/net/pktgen/{name}"]).stdout
    guest.run(f"echo rem_device_all >{THREAD}")
    sent, errors = re.search(r"pkts-sofar: (\d+) +errors: (\d+)", result).groups()
    assert "Result: OK" in result, result
    return int(sent), int(errors)
