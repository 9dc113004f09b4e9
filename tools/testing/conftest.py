# SPDX-License-Identifier: GPL-2.0
"""What the tests share: the driver under test, and guests to try it in."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

from deb.packages import make as make_packages
from lab import build, checks, device, host
from lab import driver as drivers
from lab.guest import Guest
from lab.paths import shown
from support import aftermath, installed, kmemleak

# The kernel's own choice, fq_codel, drops what has waited too long: on a busy host a fragment of a datagram, and no counter of the
# interface has it. This one drops nothing of what a test sends.
QDISC = "sysctl.net.core.default_qdisc=pfifo"
# The guests that run now; after each test their kernels must have nothing to complain about.
running = []


def no_complaints(guest):
    complaints = guest.new_kernel_reports()
    if complaints:
        pytest.fail("the guest's kernel complained:\n" + "\n".join(complaints))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Before any fixture is undone."""
    report = yield
    if report.failed:
        for guest in running:
            path = aftermath.keep(guest, item.nodeid)
            report.sections.append(("state", f"of guest {guest.number} and the host: {shown(path)}"))
    return report


@pytest.fixture(scope="session")
def driver():
    """The driver under test (DRIVER=rust, or c to compare with)."""
    return drivers.chosen()


@pytest.fixture(scope="session")
def payload(driver, tmp_path_factory):
    """The files that the driver under test needs in the guest, built once."""
    return driver.payload(tmp_path_factory.mktemp("payload"))


@pytest.fixture(scope="session")
def faulty_module(driver, tmp_path_factory):
    """The module with fault points, built once. Among the files of a guest it takes the place of the usual one,
    which has the same name and comes before it."""
    if driver is not drivers.RUST:
        pytest.skip("the fault points are those of the Rust driver")
    folder = Path(os.environ.get("BUILT") or tmp_path_factory.mktemp("faults"))
    with build.lock(folder):
        if not (folder / build.MODULE).exists():
            shutil.copy(checks.build("faults", "FAULTS=1") / build.MODULE, folder)
    return folder / build.MODULE


@pytest.fixture(scope="session")
def packages(tmp_path_factory):
    """The Debian packages by their names, made once."""
    folder = Path(os.environ.get("BUILT") or tmp_path_factory.mktemp("packages")) / "deb"
    with build.lock(folder.parent):
        found = sorted(folder.glob("*.deb")) or make_packages(folder)
    return {host.run("dpkg-deb", "--field", path, "Package").stdout.strip(): path for path in found}


@pytest.fixture(scope="module")
def root():
    """A machine's root without the packages."""
    with installed.fresh_root() as root:
        yield root


@pytest.fixture(scope="session")
def boot(payload):
    """A function that boots a guest for a `with` block: boot(nics=[{...}], machine=...), as `Guest` or another `kind`."""

    @contextmanager
    def booted(**options):
        kind = options.pop("kind", Guest)
        options["cmdline"] = " ".join(filter(None, (QDISC, options.get("cmdline"))))
        with kind(files=[*payload, *options.pop("files", ())], **options) as guest:
            running.append(guest)
            try:
                yield guest
                if guest.leaks:
                    kmemleak.nothing_leaked(guest)
                    no_complaints(guest)
            finally:
                running.remove(guest)

    return booted


@pytest.fixture(scope="module")
def guest(boot, driver):
    """A guest for all tests of a file, with the driver loaded and one plain NIC up."""
    with boot() as guest:
        driver.load(guest)
        guest.bring_up(guest.nics[0])
        yield guest


@pytest.fixture
def nic(guest):
    return guest.nics[0]


@pytest.fixture(autouse=True)
def kernel_has_no_complaints():
    yield
    for guest in running:
        no_complaints(guest)


@pytest.fixture(autouse=True)
def driver_keeps_the_rules():
    """Those of virtio that a device of our own can see."""
    yield
    for guest in running:
        for nic in guest.nics:
            broken = nic.order("violations") if isinstance(nic, device.Device) and nic.stream else []
            if broken:
                pytest.fail("the driver broke rules:\n" + "\n".join(f"{one['section']}: {one['what']}" for one in broken))
