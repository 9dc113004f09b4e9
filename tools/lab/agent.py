# SPDX-License-Identifier: GPL-2.0
"""The host's end of the guest's agent (payload/agent.py)."""

import base64
import itertools
import json
import queue
import socket
import threading
from dataclasses import dataclass

from lab import kernel


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


class Agent:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.numbers = itertools.count(1)
        self.turn = threading.Lock()
        self.answers = {0: queue.Queue()}
        self.ended = False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            for line in self.socket.makefile("rb"):
                # The port's first bytes may be the firmware's.
                start = line.find(b'{"id"')
                if start >= 0:
                    answer = json.loads(line[start:])
                    self.answers[answer["id"]].put(answer)
        except OSError:
            pass
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
        if answer is None:
            raise GuestDied("the guest ended")
        del self.answers[number]
        return answer

    def hello(self, timeout):
        self._answer(0, timeout)

    def ask(self, op, limit=60, **arguments):
        if "timeout" in arguments:
            arguments["timeout"] = kernel.patient(arguments["timeout"])
        number = next(self.numbers)
        self.answers[number] = queue.Queue()
        if self.ended:
            raise GuestDied("the guest ended")
        with self.turn:
            try:
                self.socket.sendall((json.dumps({"id": number, "op": op, **arguments}) + "\n").encode())
            except OSError:
                raise GuestDied("the guest ended") from None
        answer = self._answer(number, limit)
        if "error" in answer:
            raise CommandFailed(f"{op}: {answer['error']}")
        return answer

    def nudge(self):
        """Sends an empty line, which the agent takes no notice of, but the port raises an interrupt."""
        with self.turn:
            self.socket.sendall(b"\n")

    # Beyond its own timeout a command gets this long to be killed and reported.
    GRACE = 30

    def run(self, argv, timeout, input, check):
        answer = self.ask(
            "run",
            limit=timeout + self.GRACE,
            argv=argv,
            timeout=timeout,
            input=base64.b64encode(input).decode(),
        )
        result = Result(answer["rc"], *(base64.b64decode(answer[k]).decode(errors="replace") for k in ("out", "err")))
        if answer["timed_out"]:
            raise CommandFailed(f"{argv}: not done within {timeout} s\n{result.stdout}{result.stderr}")
        if check and result.rc != 0:
            raise CommandFailed(f"{argv}: exit status {result.rc}\n{result.stdout}{result.stderr}")
        return result
