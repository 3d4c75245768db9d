"""The ticks of a session as a frame: both ways hold the same, and what they hold."""

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from myquant.core import codes
from myquant.session.frames import AppendedFrame, BatchedFrame, Frames
from myquant.session.tick_row import TickRow

ZONE = ZoneInfo("Asia/Kolkata")
SYMBOLS = ("NIFTY", "BANKNIFTY")
TIME_NS = 1_759_463_467_120_400_300  # 2025-10-03 09:21:07.1204003 in India
EVERY = 7


def tick(number: int) -> TickRow:
    bid = 19_995 if number % 3 else 0
    return (codes.TICK, number % 2, 0, TIME_NS + number, 0, 20_000 + number, 75, bid, 20_005)


def appended() -> Frames:
    return AppendedFrame(SYMBOLS, ZONE)


def batched() -> Frames:
    return BatchedFrame(SYMBOLS, ZONE, EVERY)


def test_what_a_frame_holds() -> None:
    frames = appended()
    frames.take(tick(0))
    frames.take(tick(1))
    frame = frames.frame()
    assert frame.schema == {
        "time": pl.Datetime("ns", "Asia/Kolkata"),
        "symbol": pl.String,
        "price": pl.Float64,
        "volume": pl.Int64,
        "bid": pl.Float64,
        "ask": pl.Float64,
    }
    assert frame["time"].to_physical().to_list() == [TIME_NS, TIME_NS + 1]
    assert frame["time"].to_list()[0] == datetime(2025, 10, 3, 9, 21, 7, 120400, tzinfo=ZONE)
    assert frame.drop("time").rows() == [("NIFTY", 200.0, 75, None, 200.05), ("BANKNIFTY", 200.01, 75, 199.95, 200.05)]


@pytest.mark.parametrize("earlier", [0, 3, 10])
def test_both_ways_hold_the_same_at_each_multiple_and_at_the_end(earlier: int) -> None:
    grown, made = appended(), batched()
    for frames in (grown, made):
        frames.recall([tick(number) for number in range(earlier)])
        frames.recall([])
    for number in range(1, 4 * EVERY + 3):
        grown.take(tick(number))
        made.take(tick(number))
        if number % EVERY == 0:
            assert_frame_equal(grown.frame(), made.frame(), check_exact=True)
            assert made.frame().height == earlier + number
        else:
            assert made.frame().height == earlier + number // EVERY * EVERY
    for frames in (grown, made):
        frames.close()
        frames.close()
    assert_frame_equal(grown.frame(), made.frame(), check_exact=True)
    assert grown.frame().height == earlier + 4 * EVERY + 2


@pytest.mark.parametrize("kept", [appended, batched])
def test_a_frame_that_was_given_does_not_change(kept: Callable[[], Frames]) -> None:
    frames = kept()
    for number in range(EVERY):
        frames.take(tick(number))
    given = frames.frame()
    before = given.rows()
    for number in range(EVERY, 5 * EVERY):
        frames.take(tick(number))
    assert given.rows() == before
    assert frames.frame().height == 5 * EVERY


@pytest.mark.parametrize("kept", [appended, batched])
def test_a_session_without_ticks_has_a_frame_without_rows(kept: Callable[[], Frames]) -> None:
    frames = kept()
    frames.close()
    assert frames.frame().height == 0
    assert frames.frame().columns == ["time", "symbol", "price", "volume", "bid", "ask"]
