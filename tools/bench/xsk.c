// SPDX-License-Identifier: GPL-2.0
/*
 * A socket of AF_XDP that does as little as can be. Runs in the guest.
 *
 * xsk DEVICE receive            takes what comes to queue 0, until it is killed
 * xsk DEVICE forward            sends it back as it is
 * xsk DEVICE send COUNT SIZE    sends frames of SIZE bytes; ends when all have been sent
 *
 * What a program sends to the map `sockets` that is pinned comes to it. It says "bound" when it is.
 */
#include <err.h>
#include <linux/bpf.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CHUNK = 4096, RING = 2048, CHUNKS = 2 * RING, BATCH = 64 };

/* One side of a ring of descriptors. */
struct ring {
	unsigned int *producer, *consumer, *flags;
	void *descs;
	unsigned int size;
};

static int xdp;
static char *memory;
static struct ring rx, tx, fill, completion;

static void *at(struct ring *ring, unsigned int place)
{
	return (char *)ring->descs + (place % RING) * ring->size;
}

static void map(struct ring *ring, const struct xdp_ring_offset *offset, off_t page, unsigned int size)
{
	char *start = mmap(NULL, offset->desc + RING * size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, xdp, page);

	if (start == MAP_FAILED)
		err(1, "mmap");
	*ring = (struct ring){ (void *)(start + offset->producer), (void *)(start + offset->consumer),
			       (void *)(start + offset->flags), start + offset->desc, size };
}

/* How many descriptors there are to be taken, at most a batch. */
static unsigned int there_are(struct ring *ring)
{
	unsigned int count = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE) - *ring->consumer;

	return count < BATCH ? count : BATCH;
}

static void taken(struct ring *ring, unsigned int count)
{
	__atomic_store_n(ring->consumer, *ring->consumer + count, __ATOMIC_RELEASE);
}

static void put(struct ring *ring, unsigned int count)
{
	__atomic_store_n(ring->producer, *ring->producer + count, __ATOMIC_RELEASE);
}

static void wake(void)
{
	if (*tx.flags & XDP_RING_NEED_WAKEUP)
		sendto(xdp, NULL, 0, MSG_DONTWAIT, NULL, 0);
}

/* Moves what has been sent to where it is received into. */
static unsigned int recycle(void)
{
	unsigned int i, count = there_are(&completion);

	for (i = 0; i < count; i++)
		*(__u64 *)at(&fill, *fill.producer + i) = *(__u64 *)at(&completion, *completion.consumer + i) & ~(CHUNK - 1ULL);
	taken(&completion, count);
	put(&fill, count);
	return count;
}

static void serve(bool forward)
{
	struct pollfd poll_fd = { .fd = xdp, .events = POLLIN };
	unsigned int i, count;

	for (;;) {
		count = there_are(&rx);
		for (i = 0; i < count; i++) {
			struct xdp_desc *desc = at(&rx, *rx.consumer + i);

			if (forward)
				*(struct xdp_desc *)at(&tx, *tx.producer + i) = (struct xdp_desc){ desc->addr, desc->len, 0 };
			else
				*(__u64 *)at(&fill, *fill.producer + i) = desc->addr & ~(CHUNK - 1ULL);
		}
		taken(&rx, count);
		put(forward ? &tx : &fill, count);
		if (forward) {
			count += recycle();
			wake();
		}
		if (!count)
			poll(&poll_fd, 1, -1);
	}
}

static void send_all(unsigned long count, unsigned int size)
{
	unsigned long sent = 0, done = 0;
	unsigned int i, now;

	while (done < count) {
		for (i = 0; i < BATCH && sent < count && sent - done < RING; i++, sent++)
			*(struct xdp_desc *)at(&tx, *tx.producer + i) = (struct xdp_desc){ sent % RING * CHUNK, size, 0 };
		put(&tx, i);
		wake();
		now = there_are(&completion);
		taken(&completion, now);
		done += now;
		/* Nobody is woken up when something has been sent. */
		if (!i && !now)
			usleep(50);
	}
}

static void to_socket(const char *device)
{
	const char *path = "/run/bpf/xdp-maps/sockets";
	union bpf_attr attr = { .pathname = (unsigned long)path };
	int key = if_nametoindex(device), sockets = syscall(SYS_bpf, BPF_OBJ_GET, &attr, sizeof(attr));

	if (sockets < 0)
		err(1, "%s", path);
	memset(&attr, 0, sizeof(attr));
	attr.map_fd = sockets;
	attr.key = (unsigned long)&key;
	attr.value = (unsigned long)&xdp;
	if (syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &attr, sizeof(attr)))
		err(1, "cannot put the socket into the map");
}

static void bind_to(const char *device)
{
	struct xdp_umem_reg reg = { .len = CHUNKS * CHUNK, .chunk_size = CHUNK };
	struct sockaddr_xdp address = { .sxdp_family = AF_XDP, .sxdp_ifindex = if_nametoindex(device),
					.sxdp_flags = XDP_ZEROCOPY | XDP_USE_NEED_WAKEUP };
	struct xdp_mmap_offsets offsets;
	socklen_t length = sizeof(offsets);
	int option, ring = RING;
	unsigned int i;

	xdp = socket(AF_XDP, SOCK_RAW, 0);
	memory = mmap(NULL, reg.len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	reg.addr = (unsigned long)memory;
	if (setsockopt(xdp, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)))
		err(1, "XDP_UMEM_REG");
	int options[] = { XDP_RX_RING, XDP_TX_RING, XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING };
	for (option = 0; option < 4; option++)
		if (setsockopt(xdp, SOL_XDP, options[option], &ring, sizeof(ring)))
			err(1, "ring");
	if (getsockopt(xdp, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &length))
		err(1, "XDP_MMAP_OFFSETS");
	map(&rx, &offsets.rx, XDP_PGOFF_RX_RING, sizeof(struct xdp_desc));
	map(&tx, &offsets.tx, XDP_PGOFF_TX_RING, sizeof(struct xdp_desc));
	map(&fill, &offsets.fr, XDP_UMEM_PGOFF_FILL_RING, sizeof(__u64));
	map(&completion, &offsets.cr, XDP_UMEM_PGOFF_COMPLETION_RING, sizeof(__u64));
	/* The second half of the memory: the first is sent from. */
	for (i = 0; i < RING; i++)
		*(__u64 *)at(&fill, i) = (__u64)(RING + i) * CHUNK;
	put(&fill, RING);
	if (bind(xdp, (struct sockaddr *)&address, sizeof(address)))
		err(1, "bind");
}

int main(int argc, char **argv)
{
	unsigned int i, size;

	if (argc < 3)
		errx(1, "xsk DEVICE receive|forward|send COUNT SIZE");
	bind_to(argv[1]);
	if (!strcmp(argv[2], "send") && argc == 5) {
		size = atoi(argv[4]);
		for (i = 0; i < RING; i++) {
			/* From and to nobody, of a type that nobody takes. */
			memcpy(memory + i * CHUNK, "\x52\x54\x00\xff\xff\xff\x52\x54\x00\xff\xff\xfe\x88\xb5", 14);
		}
		send_all(atol(argv[3]), size);
		return 0;
	}
	to_socket(argv[1]);
	puts("bound");
	fflush(stdout);
	serve(!strcmp(argv[2], "forward"));
}
