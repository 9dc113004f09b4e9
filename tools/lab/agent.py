# SPDX-License-Identifier: GPL-2.0
"""The host's end of the guest's agent (agent/main.rs), and how that is built."""

import hashlib
import itertools
import queue
import re
import socket
import subprocess
import threading
from dataclasses import dataclass

from lab import kernel
from lab.build import tree_lock
from lab.paths import REPO, die

SOURCES = REPO / "tools" / "lab" / "agent"
BUILT = REPO / "build"
RUSTC = ["rustc", "--edition", "2021", "-O", "-C", "panic=abort", "-C", "strip=symbols", "-C", "target-feature=+crt-static"]
# Before a script, or `-c` and a program, and its arguments: runs it in the Python that waits in each guest (interpreter.py).
PYTHON = ["/payload/agent", "python"]
# The first line of an answer. Before the first one there may be the firmware's.
ANSWER = re.compile(rb"(\d+) (ok|error)((?: \d+)*)\n$")


class GuestDied(Exception):
    """The guest ended, or does not answer any more."""


class CommandFailed(Exception):
    """A command in the guest failed, or ran out of time."""


@dataclass
class Result:
    rc: int
    stdout: str
    stderr: str


def as_argv(command):
    """A line is for the shell, a list is a program and its arguments."""
    return ["sh", "-c", command] if isinstance(command, str) else [str(word) for word in command]


def made_from():
    """The sources of the agent, as one number."""
    text = b"".join(path.read_bytes() for path in sorted(SOURCES.iterdir()))
    return hashlib.sha256(text).hexdigest()[:12]


def program():
    """Builds the agent if it has changed, and returns its path."""
    path = BUILT / f"agent-{made_from()}"
    with tree_lock():
        if not path.exists():
            done = subprocess.run([*RUSTC, SOURCES / "main.rs", "-o", path], capture_output=True, text=True)
            if done.returncode != 0:
                die(f"the guest's agent does not build\n{done.stderr}")
    return path


def as_bytes(word):
    return word if isinstance(word, bytes) else str(word).encode()


class Agent:
    def __init__(self, path):
        self.path = str(path)
        self.numbers = itertools.count(1)
        self.turn = threading.Lock()
        self.answers = {0: queue.Queue()}
        self.ended = False
        self._connect()

    def _connect(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(self.path)
        threading.Thread(target=self._read, args=[self.socket], daemon=True).start()

    def reconnect(self):
        """The guest is told anew that the host is there. What it has been asked and not answered is lost, maybe."""
        with self.turn:
            old = self.socket
            self._connect()
            old.shutdown(socket.SHUT_RDWR)
            old.close()

    def _read(self, connection):
        try:
            with connection.makefile("rb") as stream:
                for line in stream:
                    if found := ANSWER.search(line):
                        strings = [stream.read(int(length)) for length in found[3].split()]
                        # Somebody may not wait any more.
                        if waiting := self.answers.get(int(found[1])):
                            waiting.put((found[2] == b"ok", strings))
        except OSError:
            pass
        if connection is self.socket:
            self.ended = True
            for waiting in list(self.answers.values()):
                waiting.put(None)

    def close(self):
        self.socket.close()

    def _answer(self, number, timeout):
        try:
            answer = self.answers[number].get(timeout=kernel.patient(timeout))
        except queue.Empty:
            raise GuestDied(f"the guest did not answer within {timeout} s") from None
        finally:
            del self.answers[number]
        if answer is None:
            raise GuestDied("the guest ended")
        return answer

    def hello(self, timeout):
        """What it says when it begins, also when another kernel has been started in place of the one that it ran on."""
        self._answer(0, timeout)
        self.answers[0] = queue.Queue()

    def ask(self, operation, *arguments, limit=60):
        """Asks for an operation, and returns the byte strings that it returns."""
        number = next(self.numbers)
        self.answers[number] = queue.Queue()
        if self.ended:
            raise GuestDied("the guest ended")
        strings = [as_bytes(argument) for argument in arguments]
        line = " ".join([str(number), operation, *(str(len(string)) for string in strings)])
        with self.turn:
            try:
                self.socket.sendall(line.encode() + b"\n" + b"".join(strings))
            except OSError:
                raise GuestDied("the guest ended") from None
        done, found = self._answer(number, limit)
        if not done:
            raise CommandFailed(f"{operation}: {found[0].decode(errors='replace')}")
        return found

    # Beyond its own timeout a command gets this long to be killed and reported.
    GRACE = 30

    def run(self, argv, timeout, input, check):
        limit = int(1000 * kernel.patient(timeout))
        rc, killed, out, err = self.ask("run", limit, input, *argv, limit=timeout + self.GRACE)
        result = Result(int(rc), out.decode(errors="replace"), err.decode(errors="replace"))
        if int(killed):
            raise CommandFailed(f"{argv}: not done within {timeout} s\n{result.stdout}{result.stderr}")
        if check and result.rc != 0:
            raise CommandFailed(f"{argv}: exit status {result.rc}\n{result.stdout}{result.stderr}")
        return result

    def wait(self, number, timeout):
        """Waits for a command in the background; returns its status, or None if it has not ended."""
        found = self.ask("wait", number, int(1000 * kernel.patient(timeout)), limit=timeout + self.GRACE)
        return int(found[0]) if found else None
