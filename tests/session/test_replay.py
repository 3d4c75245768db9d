"""Replay and divergence of a session on disk, archived as a real one is."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from laws.driver import settings
from myquant.core import codes
from myquant.errors import MyquantError
from myquant.journal.disk import DISK
from myquant.journal.record import BODY, COMMAND, HOLDS, INPUT, RECORD_BYTES, checksum
from myquant.journal.segment import HEADER_BYTES
from myquant.session import archive
from myquant.session.archive import SessionFacts
from myquant.session.divergence import divergence
from myquant.session.ending import end_data, session_record
from myquant.session.recovery import Hashes, save
from myquant.session.replay import replay
from myquant.session.runner import Words
from myquant.session.simulated import SimulatedOrders
from myquant.session.taking_up import take_up
from myquant.strategies.loading import default_strategy
from session.sessions import LIMIT, RICH, StillClock, day_inputs

KEY = 99


def archived(folder: Path, values: Mapping[str, Any], inputs: Words, *, close: bool = True) -> Path:
    """Run inputs as a session of one instrument, with all that a session's folder holds."""
    loaded, strategy = settings(values), default_strategy()
    facts = SessionFacts(
        kind="paper",
        name=folder.name,
        broker="angelone",
        symbols=("NIFTY07OCT2524900CE",),
        exchanges=("NFO",),
        listed=((75, 5),),
        strategy=strategy.name,
        strategy_file=None,
        config_hash=loaded.hash,
        engine_hash=strategy.engine_hash,
        key=KEY,
        created=datetime(2025, 10, 1, tzinfo=UTC).isoformat(),
    )
    archive.create(folder, facts, loaded, strategy)
    engine = facts.engine(loaded, strategy)
    orders = SimulatedOrders(engine)
    hashes = Hashes(facts.engine_hash, facts.config_hash)
    taken = take_up(folder, engine, orders, hashes, key=KEY, segment_records=1 << 14, disk=DISK)
    for begin in range(0, len(inputs), 100):
        taken.runner.take(inputs[begin : begin + 100].copy())
        save(engine, orders, taken.journal, folder, hashes, StillClock(), DISK)
    if close:
        end_data(taken.runner, close=True)
    taken.journal.close()
    return folder


def segment(folder: Path) -> np.ndarray[Any, Any]:
    """Return the journal's records, mapped to be changed."""
    path = folder / "journal" / "000001.seg"
    count = (path.stat().st_size - HEADER_BYTES) // RECORD_BYTES
    return np.memmap(path, "<i8", "r+", HEADER_BYTES, (count, RECORD_BYTES // 8))


def sign(rows: np.ndarray[Any, Any], at: int) -> None:
    """Give a changed record a checksum that fits."""
    rows[at, 0] = getattr(checksum, "py_func", checksum)(np.asarray(rows), at, KEY)


@pytest.mark.parametrize("values", [RICH, LIMIT], ids=["at_once", "limit"])
def test_a_replay_is_identical(tmp_path: Path, values: Mapping[str, Any]) -> None:
    folder = archived(tmp_path / "s", values, day_inputs(3, count=500))
    found, engine = replay(folder)
    assert found.difference is None
    assert found.unwritten == 0
    assert found.states >= 6
    assert found.inputs > 500
    assert found.commands > 100
    record = session_record(folder, engine)
    assert record is not None
    assert len(record.trades) > 3


def test_a_changed_input_shows_at_the_decision_that_it_changes(tmp_path: Path) -> None:
    folder = archived(tmp_path / "s", RICH, day_inputs(3, count=500))
    rows = segment(folder)
    fills = np.flatnonzero((rows[:, HOLDS] == INPUT) & (rows[:, BODY] == codes.FILL))
    at = int(fills[len(fills) // 2])
    rows[at, BODY + 11] += 75  # the value of a fill
    sign(rows, at)
    found, _ = replay(folder)
    assert found.difference is not None
    assert found.difference.record > at
    recorded, replayed = found.difference.recorded, found.difference.replayed
    assert recorded is not None
    assert replayed is not None
    assert recorded["name"] == replayed["name"]
    assert abs(recorded["cash"] - replayed["cash"]) > 0
    assert replayed["state"]["cash"] > 0


def test_a_changed_command_is_named(tmp_path: Path) -> None:
    folder = archived(tmp_path / "s", RICH, day_inputs(3, count=500))
    rows = segment(folder)
    at = int(np.flatnonzero(rows[:, HOLDS] == COMMAND)[40])
    rows[at, BODY + 10] += 5  # its price
    sign(rows, at)
    found, _ = replay(folder)
    assert found.difference is not None
    assert found.difference.record == at + 1
    assert found.as_dict()["identical"] is False


def test_a_session_of_another_engine_is_not_comparable(tmp_path: Path) -> None:
    folder = archived(tmp_path / "s", RICH, day_inputs(3, count=120))
    facts = archive.read(folder)
    archive._write_facts(folder, replace(facts, engine_hash="0" * 20))
    with pytest.raises(MyquantError, match="not comparable: the session ran on engine 00000000000000000000"):
        replay(folder)


def test_without_timers_and_notices_a_session_is_the_plain_run(tmp_path: Path) -> None:
    inputs = day_inputs(3, count=500)
    ticks = np.ascontiguousarray(inputs[np.isin(inputs[:, 0], (codes.TICK, codes.QUOTE))])
    found = divergence(archived(tmp_path / "s", RICH, ticks))
    assert found.same_trades
    assert found.gap == 0
    assert found.session.trades > 3
    assert all(line.paise == 0 for line in found.lines)


@pytest.mark.parametrize("values", [RICH, LIMIT], ids=["at_once", "limit"])
def test_the_parts_sum_to_the_gap(tmp_path: Path, values: Mapping[str, Any]) -> None:
    found = divergence(archived(tmp_path / "s", values, day_inputs(3, count=500)))
    assert found.gap != 0
    assert sum(line.paise for line in found.lines) == found.gap
    assert not found.same_trades
    causes = {line.cause for line in found.lines if line.paise}
    assert "costs" in causes
    if values is LIMIT:
        assert {"fill price", "latency"} & causes


def test_what_the_feed_missed_is_a_part(tmp_path: Path) -> None:
    inputs = day_inputs(3, count=500)
    ticks = np.ascontiguousarray(inputs[inputs[:, 0] == codes.TICK])
    missed = np.ones(len(ticks), bool)
    missed[100:160] = False
    folder = archived(tmp_path / "s", RICH, np.ascontiguousarray(ticks[missed]))
    found = divergence(folder, ticks)
    assert found.reference
    assert [line.cause for line in found.lines if line.paise and line.cause != "costs"] == ["missed ticks"]
    assert sum(line.paise for line in found.lines) == found.gap
