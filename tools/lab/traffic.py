# SPDX-License-Identifier: GPL-2.0
"""Traffic between a guest's NIC and the host's end of it, each way."""

import json
import re
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

from lab import host, kernel
from lab.agent import CommandFailed

PORT = 5201


def ping(run, address, count=5):
    """Pings with `run`, either `Guest.run` or `host_run`; returns how many answers came."""
    done = run(["ping", "-n", "-c", count, "-i", "0.2", "-W", "5", address], check=False)
    answers = re.search(r"(\d+) received", done.stdout)
    return int(answers.group(1)) if answers else 0


def host_run(argv, timeout=60, check=True):
    return host.run(*map(str, argv), timeout=timeout, check=check)


def wait_listening(read, port=PORT, timeout=30):
    """Waits until somebody listens on a TCP port where `read` reads files, `Guest.read` or `Path.read_text`."""
    limit = time.monotonic() + kernel.patient(timeout)
    listening = re.compile(rf"^ *\d+: [0-9A-F]+:{port:04X} [0-9A-F]+:0000 0A ", re.MULTILINE)
    while not any(listening.search(read(Path(f"/proc/net/{table}"))) for table in ("tcp6", "tcp")):
        if time.monotonic() > limit:
            raise CommandFailed(f"nobody listens on port {port} after {timeout} s")
        time.sleep(0.1)


@contextmanager
def host_server(argv, port=PORT):
    """A server on the host's end."""
    process = subprocess.Popen(list(map(str, argv)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        wait_listening(Path.read_text, port)
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextmanager
def guest_server(guest, argv, port=PORT):
    with guest.spawn(argv) as server:
        wait_listening(guest.read, port)
        yield server


def iperf3(run, address, *options, seconds=2):
    """Runs iperf3's client; returns what it reports. With `-R` among the options the server sends."""
    argv = ["iperf3", "--json", "-c", address, "-t", seconds, "-p", PORT, *options]
    done = run(argv, timeout=seconds + 60, check=False)
    report = json.loads(done.stdout)
    if "error" in report:
        raise CommandFailed(f"iperf3: {report['error']}")
    return report


def transfer(guest, nic, to_guest, *options, seconds=2):
    """Bytes that arrived one way in iperf3, and bit/s: over TCP, unless an option says otherwise."""
    if to_guest:
        with guest_server(guest, ["iperf3", "-s", "-1", "-p", PORT]) as server:
            report = iperf3(host_run, nic.guest4, *options, seconds=seconds)
            # It listens for a moment more, and would be taken for the server of the next turn.
            server.wait()
    else:
        with host_server(["iperf3", "-s", "-1", "-p", PORT]):
            report = iperf3(guest.run, nic.host4, *options, seconds=seconds)
    received = report["end"]["sum_received"]
    return received["bytes"], received["bits_per_second"]
