// SPDX-License-Identifier: GPL-2.0

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>

__rust_helper unsigned int rust_helper_num_online_cpus(void)
{
	return num_online_cpus();
}

/* Returns the number of the state. Nothing is called for CPUs that are online already. */
__rust_helper int
rust_helper_cpuhp_setup_state_multi_dyn(const char *name,
					int (*startup)(unsigned int cpu, struct hlist_node *node),
					int (*teardown)(unsigned int cpu, struct hlist_node *node))
{
	return cpuhp_setup_state_multi(CPUHP_AP_ONLINE_DYN, name, startup, teardown);
}

__rust_helper int rust_helper_cpuhp_state_add_instance_nocalls(enum cpuhp_state state,
							       struct hlist_node *node)
{
	return cpuhp_state_add_instance_nocalls(state, node);
}

__rust_helper void rust_helper_cpuhp_state_remove_instance_nocalls(enum cpuhp_state state,
								   struct hlist_node *node)
{
	cpuhp_state_remove_instance_nocalls(state, node);
}

__rust_helper void rust_helper_cpuhp_remove_multi_state(enum cpuhp_state state)
{
	cpuhp_remove_multi_state(state);
}
