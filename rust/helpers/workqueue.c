// SPDX-License-Identifier: GPL-2.0

#include <linux/workqueue.h>

__rust_helper void rust_helper_init_work(struct work_struct *work,
					 void (*function)(struct work_struct *))
{
	INIT_WORK(work, function);
}

__rust_helper bool rust_helper_schedule_work(struct work_struct *work)
{
	return schedule_work(work);
}
