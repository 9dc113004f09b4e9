# SPDX-License-Identifier: GPL-2.0
# What the lab's shell scripts share: saying things, and failing.

say() {
	echo "lab: $*" >&2
}

die() {
	say "error: $*"
	exit 1
}

# step TEXT COMMAND...: a long step. Its output goes to $LAB_LOG; the screen gets the text and the time.
step() {
	local text=$1 start=$SECONDS
	shift
	printf 'lab: %s ... ' "$text" >&2
	if ! "$@" >>"$LAB_LOG" 2>&1; then
		echo "failed" >&2
		tail -n 15 "$LAB_LOG" >&2
		die "\"$text\" failed; the whole story is in ${LAB_LOG#"$LAB_REPO"/}"
	fi
	echo "$((SECONDS - start)) s" >&2
}
