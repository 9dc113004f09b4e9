# SPDX-License-Identifier: GPL-2.0
# Which mirror the host uses, and which kernels Debian's suite has now.

SUITE=trixie
OLDEST_SERIES=7.2
# The series that the driver is tested with, best first; a newer one is taken when the suite has none of them.
TESTED_SERIES="7.3 7.2"
FLAVOUR=cloud-amd64

# The host's own mirror of Debian. `apt-get indextargets` reads every format of sources; it knows the origin of
# an archive only after an update.
host_mirror() {
	local found
	found=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)' 'Created-By: Packages' |
		sed -n 's/^Debian|Debian|main|//p')
	[ -n "$found" ] && head -n 1 <<<"$found"
}

# Asks the suite, without touching the host's own lists: prints `SERIES RELEASE` for each kernel of which the
# headers, the image, the modules and the source of the same version are there.
suite_kernels() {
	local mirror=$1 dir=$2 release series version
	mkdir -p "$dir/lists/partial" "$dir/archives/partial"
	: >"$dir/status"
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $SUITE-backports main" \
		>"$dir/sources.list"
	local options=(-o "Dir::Etc::SourceList=$dir/sources.list" -o Dir::Etc::SourceParts=-
		-o "Dir::State=$dir" -o "Dir::State::status=$dir/status" -o "Dir::Cache=$dir"
		-o Acquire::Retries=0 -o Acquire::http::Timeout=20 -o APT::Update::Error-Mode=any
		-o APT::Sandbox::User=root)
	apt-get "${options[@]}" -qq update >>"$LAB_LOG" 2>&1 || return 1
	apt-cache "${options[@]}" pkgnames linux- >"$dir/names"
	for series in $(sed -n 's/^linux-source-\([0-9.]*\)$/\1/p' "$dir/names"); do
		version=$(apt-cache "${options[@]}" show --no-all-versions "linux-source-$series" |
			sed -n 's/^Version: \([0-9.]*\).*/\1/p')
		release=$(sed -n "s/^linux-headers-\($version+.*-$FLAVOUR\)$/\1/p" "$dir/names" | head -n 1)
		[ -n "$release" ] && grep -qxF "linux-binary-$release" "$dir/names" &&
			grep -qxF "linux-modules-$release" "$dir/names" && echo "$series $release"
	done | sort -rV
}

newer_or_equal() {
	[ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]
}

# Chooses from the list in $1, sorted with the newest first: $KERNEL_SERIES if set, else the best tested series,
# else the newest.
choose_kernel() {
	local list=$1 series
	if [ -n "${KERNEL_SERIES:-}" ]; then
		sed -n "s/^${KERNEL_SERIES//./\\.} //p" <<<"$list"
		return
	fi
	for series in $TESTED_SERIES; do
		grep -q "^$series " <<<"$list" && sed -n "s/^$series //p" <<<"$list" && return
	done
	sed -n '1s/.* //p' <<<"$list"
}
