// SPDX-License-Identifier: GPL-2.0

#include <linux/dim.h>

/* One sample, taken now. */
__rust_helper void rust_helper_net_dim_now(struct dim *dim, u16 events, u64 packets, u64 bytes)
{
	struct dim_sample sample = {};

	dim_update_sample(events, packets, bytes, &sample);
	net_dim(dim, &sample);
}
