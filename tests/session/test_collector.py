"""What a run keeps: every trade, opening and halt; marks thinned out evenly, however the commands came."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as checks
from hypothesis import strategies as st

from myquant.core import codes
from myquant.core.layout import dtype_of
from myquant.core.records import Command
from myquant.session.collector import Collector

SECOND_NS = 10**9


def commands(kinds: list[int], seconds: list[int] | None = None, instruments: list[int] | None = None) -> np.ndarray:
    found = np.zeros(len(kinds), dtype_of(Command))
    found["kind"] = kinds
    found["sequence"] = np.arange(1, len(kinds) + 1)
    found["time_ns"] = np.array(seconds if seconds is not None else range(len(kinds)), np.int64) * SECOND_NS
    found["instrument"] = instruments if instruments is not None else 0
    return found


def test_trades_openings_and_halts_are_kept_whole_and_in_order() -> None:
    kinds = [
        codes.SUBMIT,
        codes.POSITION_OPENED,
        codes.DENIED,
        codes.TRADE_CLOSED,
        codes.HALTED,
        codes.TRADE_CLOSED,
    ] * 50
    whole = commands(kinds)
    collector = Collector(100, SECOND_NS)
    for part in np.array_split(whole, 7):
        collector.take(part)
    for kind in (codes.POSITION_OPENED, codes.TRADE_CLOSED, codes.HALTED):
        assert collector.commands(kind).tobytes() == whole[whole["kind"] == kind].tobytes()
    assert len(collector.commands(codes.MARK)) == 0


def test_nothing_collected_is_an_empty_array_of_commands() -> None:
    collector = Collector(100, SECOND_NS)
    assert collector.commands(codes.TRADE_CLOSED).dtype == dtype_of(Command)
    assert collector.commands(codes.MARK).dtype == dtype_of(Command)


def test_a_kind_that_is_not_kept_is_an_error() -> None:
    with pytest.raises(KeyError):
        Collector(100, SECOND_NS).commands(codes.DENIED)


def test_few_marks_are_all_kept() -> None:
    whole = commands([codes.MARK] * 100)
    collector = Collector(100, SECOND_NS)
    collector.take(whole)
    assert collector.commands(codes.MARK).tobytes() == whole.tobytes()


def test_many_marks_are_spaced_evenly_from_the_first_to_the_last() -> None:
    collector = Collector(100, 5 * SECOND_NS)
    collector.take(commands([codes.MARK] * 10_000, [5 * k + 4 for k in range(10_000)]))
    kept = collector.commands(codes.MARK)["time_ns"] // SECOND_NS
    assert 50 < len(kept) <= 100
    assert set(np.diff(kept)[:-1].tolist()) == {5 * 128}
    assert kept[0] == 5 * 128 - 1
    assert kept[-1] == 5 * 9999 + 4


def test_every_instrument_keeps_its_marks() -> None:
    collector = Collector(100, SECOND_NS)
    collector.take(commands([codes.MARK] * 4000, [k // 4 for k in range(4000)], [k % 4 for k in range(4000)]))
    kept = collector.commands(codes.MARK)
    assert np.bincount(kept["instrument"]).tolist() == [len(kept) // 4] * 4
    assert (np.diff(kept["sequence"]) > 0).all()


def test_more_instruments_than_marks_keep_the_last_of_each() -> None:
    collector = Collector(100, SECOND_NS)
    collector.take(commands([codes.MARK] * 600, list(range(600)), [k % 150 for k in range(600)]))
    assert collector.commands(codes.MARK)["sequence"].tolist() == list(range(451, 601))


@checks(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2)), min_size=1, max_size=700),
    st.lists(st.integers(0, 700), max_size=8),
    st.integers(1, 60),
)
def test_what_is_kept_does_not_depend_on_the_cuts(gaps: list[tuple[int, int]], cuts: list[int], max_marks: int) -> None:
    seconds = np.cumsum([gap for gap, _ in gaps]).tolist()
    whole = commands([codes.MARK] * len(gaps), seconds, [who for _, who in gaps])
    at_once, in_parts = Collector(max_marks, 5 * SECOND_NS), Collector(max_marks, 5 * SECOND_NS)
    at_once.take(whole)
    for part in np.split(whole, sorted(min(cut, len(whole)) for cut in cuts)):
        in_parts.take(part)
    kept = at_once.commands(codes.MARK)
    assert kept.tobytes() == in_parts.commands(codes.MARK).tobytes()
    assert len(kept) <= max(max_marks, 3)
    assert kept[-1]["sequence"] == len(whole)
