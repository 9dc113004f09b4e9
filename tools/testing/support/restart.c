// SPDX-License-Identifier: GPL-2.0
/* Has a receive queue start with new memory, as providers of memory do: `echo "NAME QUEUE" >/sys/module/restart/parameters/queue`. */

#include <linux/module.h>
#include <linux/netdevice.h>
#include <net/net_namespace.h>
#include <net/netdev_lock.h>
#include <net/netdev_rx_queue.h>

static int restart(const char *value, const struct kernel_param *param)
{
	struct net_device *dev;
	char name[IFNAMSIZ];
	unsigned int queue;
	int err;

	if (sscanf(value, "%15s %u", name, &queue) != 2)
		return -EINVAL;
	dev = dev_get_by_name(current->nsproxy->net_ns, name);
	if (!dev)
		return -ENODEV;
	netdev_lock(dev);
	if (!dev->queue_mgmt_ops)
		err = -EOPNOTSUPP;
	else if (queue >= dev->real_num_rx_queues)
		err = -ERANGE;
	else
		err = netdev_rx_queue_restart(dev, queue);
	netdev_unlock(dev);
	dev_put(dev);
	return err;
}

static const struct kernel_param_ops restart_ops = { .set = restart };
module_param_cb(queue, &restart_ops, NULL, 0200);

MODULE_DESCRIPTION("Has receive queues start with new memory");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("NETDEV_INTERNAL");
