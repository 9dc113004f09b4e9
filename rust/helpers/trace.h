/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The events of a module that traces what is done for the health of its devices. It links trace.o, and gives the name of the
 * system that they are in.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM NETDEV_TRACE_SYSTEM

#if !defined(NETDEV_RUST_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define NETDEV_RUST_TRACE_H

#include <linux/netdevice.h>
#include <linux/tracepoint.h>

TRACE_EVENT(health_step,
	TP_PROTO(const struct net_device *dev, const char *step, int queue),
	TP_ARGS(dev, step, queue),
	TP_STRUCT__entry(
		__string(name, dev->name)
		__string(step, step)
		__field(int, queue)
	),
	TP_fast_assign(
		__assign_str(name);
		__assign_str(step);
		__entry->queue = queue;
	),
	TP_printk("%s: %s queue=%d", __get_str(name), __get_str(step), __entry->queue)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
