"""A session's ticks as a file: a run over it makes the session's trades."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from laws.driver import settings
from myquant import compose
from myquant.cli.tick_extract import extract
from myquant.core import codes
from myquant.core.layout import dtype_of
from myquant.core.records import Command
from myquant.errors import ConfigError, DataError
from myquant.journal.record import COMMAND
from myquant.session import archive
from myquant.session.archive import SessionFacts
from myquant.session.ticks_of import write_session_ticks
from myquant.strategies.loading import default_strategy
from myquant.ticks.source import open_ticks
from session.sessions import RICH, day_inputs, decisions, open_session

SYMBOLS = ("NIFTY07OCT2524900CE", "NIFTY07OCT2525000PE")
VALUES = {**RICH, "execution.close_at_end": False}


def session_of(folder: Path, kinds: tuple[int, ...] = (codes.TICK, codes.QUOTE)) -> Path:
    """Make a session of two instruments with some kinds of a day's inputs."""
    loaded = settings(VALUES)
    facts = SessionFacts(
        kind="simulated",
        name=folder.name,
        broker="angelone",
        symbols=SYMBOLS,
        exchanges=("NFO", "NFO"),
        listed=((75, 5), (75, 5)),
        strategy="default",
        strategy_file=None,
        config_hash=loaded.hash,
        engine_hash="engine",
        key=4711,
        created="2025-10-03",
    )
    archive.create(folder, facts, loaded, default_strategy())
    session = open_session(folder, VALUES, instruments=2, segment_records=4096)
    inputs = day_inputs(8, count=900, instruments=2)
    session.go_on(inputs[np.isin(inputs[:, 0], kinds)])
    session.journal.close()
    return folder


@pytest.mark.parametrize("suffix", [".parquet", ".csv.gz"])
def test_a_run_over_them_makes_the_sessions_trades(tmp_path: Path, suffix: str) -> None:
    folder, target = session_of(tmp_path / "monday"), tmp_path / f"monday{suffix}"
    app = typer.Typer()
    app.command()(extract)
    said = CliRunner().invoke(app, [str(folder), str(target)])
    assert said.exit_code == 0, said.output
    assert "889 ticks; left out: unparsable_price 2" in said.output
    source = open_ticks(target, time_zone="Asia/Kolkata", symbol="NIFTY")
    record = compose.backtest(source, settings(VALUES), default_strategy())
    rows = decisions(folder)
    closed = rows[(rows[:, 0] == COMMAND) & (rows[:, 2] == codes.TRADE_CLOSED), 1:]
    assert len(closed) > 3
    assert trades(closed.copy().view(dtype_of(Command))[:, 0], SYMBOLS) == trades(record.trades, record.symbols)


def trades(closed: Any, symbols: Sequence[str]) -> list[tuple[Any, ...]]:
    names = ("time_ns", "side", "quantity", "price", "reason", "entry_time_ns", "entry_price", "charges", "net", "cash")
    return [(symbols[row["instrument"]], *(int(row[name]) for name in names)) for row in closed]


def test_a_session_without_ticks_leaves_no_file(tmp_path: Path) -> None:
    folder, target = session_of(tmp_path / "monday", (codes.QUOTE,)), tmp_path / "monday.parquet"
    with pytest.raises(DataError, match="not written, as no tick is valid"):
        write_session_ticks(folder, target)
    assert not target.exists()


def test_a_folder_of_something_else_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no session is there"):
        write_session_ticks(tmp_path, tmp_path / "monday.parquet")
