# SPDX-License-Identifier: GPL-2.0
"""The benchmark: its figures mean what they say, and it sees a driver that has become slower."""

import json
import subprocess
from xml.etree import ElementTree

import pytest

from bench import chart, compare, counting, profile, rest, symbols, table, wall, workloads
from bench.rows import COUNTED, EVENTS, LATENCY, THROUGHPUT, Row
from lab import build, host, kernel
from lab import driver as drivers
from lab.paths import REPO
from support.kernels import stock_only

FACTS = {"commit": "0123abc", "kernel": "7.3.4", "qemu": "11.1", "accelerator": "tcg"}
FIELDS = {"workload", "metric", "unit", "c", "ours", "ratio", "spread", "runs"}


def row(metric=COUNTED, c=(100, 100, 100), ours=(90, 90, 90)):
    return Row.of("transmit", metric, "instructions/packet", c, ours)


# --- Figures --------------------------------------------------------------------


def test_cost_that_is_less_is_better():
    assert row().ratio == 0.9
    assert row(ours=(110, 110, 110)).ratio == 1.1
    assert row(LATENCY).ratio == 0.9


def test_throughput_that_is_more_is_better():
    assert row(THROUGHPUT, ours=(125, 125, 125)).ratio == 0.8
    assert row(THROUGHPUT, ours=(80, 80, 80)).ratio == 1.25


def test_median_of_runs():
    made = row(c=(100, 100.5, 500), ours=(50, 100.5, 101))
    assert (made.c, made.ours, made.ratio, made.runs) == (100.5, 100.5, 1.0, 3)


def test_what_the_clock_says_is_paired():
    """Both drivers had half the speed for a while."""
    made = row(THROUGHPUT, c=(100, 50, 100, 50, 50), ours=(200, 100, 200, 100, 100))
    assert (made.ratio, made.spread) == (0.5, 0.0)
    assert row(THROUGHPUT, c=(100, 100, 100), ours=(100, 80, 125)).spread == pytest.approx(0.45)


def test_spread_is_that_of_the_less_steady_driver():
    assert row(c=(100, 100, 102)).spread == pytest.approx(0.02)
    assert row(ours=(100, 101, 105)).spread == pytest.approx(5 / 101)


def test_runs_without_a_pair():
    with pytest.raises(ValueError):
        row(c=(1, 2, 3), ours=(1, 2))


def test_unsteady_count_is_no_result():
    assert row(c=(100, 100, 100.9)).steady
    unsteady = row(c=(100, 100, 101.1))
    assert not unsteady.steady
    assert row(LATENCY, c=(100, 150, 200)).steady
    assert "unsteady" in table.cells(unsteady) and "0.900" not in table.cells(unsteady)
    assert json.loads(table.as_json([unsteady, row()], FACTS))["rows"] == [table.asdict(row())]


def test_events_that_are_hardly_any_are_the_same():
    assert row(EVENTS, c=(0.0001, 0, 0), ours=(0, 0, 0)).ratio == 1.0
    assert row(EVENTS, c=(0.5, 0.5, 0.5), ours=(1, 1, 1)).ratio == 2.0


# --- Output ---------------------------------------------------------------------


def test_json():
    read = json.loads(table.as_json([row()], FACTS))
    assert {key: read[key] for key in FACTS} == FACTS
    assert [set(entry) for entry in read["rows"]] == [FIELDS]


def test_table():
    head, line = table.terminal([row()])
    assert head.split() == list(table.HEAD)
    assert line.split() == ["transmit", "instructions/packet", "100.0", "90.0", "0.900", "0.0%", "3"]
    page = table.as_rst([row()], FACTS)
    assert "0123abc" in page and page.count("====") >= 3


def test_picture():
    rows = [row(), row(ours=(300, 300, 300)), row(c=(100, 100, 150)), row(EVENTS)]
    picture = ElementTree.fromstring(chart.svg(rows, FACTS))
    bars = [bar for bar in picture if bar.tag.endswith("rect")][1:]
    assert [bar.get("fill") for bar in bars] == [chart.BETTER, chart.WORSE, chart.UNSTEADY]
    assert all(float(bar.get("x")) + float(bar.get("width")) <= chart.WIDTH for bar in bars)
    labels = {text.text for text in picture if text.tag.endswith("text")}
    assert {"0.90", "3.00", "unsteady"} <= labels


def test_runs_that_say_the_same(tmp_path, capsys):
    def saved(name, *rows):
        (tmp_path / name).write_text(table.as_json(rows, FACTS))
        return tmp_path / name

    first = saved("first", row(), row(EVENTS))
    near = saved("near", row(ours=(91, 91, 91)), row(EVENTS, ours=(50, 50, 50)))
    far = saved("far", row(ours=(92, 92, 92)))
    none = saved("none", row(c=(100, 100, 150)))
    assert [compare.main([first, other]) for other in (near, far, none)] == [0, 1, 1]
    said = capsys.readouterr().out
    assert "1 ratios in both runs, 1.11% apart at most; 0 differences" in said
    assert "transmit, instructions/packet: 0.900 and 0.920, 2.2% apart" in said
    assert "transmit, instructions/packet: a result in the first run only" in said


# --- Workloads ------------------------------------------------------------------


def test_names_are_told_apart():
    names = [w.name for w in workloads.ALL] + [w.name for w in wall.ALL] + [name for name, *_ in rest.IN_GUEST]
    assert len(set(names)) == len(names)
    assert {w.kind for w in workloads.ALL} | {kind for _, kind, _ in rest.IN_GUEST} <= set(workloads.KINDS)


def test_unknown_workload():
    for module in ("bench", "bench.profile"):
        command = ("env", "BENCH=nosuch", f"PYTHONPATH={REPO / 'tools'}", "python3", "-m", module)
        done = host.run(*command, check=False)
        assert done.returncode != 0 and "error: no workload has a name with nosuch in it" in done.stderr


# --- Profile --------------------------------------------------------------------

KALLSYMS = """\
ffffffff81000000 T start
ffffffff81000100 t middle
ffffffff81000100 t alias
ffffffff81000180 d data
ffffffffc0000000 t _RNvNtCs1234_3foo3bar3baz	[some_module]
"""


def test_functions_of_addresses():
    names = symbols.Symbols(KALLSYMS)
    assert names.at(0xFFFFFFFF810000FF) == ("start", "")
    assert names.at(0xFFFFFFFF81000190) == ("middle", "")
    assert names.at(0xFFFFFFFFC0000001) == ("foo::bar::baz", "some_module")
    assert names.at(0x401000) == (symbols.USER, "")
    assert names.at(0xFFFFFFFF80000000) == (symbols.UNKNOWN, "")


def test_instructions_of_functions():
    names = symbols.Symbols(KALLSYMS)
    before = {(0xFFFFFFFF81000000, 5): 10, (0xFFFFFFFF81000100, 3): 7}
    after = {(0xFFFFFFFF81000000, 5): 12, (0xFFFFFFFF81000100, 3): 7, (0xFFFFFFFF81000010, 2): 1}
    changed = profile.difference(before, after)
    assert changed == {(0xFFFFFFFF81000000, 5): 2, (0xFFFFFFFF81000010, 2): 1}
    assert profile.by_function(changed, names) == {("start", ""): 12}


def test_profile_adds_up():
    c = {("start", ""): 70.0, ("poll", "virtio_net"): 30.0}
    ours = {("start", ""): 70.0, ("poll", "virtio_net_rust"): 20.0, ("rare", ""): 0.01}
    lines = [line.split(maxsplit=3) for line in profile.lines(c, ours)]
    assert ["0.0", "0.0", "+0.0", "(all others)"] in lines
    assert ["30.0", "20.0", "-10.0", "(all of the driver's own)"] in lines
    assert lines[-1] == ["100.0", "90.0", "-10.0", "(all)"]


# --- A driver that has become slower --------------------------------------------

SOURCE = "drivers/net/virtio_net_rust/tx.rs"
ONCE = "    state.queue.disable_cb();\n    skb.tx_timestamp();\n"
CALL = "    state.queue.disable_cb();\n"


@pytest.fixture(scope="module")
def slower():
    """A module that calls one function more for each packet that is sent."""
    folder = REPO / "build" / "slower"
    with build.tree_lock():
        build.copy_sources(folder)
        source = folder / SOURCE
        original = source.read_text()
        assert original.count(ONCE) == 1
        source.write_text(original.replace(ONCE, CALL + ONCE))
        done = subprocess.run(kernel.STOCK.make(folder), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return [folder / build.MODULE]


def cost(files, folder):
    """Instructions for a packet with C and with ours, and how steady they are."""
    workload = next(w for w in workloads.ALL if w.name == "transmit 60 B, clones")
    folder.mkdir()
    rows = list(counting.rows([workload], (), drivers.RUST, files, folder))
    assert [made.metric for made in rows] == [COUNTED, EVENTS, EVENTS]
    return rows[0]


@stock_only("what a packet costs there says nothing")
def test_extra_call_is_seen(driver, payload, slower, tmp_path):
    if driver is not drivers.RUST:
        pytest.skip("the benchmark compares the Rust driver")
    usual, slow = cost(payload, tmp_path / "usual"), cost(slower, tmp_path / "slower")
    # Medians: on a busy machine a run may be unsteady. The call takes more than twenty instructions.
    assert slow.ours - usual.ours > 5
    assert abs(slow.c - usual.c) < 5
    assert slow.ratio > usual.ratio
