// SPDX-License-Identifier: GPL-2.0

#include <linux/moduleparam.h>

static unsigned int fault;
module_param(fault, uint, 0644);
MODULE_PARM_DESC(fault, "The number of fault points to pass until one fails; 0 for none");

__rust_helper bool rust_helper_fault_point(void)
{
	return fault && !--fault;
}

static int fault_class = -1;
module_param(fault_class, int, 0644);
MODULE_PARM_DESC(fault_class, "The class of those commands that can be hit; -1 for any");

static bool take(unsigned int *left, u8 class)
{
	if (fault_class != -1 && fault_class != class)
		return false;
	return *left && (*left)--;
}

static unsigned int fault_kicks;
module_param(fault_kicks, uint, 0644);
MODULE_PARM_DESC(fault_kicks, "How many commands the device is not told about");

__rust_helper bool rust_helper_fault_take_kick(u8 class)
{
	return take(&fault_kicks, class);
}

static unsigned int fault_answers;
module_param(fault_answers, uint, 0644);
MODULE_PARM_DESC(fault_answers, "How many commands count as refused by the device");

__rust_helper bool rust_helper_fault_take_answer(u8 class)
{
	return take(&fault_answers, class);
}

static bool fault_reset;
module_param(fault_reset, bool, 0644);
MODULE_PARM_DESC(fault_reset, "Devices do not come out of a reset");

__rust_helper bool rust_helper_fault_reset(void)
{
	return fault_reset;
}

static bool fault_memory;
module_param(fault_memory, bool, 0644);
MODULE_PARM_DESC(fault_memory, "There is no memory for receive buffers");

__rust_helper bool rust_helper_fault_memory(void)
{
	return fault_memory;
}
