// SPDX-License-Identifier: GPL-2.0

#include <linux/moduleparam.h>

static unsigned int fault;
module_param(fault, uint, 0644);
MODULE_PARM_DESC(fault, "The number of fault points to pass until one fails; 0 for none");

__rust_helper bool rust_helper_fault_point(void)
{
	return fault && !--fault;
}
