"""Generated days look like the recorded one, a plain random walk does not; and what every day keeps to."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from itertools import islice, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myquant.errors import ConfigError
from myquant.ticks.generate import (
    LIQUID,
    NSE_HOURS,
    PROFILES,
    SECOND_NS,
    generate_day,
    generate_days,
    generate_ticks,
    profile_named,
    weekdays,
)
from myquant.ticks.statistics import Ints, TickStatistics, side_by_side, tick_statistics

FRIDAY = date(2025, 10, 3)
OPEN_NS = int(datetime(2025, 10, 3, 9, 15, tzinfo=NSE_HOURS.zone).timestamp()) * SECOND_NS
LOT = 75
PARTS = ("first", "middle", "last")
SHUT = NSE_HOURS._replace(closes=time(9, 15))

# How far a generated day may be from the recorded one, in the measure's own unit: about 15 % for sizes and volatility;
# wider only where a day differs that much from the next by chance. The median of several days must be twice as near.
TOLERANCE = {
    "ticks": 1000,
    "whole_rupee_share": 0.02,
    "arrival.seconds": 850,
    "arrival.one_share": 0.07,
    "arrival.two_share": 0.07,
    "arrival.more_share": 0.02,
    "arrival.most_per_second": 2,
    "arrival.silence_p99_s": 0.0,
    "arrival.silence_max_s": 0.0,
    "moves.zero_share": 0.03,
    "moves.zero_within_second_share": 0.03,
    "moves.repeats_share": 0.03,
    "moves.size_p50": 0.0002,
    "moves.size_p90": 0.0006,
    "moves.size_p99": 0.0012,
    "moves.size_p999": 0.003,
    "moves.size_max": 0.045,
    "moves.autocorrelation_1": 0.07,
    "moves.autocorrelation_2": 0.05,
    "volumes.mean_lots": 0.06,
    "volumes.max_lots": 0.0,
    "volumes.one_share": 0.02,
    "volumes.two_share": 0.015,
    "volumes.ten_or_more_share": 0.004,
    "volumes.broken_ticks": 0,
    "day.volatility": 0.0026,
    "day.volatility_first": 0.4,
    "day.volatility_middle": 0.2,
    "day.volatility_last": 0.25,
    "day.activity_first": 0.03,
    "day.activity_middle": 0.02,
    "day.activity_last": 0.02,
}
# A day's own path decides its lowest and highest price; one day is one day.
NOT_COMPARED = {"days", "price_min_paise", "price_max_paise"}


def session_statistics(time_ns: Ints, price: Ints, volume: Ints) -> TickStatistics:
    """Measure the day from the open on; the row before it is looked at by itself."""
    inside = time_ns >= OPEN_NS
    return tick_statistics(time_ns[inside], price[inside], volume[inside], lot_size=LOT)


class Recorded(NamedTuple):
    time_ns: Ints
    price: Ints
    volume: Ints


@pytest.fixture(scope="module")
def recorded(real_day: Path) -> Recorded:
    frame = pl.read_csv(real_day)
    times = frame["timestamp"].str.to_datetime("%Y-%m-%d %H:%M:%S%z").dt.epoch("ns").to_numpy()
    price = np.rint(frame["price"].to_numpy() * 100).astype(np.int64)
    return Recorded(times, price, frame["volume"].to_numpy())


@pytest.fixture(scope="module")
def real(recorded: Recorded) -> TickStatistics:
    return session_statistics(*recorded)


def flat(statistics: TickStatistics) -> dict[str, float]:
    """Name the measures, all of which a whole day has."""
    values = {name: value for name, value, _ in side_by_side(statistics, statistics) if value is not None}
    assert values.keys() == TOLERANCE.keys() | NOT_COMPARED
    return values


def misses(real: dict[str, float], other: dict[str, float], part: float = 1.0) -> set[str]:
    """Print the two side by side and return the measures further apart than `part` of the tolerance."""
    missed = {name for name, within in TOLERANCE.items() if abs(real[name] - other[name]) > part * within}
    for name, within in TOLERANCE.items():
        mark = " MISSED" if name in missed else ""
        print(f"{name:34} {real[name]:12.5g} {other[name]:12.5g}  within {part * within:g}{mark}")  # noqa: T201  # pytest -s shows it
    return missed


def liquid_statistics(seed: int) -> TickStatistics:
    day = generate_day(LIQUID, day=FRIDAY, seed=seed)
    return session_statistics(day.time_ns, day.price, day.volume)


def plain_walk(real: TickStatistics, recorded: Recorded, seed: int) -> TickStatistics:
    """Measure a Gaussian walk of as many ticks at uniform times, with returns of the recorded deviation."""
    rng = np.random.default_rng(seed)
    times = OPEN_NS + np.sort(rng.integers(0, 22_501, real.ticks)) * SECOND_NS
    deviation = (np.diff(recorded.price[1:]) / recorded.price[1:-1]).std()
    walk = 270_00 * np.cumprod(1.0 + rng.normal(0.0, deviation, real.ticks))
    price = np.maximum(5, np.rint(walk / 5).astype(np.int64) * 5)
    return session_statistics(times, price, LOT * (1 + rng.poisson(real.volumes.mean_lots - 1.0, real.ticks)))


@pytest.mark.parametrize("seed", [1, 2, 3, 2025, 987_654_321])
def test_a_liquid_day_looks_like_the_recorded_one(real: TickStatistics, seed: int) -> None:
    assert misses(flat(real), flat(liquid_statistics(seed))) == set()


def test_the_median_of_several_days_is_twice_as_near(real: TickStatistics) -> None:
    days = [flat(liquid_statistics(seed)) for seed in range(100, 115)]
    medians = {name: float(np.median([day[name] for day in days])) for name in TOLERANCE}
    assert misses(flat(real), medians, part=0.5) == set()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_plain_random_walk_does_not(real: TickStatistics, recorded: Recorded, seed: int) -> None:
    assert misses(flat(real), flat(plain_walk(real, recorded, seed))) >= {
        "whole_rupee_share",
        "arrival.seconds",
        "arrival.two_share",
        "arrival.more_share",
        "arrival.most_per_second",
        "arrival.silence_p99_s",
        "arrival.silence_max_s",
        "moves.zero_share",
        "moves.zero_within_second_share",
        "moves.repeats_share",
        "moves.size_p99",
        "moves.size_p999",
        "moves.size_max",
        "moves.autocorrelation_1",
        "volumes.max_lots",
        "volumes.one_share",
        "volumes.two_share",
        "volumes.ten_or_more_share",
        "day.volatility_first",
        "day.activity_first",
    }


def test_one_row_comes_before_the_open_as_in_the_recorded_day(recorded: Recorded) -> None:
    day = generate_day(LIQUID, day=FRIDAY, seed=1)
    for time_ns in (day.time_ns, recorded.time_ns):
        assert time_ns[0] == OPEN_NS - 300 * SECOND_NS
        assert np.count_nonzero(time_ns < OPEN_NS) == 1


def test_the_day_is_u_shaped_in_volatility_and_activity() -> None:
    days = [flat(liquid_statistics(seed)) for seed in range(20)]
    for measure in ("volatility", "activity"):
        first, middle, last = (np.mean([day[f"day.{measure}_{part}"] for day in days]) for part in PARTS)
        assert first > last > middle, measure


def test_the_same_seed_gives_the_same_bytes() -> None:
    a, b, other = (generate_day(LIQUID, day=FRIDAY, seed=seed, quotes=True) for seed in (7, 7, 8))
    assert [column.tobytes() for column in a] == [column.tobytes() for column in b]
    assert a.price.tobytes() != other.price.tobytes()


def test_quotes_change_nothing_else_and_are_zero_unless_asked_for() -> None:
    bare, quoted = (generate_day(LIQUID, day=FRIDAY, seed=7, quotes=quotes) for quotes in (False, True))
    assert [c.tobytes() for c in bare[:3]] == [c.tobytes() for c in quoted[:3]]
    assert not bare.bid.any()
    assert not bare.ask.any()
    assert 10 <= np.median(quoted.ask - quoted.bid) <= 50


@given(
    name=st.sampled_from(sorted(PROFILES)),
    seed=st.integers(0, 2**64),
    day=st.dates(date(2015, 1, 1), date(2035, 1, 1)),
    previous_close=st.none() | st.integers(5, 5_000_00),
    minutes=st.integers(1, 400),
    lot_size=st.sampled_from([1, 65, 75]),
    tick_paise=st.sampled_from([5, 10]),
)
@settings(max_examples=60, deadline=None)
def test_every_day_keeps_to_the_grid_the_lot_and_the_session(
    *, name: str, seed: int, day: date, previous_close: int | None, minutes: int, lot_size: int, tick_paise: int
) -> None:
    profile = replace(profile_named(name), lot_size=lot_size, tick_paise=tick_paise)
    hours = NSE_HOURS._replace(closes=(datetime.combine(day, NSE_HOURS.opens) + timedelta(minutes=minutes)).time())
    ticks = generate_day(profile, day=day, seed=seed, hours=hours, previous_close_paise=previous_close, quotes=True)
    assert {(column.dtype, column.shape) for column in ticks} == {(np.dtype(np.int64), ticks.price.shape)}
    opens, closes = (
        int(datetime.combine(day, at, hours.zone).timestamp()) * SECOND_NS for at in (hours.opens, hours.closes)
    )
    early = 1 if profile.pre_open_s else 0
    assert len(ticks.price) > early
    assert opens <= ticks.time_ns[early]
    assert ticks.time_ns[-1] <= closes
    assert (np.diff(ticks.time_ns) >= 0).all()
    assert not (ticks.time_ns % SECOND_NS).any()
    for prices in (ticks.price, ticks.bid, ticks.ask):
        assert (prices >= profile.tick_paise).all()
        assert not (prices % profile.tick_paise).any()
    assert (ticks.bid <= ticks.price).all()
    assert (ticks.price <= ticks.ask).all()
    assert (ticks.bid < ticks.ask).all()
    assert (ticks.volume >= profile.lot_size).all()
    assert not (ticks.volume % profile.lot_size).any()


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_an_illiquid_strike_is_sparse_wide_and_often_unchanged(seed: int) -> None:
    day = generate_day(PROFILES["illiquid"], day=FRIDAY, seed=seed, quotes=True)
    statistics = session_statistics(day.time_ns, day.price, day.volume)
    silences_s = np.diff(day.time_ns) / SECOND_NS
    assert 2000 <= statistics.ticks <= 6000
    assert np.count_nonzero(silences_s >= 10) > 100
    assert 120 <= silences_s.max() <= 1500
    assert np.mean((day.ask - day.bid) / day.price) > 0.015
    changed_at = np.flatnonzero(np.diff(day.price))
    assert np.diff(changed_at).max() > 5
    assert statistics.moves.zero_share is not None
    assert statistics.moves.zero_share > 0.4


def test_an_interrupted_day_falls_silent_and_jumps() -> None:
    quiet, loud = (
        [generate_day(PROFILES[name], day=FRIDAY, seed=seed) for seed in range(5)] for name in ("liquid", "interrupted")
    )
    assert all(np.diff(day.time_ns[1:]).max() == 2 * SECOND_NS for day in quiet)
    assert all(30 * SECOND_NS <= np.diff(day.time_ns[1:]).max() <= 1800 * SECOND_NS for day in loud)
    later = [np.abs(np.diff(day.price[3000:]) / day.price[3000:-1]).max() for day in quiet + loud]
    assert np.median(later[5:]) > 1.5 * np.median(later[:5])


def test_a_trending_day_rises() -> None:
    days = [generate_day(PROFILES["trending"], day=FRIDAY, seed=seed) for seed in range(10)]
    assert np.median([day.price[-1] / day.price[1] for day in days]) > 1.4


def test_days_carry_on_the_price_and_come_in_order() -> None:
    dates = list(islice(weekdays(FRIDAY), 30))
    days = list(generate_days(LIQUID, dates, seed=3))
    assert dates[1] == date(2025, 10, 6)
    for before, after in pairwise(days):
        assert before.time_ns[-1] < after.time_ns[0]
        rolled = before.price[-1] + (LIQUID.start_price_paise - before.price[-1]) / 4
        assert 0.7 < np.median(after.price[1:20]) / rolled < 1.4
    again = generate_day(LIQUID, day=dates[7], seed=3, previous_close_paise=int(days[6].price[-1]))
    assert again.price.tobytes() == days[7].price.tobytes()


def test_a_hundred_days_neither_vanish_nor_explode() -> None:
    closes = [int(day.price[-1]) for day in generate_days(LIQUID, islice(weekdays(FRIDAY), 100), seed=11)]
    assert min(closes) > 20_00
    assert max(closes) < 3_000_00


def test_ticks_come_in_any_number_and_are_the_days_in_a_row() -> None:
    few, many = generate_ticks(100, seed=5), generate_ticks(70_000, seed=5)
    assert (len(few.price), len(many.price)) == (100, 70_000)
    assert few.price.tobytes() == many.price[:100].tobytes()
    assert (np.diff(many.time_ns) >= 0).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: generate_ticks(0, seed=1), "count = 0: must be at least 1"),
        (lambda: generate_day(LIQUID, day=FRIDAY, seed=-1), "seed = -1: must be at least 0"),
        (lambda: generate_day(LIQUID, day=FRIDAY, seed=1, hours=SHUT), "must end after they begin"),
        (lambda: list(generate_days(LIQUID, [FRIDAY, FRIDAY], seed=1)), "in rising order"),
        (lambda: profile_named("wild"), "'wild': must be one of liquid, trending, interrupted, illiquid"),
        (lambda: replace(LIQUID, skipped_share=1.1), "skipped_share = 1.1: must be from 0 to 1"),
        (lambda: replace(LIQUID, snapshot_s=0.0), "snapshot_s = 0.0: must be above 0"),
        (lambda: replace(LIQUID, step=float("nan")), "step = nan: must be a number of at least 0"),
        (lambda: replace(LIQUID, drift=float("-inf")), "drift = -inf: must be a number of at least -1"),
        (lambda: replace(LIQUID, tick_paise=7), "tick_paise = 7: must divide a rupee"),
    ],
)
def test_bad_usage_is_one_clear_line(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        call()
