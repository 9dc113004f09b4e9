# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Gives a NIC to another driver, and the interface that comes what the one that goes had: name, state, MTU, address, master, IP
# addresses and routes. Sourced, after lib.sh.

# How long it may take until what configures the network has seen the new interface, in tenths of a second.
PATIENCE=50

# addresses_of NIC: for each IP address the words that `ip address replace` takes.
addresses_of() {
	ip -o address show dev "$1" | while read -r _ _ family words rest; do
		# The kernel makes these itself.
		case $words in fe80:*) continue ;; esac
		[ "$family" = inet ] || words="$words nodad"
		# shellcheck disable=SC2086
		set -- $rest
		while [ $# != 0 ]; do
			case $1 in
			peer | metric | brd | any | scope) words="$words $1 $2" && shift ;;
			valid_lft | preferred_lft) words="$words $1 ${2%sec}" && shift ;;
			noprefixroute | mngtmpaddr) words="$words $1" ;;
			esac
			shift
		done
		echo "$words"
	done
}

# routes_of NIC FAMILY: for each route through it the words that `ip route replace` takes, those that lead to gateways first. What
# belongs to an address or to the kernel's local table comes with the address.
routes_of() {
	ip "-$2" -d route show table all dev "$1" | grep -vE '^\s| table local | proto kernel ' |
		sed -E 's/ (linkdown|dead)\b//g; s/ expires ([0-9]+)sec/ expires \1/; s/ nhid [0-9]+//; s/ pref [a-z]+//; s/^unicast //' |
		awk '/ via / { later = later $0 "\n"; next } { print } END { printf "%s", later }'
}

# configured INDEX: whether nobody who configures interfaces has yet to begin with this one, which he does by taking away what it has.
configured() {
	[ -d /run/systemd/netif/links ] || return 0
	grep -qE '^ADMIN_STATE=(configuring|configured|unmanaged|failed|linger)' "/run/systemd/netif/links/$1" 2>/dev/null
}

# carries NIC: the interfaces on top of it, which would go with it; not a bridge or a bond that it is a port of.
carries() {
	master=$(readlink "/sys/class/net/$1/master")
	for upper in "/sys/class/net/$1"/upper_*; do
		[ -e "$upper" ] || continue
		upper=${upper##*/upper_}
		[ "$upper" = "${master##*/}" ] || echo "$upper"
	done
}

# restored NIC: gives the interface what was noted.
restored() {
	ip link set dev "$1" mtu "$mtu"
	[ -z "$address" ] || ip link set dev "$1" address "$address"
	[ -z "$master" ] || ip link set dev "$1" master "${master##*/}"
	[ "$up" = 0 ] || ip link set dev "$1" up
	index=$(cat "/sys/class/net/$1/ifindex")
	left=$PATIENCE
	until configured "$index" || [ $((left -= 1)) = 0 ]; do
		sleep 0.1
	done
	lines "$addresses" "ip address replace" "$1"
	[ "$up" = 0 ] || lines "$routes4" "ip -4 route replace" "$1"
	[ "$up" = 0 ] || lines "$routes6" "ip -6 route replace" "$1"
}

# lines TEXT COMMAND NIC: runs the command with the words of each line and the NIC.
lines() {
	while read -r words; do
		# shellcheck disable=SC2086
		[ -z "$words" ] || $2 $words dev "$3" || echo "virtio-net-rust: $3: not taken over: $words" >&2
	done <<-END
		$1
	END
}

# hand_over NIC DRIVER: says how it went.
hand_over() {
	nic=$1 wanted=$2
	device=$(readlink -f "/sys/class/net/$nic/device")
	device=${device##*/}
	[ -e "$BUS/devices/${device:--}" ] || {
		echo "virtio-net-rust: $nic is no virtio NIC" >&2
		return 1
	}
	old=$(driver_of "$device")
	mkdir -p "$DECIDED"
	if [ "$old" = "$wanted" ]; then
		echo "$wanted" >"$DECIDED/$device"
		echo "$nic has $old already"
		return
	fi
	root_is_remote && {
		echo "virtio-net-rust: the root file system comes over the network, and $nic stays with $old" >&2
		return 1
	}
	uppers=$(carries "$nic" | xargs)
	[ -z "$uppers" ] || {
		echo "virtio-net-rust: $nic carries $uppers, which would go with it: delete that first" >&2
		return 1
	}
	# Before anything is taken away.
	[ -d "$BUS/drivers/$wanted" ] || modprobe "$wanted" || {
		echo "virtio-net-rust: $wanted does not load, and $nic stays with $old" >&2
		return 1
	}

	folder=/sys/class/net/$nic
	mtu=$(cat "$folder/mtu")
	up=$(($(cat "$folder/flags") & 1))
	address=
	# Somebody gave it another address than the device has (NET_ADDR_SET).
	[ "$(cat "$folder/addr_assign_type")" != 3 ] || address=$(cat "$folder/address")
	master=$(readlink "$folder/master")
	addresses=$(addresses_of "$nic")
	routes4=$(routes_of "$nic" 4)
	routes6=$(routes_of "$nic" 6)

	echo "$wanted" >"$DECIDED/$device"
	result=0
	give "$device" "$wanted" || {
		result=1
		echo "$old" >"$DECIDED/$device"
		give "$device" "$old"
	}
	udevadm settle --timeout=30
	new=$(nic_of "$device")
	[ -n "$new" ] || {
		echo "virtio-net-rust: $nic is gone: neither $wanted nor $old takes $device, see dmesg" >&2
		return 1
	}
	[ "$new" = "$nic" ] || ip link set dev "$new" name "$nic"
	restored "$nic"
	[ $result = 0 ] && echo "$nic: $wanted" && return
	echo "virtio-net-rust: $wanted does not take $nic, which $old has again; see dmesg" >&2
	return 1
}
