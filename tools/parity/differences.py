# SPDX-License-Identifier: GPL-2.0
"""Where this driver answers otherwise than C, and why. The first pattern that a question's name matches counts."""

import re

NO_TUNNEL = (
    "A GSO packet in a tunnel is of a type that there is outside of one too. Without those this driver takes none in a tunnel "
    "either, and there is nothing to turn on."
)

MEANT = (
    (r"cat \S*/device/features \(small\)", NO_TUNNEL),
    (r"ethtool -k NIC \(small\)", NO_TUNNEL),
    (r"ethtool -K NIC rx-gro-hw on \(small\)", NO_TUNNEL),
    (
        r"ip -details .* \(small\)",
        "C allows an MTU whose packets its buffers cannot hold, and loses them. Here it ends at what a buffer holds.",
    ),
    (
        r"ethtool -G NIC rx 100; .*",
        "A ring whose size is no power of two cannot be: that is a wrong argument, and not for want of memory.",
    ),
    (
        r"ethtool -C NIC adaptive-rx on .*",
        "This device cannot put off interrupts. C takes the setting all the same, and does nothing.",
    ),
    (
        r"ethtool -k NIC \(own\)",
        "A device that does not report hashes leaves none in a packet: that cannot be turned on. C lets it be.",
    ),
    (
        r"ethtool -L NIC combined 1; ethtool -S NIC .*",
        "Sums are over all queues, also those that are not used now: so they do not go backwards.",
    ),
    (
        r"ethtool -S NIC( \(\w+\))?",
        "There are five counters more, of the watchdog: C has none.",
    ),
    (
        r"ethtool -i NIC .*",
        "The registers can be shown.",
    ),
    (
        r"ethtool -d NIC .*",
        "The status of the device, its features, and what there is of queues are shown. C shows nothing.",
    ),
    (
        r"ethtool --reset NIC .*",
        "The device is reset, and all settings are made again; what belongs to other functions than this one is left alone. C cannot.",
    ),
    (
        r"cat \S*/mergeable_rx_buffer_size .*",
        "Buffers are half a page or a whole one, less what the packet's bookkeeping takes; C's have lengths between.",
    ),
)


def why(question):
    return next((reason for pattern, reason in MEANT if re.fullmatch(pattern, question.name)), None)
