# SPDX-License-Identifier: GPL-2.0
"""Does in the guest what the host asks for: one JSON object a line, each way, over the second serial port.

Serial, because it depends on nothing that is under test.
"""

import base64
import json
import os
import signal
import subprocess
import termios
import threading
import tty

PORT = "/dev/ttyS1"
background = {}


def encoded(data):
    return base64.b64encode(data).decode()


def kill(process, number):
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


def run(request):
    process = subprocess.Popen(
        request["argv"],
        stdin=subprocess.PIPE if request["input"] else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    timed_out = False
    try:
        out, err = process.communicate(base64.b64decode(request["input"]) or None, timeout=request["timeout"])
    except subprocess.TimeoutExpired:
        timed_out = True
        kill(process, signal.SIGKILL)
        try:
            out, err = process.communicate(timeout=5)
        except subprocess.TimeoutExpired as stuck:
            out, err = stuck.stdout or b"", b"(the process cannot be killed)"
    return {"rc": process.returncode, "out": encoded(out), "err": encoded(err), "timed_out": timed_out}


def spawn(request):
    """Output goes to files: nobody reads pipes of a process in the background."""
    number = len(background)
    paths = [f"/tmp/spawn-{number}.{kind}" for kind in ("out", "err")]
    with open(paths[0], "wb") as out, open(paths[1], "wb") as err:
        background[number] = subprocess.Popen(
            request["argv"], stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
        )
    return {"number": number, "pid": background[number].pid, "paths": paths}


def wait(request):
    try:
        return {"rc": background[request["number"]].wait(timeout=request["timeout"])}
    except subprocess.TimeoutExpired:
        return {"rc": None}


def stop(request):
    kill(background[request["number"]], request["signal"])
    return {}


def put(request):
    with open(request["path"], "ab" if request["append"] else "wb") as file:
        file.write(base64.b64decode(request["data"]))
    os.chmod(request["path"], request["mode"])
    return {}


def get(request):
    with open(request["path"], "rb") as file:
        file.seek(request["offset"])
        return {"data": encoded(file.read(request["length"]))}


class Kernel:
    """The kernel's messages, each read once."""

    def __init__(self):
        self.log = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)

    def messages(self, _request):
        lines = []
        while True:
            try:
                record = os.read(self.log, 8192).decode(errors="replace")
            except BlockingIOError:
                return {"lines": lines}
            except BrokenPipeError:
                lines.append("BUG: lab: kernel messages were lost before they could be read")
                continue
            head, _, text = record.partition(";")
            stamp = int(head.split(",")[2])
            lines.append(f"[{stamp / 1e6:12.6f}] " + text.partition("\n")[0])


def main():
    port = os.open(PORT, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(port)
    mode = termios.tcgetattr(port)
    mode[4] = mode[5] = termios.B115200
    termios.tcsetattr(port, termios.TCSANOW, mode)
    turn = threading.Lock()
    operations = {
        "run": run,
        "spawn": spawn,
        "wait": wait,
        "stop": stop,
        "put": put,
        "get": get,
        "messages": Kernel().messages,
    }

    def send(answer):
        data = (json.dumps(answer) + "\n").encode()
        with turn:
            while data:
                data = data[os.write(port, data) :]

    def serve(request):
        try:
            answer = operations[request["op"]](request)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        send({"id": request["id"], **answer})

    send({"id": 0})
    with os.fdopen(port, "rb", closefd=False) as requests:
        for line in requests:
            # An empty one is there to wake the guest.
            if line.strip():
                threading.Thread(target=serve, args=(json.loads(line),), daemon=True).start()


main()
