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
