// SPDX-License-Identifier: GPL-2.0
/*
 * The functions of net_failover are looked for when a device wants them: a module that names them cannot be loaded
 * without that one, which few devices need.
 */

#include <linux/err.h>
#include <linux/kmod.h>
#include <linux/module.h>
#include <net/net_failover.h>

static bool found_failover(void)
{
	bool found = symbol_get(net_failover_create);

	if (found)
		symbol_put(net_failover_create);
	return found;
}

__rust_helper bool rust_helper_failover_available(void)
{
	return found_failover() || (!request_module("net_failover") && found_failover());
}

/* What is returned holds the module that it is of. */
__rust_helper struct failover *rust_helper_failover_create(struct net_device *standby)
{
	typeof(&net_failover_create) create = symbol_get(net_failover_create);
	struct failover *failover;

	if (!create)
		return ERR_PTR(-ENOENT);
	failover = create(standby);
	if (IS_ERR(failover))
		symbol_put(net_failover_create);
	return failover;
}

__rust_helper void rust_helper_failover_destroy(struct failover *failover)
{
	typeof(&net_failover_destroy) destroy = symbol_get(net_failover_destroy);

	/* Not without rmmod's --force: the module is held. */
	if (WARN_ON(!destroy))
		return;
	destroy(failover);
	symbol_put(net_failover_destroy);
	symbol_put(net_failover_create);
}
