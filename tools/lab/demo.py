# SPDX-License-Identifier: GPL-2.0
"""`make demo`: builds the module, boots the stock kernel with it, and shows it at work."""

import tempfile

from lab import accel, driver, features, traffic
from lab.agent import CommandFailed, GuestDied
from lab.guest import Guest
from lab.paths import RELEASE, die


def title(text):
    print(f"\n== {text}", flush=True)


def need(condition, message):
    if not condition:
        raise CommandFailed(message)


def show_pings(guest, nic):
    for way, run, addresses in (
        ("guest to host", guest.run, (nic.host4, nic.host6)),
        ("host to guest", traffic.host_run, (nic.guest4, nic.guest6)),
    ):
        for address in addresses:
            answers = traffic.ping(run, address)
            print(f"{way}: {answers} of 5 answers from {address}", flush=True)
            need(answers == 5, f"ping from {way} lost packets")


def show_tcp(guest, nic):
    for way, to_guest in (("guest to host", False), ("host to guest", True)):
        count, rate = traffic.transfer(guest, nic, to_guest)
        print(f"{way}: {count / 1e6:.0f} MB arrived, {rate / 1e6:.0f} Mbit/s", flush=True)
        need(count > 0, f"no data arrived from {way}")


def show(guest, chosen):
    nic = guest.nics[0]
    title(f"loading {chosen.name} on Linux {guest.run(['uname', '-r']).stdout.strip()}")
    chosen.load(guest)
    name = guest.bring_up(nic)
    print("\n".join(m for m in guest.kernel_messages() if chosen.name in m))

    title(f"ethtool -i {name}")
    info = guest.run(["ethtool", "-i", name]).stdout
    print(info.strip())
    need(f"driver: {chosen.name}\n" in info, f"{name} is not driven by {chosen.name}")

    title("negotiated features")
    agreed = features.negotiated(guest, nic)
    print(" ".join(agreed))
    need("VERSION_1" in agreed, "VERSION_1 was not negotiated")

    title("ping")
    show_pings(guest, nic)
    title("TCP, two seconds each way (iperf3)")
    show_tcp(guest, nic)
    title(f"ip -s link show {name}")
    print(guest.run(["ip", "-s", "link", "show", name]).stdout.rstrip())

    title(f"rmmod {chosen.name}")
    chosen.unload(guest)
    need(not guest.run(["ls", f"/sys/bus/virtio/drivers/{chosen.name}"], check=False).stdout, "the driver is still there")
    need(nic.mac not in guest.run(["ip", "link"]).stdout, "the interface is still there")
    print("unloaded")

    broken = guest.new_kernel_reports()
    need(not broken, "the guest's kernel complained:\n" + "\n".join(broken))


def main():
    chosen = driver.chosen()
    with tempfile.TemporaryDirectory() as folder:
        print(f"building for Linux {RELEASE}, running it on {accel.choose()}", flush=True)
        files = chosen.payload(folder)
        with Guest(files=files) as guest:
            try:
                show(guest, chosen)
            except CommandFailed as error:
                die(f"{error}\n{guest.tail()}")
    print(f"\nOK: all of it went through {chosen.name}")


if __name__ == "__main__":
    try:
        main()
    except GuestDied as error:
        die(error)
