# SPDX-License-Identifier: GPL-2.0
"""Python in a guest, ready to run: starting it anew for each script, and importing what scripts need, takes an emulated guest
ten times as long as most of them do.

Listens at SOCKET. For each connection it forks, and the child runs the program that is named there in the place of the process
that asks: with its files 0 to 2, in its folder and in its process group. That process (agent/python.rs) is told the status.
"""

import contextlib
import ctypes
import gc
import os
import selectors
import signal
import socket
import sys
import threading
import traceback
import types

# What scripts import.
import errno, fcntl, hashlib, itertools, json, mmap, random, re, select, struct, subprocess, time  # noqa: E401, F401

SOCKET = "/run/python"
# From <sys/syscall.h>.
SYS_PIDFD_GETFD = 438
SYSCALL = ctypes.CDLL(None).syscall


def code(cache, words):
    """Of `-c PROGRAM` or of a file."""
    name = "-c" if words[0] == "-c" else words[0]
    if name == "-c":
        text = words[1]
    else:
        with open(name) as file:
            text = file.read()
    if text not in cache:
        cache[text] = compile(text, "<string>" if name == "-c" else name, "exec")
    return cache[text]


def run(program, words):
    """The status that the program ends with."""
    named = words[0] != "-c"
    sys.argv = words if named else ["-c", *words[2:]]
    sys.path[0] = os.path.dirname(os.path.abspath(words[0])) if named else ""
    main = types.ModuleType("__main__")
    main.__file__ = words[0] if named else None
    sys.modules["__main__"] = main
    try:
        exec(program, main.__dict__)
        status = 0
    except SystemExit as end:
        status = end.code
        if status is not None and not isinstance(status, int):
            print(status, file=sys.stderr)
            status = 1
    except BaseException:
        traceback.print_exc()
        status = 1
    threading._shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    return status or 0


def child(cache, pid, folder, words):
    """Becomes the program, for the process `pid`."""
    process = os.pidfd_open(pid)
    for file in range(3):
        same = SYSCALL(SYS_PIDFD_GETFD, process, file, 0)
        os.dup2(same, file)
        os.close(same)
    os.close(process)
    # A shell has what it starts in the background ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setpgid(0, os.getpgid(pid))
    os.chdir(folder)
    random.seed()
    return run(code(cache, words), words)


class Server:
    def __init__(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(SOCKET)
        self.listener.listen(64)
        self.found = selectors.DefaultSelector()
        self.found.register(self.listener, selectors.EVENT_READ, self.begin)
        self.cache = {}

    def begin(self, _):
        """A request: who asks, the folder, and words, each of which ends with a zero."""
        connection, _ = self.listener.accept()
        data = b""
        while not data.endswith(b"\0\0"):
            piece = connection.recv(65536)
            if not piece:
                connection.close()
                return
            data += piece
        pid, folder, *words = data[:-2].decode().split("\0")
        with contextlib.suppress(Exception):
            # Kept for the next one. What is wrong with it the child says.
            code(self.cache, words)
        made = os.fork()
        if not made:
            self.found.close()
            self.listener.close()
            status = 1
            try:
                status = child(self.cache, int(pid), folder, words)
            except BaseException:
                traceback.print_exc()
            os._exit(status & 0xFF)
        process = os.pidfd_open(made)
        self.found.register(process, selectors.EVENT_READ, lambda file: self.end(file, made, connection))
        self.found.register(connection, selectors.EVENT_READ, lambda file: self.lost(file, made))

    def end(self, process, made, connection):
        self.found.unregister(process)
        os.close(process)
        _, status = os.waitpid(made, 0)
        if connection in self.found.get_map():
            self.found.unregister(connection)
        try:
            connection.send(os.waitstatus_to_exitcode(status).to_bytes(2, "little", signed=True))
        except OSError:
            # Nobody waits any more.
            pass
        connection.close()

    def lost(self, connection, made):
        """The process that asked is gone."""
        self.found.unregister(connection)
        os.kill(made, signal.SIGKILL)

    def serve(self):
        gc.collect()
        gc.freeze()
        while True:
            # One at a time, since it may be the end of another one.
            key, _ = self.found.select()[0]
            key.data(key.fileobj)


if __name__ == "__main__":
    Server().serve()
