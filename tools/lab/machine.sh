# SPDX-License-Identifier: GPL-2.0
# Layers that have a Debian of their own, besides packages: their folder has debian.txt, the packages of that Debian, and more.txt,
# those that a test may install later, which are in `more`. It is made with the host's network, in `root`, before build.sh makes of it
# what the layer is to have.

make_machine() {
	get_packages "$@"
	step "making the Debian of $(basename "$1")" contained "$LAB_DIR/mkmachine.sh" "$1"/{debian,more}.txt "$2" \
		"$LAB_RELEASE" "$(host_mirror)"
	run_build "$@"
}

# setup_machine FOLDER: as setup_layer.
setup_machine() {
	local files
	readarray -d '' files < <(find "$1" -type f -not -name '*.py' -print0 | sort -z)
	use_layer "$1" "$(hash_of "$LAB_DIR"/{machine,mkmachine,suite}.sh "${files[@]}")" make_machine
}
