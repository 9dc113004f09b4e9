// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin of QEMU that counts the instructions which a guest executes, by block of code. An idle processor executes
 * none, so what is counted is work.
 *
 * QEMU runs it with socket=PATH, and this end of the socket listens. Numbers have 64 bits and the host's order of
 * bytes. A request is a byte:
 *
 *	t	total		answered with the number of instructions up to now
 *	e	entered		an address follows; how often a block that starts there was entered
 *	w	wait		a number follows: how long to wait at notifications, see notified()
 *	b	blocks		the number of blocks, and of each its address, its length in instructions, and how often
 *				it was entered
 *
 * QEMU's header for plugins is in no package of Debian's. What is used of it is declared here: version 7 of its
 * interface.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_hwaddr;
struct qemu_plugin_scoreboard;
typedef struct {
	struct qemu_plugin_scoreboard *score;
	size_t offset;
} qemu_plugin_u64;
enum { INLINE_ADD_U64 };
enum { CB_NO_REGS };
enum { MEM_W = 2 };

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*cb)(struct qemu_plugin_tb *tb, void *data), void *data);
void qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(struct qemu_plugin_tb *tb, int op, qemu_plugin_u64 entry,
						       uint64_t imm);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn,
				      void (*cb)(unsigned int vcpu, uint32_t info, uint64_t address, void *data),
				      int flags, int kind, void *data);
struct qemu_plugin_hwaddr *qemu_plugin_get_hwaddr(uint32_t info, uint64_t address);
bool qemu_plugin_hwaddr_is_io(const struct qemu_plugin_hwaddr *address);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *data, size_t length);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_scoreboard *qemu_plugin_scoreboard_new(size_t element_size);
void *qemu_plugin_scoreboard_find(struct qemu_plugin_scoreboard *score, unsigned int vcpu);

EXPORT int qemu_plugin_version = 7;

/* A guest that boots and runs the benchmark has some 300,000 blocks. */
#define BLOCKS (1u << 20)

struct block {
	uint64_t address;
	uint64_t length;
};

static struct block blocks[BLOCKS];
static uint32_t used;
/* Open addressing: the index of a block, plus one. */
static uint32_t table[2 * BLOCKS];
/* How often in a row the other thread has to be found asleep, and how long to wait before each look. */
static volatile int looks;
enum { LOOK_US = 20 };
static int main_thread;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct qemu_plugin_scoreboard *counts;

static uint32_t block_at(uint64_t address, uint64_t length)
{
	uint32_t place = (address * 0x9e3779b97f4a7c15 + length * 0xc2b2ae3d27d4eb4f) >> 43;

	for (;; place = (place + 1) % (2 * BLOCKS)) {
		uint32_t index = table[place];

		if (!index)
			break;
		if (blocks[index - 1].address == address && blocks[index - 1].length == length)
			return index - 1;
	}
	if (used == BLOCKS) {
		fprintf(stderr, "counter: more than %u blocks of code\n", BLOCKS);
		exit(1);
	}
	blocks[used] = (struct block){ address, length };
	table[place] = used + 1;
	return used++;
}

/*
 * The guest has notified a device. How far the device gets until the guest goes on depends on how busy the host is; if
 * asked to, the guest waits until QEMU's other thread has nothing left to do.
 */
static void notified(unsigned int vcpu, uint32_t info, uint64_t address, void *data)
{
	struct qemu_plugin_hwaddr *place = qemu_plugin_get_hwaddr(info, address);
	char text[64], *state;
	int asleep = 0;
	ssize_t got;

	if (!looks || !place || !qemu_plugin_hwaddr_is_io(place))
		return;
	while (asleep < looks) {
		usleep(LOOK_US);
		got = pread(main_thread, text, sizeof(text) - 1, 0);
		text[got > 0 ? got : 0] = 0;
		/* PID (NAME) STATE */
		state = strrchr(text, ')');
		asleep = state && state[1] && state[2] == 'S' ? asleep + 1 : 0;
	}
}

/* A notification is a write of 16 bits. */
static bool may_notify(const struct qemu_plugin_insn *insn)
{
	uint8_t code[2];

	return qemu_plugin_insn_data(insn, code, sizeof(code)) == sizeof(code) && code[0] == 0x66 && code[1] == 0x89;
}

/* The same code is translated again and again; it is the same block then. */
static void translated(struct qemu_plugin_tb *tb, void *data)
{
	qemu_plugin_u64 count = { .score = counts };

	size_t length = qemu_plugin_tb_n_insns(tb), i;

	pthread_mutex_lock(&lock);
	count.offset = block_at(qemu_plugin_tb_vaddr(tb), length) * sizeof(uint64_t);
	pthread_mutex_unlock(&lock);
	qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(tb, INLINE_ADD_U64, count, 1);
	for (i = 0; i < length; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

		if (may_notify(insn))
			qemu_plugin_register_vcpu_mem_cb(insn, notified, CB_NO_REGS, MEM_W, NULL);
	}
}

static void put(FILE *out, uint64_t value)
{
	fwrite(&value, sizeof(value), 1, out);
}

static void put_total(FILE *out, const uint64_t *entered)
{
	uint64_t total = 0;
	uint32_t i;

	for (i = 0; i < used; i++)
		total += blocks[i].length * entered[i];
	put(out, total);
}

static void put_entered(FILE *out, const uint64_t *entered, uint64_t address)
{
	uint64_t total = 0;
	uint32_t i;

	for (i = 0; i < used; i++)
		if (blocks[i].address == address)
			total += entered[i];
	put(out, total);
}

static void put_blocks(FILE *out, const uint64_t *entered)
{
	uint32_t i;

	put(out, used);
	for (i = 0; i < used; i++) {
		put(out, blocks[i].address);
		put(out, blocks[i].length);
		put(out, entered[i]);
	}
}

static void answer(FILE *in, FILE *out, int request)
{
	const uint64_t *entered = qemu_plugin_scoreboard_find(counts, 0);
	uint64_t argument = 0;

	if ((request == 'e' || request == 'w') && fread(&argument, sizeof(argument), 1, in) != 1)
		return;
	if (request == 'w') {
		looks = argument;
		return;
	}
	pthread_mutex_lock(&lock);
	if (request == 't')
		put_total(out, entered);
	else if (request == 'e')
		put_entered(out, entered, argument);
	else
		put_blocks(out, entered);
	pthread_mutex_unlock(&lock);
	fflush(out);
}

static void *serve(void *argument)
{
	int server = *(int *)argument;
	for (;;) {
		int request, client = accept(server, NULL, NULL);
		FILE *in = fdopen(client, "r"), *out = fdopen(dup(client), "w");

		while ((request = getc(in)) != EOF)
			answer(in, out, request);
		fclose(in);
		fclose(out);
	}
	return NULL;
}

EXPORT int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
	static int server;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	pthread_t thread;

	if (argc != 1 || sscanf(argv[0], "socket=%107s", address.sun_path) != 1)
		return -1;
	/* Of a guest that was started before. */
	unlink(address.sun_path);
	server = socket(AF_UNIX, SOCK_STREAM, 0);
	if (server < 0 || bind(server, (struct sockaddr *)&address, sizeof(address)) || listen(server, 1)) {
		perror(address.sun_path);
		return -1;
	}
	/* This is the thread that all devices are run in. */
	main_thread = open("/proc/thread-self/stat", O_RDONLY);
	counts = qemu_plugin_scoreboard_new(BLOCKS * sizeof(uint64_t));
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated, NULL);
	return pthread_create(&thread, NULL, serve, &server) ? -1 : 0;
}
