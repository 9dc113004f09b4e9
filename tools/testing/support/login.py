# SPDX-License-Identifier: GPL-2.0
"""Who logs in to a machine over its network."""

from lab import host
from lab.machine import tool

OPTIONS = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes", "LogLevel=ERROR"]


class Login:
    """With a key of his own, which is made in a folder."""

    def __init__(self, folder):
        self.key = folder / "key"
        host.run(*tool("bin/ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(self.key))
        self.public = self.key.with_suffix(".pub").read_text()

    def let_in(self, guest):
        guest.run("mkdir -p -m 700 /root/.ssh")
        guest.put("/root/.ssh/authorized_keys", self.public, 0o600)

    def run(self, address, command):
        """What a command says that is run at an address."""
        options = [word for option in OPTIONS for word in ("-o", option)]
        return host.run(*tool("bin/ssh"), "-F", "none", "-i", str(self.key), *options, f"root@{address}", command, timeout=180).stdout
