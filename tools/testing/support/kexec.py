# SPDX-License-Identifier: GPL-2.0
"""Starts another kernel in place of the running one. Runs in the guest, as root.

kexec.py now|panic IMAGE INITRD COMMAND-LINE  at once, as whatever the kernel is about, or when this one panics
"""

import ctypes
import os
import sys

# linux/kexec.h, linux/reboot.h, asm/unistd_64.h
KEXEC_FILE_ON_CRASH, LINUX_REBOOT_CMD_KEXEC, SYS_KEXEC_FILE_LOAD = 2, 0x45584543, 320


def done(result):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def main(when, image, initrd, line):
    libc = ctypes.CDLL(None, use_errno=True)
    files = [os.open(path, os.O_RDONLY) for path in (image, initrd)]
    flags = KEXEC_FILE_ON_CRASH if when == "panic" else 0
    words = line.encode() + b"\0"
    done(libc.syscall(SYS_KEXEC_FILE_LOAD, *files, ctypes.c_long(len(words)), words, ctypes.c_long(flags)))
    if when == "now":
        os.sync()
        done(libc.reboot(LINUX_REBOOT_CMD_KEXEC))


if __name__ == "__main__":
    main(*sys.argv[1:])
