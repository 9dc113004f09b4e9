// SPDX-License-Identifier: GPL-2.0
/* Takes locks in both orders, allocates with one held as if it could sleep, and forgets what it got. */

#include <linux/module.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

static DEFINE_SPINLOCK(one);
static DEFINE_SPINLOCK(other);

static void lock_both(spinlock_t *outer, spinlock_t *inner)
{
	spin_lock(outer);
	spin_lock(inner);
	spin_unlock(inner);
	spin_unlock(outer);
}

static void allocate_and_forget(void)
{
	void *memory = kmalloc(100, GFP_KERNEL);

	/* Else the compiler sees that nobody needs it. */
	OPTIMIZER_HIDE_VAR(memory);
}

static int __init mistakes_init(void)
{
	lock_both(&one, &other);
	lock_both(&other, &one);

	spin_lock(&one);
	/* Of a single one, the address may still be somewhere on a stack. */
	for (int i = 0; i < 10; i++)
		allocate_and_forget();
	spin_unlock(&one);
	return 0;
}
module_init(mistakes_init);

MODULE_DESCRIPTION("Does what the debug kernel has to report");
MODULE_LICENSE("GPL");
