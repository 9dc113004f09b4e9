// SPDX-License-Identifier: GPL-2.0
/*
 * C macros and inline functions that Rust cannot call. Sorted alphabetically.
 *
 * Where they are not inlined (see Makefile.rust), a call into this file costs a real call where C
 * has none. So where a hot path needs several inline functions in a row, one helper does them all.
 */

#ifdef NETDEV_INLINE_HELPERS
#define __rust_helper __always_inline
#else
#define __rust_helper
#endif

#include "cpu.c"
#include "devlink.c"
#include "dim.c"
#ifdef FAULTS
#include "fault.c"
#endif
#include "failover.c"
#include "netdevice.c"
#include "page_pool.c"
#include "scatterlist.c"
#include "skbuff.c"
#include "timer.c"
#include "virtio.c"
#include "workqueue.c"
#include "xdp.c"
#include "xsk.c"
