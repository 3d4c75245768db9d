"""More is logged for a while when errors, prices or queues ask for it; never for its own sake, and nothing is decided by it."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from journal.journal_samples import QUICK
from laws.driver import settings
from myquant.core import codes
from myquant.session.adaptive import FALLEN, RAISED, AdaptiveLogging
from myquant.session.channels import HandoffCounts
from myquant.session.log import SessionLog, open_log
from myquant.session.pipeline import Pipeline, TickLines
from myquant.session.rules import SECOND_NS
from session.async_logs import BOUNDS
from session.sessions import RICH, decisions
from session.stage import journal_of
from session.supervised import Supervised, market_inputs, supervised

VALUES = {**RICH}
CALM = {"logs.volatility_percent": 100, "logs.raise_s": 30}


class Watched:
    """A session whose log adapts; `counts`: of its hand-off."""

    def __init__(self, folder: Path, values: dict[str, Any], *, pipeline: bool = False) -> None:
        config = settings({**VALUES, **CALM, **values}).config
        self.counts = HandoffCounts(0, 0, 100, 0)
        self.folder = folder
        self.fill = 0.0
        self.run: Supervised = supervised(
            folder, VALUES, market_inputs(3, 2000), QUICK, segment_records=8192, pipeline=lambda _: None
        )
        supervisor = self.run.supervisor
        self.log = open_log(folder, str, session="s", clock=self.wall_ns, bounds=BOUNDS, stderr=io.StringIO())
        supervisor.log = self.log
        if pipeline:
            supervisor.pipeline = Pipeline(self.log, lines=TickLines(self.log, ("NIFTY",), 100))
        self.adaptive = AdaptiveLogging(supervisor, self.log, config.logs, ("NIFTY",), lambda: self.counts)

    def wall_ns(self) -> int:
        return self.run.tape.now_ns

    def seconds(self, count: int) -> None:
        """Let seconds go by in which nothing else happens."""
        for _ in range(count):
            self.run.tape.now_ns += SECOND_NS
            self.adaptive.look()

    def price(self, paise: int) -> None:
        self.run.session.engine.instruments["core"]["tape"]["last_price"] = paise

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "log.jsonl").read_text().splitlines()]

    def told(self) -> list[str]:
        return [line.get("why", line["event"]) for line in self.lines() if line["event"] in (RAISED, FALLEN)]


def fail(watched: Watched, count: int) -> None:
    for _ in range(count):
        watched.log.error("trouble")


def test_errors_within_a_minute_raise_it_for_a_while(tmp_path: Path) -> None:
    watched = Watched(tmp_path / "s", {"logs.errors_per_minute": 3})
    fail(watched, 2)
    watched.seconds(61)
    fail(watched, 2)  # the first two are older than a minute
    watched.seconds(1)
    assert not watched.adaptive.is_raised
    fail(watched, 1)
    watched.seconds(1)
    assert watched.adaptive.is_raised
    assert watched.log.is_debug
    watched.seconds(29)
    assert watched.adaptive.is_raised
    watched.seconds(1)
    assert not watched.adaptive.is_raised
    assert not watched.log.is_debug
    watched.seconds(100)
    assert watched.told() == ["3 errors within a minute", FALLEN]
    (raised,) = (line for line in watched.lines() if line["event"] == RAISED)
    assert raised["until"] > raised["time"]


def test_errors_that_were_there_before_do_not_count(tmp_path: Path) -> None:
    watched = Watched(tmp_path / "s", {"logs.errors_per_minute": 1})
    fail(watched, 1)
    watched.seconds(1)
    fail(watched, 5)  # while it is raised
    watched.seconds(60)
    assert watched.told() == ["1 errors within a minute", FALLEN]
    fail(watched, 1)
    watched.seconds(1)
    assert watched.adaptive.is_raised


@pytest.mark.parametrize(
    ("prices", "why"),
    [
        ((100_00, 101_90, 0), ""),
        ((100_00, 102_10), "NIFTY has ranged over 2.10 % within a minute"),
        ((102_10, 100_00), "NIFTY has ranged over 2.10 % within a minute"),
        ((0, 100_00), ""),  # there was no price before
        ((100_00, *[101_00] * 60, 102_10), ""),  # a minute apart
    ],
)
def test_a_price_that_ranges_widely_raises_it(tmp_path: Path, prices: tuple[int, ...], why: str) -> None:
    watched = Watched(tmp_path / "s", {"logs.volatility_percent": 2})
    for paise in prices:
        watched.price(paise)
        watched.seconds(1)
    assert watched.told() == ([why] if why else [])


def test_a_full_queue_raises_it_and_again_only_after_a_pause(tmp_path: Path) -> None:
    watched = Watched(tmp_path / "s", {"logs.queue_percent": 50})
    watched.counts = HandoffCounts(50, 50, 100, 0)
    watched.seconds(1)
    assert watched.told() == []
    watched.counts = HandoffCounts(51, 51, 100, 0)
    watched.seconds(1 + 30 + 29)
    assert watched.told() == ["the hand-off is 51 % full", FALLEN]
    watched.seconds(1)
    assert watched.told()[2:] == ["the hand-off is 51 % full"]


def test_a_full_queue_of_the_log_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(tmp_path / "s", {})
    monkeypatch.setattr(SessionLog, "fill", 0.75)
    watched.seconds(1)
    assert watched.told() == ["the log's queue is 75 % full"]


@pytest.mark.parametrize("pipeline", [False, True])
@pytest.mark.parametrize("every", [0, 10])
def test_raised_it_says_more_and_decides_the_same(tmp_path: Path, pipeline: bool, every: int) -> None:
    plain = supervised(tmp_path / "plain", VALUES, market_inputs(3, 2000), QUICK, segment_records=8192)
    plain.take(2000)
    plain.session.journal.close()
    watched = Watched(tmp_path / "s", {"logs.errors_per_minute": 1, "logs.tick_line_every": every}, pipeline=pipeline)
    before = watched.run.supervisor.pipeline
    watched.run.take(500)
    fail(watched, 1)
    watched.adaptive.look()
    watched.run.take(1000)
    watched.run.tape.now_ns += 31 * SECOND_NS
    watched.adaptive.look()
    watched.run.tape.now_ns -= 31 * SECOND_NS
    assert watched.run.supervisor.pipeline is before
    count = len(watched.lines())
    watched.run.take(500)
    watched.run.session.journal.close()
    assert np.array_equal(decisions(tmp_path / "s"), decisions(tmp_path / "plain"))
    events = [line["event"] for line in watched.lines()]
    raised, fallen = events.index(RAISED), events.index(FALLEN)
    more = {"taken", "tick", codes.COMMAND_NAMES[codes.SUBMIT]} if every else {codes.COMMAND_NAMES[codes.SUBMIT]}
    assert more <= set(events[raised:fallen])
    assert not {"taken", codes.COMMAND_NAMES[codes.SUBMIT]} & {*events[:raised], *events[fallen:count]}
    journal = journal_of(tmp_path / "s")
    prices = dict(zip(journal.ticks()["sequence"].tolist(), (journal.ticks()["price"] / 100).tolist(), strict=True))
    ticks = [line for line in watched.lines() if line["event"] == "tick" and "input" in line]
    assert [prices[line["input"]] for line in ticks] == [line["price"] for line in ticks]
    assert len(ticks) == (
        len([n for n in prices if ticks and n <= ticks[-1]["input"] and n > ticks[0]["input"]]) // 10 + 1
        if every
        else 0
    )
