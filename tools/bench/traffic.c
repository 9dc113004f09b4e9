// SPDX-License-Identifier: GPL-2.0
/*
 * Traffic that costs the guest as little as can be beside what the kernel does for it. Runs at both ends.
 *
 * traffic serve reads              sinks and echoes for TCP and UDP, until it is killed
 * traffic serve discards           the same, but the sink for TCP acknowledges all at once, and drops it in the end
 * traffic tcp ADDRESS BYTES        sends a stream to the sink; ends when all of it has been taken
 * traffic queued ADDRESS BYTES     the same, in steps: says "connected", waits for a line, gives all to the kernel, and
 *                                  says "queued"
 * traffic udp ADDRESS COUNT SIZE FLOWS   sends datagrams to the sink, from FLOWS ports in turn
 * traffic tcp-rr ADDRESS COUNT     sends a byte to the echo and waits for it, COUNT times
 * traffic udp-rr ADDRESS COUNT     the same with datagrams
 * traffic frames DEVICE MAC COUNT SIZE   sends frames that no protocol takes, of SIZE bytes with the header
 * traffic live PROGRAM COUNT SIZE   has a pinned XDP program decide about frames of SIZE bytes that the kernel makes
 * traffic bind FOLDER DEVICE COUNT   unbinds a device and binds it again, COUNT times; says how many ns of CPU time it
 *                                  takes to bind it
 */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SINK = 7001, ECHO = 7002 };
/* IEEE's first local experimental EtherType. */
#define ETHERTYPE 0x88b5
/* What waits at a sink is not lost. */
#define BUFFER (64 << 20)
/* What waits at a sink that reads: were it left to the kernel, it would depend on how long the way seems to be. */
#define WINDOW (1 << 20)
/* A sink that discards looks at the end: meanwhile it has the socket, and nothing is acknowledged. */
#define LOWAT (256 << 20)
/* A stream can be in the kernel as a whole. */
#define SEND_BUFFER (1 << 30)

static char data[65536];

static void set(int fd, int level, int option, int value)
{
	if (setsockopt(fd, level, option, &value, sizeof(value)))
		err(1, "setsockopt");
}

static int at(int kind, const char *address, int port, int (*attach)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, kind, 0);

	if (inet_pton(AF_INET, address, &name.sin_addr) != 1)
		errx(1, "%s: no address", address);
	set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (kind == SOCK_STREAM)
		set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (attach(fd, (struct sockaddr *)&name, sizeof(name)))
		err(1, "%s port %d", address, port);
	return fd;
}

static void serve_tcp(int port, bool echo, bool discard)
{
	int server = at(SOCK_STREAM, "0.0.0.0", port, bind);

	if (discard) {
		set(server, SOL_SOCKET, SO_RCVBUFFORCE, 2 * LOWAT);
		set(server, SOL_SOCKET, SO_RCVLOWAT, LOWAT);
	} else if (!echo) {
		set(server, SOL_SOCKET, SO_RCVBUFFORCE, WINDOW);
	}
	listen(server, 16);
	for (;;) {
		int client = accept(server, NULL, NULL);
		ssize_t got;

		/* TCP truncates to nothing without a copy. */
		while ((got = recv(client, data, discard ? LOWAT : sizeof(data), discard ? MSG_TRUNC : 0)) > 0)
			if (echo && write(client, data, got) != got)
				break;
		close(client);
	}
}

static void serve_udp(int port, bool echo)
{
	int server = at(SOCK_DGRAM, "0.0.0.0", port, bind);
	struct sockaddr_in peer;

	set(server, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER);
	for (;;) {
		socklen_t size = sizeof(peer);
		ssize_t got = recvfrom(server, data, sizeof(data), 0, echo ? (void *)&peer : NULL, echo ? &size : NULL);

		if (echo && got >= 0)
			sendto(server, data, got, 0, (struct sockaddr *)&peer, size);
	}
}

static void serve(bool discard)
{
	if (!fork())
		serve_udp(SINK, false);
	if (!fork())
		serve_udp(ECHO, true);
	if (!fork())
		serve_tcp(SINK, false, discard);
	serve_tcp(ECHO, true, false);
}

static void say(const char *text)
{
	puts(text);
	fflush(stdout);
}

static void send_stream(const char *address, long bytes, bool queued)
{
	int fd = at(SOCK_STREAM, address, SINK, connect);

	if (queued) {
		set(fd, SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER);
		say("connected");
		getchar();
	}
	while (bytes) {
		ssize_t sent = write(fd, data, bytes < (long)sizeof(data) ? bytes : (long)sizeof(data));

		if (sent < 0)
			err(1, "write");
		bytes -= sent;
	}
	shutdown(fd, SHUT_WR);
	if (queued)
		say("queued");
	if (read(fd, data, 1))
		errx(1, "the sink did not close");
}

static void send_packets(int fd, long count, long size)
{
	if (size > (long)sizeof(data))
		errx(1, "%ld bytes are too many", size);
	while (count--)
		if (send(fd, data, size, 0) != size)
			err(1, "send");
}

static void send_datagrams(const char *address, long count, long size, long flows)
{
	int fd[64];
	long i;

	if (flows < 1 || flows > 64)
		errx(1, "%ld flows: 1 to 64 can be", flows);
	for (i = 0; i < flows; i++)
		fd[i] = at(SOCK_DGRAM, address, SINK, connect);
	for (i = 0; i < count; i++)
		send_packets(fd[i % flows], 1, size);
}

static void send_frames(const char *device, const char *mac, long count, long size)
{
	struct sockaddr_ll name = { .sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(device) };
	struct ether_header *header = (struct ether_header *)data;
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", header->ether_dhost, header->ether_dhost + 1,
		   header->ether_dhost + 2, header->ether_dhost + 3, header->ether_dhost + 4,
		   header->ether_dhost + 5) != 6)
		errx(1, "%s: no address", mac);
	header->ether_type = htons(ETHERTYPE);
	if (bind(fd, (struct sockaddr *)&name, sizeof(name)))
		err(1, "%s", device);
	send_packets(fd, count, size);
}

static void live_frames(const char *program, long count, long size)
{
	union bpf_attr pinned = { .pathname = (unsigned long)program };
	union bpf_attr run = {
		.test = {
			.data_size_in = size,
			.data_in = (unsigned long)data,
			.repeat = count,
			.flags = BPF_F_TEST_XDP_LIVE_FRAMES,
		},
	};

	((struct ether_header *)data)->ether_type = htons(ETHERTYPE);
	run.test.prog_fd = syscall(SYS_bpf, BPF_OBJ_GET, &pinned, sizeof(pinned));
	if ((int)run.test.prog_fd < 0 || syscall(SYS_bpf, BPF_PROG_TEST_RUN, &run, sizeof(run)))
		err(1, "%s", program);
}

static void transactions(int fd, long count)
{
	while (count--)
		if (send(fd, data, 1, 0) != 1 || recv(fd, data, sizeof(data), 0) != 1)
			err(1, "transaction");
}

/* In a guest whose clock is the count of its instructions, a ns is one of them. What others execute meanwhile is not in
 * it, nor is what a processor does while this program sleeps. */
static long long cpu_time(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now))
		err(1, "clock_gettime");
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void put(const char *folder, const char *file, const char *text)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		err(1, "%s", path);
	close(fd);
}

static void bind_again(const char *folder, const char *device, long count)
{
	long long all = 0;
	long i;

	for (i = 0; i < count; i++) {
		put(folder, "unbind", device);
		all -= cpu_time();
		put(folder, "bind", device);
		all += cpu_time();
	}
	printf("%lld\n", all / count);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (argc == 3 && !strcmp(what, "serve"))
		serve(!strcmp(argv[2], "discards"));
	else if (argc == 4 && !strcmp(what, "tcp"))
		send_stream(argv[2], atol(argv[3]), false);
	else if (argc == 4 && !strcmp(what, "queued"))
		send_stream(argv[2], atol(argv[3]), true);
	else if (argc == 6 && !strcmp(what, "udp"))
		send_datagrams(argv[2], atol(argv[3]), atol(argv[4]), atol(argv[5]));
	else if (argc == 4 && !strcmp(what, "tcp-rr"))
		transactions(at(SOCK_STREAM, argv[2], ECHO, connect), atol(argv[3]));
	else if (argc == 4 && !strcmp(what, "udp-rr"))
		transactions(at(SOCK_DGRAM, argv[2], ECHO, connect), atol(argv[3]));
	else if (argc == 6 && !strcmp(what, "frames"))
		send_frames(argv[2], argv[3], atol(argv[4]), atol(argv[5]));
	else if (argc == 5 && !strcmp(what, "live"))
		live_frames(argv[2], atol(argv[3]), atol(argv[4]));
	else if (argc == 5 && !strcmp(what, "bind"))
		bind_again(argv[2], argv[3], atol(argv[4]));
	else
		errx(2, "see the start of traffic.c");
	return 0;
}
