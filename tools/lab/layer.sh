# SPDX-License-Identifier: GPL-2.0
# Layers: what a single command needs on top of an entry of the cache. Each has a folder with packages.txt and build.sh
# in the repository, and one in the cache that is made as an entry is: aside, with what it was made from in its name.

# download_packages LIST FOLDER: puts the packages of LIST, and what the lab's root lacks of what they need, into FOLDER.
# Uses its own state of apt's: that of the lab's root is read, that of the host is neither read nor written.
download_packages() {
	local list=$1 dir=$2/apt words suites suite options
	mkdir -p "$2/debs/partial" "$dir/lists/partial"
	cp "$LAB_ENTRY/root/var/lib/dpkg/status" "$dir/status"
	words=$(sed '/^#/d; /^$/d' "$list")
	suites=$(sed -n 's:.*/::p' <<<"$words" | sort -u)
	for suite in "$SUITE" $suites; do
		echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(host_mirror) $suite main"
	done >"$dir/sources.list"
	options=(-o "Dir::Etc::SourceList=$dir/sources.list" -o Dir::Etc::SourceParts=- -o Dir::Etc::PreferencesParts=-
		-o "Dir::State=$dir" -o "Dir::State::status=$dir/status" -o "Dir::Cache=$dir"
		-o "Dir::Cache::archives=$2/debs" -o "APT::Default-Release=$SUITE" -o APT::Update::Error-Mode=any
		-o APT::Install-Recommends=false -o APT::Sandbox::User=root -o Acquire::http::Timeout=20)
	apt-get "${options[@]}" -qq update
	apt-get "${options[@]}" -qq --yes --download-only install $words
	rm -rf "$dir" "$2/debs/partial" "$2/debs/lock"
}

# use_layer FOLDER HASH COMMAND: has COMMAND make the layer of that folder if it is missing, of what HASH was made from;
# LAB_LAYER is then where it is in the lab. COMMAND is given the folder, and the one that it fills.
use_layer() {
	local source=$1 name command=$3 layer partial=$LAB_CACHE/partial.$$
	name=$(basename "$source")-$2-$LAB_RELEASE
	layer=$LAB_CACHE/$name
	if ! [ -e "$layer/release" ]; then
		exec {lock}>>"$LAB_CACHE/setup.lock"
		flock -w 60 "$lock" || die "the cache $LAB_CACHE is being set up by process $(cat "$LAB_CACHE/setup.pid");" \
			"wait for it to end and try again"
		# Who had the lock may have made it.
		if ! [ -e "$layer/release" ]; then
			echo $$ >"$LAB_CACHE/setup.pid"
			rm -rf --one-file-system "$partial"
			mkdir "$partial"
			"$command" "$source" "$partial"
			echo "$LAB_RELEASE" >"$partial/release"
			mv -T "$partial" "$layer"
		fi
		exec {lock}>&-
	fi
	# As an entry: in use until this run ends, and pruned when nobody has used it for two weeks.
	exec {layer_in_use}<"$layer"
	flock -s "$layer_in_use"
	touch "$layer/release"
	LAB_LAYER=/lab/cache/$name
}

# hash_of FILE...: of what a layer is made from, which is the entry, too.
hash_of() {
	cat "$@" - <<<"${LAB_ENTRY##*/}" | sha256sum | cut -c1-12
}

# get_packages and run_build, FOLDER PARTIAL: the steps of each layer.
get_packages() {
	step "downloading packages for $(basename "$1")" download_packages "$1/packages.txt" "$2"
}

run_build() {
	step "building $(basename "$1")" enter "$LAB_ENTRY" "/src/${1#"$LAB_REPO/"}/build.sh" "/lab/cache/$(basename "$2")"
}

make_layer() {
	get_packages "$@"
	run_build "$@"
}

# setup_layer FOLDER: makes the layer of that folder if it is missing.
setup_layer() {
	use_layer "$1" "$(hash_of "$1"/{packages.txt,build.sh} "$LAB_DIR/layer.sh")" make_layer
}
