# SPDX-License-Identifier: GPL-2.0
"""What a driver must not be able to write does not compile: the layers hold, and lent buffers stay lent."""

import re
import subprocess

import pytest

from lab.build import copy_sources, tree_lock
from lab.kernel import STOCK
from lab.paths import REPO
from support.kernels import stock_only

pytestmark = stock_only("the compiler says the same whatever kernel guests run")

DRIVER = "drivers/net/virtio_net_rust/stats.rs"
USES = (
    "use kernel::{net::{Device, NewBuffer, PoolBuffer, RxPoll, SkBuff, DropReason}, virtio::queue::Virtqueue, vnet::Packet, prelude::*};\n"
    "use crate::VirtioNet;\n"
)

# What is appended to a file of the driver's, and what the compiler has to say to it.
REFUSED = {
    "unsafe_block": ("pub fn f() { unsafe { core::hint::unreachable_unchecked() } }", "usage of an `unsafe` block"),
    "unsafe_allowed": ("#[allow(unsafe_code)] pub fn f() {}", "E0453"),
    "unsafe_attribute": ("#[no_mangle] pub fn f() {}", "declaration of a `no_mangle` function"),
    "bindings_path": ("pub use kernel::bindings;", "E0432"),
    "bindings_crate": ("extern crate bindings;", "E0463"),
    "own_bindings_crate": ("extern crate netdev_bindings;", "E0463"),
    "library_crate": ("extern crate netdev;", "E0463"),
    "buffer_of_no_pool": (
        "pub fn f(q: &mut Virtqueue<PoolBuffer>) -> Result { q.lend_from(()) }",
        "E0308",
    ),
    "pool_for_any_device": (
        "use kernel::{dma::DmaDevice, net::Allocated}; pub fn f(n: &Allocated<VirtioNet>, d: DmaDevice<'static>) -> DmaDevice<'static> {"
        " DmaDevice::new(core::ptr::null_mut(), d.attached().unwrap()) }",
        "E0133",
    ),
    "read_while_lent": ("pub fn f(q: &mut Virtqueue<Packet>, p: Packet) -> Packet { let _ = q.add_outbuf(p); p }", "E0382"),
    "lend_twice": ("pub fn f(q: &mut Virtqueue<Packet>, p: Packet) { let _ = q.add_outbuf(p); let _ = q.add_outbuf(p); }", "E0382"),
    "free_while_lent": ("pub fn f(q: &mut Virtqueue<PoolBuffer>, b: NewBuffer) { let _ = q.add_inbuf(b); drop(b); }", "E0382"),
    "lend_what_may_be_anywhere": ("pub fn f(q: &mut Virtqueue<PoolBuffer>, b: PoolBuffer) { let _ = q.add_inbuf(b); }", "E0277"),
    "consume_twice": ("pub fn f(s: SkBuff) { s.drop_with(DropReason::NoMem); s.drop_with(DropReason::NoMem); }", "E0382"),
    "wrong_direction": ("pub fn f(q: &mut Virtqueue<PoolBuffer>, b: PoolBuffer) { let _ = q.add_outbuf(b); }", "E0599"),
    "shared_queue": ("pub fn f(q: &Virtqueue<Packet>, p: Packet) { let _ = q.add_outbuf(p); }", "E0596"),
    "copied_queue": ("pub fn f(q: &Virtqueue<Packet>) -> Virtqueue<Packet> { q.clone() }", "E0308"),
    "exchange_polls": (
        "pub fn f(a: RxPoll<'_, VirtioNet>, b: RxPoll<'_, VirtioNet>) {"
        " let (mut a, mut b) = (a.again(), b.again()); core::mem::swap(&mut a, &mut b); }",
        "lifetime may not live long enough",
    ),
    "keep_poll": (
        "fn share<T: 'static>(_: &T) {} pub fn f(poll: RxPoll<'_, VirtioNet>) {"
        " let kept = core::cell::Cell::new(None); kept.set(Some(poll.again())); share(&kept); }",
        "E0521",
    ),
    "keep_program": (
        "use kernel::net::Program; fn share<T: 'static>(_: &T) {} pub fn f(program: Program<'_>) {"
        " let kept = core::cell::Cell::new(None); kept.set(Some(program)); share(&kept); }",
        "E0521",
    ),
    "keep_packet_of_program": (
        "use kernel::net::XdpBuff; fn share<T: 'static>(_: &T) {} pub fn f(packet: XdpBuff<'_>) {"
        " let kept = core::cell::RefCell::new(None); kept.replace(Some(packet)); share(&kept); }",
        "E0521",
    ),
    "packet_of_program_to_thread": (
        "use kernel::net::XdpBuff; fn send<T: Send>(_: T) {} pub fn f(packet: XdpBuff<'static>) { send(packet); }",
        "E0277",
    ),
    "two_verdicts": (
        "use kernel::net::{Polling, Program, XdpBuff}; pub fn f<'a>(p: XdpBuff<'a>, program: &Program<'_>, polling: &'a Polling<'a>) {"
        " let _ = p.run(program, polling); let _ = p.run(program, polling); }",
        "E0382",
    ),
    "send_frame_twice": (
        "use kernel::net::{TxBulk, XdpFrame}; pub fn f(bulk: &mut TxBulk, frame: XdpFrame) {"
        " let _ = bulk.push(frame); let _ = bulk.push(frame); }",
        "E0382",
    ),
    "two_packets_in_one_room": (
        "use kernel::net::{PagePool, Polling, XdpBuff, XdpRoom}; pub fn f(room: &mut XdpRoom, polling: &Polling<'_>,"
        " a: &mut PagePool, b: &mut PagePool) { let one = XdpBuff::empty(room, polling, a);"
        " let _ = XdpBuff::empty(room, polling, b); drop(one); }",
        "E0499",
    ),
    "field_beyond": (
        "use kernel::virtio::config::Field; const A: Field<[u8; 255]> = Field::first(); pub const B: Field<u16> = A.then();",
        "E0080",
    ),
    "field_of_any_type": (
        "use kernel::virtio::config::Value; pub struct Wide; impl Value for Wide { type Bytes = [u8; 16];"
        " const ZERO: [u8; 16] = [0; 16]; const WIDTH: usize = 16;"
        " fn from_bytes(_: [u8; 16], _: bool) -> Self { Self } }",
        "E0277",
    ),
    "lend_name": ("pub fn f(d: &Device<VirtioNet>) -> &kernel::str::CStr { d.name() }", "E0308"),
    "drop_armed": ("pub fn f(mut q: Virtqueue<Packet>) -> bool { let a = q.arm(); drop(q); a.pending() }", "E0505"),
    "resize_armed": (
        "pub fn f(q: &mut Virtqueue<Packet>) -> bool { let a = q.arm(); let _ = q.resize(1); a.pending() }",
        "E0499",
    ),
    "configure_unlocked": ("pub fn f(d: &Device<VirtioNet>) { let _ = d.pause_rx(0, |_| ()); }", "E0599"),
    "rtnl_of_ethtool": ("use kernel::net::Locked; pub fn f(d: &Locked<'_, VirtioNet>) -> Result { d.set_num_queues(1) }", "E0061"),
    "claim_lock": ("use kernel::net::Locked; pub fn f(d: &Device<VirtioNet>) -> bool { Locked::assume(d).has_user_table() }", "E0624"),
    "claim_rtnl": ("use kernel::net::rtnl::Held; pub fn f(d: &Device<VirtioNet>) -> [u8; 6] { d.mac(&Held::assume()) }", "E0624"),
    "locked_without_rtnl": (
        "use kernel::net::rtnl; pub fn f(d: &Device<VirtioNet>) -> bool {"
        " let locked = { let rtnl = rtnl::lock(); d.lock(&rtnl) }; locked.has_user_table() }",
        "E0597",
    ),
    "locked_elsewhere": (
        "use kernel::net::Locked; fn send<T: Send>(_: T) {} pub fn f(d: &'static Locked<'static, VirtioNet>) { send(d); }",
        "E0277",
    ),
    "pool_unlocked": ("pub fn f(d: &Device<VirtioNet>) { let _ = d.page_pool(0, 1, kernel::dma::DmaDevice::none()); }", "E0599"),
    "dma_device_without_hold": (
        "use kernel::dma::HeldDmaDevice; pub fn f(held: HeldDmaDevice) -> bool { let device = { let held = held; held.get() }; device.is_direct() }",
        "E0597",
    ),
    "online_elsewhere": (
        "use kernel::net::cpu; fn send<T: Send>(_: T) {} pub fn f(o: &'static cpu::Online) { send(o); }",
        "E0277",
    ),
    "keep_transmit": (
        "use kernel::net::TxAccess; fn share<T: 'static>(_: &T) {} pub fn f(tx: TxAccess<'_, VirtioNet>) {"
        " let kept = core::cell::Cell::new(None); kept.set(Some(tx)); share(&kept); }",
        "E0521",
    ),
    "keep_exclusive": (
        "use kernel::net::Exclusive; fn share<T: 'static>(_: &T) {} pub fn f<'a>(o: &'a Exclusive<'a>) {"
        " let kept = core::cell::Cell::new(None); kept.set(Some(o)); share(&kept); }",
        "E0521",
    ),
    "look_unserialised": (
        "pub struct Mine; impl kernel::net::Rearm for Mine { fn pending(&self) -> bool { false } fn disable(&self) {} }",
        "E0200",
    ),
}

# A file of each library, and the crates that it must not know.
BORDERS = {
    "rust/netdev/name.rs": ("virtio", "vnet"),
    "rust/virtio/id.rs": ("netdev", "vnet"),
    "rust/dma/device.rs": ("virtio", "netdev", "vnet"),
}


# The compiler looks for mistakes of one kind in all of a crate before it looks for the next. So cases whose mistakes it finds
# in the same step are built together.
STEPS = (
    {"E0453"},
    {"E0432", "E0463"},
    {"E0061", "E0200", "E0277", "E0308", "E0599", "E0624"},
    {"E0133"},
    {"E0382", "E0499", "E0505", "E0521", "E0596", "E0597", "lifetime may not live long enough"},
    {"usage of an `unsafe` block", "declaration of a `no_mangle` function"},
    {"E0080"},
)
PLACE = re.compile(rf"--> (?:\S*/)?{re.escape(DRIVER)}:(\d+):")


@pytest.fixture(scope="module")
def tree():
    """A copy of the sources that has been built, and a function that builds it."""
    folder = REPO / "build" / "layers"
    with tree_lock():
        copy_sources(folder, built=True)

    def make():
        with tree_lock():
            return subprocess.run(STOCK.make(folder), capture_output=True, text=True)

    done = make()
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, make


def module(name, code, uses):
    return f"mod {name} {{\n#![allow(unused, missing_docs, unreachable_pub)]\n{uses}{code}\n}}\n"


def build_with(tree, modules, file=DRIVER):
    """Builds with these modules appended to a file."""
    folder, make = tree
    source = folder / file
    original = source.read_text()
    source.write_text(f"{original}\n{modules}")
    try:
        return make()
    finally:
        source.write_text(original)


@pytest.fixture(scope="module")
def said(tree):
    """What the compiler has said to each case."""
    found = {}
    for step in STEPS:
        names = [name for name, (_, complaint) in REFUSED.items() if complaint in step]
        first = len((tree[0] / DRIVER).read_text().splitlines()) + 2
        parts = [module(f"case_{name}", REFUSED[name][0], USES) for name in names]
        done = build_with(tree, "".join(parts))
        for name, part in zip(names, parts):
            lines = range(first, first := first + part.count("\n"))
            errors = re.split(r"\n(?=error)", done.stderr)
            found[name] = [error for error in errors if (at := PLACE.search(error)) and int(at[1]) in lines]
    return found


def test_accepted(tree):
    """What is refused below is refused for its own sake."""
    code = "pub fn f(q: &mut Virtqueue<Packet>, p: Packet) -> bool { q.add_outbuf(p).is_ok() && q.kick() }"
    done = build_with(tree, module("accepted", code, USES))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", REFUSED)
def test_refused(said, name):
    code, complaint = REFUSED[name]
    assert said[name], f"this compiles, or another mistake hides it: {code}"
    assert any(complaint in error for error in said[name]), said[name]


@pytest.mark.parametrize("file", BORDERS)
def test_border(tree, file):
    code = "".join(f"pub use {crate}::anything as of_{crate};\n" for crate in BORDERS[file])
    done = build_with(tree, module("added", code, ""), file)
    assert done.returncode != 0, f"{file} may say: {code}"
    for crate in BORDERS[file]:
        assert f"unresolved import `{crate}`" in done.stderr, done.stderr
