"""`myquant record` on the lab: what is in the files after drops, kills and stops."""

import asyncio
import io
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from cli.ended import Run
from lab.labs import OTHER, SYMBOL, small_day, until
from myquant import compose
from myquant.cli.record import record
from myquant.config.loading import load_config
from myquant.errors import ConfigError, JournalError
from myquant.journal.disk import DISK
from myquant.lab.angelone.account import ENVIRONMENT
from myquant.lab.angelone.faults import parse_faults
from myquant.lab.angelone.server import AngelOneLab
from myquant.session import recording_loop
from myquant.session.recording import Recording
from myquant.session.recording_loop import Recorded
from myquant.ticks.source import open_ticks

COMMAND = """
import typer
from myquant.session import recording_loop
recording_loop.TIMER_S, recording_loop.WRITE_NS = 0.05, 10**8
from myquant.cli.record import record
app = typer.Typer()
app.command()(record)
app()
"""
SYMBOLS = (SYMBOL, OTHER)


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MYQUANT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(recording_loop, "TIMER_S", 0.02)
    monkeypatch.setattr(recording_loop, "WRITE_NS", 5 * 10**7)


def environment(lab: AngelOneLab) -> dict[str, str]:
    addresses = {"REST": lab.rest_url, "STREAM": lab.feed_url, "MASTER": lab.master_url}
    return {
        **{name: str(getattr(lab.credentials, field)) for field, name in ENVIRONMENT.items()},
        **{f"MYQUANT_ANGELONE__{name}_URL": address for name, address in addresses.items()},
    }


async def recorded(lab: AngelOneLab, folder: Path, stderr: io.StringIO) -> Recorded:
    """Record in this process, in this loop."""
    config = load_config(environment=environment(lab)).config
    plan = compose.RecordPlan("angelone", SYMBOLS, config, folder, environment(lab))
    return await asyncio.wait_for(compose.record(plan, stderr), 30)


class Stopping(io.StringIO):
    """A stderr that stops it at a line that holds a text, as Ctrl-C does."""

    def __init__(self, at: str) -> None:
        super().__init__()
        self._at = at

    def write(self, line: str) -> int:
        if self._at in line:
            signal.raise_signal(signal.SIGINT)
        return super().write(line)


def check(path: Path) -> pl.DataFrame:
    """Check that no tick is there twice, and that none is missing whose volume another one does not have."""
    ticks = pl.read_parquet(path)
    assert ticks["packet"].n_unique() == len(ticks)
    assert ticks["timestamp"].is_sorted()
    for symbol in SYMBOLS:
        own = ticks.filter(pl.col("symbol") == symbol)
        moved = own["total_volume"].diff().drop_nulls()
        assert moved.to_list() == own["volume"].to_list()[1:]
    return ticks


def gaps_of(folder: Path) -> tuple[list[dict[str, str]], int]:
    """Return the gaps of the lab's day, and how many others there are: of today, where the exchange is open now."""
    found = [json.loads(line) for line in (folder / "gaps.jsonl").read_text().splitlines()]
    day = [gap for gap in found if gap["exchange_from"].startswith("2025-10-03")]
    return day, len(found) - len(day)


def test_a_day_with_a_drop_and_duplicates(tmp_path: Path, run: Run) -> None:
    stderr = Stopping("the day is over")
    day = small_day(1200, SYMBOLS)

    async def scenario() -> Recorded:
        faults = parse_faults(["drop=connection:1,after:700", "duplicate=0.1"], 1)
        async with AngelOneLab(day, faults=faults) as lab:
            return await recorded(lab, tmp_path / "out", stderr)

    done = asyncio.run(scenario())
    path = tmp_path / "out" / "2025-10-03.parquet"
    ticks = check(path)
    assert len(ticks) == done.ticks
    assert done.unused["duplicate"] > 20
    assert (done.dropped, done.waiting) == (0, 0)
    gaps, others = gaps_of(tmp_path / "out")
    assert len(gaps) == 1
    assert done.gaps == 1 + others
    assert "2025-10-03T03:45" <= gaps[0]["exchange_from"] <= gaps[0]["exchange_to"] < "2025-10-03T10:00"
    begin_ns = int(np.datetime64(gaps[0]["exchange_from"].removesuffix("Z")).astype(np.int64))
    lost = 0
    for who, symbol in enumerate(SYMBOLS):
        own = ticks.filter(pl.col("symbol") == symbol)
        found = list(zip(own["timestamp"].cast(pl.Int64), own["price_paise"], strict=True))
        healed_ns = min(time_ns for time_ns, _ in found if time_ns > begin_ns)
        rows = np.flatnonzero((day.instrument == who) & (day.volume > 0))
        sent = {(int(day.time_ns[row]), int(day.price[row])) for row in rows}
        missing = sent - set(found)
        broken_ns = max(time_ns for time_ns, _ in found if time_ns <= begin_ns)
        assert all(broken_ns < time_ns < healed_ns for time_ns, _ in missing)
        lost += len(missing)
    assert 0 < lost < 200
    said = [line.split(" ", 1)[1] for line in stderr.getvalue().splitlines() if "info: note" not in line]
    assert said[0] == f"info: recording symbols={[SYMBOL, OTHER]} into={tmp_path / 'out'}"
    assert said[1] == said[3] == "info: feed healthy"
    assert said[2].startswith("warning: feed stale reason=")
    assert said[4].startswith("info: the day is over next=2")
    logged = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    assert {(line["process"], line["session"]) for line in logged} == {("recorder", "out")}
    assert [line["event"] for line in logged if line["event"] != "note"][:3] == [
        "recording",
        "feed healthy",
        "feed stale",
    ]
    assert "feed healthy" in run("logs", tmp_path / "out").out
    info = run("ticks", "info", path)
    assert (info.code, info.err) == (0, "")
    assert SYMBOL in info.out
    assert sum(len(batch) for batch in open_ticks(path, time_zone="Asia/Kolkata", symbol=SYMBOL).batches()) == len(
        ticks
    )


def on_disk(folder: Path) -> int:
    """Return how many ticks are in the day's parts."""
    return sum(pq.read_metadata(path).num_rows for path in folder.glob("2025-10-03/part-*"))


def test_killed_and_started_again_it_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    arguments = ["--broker", "angelone", *SYMBOLS, "--out", str(folder)]

    async def started(lab: AngelOneLab) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", COMMAND, *arguments),
            env={**os.environ, **environment(lab)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def scenario() -> None:
        async with AngelOneLab(small_day(4000, SYMBOLS), speed=150) as lab:
            first = await started(lab)
            await until(lambda: on_disk(folder) > 10)
            first.kill()
            await first.communicate()
            assert not (folder / "2025-10-03.parquet").exists()
            second = await started(lab)
            await until((folder / "2025-10-03.parquet").exists)  # what the first one left
            before = len(check(folder / "2025-10-03.parquet"))
            await until(lambda: on_disk(folder) > 0)
            with pytest.raises(JournalError, match=f"process {second.pid} records into it: stop it first"):
                Recording(folder, 0, DISK)
            second.send_signal(signal.SIGTERM)
            out, errors = await second.communicate()
            assert second.returncode == 0, errors
            ticks = check(folder / "2025-10-03.parquet")
            assert len(ticks) > before > 10
            assert f"{len(ticks) - before:,} ticks, ".encode() in out
            log = (folder / "log.jsonl").read_text()
            assert log.count('"event": "recording"') == 2
            for secret in (*lab.credentials[1:], lab.credentials.client_code):
                assert secret not in errors.decode() + out.decode() + log

    asyncio.run(asyncio.wait_for(scenario(), 60))
    gaps, _ = gaps_of(folder)
    assert [gap["reason"] for gap in gaps] == ["not recording"]
    assert gaps[0]["exchange_from"] < gaps[0]["exchange_to"]
    assert not (folder / "2025-10-03").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--broker", "nobody", SYMBOL), "--broker nobody: not known; one of angelone"),
        (("--broker", "angelone", SYMBOL), "MYQUANT_ANGELONE_API_KEY"),
    ],
)
def test_what_can_not_be_recorded_is_said(arguments: Sequence[str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENVIRONMENT.values():
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match=said):
        record(list(arguments[2:]), broker=arguments[1])


def test_ticks_that_are_left_in_memory_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def done(*_: Any) -> Recorded:
        await asyncio.sleep(0)
        return Recorded(ticks=9, quotes=1, dropped=2, waiting=3, gaps=0, unused={})

    monkeypatch.setattr(compose, "record", done)
    with pytest.raises(JournalError, match="ticks: 5 ticks could not be written: free the disk"):
        record([SYMBOL], broker="angelone")
