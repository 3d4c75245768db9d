"""The guard takes what is a tick, names what is not, and counts rising ticks and prices off the grid exactly."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as checks
from hypothesis import strategies as st

from core.jit import jitted, plain
from laws.driver import settings
from myquant.core import codes, guard
from myquant.core.codes import BEFORE_ALL, NO_TIME
from myquant.session.rules import core_rules
from myquant.ticks.guarded import guard_ticks

BAD, NAN, ZERO, NEGATIVE = codes.PRICE_UNPARSABLE, codes.PRICE_NOT_FINITE, 0, -3

#     last accepted, time, price, volume -> why it is refused
REASONS = [
    (100, 100, 1, 0, None),  # a feed stamps whole seconds
    (100, 101, 10**15, 10**15, None),
    (BEFORE_ALL, -(2**62), 5, 5, None),  # the first tick may have any time
    (100, 99, 5, 5, "time_backwards"),
    (100, NO_TIME, 5, 5, "unparsable_time"),
    (BEFORE_ALL, NO_TIME, 5, 5, "unparsable_time"),
    (100, 100, BAD, 5, "unparsable_price"),
    (100, 100, NAN, 5, "non_finite_price"),
    (100, 100, ZERO, 5, "non_positive_price"),
    (100, 100, NEGATIVE, 5, "non_positive_price"),
    (100, 100, 5, -1, "unparsable_volume"),
    # of several faults the first in this order is named: time, price, volume, order
    (100, NO_TIME, BAD, -1, "unparsable_time"),
    (100, 99, BAD, -1, "unparsable_price"),
    (100, 99, ZERO, -1, "non_positive_price"),
    (100, 99, 5, -1, "unparsable_volume"),
]


@pytest.mark.parametrize(("last_ns", "time_ns", "price", "volume", "reason"), REASONS)
def test_why_a_tick_is_refused(last_ns: int, time_ns: int, price: int, volume: int, reason: str | None) -> None:
    found = plain(guard.refuse)(last_ns, time_ns, price, volume)
    assert {0: None, **codes.REJECTION_NAMES}[found] == reason


def test_every_reason_is_in_the_table() -> None:
    assert {reason for *_, reason in REASONS} == {None, *codes.REJECTION_NAMES.values()}


def places(low: int, high: int) -> st.SearchStrategy[int]:
    return st.integers(low, high)


one_tick = st.tuples(
    st.one_of(places(-5, 5), st.just(NO_TIME)),
    st.sampled_from([1, 5, BAD, NAN, ZERO, NEGATIVE]),
    st.sampled_from([0, 75, -1]),
    places(0, 2),
)


@checks(deadline=None)  # the first call compiles
@given(st.lists(one_tick, max_size=40), st.booleans(), places(0, 40))
def test_guard_ticks_is_refuse_tick_by_tick(rows: list[tuple[int, ...]], several: bool, cut: int) -> None:
    columns = np.array(rows, np.int64).reshape(-1, 4).T.copy()
    time_ns, price, volume, who = columns if several else (*columns[:3], columns[3] * 0)
    last = dict.fromkeys(range(3), BEFORE_ALL)
    wanted = []
    for now, paid, units, k in zip(time_ns.tolist(), price.tolist(), volume.tolist(), who.tolist(), strict=True):
        wanted.append(plain(guard.refuse)(last[k], now, paid, units))
        if wanted[-1] == codes.ACCEPTED:
            last[k] = now
    found = np.zeros(len(rows), np.int64)
    carried = np.full(3, BEFORE_ALL)
    for part in (slice(None, cut), slice(cut, None)):  # a batch goes on where the one before it ended
        instrument = who[part] if several else np.zeros(0, np.int64)
        guard_ticks(time_ns[part], price[part], volume[part], instrument, carried, found[part])
    assert found.tolist() == wanted
    assert carried.tolist() == [last[k] for k in range(3)]


@jitted
def grid_mistakes(prices: Any, tick_size: int, grid: int) -> int:
    mistakes = 0
    for price in prices:
        if guard.off_grid(price, tick_size, grid) != (price % tick_size != 0):
            mistakes += 1
    return mistakes


def test_off_grid_is_the_remainder_for_every_tick_size_and_price() -> None:
    rng = np.random.default_rng(1)
    sizes = [*range(1, 202), 250, 500, 999, 1000, 4999, 10_000, 99_999, 100_000, 999_983, 1_000_000]
    near_bits = np.arange(2**30 - 3000, 2**30 + 3000)
    for size in sizes:
        anywhere = rng.integers(1, 2**31, 500)
        multiples = anywhere // size * size
        prices = np.concatenate([np.arange(1, 3000), near_bits, anywhere, multiples, multiples + 1, [2**62]])
        assert grid_mistakes(prices, size, guard.grid_factor(size)) == 0, size


@jitted
def stray_counts(prices: Any, tick_size: int, grid: int, cut: int) -> tuple[int, int]:
    return (
        guard.count_off_grid(prices, 0, cut, tick_size, grid),
        guard.count_off_grid(prices, cut, len(prices), tick_size, grid),
    )


def test_off_grid_prices_are_counted_between_two_places() -> None:
    rng = np.random.default_rng(2)
    for size in (1, 2, 5, 10, 25, 999_983, 1_000_000):
        grid = guard.grid_factor(size)
        for most in (2**15, 2**30 - 1, 2**30 + 1000, 2**62):  # one price from 2^30 on changes the way of counting
            prices = rng.integers(1, most, 300, dtype=np.int64)
            prices[::3] = prices[::3] // size * size + size * (prices[::3] < size)
            strays = prices % size != 0
            assert stray_counts(prices, size, grid, 77) == (strays[:77].sum(), strays[77:].sum()), (size, most)


def greens(prices: list[int], **values: object) -> list[int]:
    """Return the number of rising ticks in a row after each price, prices in paise, a tick size of 5 paise."""
    rules = core_rules(
        settings({f"strategy.{key}": value for key, value in values.items()}).config, strategy_has_stop=False
    )
    count, counts = 0, []
    for previous, price in pairwise(prices):
        count = plain(guard.count_green)(count, price, previous, 5, rules)
        counts.append(count)
    return counts


def test_green_ticks_in_a_row() -> None:
    assert greens([100, 105, 110, 110, 115, 120, 119, 125]) == [1, 2, 0, 1, 2, 0, 1]


def test_a_move_within_the_noise_changes_nothing() -> None:
    one_tick = {"noise_filter_enabled": True, "noise_filter_percentage": 0}
    assert greens([1000, 1006, 1011, 1005, 1011, 1006, 1000, 1006], **one_tick) == [1, 1, 0, 1, 1, 0, 1]
    half = {**one_tick, "noise_filter_min_ticks": Decimal("0.5")}
    assert greens([1000, 1003, 1000, 1002, 1000], **half) == [1, 0, 0, 0]


def test_the_wider_of_the_two_bands_holds() -> None:
    one_percent = {"noise_filter_enabled": True, "noise_filter_percentage": Decimal("0.01")}
    # one percent of 1000 paise is two ticks: exactly that is still noise, as measured from the last tick's price
    assert greens([1000, 1010, 1020, 1031, 1020, 1009], **one_percent) == [0, 0, 1, 0, 0]
    assert greens([100, 105, 111, 116], **one_percent) == [0, 1, 1]
