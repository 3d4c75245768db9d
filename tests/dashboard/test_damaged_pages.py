"""What is not known is never shown as nothing, and what can't be read is told: flat, 0.00 and green are said of what is known alone."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dashboard.doors import Clock
from monitor.made_views import MONO, SYMBOL, held, view
from monitor.told import IST
from monitor.watched import put_session
from myquant.dashboard import session_orders
from myquant.dashboard.components import Cell
from myquant.dashboard.controls import BEING_READ, DAMAGED, STANDS_STILL, Controls
from myquant.dashboard.figures import moment
from myquant.dashboard.frame import NOT_LOOKED, looked_light
from myquant.dashboard.pages_overview import READ, UNKNOWN, session_row
from myquant.dashboard.pages_session import facts_of
from myquant.dashboard.runs_read import read_content
from myquant.dashboard.session_orders import foreign_cells
from myquant.errors import MyquantError
from myquant.execution.beside import Held
from myquant.execution.life import OrderLife, Stamp
from myquant.execution.reading import begin_reading
from myquant.monitor.view import ProcessView, SessionView
from myquant.results.index import RunEntry
from myquant.results.text import NOTHING

NS = 10**9
UNSEEN = replace(view().process or ProcessView(1, 1, 1), is_unseen=True)


def texts(shown: SessionView) -> dict[str, str]:
    """Return the facts of a session's page."""
    facts = facts_of(shown, "failed", MONO, IST)
    return {name: each.text if isinstance(each, Cell) else each for name, each in facts.items()}


@pytest.mark.parametrize(
    ("shown", "position", "pnl", "entries"),
    [
        (view(), "flat", "0.00", "allowed"),
        (view(damage="record 83 is damaged"), UNKNOWN, NOTHING, NOTHING),
        (view(damage="record 83 is damaged", instruments=held()), UNKNOWN, NOTHING, NOTHING),
        (view(process=UNSEEN, instruments=held()), READ, NOTHING, NOTHING),
        (view(process=None, unread_since_ns=1), READ, NOTHING, NOTHING),
        (view(process=None, ledger=None), "not begun", NOTHING, NOTHING),
        (view(stopped_code=0, ended_code=0), "flat", "0.00", NOTHING),
    ],
)
def test_flat_and_nothing_earned_are_said_of_what_is_known(
    shown: SessionView, position: str, pnl: str, entries: str
) -> None:
    facts = texts(shown)
    assert (facts["Position"], facts["P&L of the day, Rs"], facts["Entries"]) == (position, pnl, entries)
    _, cells = session_row(shown, "failed", MONO)
    assert [each.text if isinstance(each, Cell) else each for each in cells][4:6] == [position, pnl]


def test_one_whose_journal_is_being_read_neither_runs_nor_does_well_as_far_as_is_known() -> None:
    shown = view(process=UNSEEN)
    facts = texts(shown)
    assert facts["State"] == "its journal is being read"
    assert (facts["Health"], facts["Feed age"], facts["Orders"]) == ("\N{WHITE CIRCLE} not known", NOTHING, NOTHING)
    _, cells = session_row(shown, "ok", MONO)
    assert [each.text if isinstance(each, Cell) else each for each in cells][:3] == [
        "\N{WHITE CIRCLE} not known",
        shown.name,
        "its journal is being read",
    ]
    assert Controls(Clock()).preview(shown, "flatten").lines[0] == BEING_READ


def test_one_that_was_stopped_by_a_signal_manages_nothing() -> None:
    process = replace(view().process or ProcessView(1, 1, 1), is_stopped=True)
    shown = view(process=process, instruments=held())
    facts = texts(shown)
    assert (facts["State"], facts["Entries"], facts["Feed age"]) == ("frozen", NOTHING, NOTHING)
    lines = Controls(Clock()).preview(shown, "halt").lines
    assert lines[0] == STANDS_STILL
    assert not any("managed on" in line for line in lines)
    assert any("managed on" in line for line in Controls(Clock()).preview(view(instruments=held()), "halt").lines)


@pytest.mark.parametrize(
    ("kind", "says"), [("paper", "start it again with the same command"), ("real", "flatten --broker")]
)
def test_what_one_that_does_not_run_left_is_told_by_its_kind(kind: str, says: str) -> None:
    with pytest.raises(MyquantError, match=says):
        Controls(Clock()).preview(view(kind=kind, stopped_code=1), "flatten")


def test_what_brings_entries_back_is_not_told_to_who_is_about_to_do_it() -> None:
    halted = view(halt="operator", halt_since_ns=1)
    assert any("To bring them back" in line for line in Controls(Clock()).preview(halted, "halt").lines)
    assert not any("To bring them back" in line for line in Controls(Clock()).preview(halted, "resume").lines)


@pytest.mark.parametrize("action", ["halt", "flatten"])
def test_a_preview_says_that_the_journal_is_damaged(action: str) -> None:
    controls = Controls(Clock())
    assert controls.preview(view(damage="torn"), action).lines[0] == DAMAGED  # type: ignore[arg-type]
    assert DAMAGED not in controls.preview(view(), action).lines  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "is_table"), [("[" * 200_000, False), (json.dumps({"net_pnl": 10**400, "trades": 3}), True)]
)
def test_a_summary_of_any_content_can_be_compared(tmp_path: Path, content: str, *, is_table: bool) -> None:
    (tmp_path / "summary.json").write_text(content)
    found = read_content("it", RunEntry(name="it", folder=str(tmp_path), kind="backtest", state="damaged"))
    assert ("figures" in found.missing) is not is_table
    if found.figures is not None:
        assert (found.figures["net_pnl"], found.figures["trades"]) == (None, 3.0)


def test_positions_of_others_of_the_same_size_are_rows_of_their_own(tmp_path: Path) -> None:
    reading = begin_reading(put_session(tmp_path / "monday", symbols=(SYMBOL,)))
    reading.lives.days.add(str(date(2025, 10, 3)))
    reading.held = [Held("4711", "NRML", 75), Held("4712", "NRML", 75)]
    rows = foreign_cells(reading, IST)
    assert len({key for key, _ in rows}) == len(rows) == 2


def test_a_time_of_one_day_among_several_has_its_date() -> None:
    zone, at_ns = ZoneInfo("Asia/Kolkata"), 1_759_463_100 * NS
    assert moment(at_ns, zone, is_dated=True) == "2025-10-03 09:15:00 IST"
    assert moment(at_ns, zone, is_dated=False) == "09:15:00 IST"
    assert moment(None, zone, is_dated=True) == NOTHING


def test_before_the_first_look_nothing_is_green() -> None:
    assert looked_light((), 0, IST) == Cell(f"○ {NOT_LOOKED}", style="unknown")
    assert looked_light((), 1_759_463_100 * NS, IST) == Cell("● ok, as of 09:15:00 IST", style="ok")
    late = looked_light((), 1_759_463_100 * NS, IST, is_late=True)
    assert late == Cell("■ LATE, looks do not come in time: as of 09:15:00 IST", style="failed")


class Shown:
    """A table that keeps what it was told to show."""

    def __init__(self) -> None:
        self.rows: list[object] = []

    def show(self, rows: list[object]) -> None:
        self.rows = rows


@pytest.mark.parametrize("at_once", [0, 1])
def test_many_orders_are_summed_up_beside_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(session_orders, "AT_ONCE_MAX", at_once)
    reading = begin_reading(put_session(tmp_path / "monday", symbols=(SYMBOL,)))
    life = OrderLife(1, 0, SYMBOL, 1, 75, "entry", states=[("sent", Stamp(1, 1, 1))])
    reading.lives.orders[1] = life
    part, table = object.__new__(session_orders.OrdersPart), Shown()
    vars(part).update(_making=None, _summed=(), _totals=table)
    part._sum_up(reading, (1,))
    if not at_once:
        making: Any = part._making
        assert table.rows == []
        making.result(30)
        part._sum_up(reading, (1,))
    assert [part._making] == [None]
    assert table.rows == session_orders.total_rows(reading)
    assert len(table.rows) == 2
