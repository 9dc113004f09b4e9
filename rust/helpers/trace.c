// SPDX-License-Identifier: GPL-2.0
/*
 * A tracepoint is a variable, so it is not among the helpers that each crate gets, and only modules that trace have this object.
 */

#define CREATE_TRACE_POINTS
#include "trace.h"

void netdev_trace_health_step(const struct net_device *dev, const char *step, int queue);

void netdev_trace_health_step(const struct net_device *dev, const char *step, int queue)
{
	trace_health_step(dev, step, queue);
}
