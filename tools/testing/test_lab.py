# SPDX-License-Identifier: GPL-2.0
"""The commands themselves: what they say to bad input, and that they leave nothing behind."""

import fcntl
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from lab import host
from lab.paths import CACHE, ENTRY, RELEASE, REPO, layer
from support.kernels import stock_only

pytestmark = stock_only("these test the lab's commands, not what runs in a guest")

LAB = REPO / "tools" / "lab"


def make(*words, **options):
    return subprocess.run(
        ["make", "-C", REPO, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, **options
    )


def refused(done, *texts):
    """Whether a command failed with one line that has all of the texts."""
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if "error: " in line]
    assert len(lines) == 1, done.stderr
    for text in texts:
        assert text in lines[0]


def wait_for(condition, text):
    limit = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < limit, text
        time.sleep(0.1)


# --- Bad input ----------------------------------------------------------------


def test_not_root():
    refused(make("demo", user=65534, group=65534, extra_groups=[]), "needs root")


def test_no_kernel_tree(tmp_path):
    refused(make(f"KDIR={tmp_path}/missing"), "no kernel tree", "make module", "KDIR=")


def test_kernel_tree_not_prepared(tmp_path):
    refused(make(f"KDIR={tmp_path}"), "configured and prepared", "make module")


@pytest.mark.parametrize(
    "release, config, text",
    [
        ("6.12.9", "CONFIG_RUST=y", "7.2 or newer"),
        ("7.10.0", "CONFIG_NET=y", "without CONFIG_RUST"),
        ("7.3.4", "CONFIG_RUST=y", "for a 32-bit machine"),
        ("7.3.4", "CONFIG_RUST=y\nCONFIG_64BIT=y", "without CONFIG_NET_DEVLINK"),
        ("7.3.4", "CONFIG_RUST=y\nCONFIG_64BIT=y\nCONFIG_NET_DEVLINK=y", "lacks the Rust metadata"),
    ],
)
def test_unfit_kernel_tree(tmp_path, release, config, text):
    folder = tmp_path / "include" / "config"
    folder.mkdir(parents=True)
    (folder / "kernel.release").write_text(release + "\n")
    (folder / "auto.conf").write_text(config + "\n")
    refused(make(f"KDIR={tmp_path}"), text, "make module")


def test_stock_headers():
    refused(make(f"KDIR=/usr/src/linux-headers-{RELEASE}"), "lacks the Rust metadata")


def test_unknown_driver():
    done = make("demo", "DRIVER=e1000")
    assert done.returncode != 0 and "error: DRIVER=e1000" in done.stderr


def test_unknown_kernel():
    done = make("demo", "KERNEL=other")
    assert done.returncode != 0 and "error: KERNEL=other" in done.stderr


def test_unknown_series(tmp_path):
    refused(make("setup", f"LAB_CACHE={tmp_path}", "KERNEL_SERIES=latest"), "KERNEL_SERIES=latest")


# --- The choice of a kernel ---------------------------------------------------


def choose(kernels, series=""):
    script = f'. {LAB}/suite.sh; choose_kernel "$1"'
    return host.run("env", f"KERNEL_SERIES={series}", "bash", "-c", script, "-", kernels).stdout.strip()


def test_choice_of_kernel():
    both = "7.4 7.4.1+x\n7.3 7.3.9+x\n7.2 7.2.12+x"
    assert choose(both) == "7.3.9+x"
    assert choose(both, "7.2") == "7.2.12+x"
    assert choose(both, "7.1") == ""
    assert choose("7.5 7.5.1+x\n7.4 7.4.1+x") == "7.5.1+x"


# --- The cache ----------------------------------------------------------------


def test_busy_cache(tmp_path):
    with open(tmp_path / "setup.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (tmp_path / "setup.pid").write_text("4242\n")
        refused(make("setup", f"LAB_CACHE={tmp_path}"), "4242", "try again")


def test_interrupted_setup_is_swept_away(tmp_path):
    """The namespace of this test has no mirror: the setup fails, after it has cleared the place."""
    (tmp_path / "partial.123" / "root").mkdir(parents=True)
    refused(make("setup", f"LAB_CACHE={tmp_path}"), "mirror")
    assert not list(tmp_path.glob("partial.*"))


def test_cache_outlives_the_mirror(tmp_path):
    entry = next(e for e in CACHE.glob("*-*") if (e / "release").exists() and e.samefile(ENTRY))
    (tmp_path / entry.name).symlink_to(entry)
    memo = tmp_path / f"kernel-{os.environ.get('KERNEL_SERIES') or 'default'}"
    memo.write_text(RELEASE + "\n")
    os.utime(memo, (0, 0))
    done = host.run("env", f"LAB_CACHE={tmp_path}", LAB / "lab.sh", "cat", "/lab/entry/release")
    assert done.stdout.strip() == RELEASE
    assert "last known kernel" in done.stderr


# --- Layers -------------------------------------------------------------------


def test_layers_have_names(monkeypatch):
    monkeypatch.setenv("LAYER", "/lab/cache/device-0a-7.3 /lab/cache/debug-0b-7.3")
    assert layer("debug") == Path("/lab/cache/debug-0b-7.3")
    with pytest.raises(SystemExit, match="tools/kselftest"):
        layer("kselftest")


def waits_for(lock):
    """Whether a process waits for the lock of an open file."""
    return any("->" in line and f":{os.fstat(lock.fileno()).st_ino} " in line for line in Path("/proc/locks").read_text().splitlines())


def test_layer_is_made_once(tmp_path):
    """A run that waited for another one, which has made the layer meanwhile, does not make it again."""
    script = f'. {LAB}/lib.sh; . {LAB}/layer.sh; LAB_CACHE="$1" LAB_RELEASE=7.3; use_layer tools/device 0a false'
    with open(tmp_path / "setup.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = subprocess.Popen(["bash", "-e", "-c", script, "-", tmp_path])
        wait_for(lambda: waits_for(lock), "the layer is made without the lock")
        (tmp_path / "device-0a-7.3").mkdir()
        (tmp_path / "device-0a-7.3" / "release").write_text("7.3\n")
    assert command.wait(120) == 0


# --- Nothing is left behind ---------------------------------------------------


def processes():
    """Those of this namespace and, as they are seen from here, of the ones below."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            found[folder.name] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        except OSError:
            pass
    return {pid: line for pid, line in found.items() if line}


def traces():
    """What a command could leave."""
    links = host.run("ip", "-brief", "link").stdout
    return {
        "links": sorted(line.split()[0] for line in links.splitlines()),
        "namespaces": host.run("ip", "netns").stdout,
        "mounts": Path("/proc/self/mounts").read_text(),
        "files": sorted(os.listdir("/tmp")),
    }


@pytest.mark.parametrize("how", ["Ctrl-C", "TERM make", "KILL make", "KILL qemu"])
def test_nothing_is_left_behind(how):
    before, known = traces(), set(processes())

    def new():
        return {pid: line for pid, line in processes().items() if pid not in known}

    def guests():
        return [int(pid) for pid, line in new().items() if line.startswith("qemu-system") and "socket,id=agent" in line]

    command = subprocess.Popen(
        # What runs in the lab ignores SIGINT, as anything that a shell put into the background.
        ["env", "--default-signal=INT", "make", "-C", REPO, "demo", "DRIVER=c"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_for(guests, "the guest did not start")
    if how == "Ctrl-C":
        os.killpg(command.pid, signal.SIGINT)
    elif how == "KILL qemu":
        os.kill(guests()[0], signal.SIGKILL)
    else:
        command.send_signal(signal.SIGTERM if how == "TERM make" else signal.SIGKILL)
    assert command.wait(120) != 0
    wait_for(lambda: not new(), f"processes are left: {new()}")
    assert traces() == before
