/* SPDX-License-Identifier: GPL-2.0 */
/* What programs have in common that send frames elsewhere. */

#include <linux/bpf.h>

#define SECTION(name) __attribute__((section(name), used))

/* Where frames go. */
struct {
	int (*type)[BPF_MAP_TYPE_DEVMAP];
	int (*max_entries)[1];
	__u32 *key;
	__u32 *value;
} devices SECTION(".maps");

static long (*redirect_map)(void *map, __u64 key, __u64 flags) = (void *)BPF_FUNC_redirect_map;

char license_name[] SECTION("license") = "GPL";
