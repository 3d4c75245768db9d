"""Whether a session has shown what these settings do: archives made by hand, with and without faults."""

from collections.abc import Callable
from pathlib import Path

import pytest

from journal.journal_samples import create as begin_journal
from journal.journal_samples import flip, record_at, segment, write_notes
from myquant.config.loading import LoadedConfig, load_config
from myquant.session import archive
from myquant.session.archive import SessionFacts
from myquant.session.earlier import last_like, sessions
from myquant.session.evidence_of import Rehearsal, override_number, rehearsal
from myquant.strategies.loading import LoadedStrategy, default_strategy, load_strategy

KIND = "rehearsed"
OWN = """
from typing import NamedTuple
from pydantic import BaseModel

class Params(BaseModel):
    level: float = 100.0

class State(NamedTuple):
    price: float = 0.0

def update(state, tick, params):
    return State(tick.price)

def entry(state, tick, context, params):
    return state.price > params.level
"""

Make = Callable[..., Path]


def settings(*assignments: str, strategy: LoadedStrategy | None = None) -> LoadedConfig:
    sections = {} if strategy is None or strategy.model is None else {strategy.section: strategy.model}
    return load_config(assignments=assignments, sections=sections)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return what makes the folder of a session that has ended in order."""

    def made(
        name: str = "monday",
        *assignments: str,
        strategy: LoadedStrategy | None = None,
        ended: int | None = 0,
        results: bool = True,
        kind: str = KIND,
        symbols: tuple[str, ...] = ("NIFTY07OCT2524900CE",),
        day: int = 1,
        engine_hash: str | None = None,
    ) -> Path:
        own = default_strategy() if strategy is None else strategy
        loaded = settings(*assignments, strategy=strategy)
        facts = SessionFacts(
            kind=kind,
            name=name,
            broker="angelone",
            symbols=symbols,
            exchanges=("NFO",) * len(symbols),
            listed=((75, 5),) * len(symbols),
            strategy=own.name,
            strategy_file=None if own.path is None else own.path.name,
            config_hash=loaded.hash,
            engine_hash=engine_hash or own.engine_hash,
            key=7,
            created=f"2025-10-{day:02d}T03:00:00+00:00",
        )
        folder = tmp_path / name
        archive.create(folder, facts, loaded, own)
        writer = begin_journal(folder)
        write_notes(writer, 1, 9)
        writer.close()
        if ended is not None:
            archive.end(folder, ended)
        if results:
            (folder / "results").mkdir()
            (folder / "results" / "summary.json").write_text("{}")
        return folder

    return made


def look(tmp_path: Path, *assignments: str, strategy: LoadedStrategy | None = None) -> Rehearsal:
    loaded = settings(*assignments, strategy=strategy)
    return rehearsal(tmp_path, KIND, loaded, default_strategy() if strategy is None else strategy)


def test_a_session_with_the_same_settings_shows_it(tmp_path: Path, make: Make) -> None:
    folder = make()
    assert look(tmp_path) == Rehearsal(folder, "")


def test_what_does_not_decide_may_differ(tmp_path: Path, make: Make) -> None:
    folder = make("monday", "journal.segment_mib=8", "instrument.symbol=BANKNIFTY")
    assert look(tmp_path, "angelone.public_ip=203.0.113.7", "broker.shadow=false").folder == folder


def test_the_newest_is_named(tmp_path: Path, make: Make) -> None:
    make("monday", day=6)
    tuesday = make("tuesday", day=7)
    make("sunday", day=5)
    assert look(tmp_path).folder == tuesday


def test_nothing_there_is_said(tmp_path: Path) -> None:
    assert look(tmp_path).why_not == f"no {KIND} session is in {tmp_path}"
    assert look(tmp_path / "none").why_not == f"no {KIND} session is in {tmp_path / 'none'}"


def test_another_kind_shows_nothing(tmp_path: Path, make: Make) -> None:
    make(kind="recorded")
    assert look(tmp_path).why_not.startswith("no ")


def test_the_nearest_is_named_with_what_differs(tmp_path: Path, make: Make) -> None:
    make("far", "risk.base_sl_points=20", "strategy.fast_ema=9", day=9)
    make("near", "risk.base_sl_points=20", day=8)
    assert look(tmp_path) == Rehearsal(None, "near differs: risk.base_sl_points = 20.0 -> 15.0")
    make("nearest", ended=None, day=1)
    why = "nearest has the same settings, but its day is not over: start it again, which ends it"
    assert look(tmp_path).why_not == why


def test_many_differences_are_cut(tmp_path: Path, make: Make) -> None:
    assignments = [
        f"strategy.{name}=7" for name in ("fast_ema", "macd_fast", "macd_signal", "rsi_length", "htf_period")
    ]
    make("monday", *assignments)
    why = look(tmp_path).why_not
    assert why.startswith("monday differs: strategy.fast_ema = 7 -> 18; ")
    assert why.endswith("; and 2 more")


@pytest.mark.parametrize(
    ("ended", "results", "why"),
    [
        (None, True, "its day is not over: start it again, which ends it"),
        (4, True, "it ended with exit code 4"),
        (0, False, "it has no results: no usable tick came"),
    ],
)
def test_one_that_did_not_come_to_its_end_shows_nothing(
    tmp_path: Path, make: Make, ended: int | None, results: bool, why: str
) -> None:
    make(ended=ended, results=results)
    assert look(tmp_path) == Rehearsal(None, f"monday has the same settings, but {why}")


def test_a_damaged_journal_shows_nothing(tmp_path: Path, make: Make) -> None:
    folder = make()
    flip(segment(folder), record_at(3) + 40)
    why = look(tmp_path).why_not
    assert why.startswith("monday has the same settings, but its journal is damaged: ")


def test_a_changed_archive_shows_nothing(tmp_path: Path, make: Make) -> None:
    folder = make("monday", "risk.base_sl_points=20")
    text = (folder / "config.toml").read_text().replace("base_sl_points = 20.0", "base_sl_points = 15.0")
    (folder / "config.toml").write_text(text)
    assert look(tmp_path).why_not.startswith("monday is damaged: ")
    (folder / "config.toml").write_text("[risk")
    assert look(tmp_path).why_not.startswith("monday is damaged: ")


def test_another_engine_is_named(tmp_path: Path, make: Make) -> None:
    make(engine_hash="0123456789abcdef")
    assert "another engine (myquant " in look(tmp_path).why_not


def test_another_source_of_the_strategy_is_named(tmp_path: Path, make: Make) -> None:
    (tmp_path / "own.py").write_text(OWN)
    first = load_strategy(tmp_path / "own.py")
    folder = make("monday", strategy=first)
    assert look(tmp_path, strategy=first).folder == folder
    (tmp_path / "own.py").write_text(OWN.replace("100.0", "101.0"))
    second = load_strategy(tmp_path / "own.py")
    changed = look(tmp_path, strategy=second).why_not
    assert changed.startswith(f"monday differs: another source of strategy {second.name}; ")
    assert look(tmp_path).why_not.startswith(f"monday differs: strategy {first.name}, not default")


def test_folders_that_are_no_sessions_are_left_out(tmp_path: Path, make: Make) -> None:
    folder = make()
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / archive.MARK).write_text("{")
    assert [each.folder for each in sessions(tmp_path, KIND)] == [folder]


def test_the_last_one_alike_tells_all_that_differs(tmp_path: Path, make: Make) -> None:
    both = ("NIFTY07OCT2524900CE", "NIFTY07OCT2525000CE")
    make("monday", "journal.segment_mib=8", symbols=both, day=6)
    make("tuesday", day=7)
    found = last_like(tmp_path, KIND, "angelone", both[::-1], settings("risk.max_rejects=2"))
    assert found is not None
    assert found.earlier.facts.name == "monday"
    assert found.differences == [("risk.max_rejects", 3, 2), ("journal.segment_mib", 8, 64)]
    assert last_like(tmp_path, KIND, "other", both, settings()) is None
    assert last_like(tmp_path, KIND, "angelone", ("X",), settings()) is None


def test_settings_of_another_version_are_passed_over(tmp_path: Path, make: Make) -> None:
    symbols = ("NIFTY07OCT2524900CE",)
    make("monday", day=6)
    folder = make("tuesday", day=7)
    (folder / "config.toml").write_text("[risk]\nno_such_key = 1\n")
    found = last_like(tmp_path, KIND, "angelone", symbols, settings())
    assert found is not None
    assert found.earlier.facts.name == "monday"


def test_a_reason_has_a_number() -> None:
    assert 0 <= override_number("the lab was away") < 2**62
    assert override_number("a") != override_number("b")
