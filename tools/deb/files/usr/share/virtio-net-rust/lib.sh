# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# shellcheck disable=SC2034  # Others use them
# What is known of virtio network devices, by names such as virtio0, and how one is given to a driver. Sourced, by the shell of an
# initial ram disk too.

RUST=virtio_net_rust
C=virtio_net
BUS=/sys/bus/virtio
CONF=/etc/virtio-net-rust.conf
# Has for each device that somebody gave to a driver in the running system the name of that driver.
DECIDED=/run/virtio-net-rust

# driver_of DEVICE: the name of the driver that has it, or nothing.
driver_of() {
	link=$(readlink "$BUS/devices/$1/driver") || return 0
	echo "${link##*/}"
}

# place_of DEVICE: its name on the bus that it is found by, such as a PCI address.
place_of() {
	path=$(readlink -f "$BUS/devices/$1")
	path=${path%/*}
	echo "${path##*/}"
}

# address_of DEVICE: its MAC address, which is known as long as it has a driver.
address_of() {
	for file in "$BUS/devices/$1/net"/*/address; do
		[ ! -e "$file" ] || cat "$file"
	done
}

# module_is_there: whether this kernel has the module of the Rust driver.
module_is_there() {
	[ -d "$BUS/drivers/$RUST" ] || modprobe --dry-run --quiet "$RUST"
}

# give DEVICE DRIVER: has the driver take the device; fails if it does not. One that has no driver may be left with none.
give() {
	[ -d "$BUS/drivers/$2" ] || modprobe --quiet "$2" || return 1
	now=$(driver_of "$1")
	# Loading it may have been enough.
	[ "$now" != "$2" ] || return 0
	[ -z "$now" ] || echo "$1" >"$BUS/drivers/$now/unbind" || return 1
	echo "$1" >"$BUS/drivers/$2/bind" || return 1
	[ "$(driver_of "$1")" = "$2" ]
}

# is_remote NAME TRANSPORT: whether a disk, as lsblk shows it, is at the other end of a network.
is_remote() {
	case "$1 $2" in
	nbd* | rbd* | *" iscsi") return 0 ;;
	nvme*)
		case $(cat "/sys/class/block/$1/device/transport" 2>/dev/null) in tcp | rdma) return 0 ;; esac
		;;
	esac
	return 1
}

# root_is_remote: whether what programs are read from comes over a network: the root file system, or /usr. Without it nothing can be
# started that would set up an interface.
root_is_remote() {
	while read -r _ _ _ _ place words; do
		case $place in / | /usr) ;; *) continue ;; esac
		# What follows the options: the kind of file system, and where it is.
		# shellcheck disable=SC2086
		set -- ${words#* - }
		case $1 in nfs | nfs4 | cifs | smb3 | ceph) return 0 ;; esac
		case $2 in /dev/*) ;; *) continue ;; esac
		# And all that it is made of, as partitions and volumes are.
		while read -r disk transport; do
			! is_remote "$disk" "$transport" || return 0
		done <<-END
			$(lsblk --noheadings --inverse --list --output KNAME,TRAN "$2" 2>/dev/null)
		END
	done </proc/self/mountinfo
	return 1
}

# settings: the words of the file, one a line, in lower case.
# shellcheck disable=SC2020
settings() {
	[ -r "$CONF" ] || return 0
	while read -r line || [ -n "$line" ]; do
		echo "${line%%#*}"
	done <"$CONF" | tr 'A-F \t' 'a-f\n\n'
}

# by_address: whether the settings have a MAC address.
by_address() {
	while read -r word; do
		case $word in ??:??:??:??:??:??) return 0 ;; esac
	done <<-END
		$(settings)
	END
	return 1
}

# wanted DEVICE: the driver that the settings have for a device. If they have a MAC address, that of the device has to be known.
wanted() {
	place=$(place_of "$1")
	address=$(address_of "$1")
	while read -r word; do
		case $word in
		all | "$place" | "${address:--}")
			echo "$RUST"
			return
			;;
		# As lspci shows it where there is one domain.
		??:??.?)
			[ "0000:$word" != "$place" ] || {
				echo "$RUST"
				return
			}
			;;
		esac
	done <<-END
		$(settings)
	END
	echo "$C"
}
