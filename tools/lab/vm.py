# SPDX-License-Identifier: GPL-2.0
"""`make vm`: a shell in a guest that has the module loaded and its NIC up."""

import shutil
import tempfile

from lab import driver
from lab.agent import CommandFailed, GuestDied
from lab.guest import Guest
from lab.paths import die

# The shell has a console of its own, which does not depend on what is under test.
CONSOLE = ("-chardev", "stdio,id=shell,signal=off", "-device", "virtio-serial-pci", "-device", "virtconsole,chardev=shell")
WEEK = 7 * 24 * 3600


def main():
    chosen = driver.chosen()
    with tempfile.TemporaryDirectory() as folder:
        with Guest(files=chosen.payload(folder), extra=CONSOLE, terminal=True) as guest:
            chosen.load(guest)
            nic = guest.nics[0]
            name = guest.bring_up(nic)
            size = shutil.get_terminal_size()
            print(f"{name} is {nic.guest4} and {nic.guest6}, the host {nic.host4} and {nic.host6}.")
            print("The end of the shell (exit, Ctrl-D) is the end of the guest.", flush=True)
            shell = f"exec <>/dev/hvc0 >&0 2>&0; stty cols {size.columns} rows {size.lines}; cd; TERM=linux exec bash"
            # The first terminal that the leader of a session opens becomes its own.
            guest.spawn(["setsid", "--wait", "sh", "-c", shell]).wait(WEEK, check=False)


if __name__ == "__main__":
    try:
        main()
    except (CommandFailed, GuestDied) as error:
        die(error)
