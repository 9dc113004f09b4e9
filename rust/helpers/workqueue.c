// SPDX-License-Identifier: GPL-2.0

#include <linux/workqueue.h>

__rust_helper void rust_helper_init_delayed_work(struct delayed_work *work,
						 void (*function)(struct work_struct *))
{
	INIT_DELAYED_WORK(work, function);
}

__rust_helper void rust_helper_schedule_delayed_work_msecs(struct delayed_work *work,
							   unsigned int msecs)
{
	schedule_delayed_work(work, msecs_to_jiffies(msecs));
}

__rust_helper void rust_helper_expedite_delayed_work(struct delayed_work *work)
{
	mod_delayed_work(system_percpu_wq, work, 0);
}

/* A work of a class of its own: it may wait for those that are set up above. */
__rust_helper void rust_helper_init_recovery_work(struct delayed_work *work,
						  void (*function)(struct work_struct *))
{
	INIT_DELAYED_WORK(work, function);
}

/* It does not run while devices are suspended. */
__rust_helper void rust_helper_queue_recovery_work(struct delayed_work *work, unsigned int msecs)
{
	mod_delayed_work(system_freezable_wq, work, msecs_to_jiffies(msecs));
}
