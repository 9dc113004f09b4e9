# SPDX-License-Identifier: GPL-2.0
"""The comparison of answers: it asks about all that the C driver has, and says what differs and what is not explained.

The answers themselves are had with `make parity`.
"""

from parity import differences, inventory, page
from parity.answers import Answer, ranges, reduced
from parity.catalog import QUESTIONS, SETUPS, Question
from parity.page import Row


def test_all_operations_are_asked_about():
    assert {"ndo_open", "get_rxfh", "VIRTIO_NET_CTRL_MAC_ADDR_SET"} <= inventory.operations()
    assert inventory.without_question(QUESTIONS) == []


def test_what_nobody_asks_about_is_found():
    left_out = [question for question in QUESTIONS if "get_ts_info" not in question.of]
    assert inventory.without_question(left_out) == ["get_ts_info"]


def test_questions_are_about_devices_that_there_are():
    assert {question.setup for question in QUESTIONS} == set(SETUPS)


def test_explanations_are_of_questions():
    for pattern, _ in differences.MEANT:
        assert any(differences.re.fullmatch(pattern, question.name) for question in QUESTIONS), pattern


QUESTION = Question("get_link", "ethtool NIC")


def test_differences_are_shown():
    rows = [
        Row(QUESTION, Answer(0, "a\nb"), Answer(0, "a\nb"), None),
        Row(QUESTION, Answer(0, "a\nb"), Answer(1, "a\nc"), None),
    ]
    assert [row.same for row in rows] == [True, False]
    assert rows[1].changes() == ["-exit status 0", "+exit status 1", "-b", "+c"]
    assert "NOT EXPLAINED" in "\n".join(page.terminal(rows))
    text = page.document(rows, "commit")
    assert "1 of 2 answers are the same" in text and "not explained" in text


def test_long_differences_are_cut():
    row = Row(QUESTION, Answer(0, ""), Answer(0, "\n".join(map(str, range(100)))), None)
    assert len(row.changes()) == page.SHOWN + 1 and row.changes()[-1] == f" ... {100 - page.SHOWN} more lines"


def test_what_differs_each_time_is_left_out():
    text = "2: eth7: <UP> state UP qdisc fq_codel qlen 1\n"
    assert reduced(QUESTION, text, "eth7", "module") == "NIC:  qdisc fq_codel qlen 1".replace("qdisc fq_codel ", "")
    statistics = Question("get_ethtool_stats", "ethtool -S NIC")
    assert reduced(statistics, "     rx0_packets: 12\n", "eth7", "module") == "rx0_packets"


def test_ranges():
    assert ranges([]) == ""
    assert ranges([0, 1, 2, 7, 9, 10]) == "0-2, 7, 9-10"
