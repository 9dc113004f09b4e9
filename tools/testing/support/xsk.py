# SPDX-License-Identifier: GPL-2.0
"""A user of AF_XDP, which talks to the kernel without a library. Runs in the guest.

xsk.py {"interface": NAME, ...}

It says `bound` when it is, and then turns frames back that come to its socket, until it is told to end (SIGTERM).

queue       which queue of the interface (0)
through     the interface whose programs pass packets to the socket, if it is another: one that leases its queue to the first
copy        bind without zero copy
wakeup      ask to be told when the kernel has to be woken up (true)
busy        poll busily: the kernel does nothing but what is asked for
unaligned   chunks begin anywhere, and the headroom of user space is 64 bytes
several     packets may have several chunks
chunks      how many chunks of the memory are passed to be received into (256)
metadata    so many bytes in front of each packet are for what is requested with it; the packet says that itself: it has a REQUEST behind
            its addresses and its type
patience    for how many seconds it tries again while the queue has the pool of another socket (LEFT_OVER)
hostile     before, send what must not be: the memory of others, or what changes while it is sent
"""

import ctypes
import errno
import json
import mmap
import os
import select
import signal
import socket
import struct
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)

# linux/if_xdp.h
AF_XDP, SOL_XDP = 44, 283
XDP_MMAP_OFFSETS, XDP_RX_RING, XDP_TX_RING, XDP_UMEM_REG, XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_STATISTICS, XDP_OPTIONS = range(1, 9)
XDP_COPY, XDP_ZEROCOPY, XDP_USE_NEED_WAKEUP, XDP_USE_SG = 1 << 1, 1 << 2, 1 << 3, 1 << 4
XDP_PKT_CONTD, XDP_TX_METADATA = 1 << 0, 1 << 1
XDP_UMEM_UNALIGNED_CHUNK_FLAG, XDP_UMEM_TX_METADATA_LEN = 1 << 0, 1 << 2
TIMESTAMP, CHECKSUM, LAUNCH_TIME = 1 << 0, 1 << 1, 1 << 2
XDP_RING_NEED_WAKEUP, XDP_OPTIONS_ZEROCOPY = 1 << 0, 1 << 0
PGOFF = {XDP_RX_RING: 0, XDP_TX_RING: 0x80000000, XDP_UMEM_FILL_RING: 0x100000000, XDP_UMEM_COMPLETION_RING: 0x180000000}
OFFSET_SHIFT = 48
ADDRESS = (1 << OFFSET_SHIFT) - 1
STATISTICS = ("rx_dropped", "rx_invalid_descs", "tx_invalid_descs", "rx_ring_full", "rx_fill_ring_empty", "tx_ring_empty")
# asm/socket.h: SO_PREFER_BUSY_POLL, SO_BUSY_POLL in us, SO_BUSY_POLL_BUDGET
BUSY_POLL = {69: 1, 46: 20, 70: 64}
# asm/unistd_64.h, linux/bpf.h
SYS_BPF, BPF_MAP_UPDATE_ELEM, BPF_OBJ_GET = 321, 2, 7
SOCKETS = b"/run/bpf/xdp-maps/sockets\0"

CHUNK, CHUNKS, RING = 4096, 1024, 512
# How long a queue has the pool of a socket that has ended at most, in seconds
LEFT_OVER = 20
# Whether there is a request, its flags, csum_start and csum_offset.
REQUEST, ETHERNET = struct.Struct("<?QHH"), 14


def checked(result):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def bpf(command, attributes):
    buffer = ctypes.create_string_buffer(attributes, max(len(attributes), 128))
    return checked(libc.syscall(SYS_BPF, command, buffer, len(buffer)))


class Ring:
    """A ring of descriptors, `size` bytes each, that one side produces and the other consumes."""

    def __init__(self, xdp, kind, offsets, size):
        producer, consumer, descriptors, flags = offsets
        self.memory = mmap.mmap(xdp.fileno(), descriptors + RING * size, offset=PGOFF[kind])
        word = ctypes.c_uint32
        self.producer, self.consumer, self.flags = (word.from_buffer(self.memory, at) for at in (producer, consumer, flags))
        self.start, self.size = descriptors, size

    def put(self, descriptors):
        producer = self.producer.value
        for number, descriptor in enumerate(descriptors):
            at = self.start + (producer + number) % RING * self.size
            self.memory[at : at + self.size] = descriptor
        self.producer.value = (producer + len(descriptors)) % (1 << 32)

    def take(self):
        consumer, producer = self.consumer.value, self.producer.value
        taken = []
        for number in range((producer - consumer) % (1 << 32)):
            at = self.start + (consumer + number) % RING * self.size
            taken.append(bytes(self.memory[at : at + self.size]))
        self.consumer.value = producer
        return taken

    def wants_wakeup(self):
        return self.flags.value & XDP_RING_NEED_WAKEUP


class Socket:
    def __init__(
        self,
        interface,
        queue=0,
        through=None,
        copy=False,
        wakeup=True,
        busy=False,
        unaligned=False,
        several=False,
        chunks=256,
        metadata=0,
        patience=LEFT_OVER,
    ):
        self.unaligned, self.metadata = unaligned, metadata
        self.xdp = socket.socket(AF_XDP, socket.SOCK_RAW)
        self.memory = mmap.mmap(-1, CHUNK * CHUNKS)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        flags = (XDP_UMEM_UNALIGNED_CHUNK_FLAG if unaligned else 0) | (XDP_UMEM_TX_METADATA_LEN if metadata else 0)
        headroom = 64 if unaligned else 0
        # Shorter chunks, which begin somewhere in pages, but do not go beyond: those need not follow each other for the device.
        self.first, size = (512, CHUNK // 2) if unaligned else (0, CHUNK)
        self.xdp.setsockopt(SOL_XDP, XDP_UMEM_REG, struct.pack("<QQIIII", start, CHUNK * CHUNKS, size, headroom, flags, metadata))
        for kind in PGOFF:
            self.xdp.setsockopt(SOL_XDP, kind, RING)
        words = struct.unpack("<16Q", self.xdp.getsockopt(SOL_XDP, XDP_MMAP_OFFSETS, 128))
        kinds = (XDP_RX_RING, 16), (XDP_TX_RING, 16), (XDP_UMEM_FILL_RING, 8), (XDP_UMEM_COMPLETION_RING, 8)
        rings = (Ring(self.xdp, kind, words[4 * i : 4 * i + 4], size) for i, (kind, size) in enumerate(kinds))
        self.rx, self.tx, self.fill, self.completion = rings
        self.free(range(chunks))
        self.counts = {"sent": 0, "chunks": 0, "completed": 0, "back": 0}
        self.last = 0
        flags = (XDP_COPY if copy else XDP_ZEROCOPY) | (XDP_USE_NEED_WAKEUP if wakeup else 0) | (XDP_USE_SG if several else 0)
        address = struct.pack("<HHIII", AF_XDP, flags, socket.if_nametoindex(interface), queue, 0)
        self.bind(address, patience)
        self.wakeup, self.busy = wakeup, busy
        for option, value in BUSY_POLL.items() if busy else ():
            self.xdp.setsockopt(socket.SOL_SOCKET, option, value)
        attributes = ctypes.create_string_buffer(SOCKETS)
        sockets = bpf(BPF_OBJ_GET, struct.pack("<QI", ctypes.addressof(attributes), 0))
        key, value = ctypes.c_uint32(socket.if_nametoindex(through or interface)), ctypes.c_uint32(self.xdp.fileno())
        bpf(BPF_MAP_UPDATE_ELEM, struct.pack("<IxxxxQQQ", sockets, ctypes.addressof(key), ctypes.addressof(value), 0))

    def bind(self, address, patience):
        """Tries for a while: the kernel takes the pool of a socket that is gone from its queue later, by a work."""
        limit = time.monotonic() + patience
        while True:
            try:
                return checked(libc.bind(self.xdp.fileno(), address, len(address)))
            except OSError as error:
                if error.errno != errno.EBUSY or time.monotonic() > limit:
                    raise
            time.sleep(0.01)

    def chunk(self, number):
        """Where it begins."""
        return self.first + number * CHUNK

    def free(self, numbers):
        self.fill.put([struct.pack("<Q", self.chunk(number)) for number in numbers])

    def offset(self, address):
        """Where a descriptor points to."""
        return (address & ADDRESS) + (address >> OFFSET_SHIFT)

    def wake(self):
        if not self.wakeup or self.tx.wants_wakeup():
            libc.sendto(self.xdp.fileno(), None, 0, socket.MSG_DONTWAIT, None, 0)
        if self.busy or self.wakeup and self.fill.wants_wakeup():
            libc.recvfrom(self.xdp.fileno(), None, 0, socket.MSG_DONTWAIT, None, None)

    def is_zerocopy(self):
        (flags,) = struct.unpack("<I", self.xdp.getsockopt(SOL_XDP, XDP_OPTIONS, 4))
        return bool(flags & XDP_OPTIONS_ZEROCOPY)

    def statistics(self):
        return dict(zip(STATISTICS, struct.unpack("<6Q", self.xdp.getsockopt(SOL_XDP, XDP_STATISTICS, 48)), strict=True))

    def completed(self):
        """The numbers of chunks that have been sent, of those that the memory has."""
        addresses = (self.offset(address) - self.first for (address,) in map(struct.Struct("<Q").unpack, self.completion.take()))
        return [max(address, 0) // CHUNK for address in addresses]

    def request(self, at):
        """Writes in front of the packet what it says is to be requested, and returns the option for its descriptor."""
        said, *request = REQUEST.unpack_from(self.memory, at + ETHERNET)
        self.memory[at - self.metadata : at] = struct.pack("<QHH", *request).ljust(self.metadata, b"\xff")
        return XDP_TX_METADATA if said else 0

    def turn_back(self):
        """Sends what was received with the addresses the other way round, and passes what was sent to be received into."""
        turned = self.rx.take()
        first, packets = True, 0
        for number, descriptor in enumerate(turned):
            address, length, options = struct.unpack("<QII", descriptor)
            if first:
                at = self.offset(address)
                # Chunks are passed in the order of their addresses, from the start on again and again.
                self.counts["back"] += at < self.last
                self.last = at
                head = self.memory[at : at + 12]
                self.memory[at : at + 12] = head[6:] + head[:6]
                packets += 1
                if self.metadata:
                    turned[number] = struct.pack("<QII", address, length, options | self.request(at))
            first = not options & XDP_PKT_CONTD
        if turned:
            self.tx.put(turned)
        back = self.completed()
        if back:
            self.free(back)
        self.counts["sent"] += packets
        self.counts["chunks"] += len(turned)
        self.counts["completed"] += len(back)


# What is no packet of the memory: by address, length and options.
WRONG = (
    (CHUNK * CHUNKS, 60, 0),
    (CHUNK * CHUNKS - 30, 60, 0),
    (CHUNK * CHUNKS - 1, 60, 0),
    (0, CHUNK + 1, 0),
    # Right where nothing is aligned, if the pages of both chunks lie side by side.
    (CHUNK - 30, 60, 0),
    (1 << 40, 60, 0),
    (ADDRESS, 60, 0),
    ((1 << 64) - 60, 60, 0),
    (0, 0xFFFFFFFF, 0),
    (0, 0, 0),
    (0, 60, 1),
    (0, 60, 0x80000000),
)


def attack(user):
    """Each wrong descriptor is counted, and none of them sent. Chunks are passed that are not there, or that the device has."""
    for wrong in WRONG:
        user.tx.put([struct.pack("<QII", *wrong)])
        user.wake()
    # Frames that nobody takes, which overlap and are another by the time that they are sent. Short ones are copied.
    last = CHUNKS - 8
    starts = [user.chunk(last) + 256 + 100 * number for number in range(8)]
    options = XDP_TX_METADATA if user.metadata else 0
    frames = [struct.pack("<QII", start, length, options) for start in starts for length in (1000, 200, 1)]
    for turn in range(16):
        user.tx.put(frames)
        user.wake()
        for at in range(user.chunk(last), user.chunk(last + 1), 64):
            user.memory[at : at + 14] = bytes([at >> 6 & 0xFE]) * 14
        for number, start in enumerate(starts if user.metadata else []):
            # Places in the packets, and beyond.
            request = struct.pack("<QHH", CHECKSUM, 997 * number * turn % (1 << 16), turn)
            user.memory[start - user.metadata : start - user.metadata + len(request)] = request
        sent = 0
        while sent < len(frames):
            sent += len(user.completion.take())
            user.wake()
    user.fill.put([struct.pack("<Q", address) for address in (CHUNK * CHUNKS, (1 << 64) - 1, *[0] * 8, ADDRESS - CHUNK)])


def main(interface, hostile=False, **arguments):
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    user = Socket(interface, **arguments)
    if hostile:
        attack(user)
    print(json.dumps({"bound": True, "zerocopy": user.is_zerocopy()}), flush=True)
    poll = select.poll()
    poll.register(user.xdp, select.POLLIN)
    while not ended:
        user.turn_back()
        user.wake()
        if user.busy:
            time.sleep(0.002)
        else:
            # What has been sent wakes nobody up.
            poll.poll(10)
    print(json.dumps(user.counts | user.statistics()), flush=True)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
