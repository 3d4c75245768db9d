"""The measures on series small enough to work out by hand."""

from collections.abc import Sequence

import numpy as np
import pytest

from myquant.errors import DataError
from myquant.ticks.statistics import TickStatistics, side_by_side, tick_statistics

OPEN_S = 1_759_463_100  # 2025-10-03 09:15 in India, a whole minute
NO_MEASURE = [
    "arrival.silence_p99_s",
    "arrival.silence_max_s",
    "moves.zero_share",
    "moves.zero_within_second_share",
    "moves.repeats_share",
    "moves.size_p50",
    "moves.size_p90",
    "moves.size_p99",
    "moves.size_p999",
    "moves.size_max",
    "moves.autocorrelation_1",
    "moves.autocorrelation_2",
    "day.volatility",
    "day.volatility_first",
    "day.volatility_middle",
    "day.volatility_last",
]


def measure(rows: Sequence[tuple[float, int, int]], lot_size: int = 75) -> TickStatistics:
    """Measure rows of (seconds since the open, price, volume)."""
    times = np.array([round((OPEN_S + second) * 1_000) * 1_000_000 for second, _, _ in rows], dtype=np.int64)
    price, volume = (np.array(column, dtype=np.int64) for column in list(zip(*rows, strict=True))[1:])
    return tick_statistics(times, price, volume, lot_size=lot_size)


def test_arrival_counts_ticks_by_whole_seconds() -> None:
    one_of_each = [(0, 100, 1), (1, 100, 1), (1.5, 100, 1), (4, 100, 1), (4, 100, 1), (4.9, 100, 1), (11, 100, 1)]
    arrival = measure(one_of_each).arrival
    assert (arrival.seconds, arrival.most_per_second) == (4, 3)
    assert (arrival.one_share, arrival.two_share, arrival.more_share) == (0.5, 0.25, 0.25)
    assert arrival.silence_max_s == pytest.approx(6.1)


def test_moves_tell_repeats_from_unchanged_prices() -> None:
    # changes: repeat within the second, up 1 %, unchanged with another volume, down by half
    moves = measure([(0, 1000, 75), (0, 1000, 75), (1, 1010, 75), (2, 1010, 150), (3, 505, 75)]).moves
    assert (moves.zero_share, moves.repeats_share, moves.zero_within_second_share) == (0.5, 0.25, 1.0)
    assert moves.size_max == 0.5
    assert moves.size_p50 == pytest.approx((0.01 + 0.5) / 2)


def test_a_price_that_bounces_has_negative_then_positive_autocorrelation() -> None:
    moves = measure([(second, 1000 + 5 * (second % 2), 75) for second in range(1001)]).moves
    assert moves.autocorrelation_1 == pytest.approx(-0.999)
    assert moves.autocorrelation_2 == pytest.approx(0.998)


def test_volumes_are_in_lots_and_broken_lots_are_counted() -> None:
    volumes = measure([(0, 100, 75), (1, 100, 150), (2, 100, 750), (3, 100, 80)]).volumes
    assert (volumes.one_share, volumes.two_share, volumes.ten_or_more_share) == (0.25, 0.25, 0.25)
    assert (volumes.max_lots, volumes.broken_ticks) == (10.0, 1)
    assert volumes.mean_lots == pytest.approx((75 + 150 + 750 + 80) / 4 / 75)


def test_volatility_takes_the_last_price_of_each_minute_and_carries_it_through_empty_ones() -> None:
    # minute closes: 110, 110 (no tick in it), 99: returns 0 and -0.1
    day = measure([(0, 100, 75), (59, 110, 75), (120, 500, 75), (179, 99, 75)]).day
    assert day.volatility == pytest.approx(0.05)


def test_the_shape_of_the_day_compares_its_sixths_with_the_whole() -> None:
    # 60 minutes: the price swings in the first ten and rests afterwards; twice the ticks in the last ten
    rows = [(60 * minute, 1000 + 100 * (minute % 2 and minute < 10), 75) for minute in range(60)]
    rows += [(60 * minute + 30, 1000, 75) for minute in range(50, 60)]
    day = measure(rows).day
    assert day.volatility_first is not None
    assert day.volatility_first > 2
    assert (day.volatility_middle, day.volatility_last) == (0.0, 0.0)
    assert day.activity_first == pytest.approx(6 * 10 / 70)
    assert day.activity_last == pytest.approx(6 * 20 / 70)


def test_nothing_is_measured_across_the_night() -> None:
    night_s = 18 * 3600
    one_day = [(0, 1000, 75), (30, 1010, 75), (60, 1000, 75)]
    two_days = one_day + [(night_s + second, 5 * price, volume) for second, price, volume in one_day]
    one, two = measure(one_day), measure(two_days)
    assert (one.days, two.days) == (1, 2)
    assert two.arrival.silence_max_s == 30.0
    assert two.moves.size_max == one.moves.size_max
    # each day has the one return from 1010 to 1000: a move of the night's would part the two
    assert two.day.volatility == pytest.approx(0.0, abs=1e-12)


def test_what_one_tick_cannot_say_is_none() -> None:
    single = measure([(0, 100, 75)])
    assert [name for name, value, _ in side_by_side(single, single) if value is None] == NO_MEASURE
    assert (single.ticks, single.price_min_paise, single.whole_rupee_share) == (1, 100, 1.0)


def test_no_ticks_is_an_error() -> None:
    none = np.array([], dtype=np.int64)
    with pytest.raises(DataError, match="statistics of no ticks"):
        tick_statistics(none, none, none, lot_size=75)


def test_side_by_side_names_every_measure_once() -> None:
    a, b = measure([(0, 100, 75)]), measure([(0, 200, 75), (1, 205, 150)])
    rows = {name: (left, right) for name, left, right in side_by_side(a, b)}
    assert len(rows) == len(side_by_side(a, b))
    expected = {"ticks": (1, 2), "price_max_paise": (100, 205), "volumes.two_share": (0.0, 0.5)}
    assert {name: rows[name] for name in expected} == expected
    assert rows["moves.size_max"] == (None, 0.025)
