"""Judging: counters of several processes, a session that can't be described, and clocks that are set."""

from dataclasses import replace
from typing import Any

import pytest

from monitor.made_views import MONO, NOON, SECOND, found, held, keys, order, view
from monitor.test_monitor_rules import told
from myquant.journal.record import Telemetry
from myquant.monitor import judge as judging
from myquant.monitor.faults import Memory
from myquant.monitor.finding import CRITICAL
from myquant.monitor.rules import RULES
from myquant.monitor.view import ProcessView

BOOKS = {"books_differ": RULES["books_differ"]}
DROPS = {"ticks_dropped": RULES["ticks_dropped"]}


class Looks:
    """Looks at one session, with what is remembered between them."""

    def __init__(self, rules: dict[str, Any]) -> None:
        self.memory, self.rules = Memory(), rules

    def at(self, after_s: float, **facts: Any) -> list[str]:
        seen = found(view(**facts), after_s=after_s, memory=self.memory, rules=self.rules)
        return [each.text for each in seen]


def begun(after_s: float, pid: int = 7) -> ProcessView:
    """Return a process that begins so long after noon."""
    after_ns = round(after_s * SECOND)
    return ProcessView(pid, NOON + after_ns, MONO + after_ns)


@pytest.mark.parametrize(
    ("rules", "counted"), [(BOOKS, told(differences=1)), (DROPS, told(log_lost=1))], ids=["books", "drops"]
)
def test_a_new_process_that_counts_as_far_as_the_one_before_is_heard(rules: dict[str, Any], counted: Telemetry) -> None:
    looks, first, second = Looks(rules), begun(-3_600), begun(200)
    assert looks.at(0, process=first) == []
    assert len(looks.at(1, process=first, telemetry=counted)) == 1
    assert looks.at(121, process=first, telemetry=counted) == []
    assert looks.at(201, process=second, telemetry=None) == []
    assert len(looks.at(202, process=second, telemetry=counted)) == 1
    assert looks.at(270, process=second, telemetry=counted) == []


def test_a_process_that_began_before_the_eyes_of_the_monitor_counts_from_0_however_late_it_says_so() -> None:
    looks, late = Looks(BOOKS), begun(1)  # it compiles for minutes
    assert looks.at(0, process=None, telemetry=None) == []
    assert len(looks.at(300, process=late, telemetry=told(differences=1))) == 1


def test_what_an_earlier_process_of_a_journal_that_is_read_has_counted_is_not_new() -> None:
    looks = Looks(DROPS)
    looks.at(0, process=begun(-7_200), telemetry=told(log_lost=1))
    assert looks.at(1, process=begun(-3_600), telemetry=told(log_lost=2)) == []
    assert looks.at(2, process=begun(-3_600), telemetry=told(log_lost=3))[0].startswith("1 ")


def test_an_order_of_an_instrument_that_is_not_there_blinds_no_rule() -> None:
    lost = replace(order(7, "working", 60, trigger=9_000), instrument=5)
    unknown = replace(order(8, "sent", 60), instrument=-1)
    bare: dict[str, Any] = {"instruments": held(bare_since_ns=NOON - 60 * SECOND)}
    seen = found(view("bad", orders={7: lost, 8: unknown}, **bare), view("good", **bare))
    assert {(each.session, each.rule) for each in seen} == {
        ("bad", "position_bare"),
        ("bad", "order_unknown"),
        ("good", "position_bare"),
    }
    assert next(each.stand for each in seen if each.session == "bad").startswith("holds 75")
    assert any("instrument -1" in each.text for each in seen)


def test_where_it_can_t_be_said_what_a_session_holds_its_faults_are_told_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(_: object) -> str:
        raise IndexError

    monkeypatch.setattr(judging, "standing", broken)
    bare: dict[str, Any] = {"instruments": held(bare_since_ns=NOON - 60 * SECOND)}
    seen = found(view("bad", **bare), view("good", disk_free_bytes=900 * 2**20))
    assert keys(seen) >= {
        ("rule_failed", "position_bare", CRITICAL),
        ("position_bare", "NIFTY07OCT2524900CE", CRITICAL),
    }
    assert "good" in {each.session for each in seen}
