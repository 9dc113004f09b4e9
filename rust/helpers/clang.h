/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs if Clang compiles for a kernel that GCC was configured for. GCC reaches per-CPU
 * variables through a named address space, which gets lost in Clang's code: it would write to the
 * variable of no CPU. Without these, the kernel's macros use assembler, as in one built by Clang.
 */
#undef CONFIG_CC_HAS_NAMED_AS
#undef CONFIG_USE_X86_SEG_SUPPORT
