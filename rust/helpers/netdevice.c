// SPDX-License-Identifier: GPL-2.0

#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include <net/netdev_lock.h>
#include <net/netdev_rx_queue.h>

__rust_helper void rust_helper_eth_hw_addr_set(struct net_device *dev, const u8 *addr)
{
	eth_hw_addr_set(dev, addr);
}

__rust_helper void rust_helper_eth_hw_addr_random(struct net_device *dev)
{
	eth_hw_addr_random(dev);
}

/* The address may be changed while the device is up. */
__rust_helper void rust_helper_netdev_allow_live_addr_change(struct net_device *dev)
{
	dev->priv_flags |= IFF_LIVE_ADDR_CHANGE;
}

/* With further addresses the device is not made promiscuous: it gets to know them. */
__rust_helper void rust_helper_netdev_filters_unicast(struct net_device *dev)
{
	dev->priv_flags |= IFF_UNICAST_FLT;
}

/* Packets to be sent may have all of their data in fragments. */
__rust_helper void rust_helper_netdev_sends_without_linear(struct net_device *dev)
{
	dev->priv_flags |= IFF_TX_SKB_NO_LINEAR;
}

__rust_helper void rust_helper_netif_addr_lock_bh(struct net_device *dev)
{
	netif_addr_lock_bh(dev);
}

__rust_helper void rust_helper_netif_addr_unlock_bh(struct net_device *dev)
{
	netif_addr_unlock_bh(dev);
}

__rust_helper unsigned int rust_helper_get_netdev_rx_queue_index(struct netdev_rx_queue *queue)
{
	return get_netdev_rx_queue_index(queue);
}

__rust_helper bool rust_helper_is_valid_ether_addr(const u8 *addr)
{
	return is_valid_ether_addr(addr);
}

/* The lock of CPU hotplug is held. */
__rust_helper int rust_helper_netif_set_xps_cpus(struct net_device *dev,
						 const struct cpumask *cpus, u16 queue)
{
	return __netif_set_xps_queue(dev, cpumask_bits(cpus), queue, XPS_CPUS);
}

/* What is set of the context outlives its being disabled, under the number of its queue. */
__rust_helper void rust_helper_netif_napi_add_config(struct net_device *dev,
						     struct napi_struct *napi,
						     int (*poll)(struct napi_struct *, int),
						     int index)
{
	netif_napi_add_config(dev, napi, poll, index);
}

__rust_helper void rust_helper_netif_napi_add_tx(struct net_device *dev, struct napi_struct *napi,
						 int (*poll)(struct napi_struct *, int))
{
	netif_napi_add_tx(dev, napi, poll);
}

__rust_helper void rust_helper_netif_napi_set_irq(struct napi_struct *napi, int irq)
{
	netif_napi_set_irq(napi, irq);
}

__rust_helper void rust_helper_netdev_lock_ops(struct net_device *dev)
{
	netdev_lock_ops(dev);
}

__rust_helper void rust_helper_netdev_unlock_ops(struct net_device *dev)
{
	netdev_unlock_ops(dev);
}

/* Where the device has a lock of its own for its operations, it is held. */
__rust_helper void rust_helper_napi_enable_ops(struct napi_struct *napi)
{
	if (netdev_need_ops_lock(napi->dev))
		napi_enable_locked(napi);
	else
		napi_enable(napi);
}

__rust_helper void rust_helper_napi_disable_ops(struct napi_struct *napi)
{
	if (netdev_need_ops_lock(napi->dev))
		napi_disable_locked(napi);
	else
		napi_disable(napi);
}

/* Whether a process polls the context, or wants to have done so. */
__rust_helper bool rust_helper_napi_is_busy_polled(const struct napi_struct *napi)
{
	return READ_ONCE(napi->state) & (NAPIF_STATE_IN_BUSY_POLL | NAPIF_STATE_PREFER_BUSY_POLL);
}

__rust_helper void rust_helper___netif_napi_del(struct napi_struct *napi)
{
	__netif_napi_del(napi);
}

/* Softirqs that are raised in process context run when bottom halves are turned on again. */
__rust_helper void rust_helper_napi_schedule_bh(struct napi_struct *napi)
{
	local_bh_disable();
	napi_schedule(napi);
	local_bh_enable();
}

/*
 * Has @poll called once, in the place of the context's own function, which it gives back. A context that is scheduled is left
 * alone, and so it is polled no more often than without this.
 */
__rust_helper void rust_helper_napi_schedule_once(struct napi_struct *napi,
						  int (*poll)(struct napi_struct *, int))
{
	if (napi_is_scheduled(napi))
		return;
	local_bh_disable();
	if (napi_schedule_prep(napi)) {
		WRITE_ONCE(napi->poll, poll);
		__napi_schedule(napi);
	}
	local_bh_enable();
}

__rust_helper struct netdev_queue *
rust_helper_netdev_get_tx_queue(const struct net_device *dev, unsigned int index)
{
	return netdev_get_tx_queue(dev, index);
}

__rust_helper void rust_helper_netif_tx_stop_queue(struct netdev_queue *txq)
{
	netif_tx_stop_queue(txq);
}

__rust_helper bool rust_helper_netif_tx_queue_stopped(const struct netdev_queue *txq)
{
	return netif_tx_queue_stopped(txq);
}

__rust_helper void rust_helper___netif_tx_lock(struct netdev_queue *txq)
{
	__netif_tx_lock(txq, raw_smp_processor_id());
}

__rust_helper void rust_helper_txq_trans_cond_update(struct netdev_queue *txq)
{
	txq_trans_cond_update(txq);
}

__rust_helper void rust_helper___netif_tx_lock_bh(struct netdev_queue *txq)
{
	__netif_tx_lock_bh(txq);
}

__rust_helper void rust_helper___netif_tx_unlock_bh(struct netdev_queue *txq)
{
	__netif_tx_unlock_bh(txq);
}

__rust_helper bool rust_helper___netif_tx_trylock(struct netdev_queue *txq)
{
	return __netif_tx_trylock(txq);
}

__rust_helper void rust_helper___netif_tx_unlock(struct netdev_queue *txq)
{
	__netif_tx_unlock(txq);
}

/* Whether this CPU holds the lock. */
__rust_helper bool rust_helper_netif_tx_owned(struct netdev_queue *txq)
{
	return netif_tx_owned(txq, raw_smp_processor_id());
}

__rust_helper bool rust_helper_irqs_disabled(void)
{
	return irqs_disabled();
}

__rust_helper bool rust_helper___netdev_tx_sent_queue(struct netdev_queue *txq, unsigned int bytes,
						      bool xmit_more)
{
	return __netdev_tx_sent_queue(txq, bytes, xmit_more);
}

/* No more than has been sent since the limits were reset, which would be a BUG(). */
__rust_helper void rust_helper_netdev_tx_completed_queue(struct netdev_queue *txq,
							 unsigned int pkts, unsigned int bytes)
{
#ifdef CONFIG_BQL
	bytes = min(bytes, READ_ONCE(txq->dql.num_queued) - txq->dql.num_completed);
#endif
	netdev_tx_completed_queue(txq, pkts, bytes);
}

/* Whether the byte queue limits have the stack wait. */
__rust_helper bool rust_helper_netdev_tx_is_limited(const struct netdev_queue *txq)
{
	return test_bit(__QUEUE_STATE_STACK_XOFF, &txq->state);
}

__rust_helper void rust_helper_netif_schedule_queue(struct netdev_queue *txq)
{
	netif_schedule_queue(txq);
}

__rust_helper void rust_helper_netdev_tx_reset_queue(struct netdev_queue *txq)
{
	netdev_tx_reset_queue(txq);
}

__rust_helper bool rust_helper_netif_running(const struct net_device *dev)
{
	return netif_running(dev);
}

__rust_helper bool rust_helper_netdev_xmit_more(void)
{
	return netdev_xmit_more();
}

/* Whether page_pools are in the list of @dev, which begins in it. */
__rust_helper bool rust_helper_netdev_has_page_pools(const struct net_device *dev)
{
#ifdef CONFIG_PAGE_POOL
	return !hlist_empty(&dev->page_pools);
#else
	return false;
#endif
}

/* One more than the last receive queue that is leased: so many the stack has to go on with. */
__rust_helper unsigned int rust_helper_netdev_leased_rx_queues(const struct net_device *dev)
{
	unsigned int count = dev->real_num_rx_queues;

	while (count && !dev->_rx[count - 1].lease)
		count--;
	return count;
}

__rust_helper bool rust_helper_in_task(void)
{
	return in_task();
}
