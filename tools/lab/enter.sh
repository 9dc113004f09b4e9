# SPDX-License-Identifier: GPL-2.0
# Enters the lab's root. Mounts, network and processes are in namespaces without a name: they end with the
# process that made them, however it ends.

# contained COMMAND...: runs COMMAND with its own process and mount namespaces, all of which die with this script.
contained() {
	local child status
	setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc "$@" <&0 &
	child=$!
	trap 'kill -KILL $child; exit 130' INT
	trap 'kill -KILL $child; exit 143' TERM HUP
	status=0
	wait "$child" || status=$?
	trap - INT TERM HUP
	return "$status"
}

# enter ENTRY COMMAND...: the same, in the root of ENTRY, with a network of its own.
# The repository is at /src, the cache at /lab/cache, the kernel tree at /lab/linux, all but the first read-only
# unless $ENTER_SETUP is set.
enter() {
	local entry=$1 terminal status=0
	shift
	[ -e /dev/net/tun ] || modprobe tun 2>/dev/null ||
		die "this host has no /dev/net/tun: load the module tun, or allow the device"
	terminal=$(stty -g 2>/dev/null) || terminal=
	export LAB_REPO LAB_CACHE LAB_LAYER LAB_LOGDIR ENTER_SETUP ENTER_ENTRY=$entry ENTER_TERMINAL=$terminal
	contained unshare --net "$LAB_DIR/inside.sh" "$@" || status=$?
	# A shell in a guest makes the terminal raw; a killed one has no time to undo it.
	[ -z "$terminal" ] || stty "$terminal" || true
	return "$status"
}
