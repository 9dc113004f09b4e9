# SPDX-License-Identifier: GPL-2.0
"""Where things are inside of the lab's root, and how its programs fail."""

import os
import sys
from pathlib import Path

REPO = Path("/src")
ENTRY = Path("/lab/entry")
LINUX = Path("/lab/linux")
CACHE = Path("/lab/cache")
LOGS = Path(os.environ.get("LAB_LOGDIR", "/tmp"))
RELEASE = (ENTRY / "release").read_text().strip() if (ENTRY / "release").exists() else ""


def layer(name):
    """Where the layer that is made from tools/NAME is; the Makefile says which ones a command has."""
    for path in map(Path, os.environ.get("LAYER", "").split()):
        if path.name.startswith(f"{name}-"):
            return path
    die(f"the layer of tools/{name} is not there: run with LAB_LAYER=tools/{name}")


def shown(path):
    """The name that `path` has for the user, who knows the repository and not /src."""
    path = Path(path)
    return path.relative_to(REPO) if path.is_relative_to(REPO) else path


def die(message):
    sys.exit(f"error: {message}")
