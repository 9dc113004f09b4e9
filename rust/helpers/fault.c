// SPDX-License-Identifier: GPL-2.0

#include <linux/moduleparam.h>

static unsigned int fault;
module_param(fault, uint, 0644);
MODULE_PARM_DESC(fault, "The number of fault points to pass until one fails; 0 for none");

__rust_helper bool rust_helper_fault_point(void)
{
	return fault && !--fault;
}

static unsigned int fault_kicks;
module_param(fault_kicks, uint, 0644);
MODULE_PARM_DESC(fault_kicks, "How many commands the device is not told about");

__rust_helper bool rust_helper_fault_take_kick(void)
{
	return fault_kicks && fault_kicks--;
}

static unsigned int fault_answers;
module_param(fault_answers, uint, 0644);
MODULE_PARM_DESC(fault_answers, "How many commands count as refused by the device");

__rust_helper bool rust_helper_fault_take_answer(void)
{
	return fault_answers && fault_answers--;
}

static bool fault_memory;
module_param(fault_memory, bool, 0644);
MODULE_PARM_DESC(fault_memory, "There is no memory for receive buffers");

__rust_helper bool rust_helper_fault_memory(void)
{
	return fault_memory;
}
