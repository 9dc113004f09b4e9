# SPDX-License-Identifier: GPL-2.0
"""Names of a guest's functions."""

import bisect
import socket
import subprocess

USER = "(user space)"
UNKNOWN = "(unknown)"
# The kernel's half of the addresses.
KERNEL = 1 << 63


def fetch(guest, nic):
    """The guest's /proc/kallsyms. It is long, and goes over a NIC."""
    with socket.create_server((nic.host4, 0)) as server:
        port = server.getsockname()[1]
        with guest.spawn(["socat", "-u", "FILE:/proc/kallsyms", f"TCP:{nic.host4}:{port}"]):
            server.settimeout(60)
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as stream:
                connection.settimeout(60)
                return stream.read().decode()


def demangled(names):
    """Readable names of Rust functions; others stay as they are."""
    text = "\n".join(names)
    done = subprocess.run(["llvm-cxxfilt"], input=text, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


class Symbols:
    """Functions by address, made from the text of /proc/kallsyms."""

    def __init__(self, text):
        found = {}
        for line in text.splitlines():
            address, kind, name, *module = line.split()
            if kind in "tTwW":
                found.setdefault(int(address, 16), (name, module[0].strip("[]") if module else ""))
        self.starts = sorted(found)
        names = demangled([found[start][0] for start in self.starts])
        self.names = [(name, found[start][1]) for name, start in zip(names, self.starts)]
        self.known = frozenset(self.starts)

    def at(self, address):
        """The name of the function at an address, and its module, or an empty text for the kernel itself."""
        if address < KERNEL:
            return USER, ""
        index = bisect.bisect(self.starts, address) - 1
        return self.names[index] if index >= 0 else (UNKNOWN, "")
