# SPDX-License-Identifier: GPL-2.0
"""Programs of a layer that have to be where their packages have them: in a root that is both the lab's and the layer's. What they write
there ends with them, but in the repository, in /tmp and in the cache.
"""

from lab.paths import layer

MOUNTS = """
top=/mnt/unpacked
mkdir -p $top
mount -t tmpfs tmpfs $top
mkdir $top/upper $top/work $top/root
mount -t overlay overlay -o lowerdir=$1:/,upperdir=$top/upper,workdir=$top/work $top/root
for folder in proc sys dev src tmp lab; do
	mount --rbind /$folder $top/root/$folder
done
shift
exec chroot $top/root "$@"
"""


def command(name, *argv):
    """The command in that root, for a layer with a folder `tools`."""
    return ["unshare", "--mount", "sh", "-ec", MOUNTS, "sh", layer(name) / "tools", *argv]
