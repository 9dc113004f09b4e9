# SPDX-License-Identifier: GPL-2.0
"""C helpers that are inlined into Rust code: what Clang makes of them must fit a kernel that GCC made."""

import re
import subprocess

import pytest

from lab import build
from support.kernels import stock_only

pytestmark = stock_only("no helper is inlined where KASAN instruments the code")

# Of the addresses, which are written with as many digits each, those between two.
PER_CPU = """
NF == 3 { address[$3] = $1 }
END {
    for (name in address)
        if (address[name] >= address["__per_cpu_start"] "" && address[name] < address["__per_cpu_end"] "")
            print name
}
"""


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    return build.build_into(tmp_path_factory.mktemp("module"))


@pytest.fixture(scope="module")
def listing(module):
    command = ["objdump", "--disassemble", "--reloc", "--no-show-raw-insn", str(module)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def references(listing):
    """Instructions and the symbols that they refer to; an instruction with a relocation has it on the next line."""
    for instruction, relocation in zip(listing, listing[1:]):
        found = re.search(r"R_X86_64_PC32\s+([\w.]+)", relocation)
        if found:
            yield instruction, found.group(1)


def test_helpers_are_inlined(module):
    symbols = subprocess.run(["nm", str(module)], check=True, capture_output=True, text=True).stdout
    assert "rust_helper_" not in symbols


def test_variables_of_a_cpu_are_reached_through_its_segment(listing, boot):
    """Else the code would use the initial value that each CPU's copy is made of."""
    with boot(nics=[]) as guest:
        per_cpu = set(guest.run(["awk", PER_CPU, "/proc/kallsyms"], timeout=300).stdout.split())
    used = [(instruction, name) for instruction, name in references(listing) if name in per_cpu]
    assert "__preempt_count" in {name for _, name in used}
    assert [pair for pair in used if "%gs:" not in pair[0]] == []
