# SPDX-License-Identifier: GPL-2.0
# Makes one entry of the cache: a Debian root, a kernel tree prepared for Rust modules, a guest image.
#
# An entry is built aside, in partial.*, and renamed when it is complete. Its name says what it was made from.

# What the host may lack, and the package that has it.
host_needs() {
	command -v mmdebstrap >/dev/null || echo mmdebstrap
	command -v flock >/dev/null && command -v unshare >/dev/null || echo util-linux
	command -v xz >/dev/null || echo xz-utils
	[ -e "/usr/share/keyrings/debian-archive-$SUITE-stable.gpg" ] ||
	[ -e "/usr/share/keyrings/debian-archive-$SUITE-stable.pgp" ] || echo debian-archive-keyring
}

install_host_packages() {
	export DEBIAN_FRONTEND=noninteractive
	apt-get install -y --no-install-recommends "$@" || {
		apt-get update && apt-get install -y --no-install-recommends "$@"
	}
}

prepare_host() {
	local needs
	needs=$(host_needs | xargs)
	[ -n "$needs" ] || return 0
	step "installing on this host: $needs" install_host_packages $needs
	needs=$(host_needs | xargs)
	[ -z "$needs" ] || die "this host still lacks what is in the packages $needs"
}

# The name of the entry for a release: a hash of all that decides what is in it.
entry_for() {
	local hash
	hash=$(cat "$LAB_DIR"/{packages.txt,mkroot.sh,mkkernel.sh,mkimage.sh,initrd-init} - <<<"$SUITE" |
		sha256sum | cut -c1-12)
	echo "$LAB_CACHE/$hash-$1"
}

# Asks the suite and writes the answer to $memo. When the mirror cannot be reached the last answer stays good.
refresh() {
	local mirror list dir
	dir=$LAB_CACHE/partial.suite
	mirror=$(host_mirror) || { apt-get update >>"$LAB_LOG" 2>&1 && mirror=$(host_mirror); } || mirror=
	if [ -n "$mirror" ] && list=$(suite_kernels "$mirror" "$dir"); then
		rm -rf "$dir"
		local release
		release=$(choose_kernel "$list")
		[ -n "$release" ] || die "$SUITE-backports has no kernel $KERNEL_SERIES;" \
			"KERNEL_SERIES can be one of:" $(cut -d' ' -f1 <<<"$list")
		newer_or_equal "$release" "$OLDEST_SERIES" || die "kernel $release is too old: $OLDEST_SERIES or newer is needed"
		echo "$release" >"$memo"
		return
	fi
	rm -rf "$dir"
	if [ -e "$memo" ]; then
		say "the mirror cannot be reached, so the last known kernel is used"
	elif [ -z "$mirror" ]; then
		die "apt's sources name no Debian mirror that answers (main of any suite); mend them and try again"
	else
		die "the mirror has no readable $SUITE-backports; see ${LAB_LOG#"$LAB_REPO"/}"
	fi
}

build_entry() {
	local release=$1 entry=$2 partial=$LAB_CACHE/partial.$$ start=$SECONDS
	local free
	free=$(df --output=avail -BG "$LAB_CACHE" | tail -n 1 | tr -dc 0-9)
	[ "$free" -ge 8 ] || die "$LAB_CACHE has $free GB free, the lab needs 8; set LAB_CACHE to a larger place"
	say "setting up for kernel $release in $LAB_CACHE (five to ten minutes, once)"
	prepare_host
	mkdir "$partial"
	step "making the Debian root" contained "$LAB_DIR/mkroot.sh" "$partial" "$release" "$(host_mirror)"
	mkdir "$partial/linux"
	ENTER_SETUP=1
	step "preparing the kernel tree" enter "$partial" /src/tools/lab/mkkernel.sh "$release"
	step "making the guest image" enter "$partial" /src/tools/lab/mkimage.sh "$release"
	ENTER_SETUP=
	echo "$release" >"$partial/release"
	mv -T "$partial" "$entry"
	say "set up in $((SECONDS - start)) s"
}

# Entries that nobody has used for two weeks make room for the one in use.
prune() {
	local old
	for old in "$LAB_CACHE"/*-*/release; do
		[ -e "$old" ] || continue
		old=${old%/release}
		[ "$old" != "$LAB_ENTRY" ] && [ -n "$(find "$old/release" -mtime +14)" ] || continue
		flock -n "$old" rm -rf --one-file-system "$old" && say "removed the unused $old"
	done
}

setup() {
	local memo=$LAB_CACHE/kernel-${KERNEL_SERIES:-default} entry=
	[[ ${KERNEL_SERIES:-7.3} =~ ^[0-9]+\.[0-9]+$ ]] || die "KERNEL_SERIES=$KERNEL_SERIES is no kernel series such as 7.3"
	[ ! -s "$memo" ] || entry=$(entry_for "$(cat "$memo")")

	# The suite is asked again after some hours: a new kernel there takes the place of the old one.
	if ! [ -e "$entry/release" ] || [ -n "$(find "$memo" -mmin +360)" ]; then
		exec {lock}>>"$LAB_CACHE/setup.lock"
		if flock -n "$lock"; then
			echo $$ >"$LAB_CACHE/setup.pid"
			rm -rf --one-file-system "$LAB_CACHE"/partial.*
			refresh
			touch "$memo"
			LAB_RELEASE=$(cat "$memo")
			entry=$(entry_for "$LAB_RELEASE")
			[ -e "$entry/release" ] || build_entry "$LAB_RELEASE" "$entry"
		elif ! [ -e "$entry/release" ]; then
			die "the cache $LAB_CACHE is being set up by process $(cat "$LAB_CACHE/setup.pid");" \
				"wait for it to end and try again"
		fi
		exec {lock}>&-
	fi
	LAB_ENTRY=$entry
	LAB_RELEASE=$(cat "$entry/release")
	# Held while this run lasts: what is in use is not pruned.
	exec {in_use}<"$entry"
	flock -s "$in_use"
	touch "$entry/release"
	prune
	say "kernel $LAB_RELEASE, cache $LAB_CACHE"
}
