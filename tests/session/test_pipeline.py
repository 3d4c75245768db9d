"""What is done around each decision: the same decisions with and without it, files that are what the journal holds."""

import asyncio
import io
import json
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from polars.testing import assert_frame_equal

from journal.journal_samples import QUICK
from laws.driver import settings
from myquant.core import codes
from myquant.errors import ConfigError
from myquant.journal.reader import JournalReader
from myquant.session.frames import AppendedFrame
from myquant.session.later import at_once
from myquant.session.log import SessionLog, open_log
from myquant.session.loop import SessionLoop
from myquant.session.pipeline import FullLog, Pipeline, TickLines, open_pipeline
from myquant.session.result_files import DECISIONS, TICKS, Results, RowText
from myquant.session.runner import Words
from myquant.session.tick_row import earlier
from myquant.ticks.source import open_ticks
from session.async_logs import BOUNDS
from session.sessions import RICH, decisions
from session.stage import journal_of
from session.supervised import Lines, Supervised, market_inputs, supervised

ZONE = ZoneInfo("Asia/Kolkata")
SYMBOLS = ("NIFTY",)
COUNT = 1500
ON = {"pipeline.frame_every": 50, "pipeline.tick_line_every": 100}
PLAIN = {**ON, "pipeline.results": "direct", "pipeline.frames": "append"}
OPTIMISED = {**ON, "pipeline.results": "buffered", "pipeline.frames": "batch"}


@cache
def inputs() -> Words:
    return market_inputs(8, COUNT)


def log_in(folder: Path) -> SessionLog:
    return open_log(folder, str, session="s", clock=lambda: 0, bounds=BOUNDS, stderr=io.StringIO())


def opened(values: dict[str, Any], folder: Path, log: FullLog | None = None) -> Pipeline | None:
    return open_pipeline(folder, settings({**RICH, **values}).config, SYMBOLS, log or log_in(folder))


def session(folder: Path, values: dict[str, Any], **rules: Any) -> Supervised:
    return supervised(folder, {**RICH, **rules}, inputs(), QUICK, pipeline=partial(opened, values))


def pipeline_of(run: Supervised) -> Pipeline:
    assert run.supervisor.pipeline is not None
    return run.supervisor.pipeline


def made_from_journal(folder: Path) -> tuple[bytes, bytes]:
    """Return what the files have to hold: the rows of all ticks and decisions of the journal."""
    place = folder / "expected"
    place.mkdir()
    results = Results(place, "direct", RowText(SYMBOLS, ZONE), Lines())
    for block in JournalReader(folder).blocks():
        results.recall(earlier(block))
    results.close()
    return (place / TICKS).read_bytes(), (place / DECISIONS).read_bytes()


def files(folder: Path) -> tuple[bytes, bytes]:
    return (folder / TICKS).read_bytes(), (folder / DECISIONS).read_bytes()


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a session in which all is off."""
    folder = tmp_path_factory.mktemp("without") / "s"
    run = supervised(folder, RICH, inputs(), QUICK)
    run.take(COUNT)
    run.session.journal.close()
    return folder


@pytest.mark.parametrize("values", [PLAIN, OPTIMISED], ids=["plain", "optimised"])
def test_the_decisions_are_those_without_it_and_the_files_hold_them(
    tmp_path: Path, without: Path, values: dict[str, Any]
) -> None:
    folder = tmp_path / "s"
    run = session(folder, values)
    run.take(COUNT)
    pipeline = pipeline_of(run)
    pipeline.close()
    run.session.journal.close()
    assert np.array_equal(decisions(folder), decisions(without))
    assert files(folder) == made_from_journal(folder)
    journal = journal_of(folder)
    ticks = journal.ticks()
    assert len(ticks) > 1000
    frame = pipeline.frame()
    assert frame["time"].to_physical().to_list() == ticks["time_ns"].tolist()
    assert (frame["price"] * 100).round().to_list() == ticks["price"].tolist()
    kinds = [line.split(",")[0] for line in files(folder)[1].decode().splitlines()[1:]]
    for kind in (codes.SUBMIT, codes.POSITION_OPENED, codes.TRADE_CLOSED):
        assert kinds.count(codes.COMMAND_NAMES[kind]) == len(journal.commands_of(kind)) > 0
    told = [line for line in lines(folder) if line["event"] == "tick"]
    assert [line["ticks"] for line in told] == list(range(100, len(ticks) + 1, 100))
    assert told[0] == {
        **{name: told[0][name] for name in ("time", "level", "event", "session")},
        "symbol": "NIFTY",
        "price": ticks["price"][99] / 100,
        "bid": ticks["bid"][99] / 100,
        "ask": ticks["ask"][99] / 100,
        "ticks": 100,
    }


def test_the_ticks_can_be_read_as_any_file_of_ticks(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    run = session(folder, OPTIMISED)
    run.take(300)
    pipeline_of(run).close()
    run.session.journal.close()
    (batch,) = open_ticks(folder / TICKS, time_zone="Asia/Kolkata", symbol="NIFTY").batches()
    ticks = journal_of(folder).ticks()
    sound = (ticks["price"] > 0) & (ticks["volume"] >= 0)  # what the guard refuses is written for people only
    assert sound.sum() > 200
    for name in ("time_ns", "price", "volume", "bid", "ask"):
        assert getattr(batch, name)[sound].tolist() == ticks[name][sound].tolist()


@pytest.mark.parametrize("values", [PLAIN, OPTIMISED], ids=["plain", "optimised"])
def test_a_session_that_was_killed_goes_on_in_the_same_files(tmp_path: Path, values: dict[str, Any]) -> None:
    folder = tmp_path / "s"
    killed = session(folder, values)
    killed.take(707)
    killed.session.journal.close()  # and nothing else: what waits is lost
    before = files(folder)
    again = session(folder, values)
    journal = journal_of(folder)
    assert before[0].count(b"\n") - 1 >= len(journal.ticks()) - 32
    assert files(folder)[0].startswith(before[0])
    again.at = killed.at
    again.take(COUNT)
    pipeline = pipeline_of(again)
    pipeline.close()
    again.session.journal.close()
    assert files(folder) == made_from_journal(folder)
    grown = AppendedFrame(SYMBOLS, ZONE)
    for block in JournalReader(folder).blocks():
        grown.recall(earlier(block).ticks)
    assert_frame_equal(pipeline.frame(), grown.frame(), check_exact=True)
    told = [line["ticks"] for line in lines(folder) if line["event"] == "tick"]
    assert told == list(range(100, len(journal_of(folder).ticks()) + 1, 100))


def test_a_timer_writes_what_waits(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    run = session(folder, OPTIMISED)
    run.take(9)  # the tenth frame would bring a timer
    assert files(folder)[0].count(b"\n") == 1
    run.supervisor.on_timer()
    assert files(folder)[0].count(b"\n") - 1 == len(journal_of(folder).ticks()) > 0
    run.session.journal.close()


def test_each_decision_is_a_line_where_ticks_have_lines(tmp_path: Path) -> None:
    told = {}
    for every in (0, 100):
        values = {"pipeline.tick_line_every": every, "pipeline.results": "direct"}
        run = session(tmp_path / str(every), values, **{"risk.max_orders_per_day": 20})
        run.take(COUNT)
        run.session.journal.close()
        told[every] = [(event, fields) for _, event, fields in run.log.lines if "input" in fields]
    journal = journal_of(tmp_path / "100")
    names = [event for event, _ in told[100]]
    kinds = (codes.SUBMIT, codes.DENIED, codes.POSITION_OPENED, codes.TRADE_CLOSED)
    for kind in kinds:
        assert names.count(codes.COMMAND_NAMES[kind]) == len(journal.commands_of(kind)) > 0
    assert {event for event, _ in told[0]} == {"position_opened", "trade_closed"}
    assert [line for line in told[100] if line[0] in ("position_opened", "trade_closed")] == told[0]
    _, submit = next(line for line in told[100] if line[0] == "submit")
    _, denied = next(line for line in told[100] if line[0] == "denied")
    assert submit.keys() == {"symbol", "quantity", "price", "side", "order", "input"}
    assert submit["side"] == "buy"
    assert denied.keys() == {"symbol", "price", "reason", "input"}


class Counted(Lines):
    """A log that counts the calls for debugging, and how often it was looked after."""

    waits = True

    def __init__(self) -> None:
        super().__init__()
        self.debugged = self.looks = 0

    def debug(self, event: str, **fields: Any) -> None:
        assert event
        assert fields
        self.debugged += 1

    def look(self) -> None:
        self.looks += 1


def test_three_calls_for_debugging_a_tick_and_none_without_lines(tmp_path: Path) -> None:
    log = Counted()
    lines_of = TickLines(log, SYMBOLS, 7)
    for number in range(20):
        lines_of.take((codes.TICK, 0, number, 0, 0, 20_000, 75, 19_995, 20_005))
    assert log.debugged == 60
    assert [fields["ticks"] for _, _, fields in log.lines] == [7, 14]
    run = supervised(tmp_path / "s", RICH, inputs(), QUICK, pipeline=lambda _: Pipeline(log))
    run.take(100)
    run.session.journal.close()
    assert (log.debugged, log.looks) == (60, 10)


def test_with_nothing_to_do_there_is_none(tmp_path: Path) -> None:
    log = Counted()
    run = supervised(tmp_path / "s", RICH, inputs(), QUICK)
    assert opened({}, tmp_path / "s", log) is None
    log.waits = False  # a log that someone has to look after
    found = opened({}, tmp_path / "s", log)
    assert found is not None
    found.on_timer()
    assert log.looks == 1
    with pytest.raises(ConfigError, match=r'pipeline\.frames = "off": no frame is kept'):
        found.frame()
    run.session.journal.close()


@pytest.mark.parametrize("waits", [True, False])
def test_lines_wait_only_where_the_log_takes_its_time_and_batches_always(tmp_path: Path, waits: bool) -> None:
    log = Counted()
    log.waits = waits
    pipelines: list[Pipeline | None] = []

    def pipeline(folder: Path) -> Pipeline | None:
        pipelines.append(opened({"pipeline.results": "buffered"}, folder, log))
        return pipelines[0]

    folder = tmp_path / "s"
    run = supervised(folder, RICH, inputs(), QUICK, pipeline=pipeline)
    waiting: list[Callable[[], None]] = []
    run.supervisor.put_off(waiting.append)
    assert (run.supervisor.later is at_once) is not waits
    for number in range(40):
        run.supervisor.on_frame(1, *run.tape.frame(number))
    assert waiting
    rows = files(folder)[0].count(b"\n") - 1
    assert rows < len(journal_of(folder).ticks())
    run.supervisor.tell_at_once()
    assert run.supervisor.later is at_once
    assert files(folder) == made_from_journal(folder)
    run.session.journal.close()


def test_a_loop_puts_them_off_while_it_runs(tmp_path: Path) -> None:
    run = session(tmp_path / "s", OPTIMISED)
    seen: list[Any] = []

    class Feed:
        failure = None

        def start(self) -> None:
            seen.append(run.supervisor.later)
            run.supervisor.ask_to_stop()

        async def aclose(self) -> None:
            pass

    loop = SessionLoop(run.supervisor, tmp_path / "s", "s", lambda _: None, flatten_on_stop=False, hide=lambda _: None)
    assert asyncio.run(asyncio.wait_for(loop.run(Feed()), 20)) == 0
    assert seen == [loop.later]
    assert run.supervisor.later is at_once
    run.session.journal.close()
