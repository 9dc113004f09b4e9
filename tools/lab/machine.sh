# SPDX-License-Identifier: GPL-2.0
# Layers that have a Debian of their own, besides packages: their folder has debian.txt, the packages of that Debian, and more.txt,
# those that a test may install later, which are in `more`. It is made with the host's network, in `root`, before build.sh makes of it
# what the layer is to have.

# setup_machine FOLDER: as setup_layer.
setup_machine() {
	local source=$1 name layer partial=$LAB_CACHE/partial.$$
	name=$(basename "$source")
	name=$name-$( (cat "$LAB_DIR"/{machine,mkmachine,suite}.sh - && find "$source" -type f -not -name '*.py' -print0 |
		sort -z | xargs -0 cat) <<<"${LAB_ENTRY##*/}" | sha256sum | cut -c1-12)-$LAB_RELEASE
	layer=$LAB_CACHE/$name
	if ! [ -e "$layer/release" ]; then
		exec {lock}>>"$LAB_CACHE/setup.lock"
		flock -w 60 "$lock" || die "the cache $LAB_CACHE is being set up by process $(cat "$LAB_CACHE/setup.pid");" \
			"wait for it to end and try again"
		echo $$ >"$LAB_CACHE/setup.pid"
		rm -rf --one-file-system "$partial"
		mkdir "$partial"
		step "downloading packages for $(basename "$source")" download_packages "$source/packages.txt" "$partial"
		step "making the Debian of $(basename "$source")" contained "$LAB_DIR/mkmachine.sh" "$source"/{debian,more}.txt "$partial" \
			"$LAB_RELEASE" "$(host_mirror)"
		step "building $(basename "$source")" enter "$LAB_ENTRY" "/src/${source#"$LAB_REPO/"}/build.sh" \
			"/lab/cache/partial.$$"
		echo "$LAB_RELEASE" >"$partial/release"
		mv -T "$partial" "$layer"
		exec {lock}>&-
	fi
	exec {layer_in_use}<"$layer"
	flock -s "$layer_in_use"
	touch "$layer/release"
	LAB_LAYER=/lab/cache/$name
}
