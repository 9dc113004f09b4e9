# SPDX-License-Identifier: GPL-2.0
"""Processes that run guests beside one another: each has a network, processes, mounts and a /tmp of its own."""

# A guest keeps one processor busy, most of the time.
JOBS = 2
MOUNTS = 'mount -t sysfs sysfs /sys; mount -t tmpfs tmpfs /tmp; exec "$@"'
ALONE = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-ec", MOUNTS, "sh"]
