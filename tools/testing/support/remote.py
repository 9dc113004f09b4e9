# SPDX-License-Identifier: GPL-2.0
"""Who serves root file systems over the network: programs of the host, each for as long as a `with` block."""

import os
import signal
import subprocess
from contextlib import contextmanager

from lab import host, machine, unpacked
from lab.machine import wait_for
from lab.paths import LOGS

# What it is called in iSCSI, and where its program is told what to do.
TARGET, SOCKET = "iqn.2026-11.org.example:root", "/tmp/tgtd"
# What an initial ram disk speaks of NFS is version 3, which asks rpcbind for its ports. The server looks at what is mounted where.
EXPORTS = """
NFS_Core_Param { Protocols = 3; Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false; allow_set_io_flusher_fail = true; }
EXPORT { Export_Id = 1; Path = %s; Pseudo = /root; Access_Type = RW; Squash = None; SecType = sys; FSAL { Name = VFS; } }
"""
SERVE = """
echo "_rpc:x:100:65534::/run/rpcbind:/usr/sbin/nologin" >>/etc/passwd
ln -sf /proc/self/mounts /etc/mtab
mkdir -p /run/rpcbind /run/ganesha /var/lib/nfs/ganesha
rpcbind -f &
until rpcinfo >/dev/null 2>&1; do sleep 0.1; done
export LD_LIBRARY_PATH=/usr/lib/ganesha
exec ganesha.nfsd -F -L "$1" -f "$2"
"""


@contextmanager
def running(command, **options):
    """With all that it starts."""
    process = subprocess.Popen(command, start_new_session=True, **options)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def nbd(disk):
    """What is written to it is forgotten."""
    words = ["--snapshot", "--format=raw", "--persistent", "--export-name=root", "--bind=0.0.0.0"]
    with running(["qemu-nbd", *words, disk]):
        yield


@contextmanager
def iscsi(disk):
    """A disk that is the guest's to write."""

    def ask(mode, op, *words, check=True):
        line = ["--lld", "iscsi", "--mode", mode, "--op", op, *words]
        return host.run("env", f"TGT_IPC_SOCKET={SOCKET}", *machine.tool("sbin/tgtadm"), *line, check=check).returncode == 0

    with open(LOGS / "tgtd.log", "w") as log:
        daemon = ["env", f"TGT_IPC_SOCKET={SOCKET}", *machine.tool("sbin/tgtd"), "-f"]
        with running(daemon, stdout=log, stderr=subprocess.STDOUT):
            wait_for(lambda: ask("sys", "show", check=False), "no target of iSCSI")
            ask("target", "new", "--tid", "1", "-T", TARGET)
            ask("logicalunit", "new", "--tid", "1", "--lun", "1", "-b", str(disk))
            ask("target", "bind", "--tid", "1", "-I", "ALL")
            yield


@contextmanager
def nfs(folder):
    """A folder that is the guest's to write."""
    settings = LOGS / "exports"
    settings.write_text(EXPORTS % folder)
    with running(unpacked.command("machine", "sh", "-ec", SERVE, "sh", LOGS / "nfs.log", settings)):
        wait_for(lambda: str(folder) in host.run(*machine.tool("sbin/showmount"), "-e", "127.0.0.1", check=False).stdout, "no NFS")
        yield
