# SPDX-License-Identifier: GPL-2.0
"""Traffic through one plain NIC, each way, and whether what arrives is what was sent."""

import hashlib
import os

import pytest

from lab import host, kernel, traffic

PORT = 6000


def test_driver_is_the_one_under_test(guest, nic, driver):
    name = guest.interface(nic)
    assert f"driver: {driver.name}\n" in guest.run(["ethtool", "-i", name]).stdout
    bound = guest.run(["readlink", f"/sys/class/net/{name}/device/driver"]).stdout
    assert bound.strip().endswith(f"/virtio/drivers/{driver.name}")


@pytest.mark.parametrize("family", ["4", "6"])
def test_ping_from_guest(guest, nic, family):
    assert traffic.ping(guest.run, getattr(nic, f"host{family}")) == 5


@pytest.mark.parametrize("family", ["4", "6"])
def test_ping_from_host(guest, nic, family):
    assert traffic.ping(traffic.host_run, getattr(nic, f"guest{family}")) == 5


@pytest.mark.parametrize("to_guest", [False, True], ids=["guest-to-host", "host-to-guest"])
def test_tcp(guest, nic, to_guest):
    count, _ = traffic.transfer(guest, nic, to_guest)
    assert count > 0


@pytest.mark.parametrize("to_guest", [False, True], ids=["guest-to-host", "host-to-guest"])
def test_udp(guest, nic, to_guest):
    count, _ = traffic.transfer(guest, nic, to_guest, "-u", "-b", "5M")
    assert count > 0


# Sizes around those of a frame and of a page, and one of many.
SIZES = [1, 1448, 1449, 4096, 65537, 8 << 20]


@pytest.mark.parametrize("size", SIZES)
def test_file_to_guest(guest, nic, tmp_path, size):
    data = os.urandom(size)
    (tmp_path / "file").write_bytes(data)
    receive = f"socat -u TCP-LISTEN:{PORT},reuseaddr CREATE:/tmp/received"
    with traffic.guest_server(guest, receive, PORT) as receiver:
        host.run("socat", "-u", f"FILE:{tmp_path}/file", f"TCP:{nic.guest4}:{PORT}")
        receiver.wait()
    assert guest.run(["sha256sum", "/tmp/received"]).stdout.split()[0] == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("size", SIZES)
def test_file_from_guest(guest, nic, tmp_path, size):
    made = guest.run(f"head -c {size} /dev/urandom >/tmp/sent && sha256sum /tmp/sent").stdout.split()[0]
    receive = ["socat", "-u", f"TCP-LISTEN:{PORT},reuseaddr", f"CREATE:{tmp_path}/file"]
    with traffic.host_server(receive, PORT) as receiver:
        guest.run(["socat", "-u", "FILE:/tmp/sent", f"TCP:{nic.host4}:{PORT}"])
        receiver.wait(kernel.patient(60))
    assert hashlib.sha256((tmp_path / "file").read_bytes()).hexdigest() == made
