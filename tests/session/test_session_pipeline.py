"""Whole sessions with all of the pipeline on: the same trades, files that hold what the journal does, secrets nowhere."""

import asyncio
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pytest

from laws import wired
from myquant.core import codes
from myquant.journal.reader import JournalReader
from myquant.session.result_files import DECISIONS, TICKS, Results, RowText
from myquant.session.supervisor import Supervisor
from myquant.session.tick_row import earlier
from session.stage import SYMBOL, Lab, Stage, assert_sound, on_stage, until
from session.supervised import Lines

SPEED = 300.0  # the afternoon in 20 seconds
ALL: dict[str, Any] = {
    "pipeline__logging": "async",
    "pipeline__results": "buffered",
    "pipeline__frames": "batch",
    "pipeline__tick_line_every": 50,
}
OFF: dict[str, Any] = {}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with on_stage(tmp_path) as found:
        yield found


def assert_files_hold_the_journal(folder: Path, place: Path) -> None:
    place.mkdir()
    results = Results(place, "direct", RowText((SYMBOL,), ZoneInfo("Asia/Kolkata")), Lines())
    for block in JournalReader(folder).blocks():
        results.recall(earlier(block))
    results.close()
    for name in (TICKS, DECISIONS):
        assert (folder / name).read_bytes() == (place / name).read_bytes()


def assert_hides(folder: Path, lab: Lab) -> None:
    """Hold that no file has one of the account's secrets; a PIN's few digits may stand in any number."""
    secrets = [lab.environ[f"MYQUANT_ANGELONE_{name}"].encode() for name in ("API_KEY", "TOTP_SECRET")]
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(secret in content for secret in secrets), path


def test_all_of_it_on_makes_the_trades_that_all_of_it_off_makes(stage: Stage, tmp_path: Path) -> None:
    trades = {}
    for name, values in (("off", OFF), ("on", ALL)):
        lab = stage.lab()
        assert stage.paper(lab, name=name, **values).wait() == 0, stage.said(name)
        trades[name] = (stage.session(name) / "results" / "trades.csv").read_text()
        assert_hides(stage.session(name), lab)
    assert trades["on"] == trades["off"]
    assert trades["on"].count("\n") > 10
    folder = stage.session("on")
    assert {path.name for path in folder.glob("*.csv")} == {TICKS, DECISIONS}
    assert not list(stage.session("off").glob("*.csv"))
    assert_files_hold_the_journal(folder, tmp_path / "expected")
    journal = assert_sound(folder)
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    events = [line["event"] for line in lines]
    assert events.count("tick") == len(journal.ticks()) // 50
    for kind in (codes.SUBMIT, codes.POSITION_OPENED, codes.TRADE_CLOSED):
        assert events.count(codes.COMMAND_NAMES[kind]) == len(journal.commands_of(kind)) > 0
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)
    assert "trade_closed" in stage.said("on")  # on the terminal, too


def test_one_that_was_killed_goes_on_in_the_same_files(stage: Stage, tmp_path: Path) -> None:
    lab = stage.lab(speed=SPEED)
    killed = stage.paper(lab, **ALL)
    decisions = stage.session() / DECISIONS
    until(lambda: decisions.exists() and "trade_closed" in decisions.read_text(), killed, stage.folder / "s.said")
    killed.send(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    before = (stage.session() / TICKS).read_bytes()
    again = stage.paper(lab, **ALL)
    until(
        lambda: (stage.session() / TICKS).read_bytes().count(b"\n") > before.count(b"\n") + 100,
        again,
        stage.folder / "s.said",
    )
    again.send(signal.SIGTERM)
    assert again.wait() == 0, stage.said()
    assert (stage.session() / TICKS).read_bytes().startswith(before)
    assert_files_hold_the_journal(stage.session(), tmp_path / "expected")
    assert_sound(stage.session())


def test_a_crash_leaves_no_row_behind(tmp_path: Path) -> None:
    folder = tmp_path / "s"

    def fail(_: Supervisor) -> None:
        raise RuntimeError("a defect")

    async def crash() -> None:
        await asyncio.wait_for(
            wired._session({"pipeline.results": "buffered", "pipeline.logging": "async"}, folder, None), 60
        )

    with patch.object(Supervisor, "on_timer", fail), pytest.raises(RuntimeError, match="a defect"):
        asyncio.run(crash())
    assert (folder / TICKS).read_text().count("\n") - 1 == len(list_of_ticks(folder)) > 5
    assert (folder / DECISIONS).read_text().count("\n") > 1


def list_of_ticks(folder: Path) -> list[object]:
    return [tick for block in JournalReader(folder).blocks() for tick in earlier(block).ticks]
