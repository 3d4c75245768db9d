"""More is logged for a while when errors, prices or queues ask for it; never for its own sake, and nothing is decided by it."""

from pathlib import Path

import numpy as np
import pytest

from journal.journal_samples import QUICK
from myquant.core import codes
from myquant.session.adaptive import FALLEN, RAISED
from myquant.session.channels import HandoffCounts
from myquant.session.log import SessionLog
from myquant.session.rules import SECOND_NS
from session.adapting import VALUES, Watched
from session.sessions import decisions
from session.stage import journal_of
from session.supervised import market_inputs, supervised


def test_errors_within_a_minute_raise_it_for_a_while(tmp_path: Path) -> None:
    watched = Watched(tmp_path / "s", {"logs.errors_per_minute": 3})
    watched.fail(2)
    watched.seconds(61)
    watched.fail(2)  # the first two are older than a minute
    watched.seconds(1)
    assert not watched.is_raised()
    watched.fail(1)
    watched.seconds(1)
    assert watched.is_raised()
    assert watched.is_debug()
    watched.seconds(29)
    assert watched.is_raised()
    watched.seconds(1)
    assert not watched.is_raised()
    assert not watched.is_debug()
    watched.seconds(100)
    assert watched.told() == ["3 errors within a minute", FALLEN]
    (raised,) = (line for line in watched.lines() if line["event"] == RAISED)
    assert raised["until"] > raised["time"]


def test_errors_that_were_there_before_do_not_count(tmp_path: Path) -> None:
    watched = Watched(tmp_path / "s", {"logs.errors_per_minute": 1})
    watched.fail(1)
    watched.seconds(1)
    watched.fail(5)  # while it is raised
    watched.seconds(60)
    assert watched.told() == ["1 errors within a minute", FALLEN]
    watched.fail(1)
    watched.seconds(1)
    assert watched.is_raised()


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
    watched.fail(1)
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
    taken = [number for number in prices if ticks and ticks[0]["input"] <= number <= ticks[-1]["input"]]
    assert [line["input"] for line in ticks] == taken[::10]
    assert bool(ticks) == bool(every)
