// SPDX-License-Identifier: GPL-2.0
/* Opens each network device of a virtio device that is registered, and then refuses it. */

#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/notifier.h>

/* Who begins to listen is told of all devices that there are. */
static bool begun;

static int netdev_event(struct notifier_block *block, unsigned long event, void *info)
{
	struct net_device *dev = netdev_notifier_info_to_dev(info);
	struct device *parent = dev->dev.parent;

	if (!begun || event != NETDEV_REGISTER)
		return NOTIFY_DONE;
	if (!parent || !parent->bus || strcmp(parent->bus->name, "virtio"))
		return NOTIFY_DONE;
	/* With the lock of the device held, if it has one of its own. */
	if (netif_open(dev, NULL))
		pr_err("refuse: %s cannot be opened\n", dev->name);
	return notifier_from_errno(-EUSERS);
}

static struct notifier_block block = { .notifier_call = netdev_event };

static int __init refuse_init(void)
{
	int error = register_netdevice_notifier(&block);

	begun = !error;
	return error;
}
module_init(refuse_init);

static void __exit refuse_exit(void)
{
	begun = false;
	unregister_netdevice_notifier(&block);
}
module_exit(refuse_exit);

MODULE_DESCRIPTION("Has the registration of network devices fail");
MODULE_LICENSE("GPL");
