"""Two runs side by side: nothing differs of one and itself, and swapped sides mirror each other."""

import asyncio
import json
import shutil
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dashboard.made_runs import content_of, put_baseline, put_facts, put_run, put_session, put_trades
from myquant.core import codes
from myquant.dashboard import pages_compare
from myquant.dashboard.runs_compare import NOT_SHOWN, Comparison, compare_runs, thinned
from myquant.dashboard.runs_read import HEADLINES
from myquant.dashboard.runs_trades import DIFFERENT, ONLY_A, ONLY_B
from results.sample import DAY_2, LOT, TWO_POSITIONS, Held, Out

LATER = Held("10:00:00", 30_000, 75, (Out("11:05:10", 28_400, LOT, codes.STOP_LOSS),))
ANOTHER = Held("12:00:00", 30_000, 75, (Out("12:05:00", 30_500, LOT, codes.TAKE_PROFIT),))
SWAPPED = {ONLY_A: ONLY_B, ONLY_B: ONLY_A}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of every kind; made once."""
    directory = tmp_path_factory.mktemp("runs")
    put_run(directory / "rich")
    put_run(directory / "tuned", settings=("risk.base_sl_points=21", "dashboard.update_s=2"))
    put_trades(directory / "two")
    put_trades(directory / "three", (TWO_POSITIONS[0], LATER, ANOTHER))
    put_trades(directory / "one", TWO_POSITIONS[:1], symbols=("BANKNIFTY",))
    put_trades(directory / "next", (replace(TWO_POSITIONS[1], day=DAY_2),), days=(DAY_2,))
    put_session(directory / "session")
    put_baseline(directory / "base")
    put_baseline(directory / "slower", slower=1.5, seed=2)
    put_facts(directory / "refused", ended=2)
    return directory


NAMES = ("rich", "two", "session", "base", "slower", "next")


def compared(folder: Path, a: str, b: str) -> Comparison:
    return compare_runs(content_of(folder / a), content_of(folder / b))


@pytest.mark.parametrize("name", NAMES)
def test_a_run_and_itself_have_no_difference(folder: Path, name: str) -> None:
    found = compared(folder, name, name)
    assert [note for note in found.notes if "differ" in note] == []
    assert all(line.difference in (0.0, None) and line.a == line.b for line in found.figures)
    assert found.settings in ((), None)
    assert found.trades is None or found.trades.unequal == 0
    assert found.curves is None or found.curves.a == found.curves.b
    assert found.latency is None or all(line.a == line.b for line in found.latency)
    assert found.baselines is None or not found.baselines.regressions
    json.dumps(found.as_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("a", "b"), [("two", "three"), ("rich", "tuned"), ("session", "two"), ("two", "next"), ("base", "two")]
)
def test_swapped_sides_mirror_each_other(folder: Path, a: str, b: str) -> None:
    there, back = compared(folder, a, b), compared(folder, b, a)
    assert [(line.a, line.b) for line in there.figures] == [(line.b, line.a) for line in back.figures]
    assert [line.difference for line in there.figures] == [
        None if line.difference is None else 0.0 - line.difference for line in back.figures
    ]
    assert [(each.name, each.a, each.b) for each in there.settings or ()] == [
        (each.name, each.b, each.a) for each in back.settings or ()
    ]
    assert sorted(there.why_not) == sorted(back.why_not)
    assert (there.trades is None) == (back.trades is None)
    if there.trades is not None and back.trades is not None:
        assert [(pair.what, pair.a, pair.b) for pair in there.trades.pairs] == [
            (SWAPPED.get(pair.what, pair.what), pair.b, pair.a) for pair in back.trades.pairs
        ]
    if there.curves is not None and back.curves is not None:
        assert (there.curves.a, there.curves.b) == (back.curves.b, back.curves.a)


def test_trades_are_matched_by_their_entries(folder: Path) -> None:
    found = compared(folder, "two", "three")
    assert found.trades is not None
    assert (found.trades.same, found.trades.different, found.trades.only_a, found.trades.only_b) == (2, 1, 0, 1)
    changed, new = found.trades.pairs
    assert (changed.what, changed.differs) == (DIFFERENT, ("exit_ns", "exit_price", "net"))
    assert (new.what, new.a, new.b is not None and new.b.reason) == (ONLY_B, None, "take_profit_1")
    figures = {line.name: line for line in found.figures}
    assert (figures["Trades"].a, figures["Trades"].b, figures["Trades"].difference) == (3, 4, 1)


def test_figures_are_those_of_the_summaries(folder: Path) -> None:
    figures = json.loads((folder / "rich" / "summary.json").read_text())
    found = compared(folder, "rich", "two").figures
    assert [line.a for line in found] == [figures[name] for name in HEADLINES]


def test_settings_that_decide_come_first(folder: Path) -> None:
    found = compared(folder, "rich", "tuned").settings
    assert found is not None
    assert [(each.name, each.a, each.b, each.decides) for each in found] == [
        ("risk.base_sl_points", "15.0", "21.0", True),
        ("dashboard.update_s", "0.5", "2.0", False),
    ]


def test_no_secret_is_shown(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "rich", tmp_path / "rich")
    path = tmp_path / "rich" / "config.toml"
    path.write_text(path.read_text().replace('\npassword_hash = ""', '\npassword_hash = "$argon2id$planted"'))
    found = compare_runs(content_of(folder / "rich"), content_of(tmp_path / "rich"))
    assert [(each.a, each.b) for each in found.settings or ()] == [('""', NOT_SHOWN)]
    assert "planted" not in json.dumps(found.as_dict())


@pytest.mark.parametrize(
    ("a", "b", "what", "why"),
    [
        ("two", "next", "trades", "no day in common (2025-10-03 in A, 2025-10-06 in B)"),
        ("two", "one", "trades", "no symbol in common"),
        ("two", "base", "figures", "base: a baseline trades nothing"),
        ("two", "session", "latency", "two: a run over recorded ticks has none"),
        ("session", "base", "latency", "no tick of it has times"),
        ("two", "three", "baselines", "only two baselines"),
        ("two", "refused", "trades", "summary.json"),
    ],
)
def test_what_cant_be_compared_says_why(folder: Path, a: str, b: str, what: str, why: str) -> None:
    assert why in compared(folder, a, b).why_not[what]


def test_curves_share_an_axis_or_begin_together(folder: Path) -> None:
    same, other = compared(folder, "two", "three").curves, compared(folder, "two", "next").curves
    assert same is not None
    assert other is not None
    assert (same.is_since_start, other.is_since_start) == (False, True)
    assert (other.a.at_s[0], other.b.at_s[0], same.a.pnl[0]) == (0.0, 0.0, 0)
    assert same.a.at_s[-1] - same.a.at_s[0] < timedelta(days=1).total_seconds()
    net = {line.name: line for line in compared(folder, "two", "three").figures}["Net P&L"]
    assert (same.a.pnl[-1] / 100, same.b.pnl[-1] / 100) == (net.a, net.b)
    drawdowns = {line.name: line for line in compared(folder, "two", "three").figures}["Maximum drawdown"]
    assert max(same.a.drawdown) >= 0
    assert drawdowns.a is not None


def test_baselines_are_compared_component_by_component(folder: Path) -> None:
    found = compared(folder, "base", "slower")
    assert found.baselines is not None
    assert "service time" in [line.name for line in found.baselines.regressions]
    assert found.latency is not None
    sides = [line.a for line in found.latency if line.a is not None]
    assert len(sides) == len(found.latency)
    assert all((side.p50 or 0) <= (side.p99 or 0) > 0 for side in sides)


def test_a_damaged_part_keeps_no_other_from_being_compared(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "two", tmp_path / "two")
    (tmp_path / "two" / "trades.csv").write_text("trade_id,symbol\n1,X\n")
    (tmp_path / "two" / "config.toml").write_text("[risk\n")
    found = compare_runs(content_of(folder / "two"), content_of(tmp_path / "two"))
    assert (found.trades, found.settings) == (None, None)
    assert "trades.csv is damaged" in found.why_not["trades"]
    assert "not valid TOML" in found.why_not["settings"]
    assert found.curves is not None
    assert found.curves.a == found.curves.b


def test_an_equity_without_a_row_is_none(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "two", tmp_path / "two")
    path = tmp_path / "two" / "equity.csv"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    found = compare_runs(content_of(folder / "two"), content_of(tmp_path / "two"))
    assert (found.curves, found.trades is None) == (None, False)
    assert "equity.csv is damaged (it holds no row)" in found.why_not["equity"]


@pytest.mark.parametrize("count", [1, 5, 99, 100, 101, 5000])
def test_a_thinned_curve_keeps_its_extremes(count: int) -> None:
    values = np.random.default_rng(count).integers(-1000, 1000, count)
    places = thinned(values, 100)
    assert len(places) <= 100
    assert (np.diff(places) > 0).all()
    assert (places[0], places[-1]) == (0, count - 1)
    assert (values[places].min(), values[places].max()) == (values.min(), values.max())


def test_of_comparisons_only_so_many_are_made_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    most, working, lock = [0], [0], threading.Lock()
    all_there = threading.Barrier(pages_compare.COMPARED_MAX)

    def compare(*_: object) -> None:
        with lock:
            working[0] += 1
            most[0] = max(most[0], working[0])
        all_there.wait(30)
        with lock:
            working[0] -= 1

    async def many() -> None:
        comparing = asyncio.Semaphore(pages_compare.COMPARED_MAX)
        run: Any = None
        await asyncio.gather(
            *(pages_compare.compared(run, run, comparing) for _ in range(3 * pages_compare.COMPARED_MAX))
        )

    monkeypatch.setattr(pages_compare, "compare_listed", compare)
    asyncio.run(many())
    assert most[0] == pages_compare.COMPARED_MAX
