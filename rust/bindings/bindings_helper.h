/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Header that bindgen reads. The first three come before netdevice.h, or opaque copies of their
 * types appear.
 */
#include <linux/hrtimer_types.h>
#include <linux/ethtool.h>
#include <linux/phy.h>

#include <linux/bpf.h>
#include <linux/dim.h>
#include <linux/etherdevice.h>
#include <linux/filter.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/timer.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_pci.h>
#include <linux/workqueue.h>
#include <net/devlink.h>
#include <net/net_failover.h>
#include <net/netdev_queues.h>
#include <net/netdev_rx_queue.h>
#include <net/page_pool/helpers.h>
#include <net/xdp.h>
#include <net/xdp_sock_drv.h>

/* rust/helpers/trace.c */
void netdev_trace_health_step(const struct net_device *dev, const char *step, int queue);

/* `bindgen` drops macros that are not plain literals. */
const unsigned char RUST_CONST_HELPER_DIM_PROFILE_RX = DIM_PROFILE_RX;
const unsigned char RUST_CONST_HELPER_DIM_COALESCE_FLAGS =
	DIM_COALESCE_USEC | DIM_COALESCE_PKTS;
const gfp_t RUST_CONST_HELPER_GFP_ATOMIC_NOWARN = GFP_ATOMIC | __GFP_NOWARN;
const unsigned int RUST_CONST_HELPER_COALESCE_PARAMS =
	ETHTOOL_COALESCE_USECS | ETHTOOL_COALESCE_MAX_FRAMES |
	ETHTOOL_COALESCE_USE_ADAPTIVE_RX;
const unsigned int RUST_CONST_HELPER_ETHTOOL_OP_NEEDS_RTNL_GLINK = ETHTOOL_OP_NEEDS_RTNL_GLINK;
const unsigned int RUST_CONST_HELPER_ETHTOOL_OP_NEEDS_RTNL_SCHANNELS =
	ETHTOOL_OP_NEEDS_RTNL_SCHANNELS;
const unsigned int RUST_CONST_HELPER_SKB_SHARED_INFO_ROOM =
	SKB_DATA_ALIGN(sizeof(struct skb_shared_info));
/* NET_SKB_PAD, whose max() is no constant expression at file scope */
const unsigned int RUST_CONST_HELPER_RX_HEADROOM =
	(L1_CACHE_BYTES > 32 ? L1_CACHE_BYTES : 32) + NET_IP_ALIGN;
const unsigned char RUST_CONST_HELPER_NET_ADDR_RANDOM = NET_ADDR_RANDOM;
const unsigned int RUST_CONST_HELPER_MAX_SKB_FRAGS = MAX_SKB_FRAGS;
const unsigned int RUST_CONST_HELPER_SKB_ALIGN = SMP_CACHE_BYTES;
const unsigned int RUST_CONST_HELPER_XDP_XMIT_FLUSH = XDP_XMIT_FLUSH;
const unsigned int RUST_CONST_HELPER_XDP_WAKEUP_RX = XDP_WAKEUP_RX;
const unsigned int RUST_CONST_HELPER_XDP_WAKEUP_TX = XDP_WAKEUP_TX;
