# SPDX-License-Identifier: GPL-2.0
"""A NIC whose device is tools/device and does as it is told, in place of one of QEMU's."""

import fcntl
import json
import os
import socket
import struct
import subprocess
import time
from functools import cache
from pathlib import Path

from lab import timing
from lab.agent import GuestDied
from lab.build import tree_lock
from lab.nic import Nic
from lab.paths import LOGS, REPO, die, layer, shown

SOURCE, TARGET = REPO / "tools" / "device", REPO / "build" / "device"
# linux/if_tun.h
TUNSETIFF, TUNSETOFFLOAD, TUNSETVNETHDRSZ = 0x400454CA, 0x400454D0, 0x400454D8
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
HEADER = 12
TIMEOUT = 30
LINK_UP = 1


def cargo(what, *words, folder=SOURCE):
    """Builds or tests the device, or another package, with the crates that Debian packages, or what else cargo can do."""
    tools = layer("device") / "tools" / "usr"
    registry = tools / "share" / "cargo" / "registry"
    sources = 'source.crates-io.replace-with="debian"', f'source.debian.directory="{registry}"'
    command = [tools / "bin" / "cargo", what, "--release", "--locked", "--offline", "--target-dir", TARGET]
    command += [word for source in sources for word in ("--config", source)]
    command += words
    environment = os.environ | {"LD_LIBRARY_PATH": f"{tools}/lib/x86_64-linux-gnu", "CARGO_HOME": "/tmp/cargo"}
    log = LOGS / f"{folder.name}-{what}.log"
    with timing.of("build"), tree_lock(), open(log, "w") as output:
        if subprocess.run(command, cwd=folder, env=environment, stdout=output, stderr=output).returncode != 0:
            die(f"cargo {what} of {shown(folder)} fails; see {shown(log)}\n{log.read_text()[-2000:]}")


@cache
def program():
    """Builds the device, and returns its path."""
    cargo("build")
    return TARGET / "release" / "device"


def config_space(mac, pairs, mtu=0, speed=0xFFFFFFFF, duplex=0xFF, key_size=0, table_size=0, hash_types=0):
    """virtio 1.3, section 5.1.4"""
    address = bytes.fromhex(mac.replace(":", ""))
    return address + struct.pack("<HHHIBBHI", LINK_UP, pairs, mtu, speed, duplex, key_size, table_size, hash_types)


class Device(Nic):
    """The device and its TAP. `features` are numbers; `config` is what config_space() takes besides address and pairs.
    `way` is how QEMU has the device: with vhost-user it is queues and a configuration space behind QEMU's own PCI function,
    with vfio-user it is all of one.

    said     how many pairs of queues it says that it has, if not as many as it has
    bus      as in `Nic`

    A test gives orders with `order`, see tools/device/src/orders.rs.
    """

    def __init__(self, features, pairs=1, way="vhost-user", said=None, bus=None, **config):
        super().__init__({"bus": bus}, "q35")
        self.way = way
        self.pairs = pairs
        self.config = config_space(self.mac, pairs if said is None else said, **config)
        self.settings = {"features": sorted(features), "pairs": pairs, "config": self.config.hex()}
        self.socket, self.orders = (f"/tmp/{self.id}.{kind}" for kind in ("socket", "orders"))
        self.process = self.stream = None
        self.stays = way != "vhost-user"

    def make(self):
        super().make()
        tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        try:
            fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", self.tap.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
            fcntl.ioctl(tap, TUNSETVNETHDRSZ, struct.pack("i", HEADER))
            fcntl.ioctl(tap, TUNSETOFFLOAD, 0)
            command = [program(), self.way, self.socket, self.orders, json.dumps(self.settings)]
            self.process = subprocess.Popen(command, stdin=tap, stdout=open(LOGS / f"{self.id}.device", "w"), stderr=subprocess.STDOUT)
        finally:
            os.close(tap)
        self.stream = self._connected()
        self.stream.settimeout(TIMEOUT)
        self.answers = self.stream.makefile()

    def _connected(self):
        """A socket is there before anybody listens to it."""
        limit = time.monotonic() + TIMEOUT
        while self.process.poll() is None and time.monotonic() < limit:
            if Path(self.socket).exists():
                stream = socket.socket(socket.AF_UNIX)
                try:
                    stream.connect(self.orders)
                    return stream
                except (FileNotFoundError, ConnectionRefusedError):
                    stream.close()
            time.sleep(0.02)
        raise GuestDied(f"the device did not start; see {shown(LOGS / f'{self.id}.device')}")

    def remove(self):
        if self.stream:
            self.stream.close()
        if self.process:
            self.process.kill()
            self.process.wait()
        for path in (self.socket, self.orders):
            Path(path).unlink(missing_ok=True)
        super().remove()

    def backend(self):
        return ["-chardev", f"socket,id={self.netdev_id},path={self.socket}"] if self.way == "vhost-user" else []

    def device(self):
        place = {"bus": self.bus} if self.bus else {}
        if self.way == "vfio-user":
            return {"driver": "vfio-user-pci", "id": self.id, "socket": {"type": "unix", "path": self.socket}, **place}
        sizes = {"num_vqs": 2 * self.pairs + 1, "vq_size": 256, "config_size": len(self.config)}
        named = {"id": self.id, "chardev": self.netdev_id, "virtio-id": 1}
        return {"driver": "vhost-user-test-device-pci", **named, **sizes, **place}

    def arguments(self):
        return ["-device", json.dumps(self.device())]

    def die(self):
        """Ends the program, as a crash of it would. There are no orders any more."""
        self.process.kill()
        self.process.wait()
        self.stream.close()
        self.stream = None

    def order(self, what, **arguments):
        with timing.of("device"):
            self.stream.sendall((json.dumps({"order": what, **arguments}) + "\n").encode())
            answer = json.loads(self.answers.readline())
        assert "error" not in answer, answer["error"]
        return next(iter(answer.values()), None)
