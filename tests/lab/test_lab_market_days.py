"""As many ticks as are asked for: days in a row, generated, repeated, or of arrays."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.labs import DAY, OPEN_NS, OTHER, SYMBOL
from myquant.errors import ConfigError, DataError
from myquant.lab.market_day import DAY_NS, IST_NS, MarketDay
from myquant.lab.market_days import TICKS_MAX, DaySource, generated_days

LATER = "NIFTY30DEC2525000CE"


def dates(days: list[MarketDay]) -> list[date]:
    return [each.day for each in days]


def write(folder: Path, *days: str, name: str = f"{SYMBOL}.csv") -> str:
    rows = [f"{day} 09:15:0{second}+05:30,100.0{second * 5 % 10},75" for day in days for second in range(3)]
    path = folder / name
    path.write_text("\n".join(["timestamp,price,volume", *rows]) + "\n")
    return str(path)


@pytest.mark.parametrize(("ticks", "count"), [(1, 1), (100, 1), (34_000, 1), (40_000, 2), (100_000, 3)])
def test_there_are_as_many_generated_ticks_as_asked_for(ticks: int, count: int) -> None:
    days = DaySource(ticks=ticks, seed=4).days()
    assert sum(map(len, days)) >= ticks
    assert dates(days) == [date(2025, 10, 3), date(2025, 10, 6), date(2025, 10, 7)][:count]


def test_generated_days_are_their_seed_s_whatever_is_asked_for() -> None:
    one, two, other = generated_days(seed=4), generated_days(seed=4, ticks=40_000), generated_days(seed=5)
    assert one[0].price.tolist() == two[0].price.tolist() != other[0].price.tolist()
    assert len(one) + 1 == len(two)


def test_generated_days_carry_on_the_price_and_the_hours_of_each_contract() -> None:
    days = generated_days([LATER, OTHER], day=date(2025, 9, 1), ticks=300_000)
    assert len(days) == 5
    for before, after in pairwise(days):
        for who in range(2):
            last, first = before.price[before.instrument == who][-1], after.price[after.instrument == who][0]
            assert 0.3 < first / last < 3  # at once half as much: a crash of the index over night
    for each in days:
        assert ((each.time_ns + IST_NS) // DAY_NS == (each.day - date(1970, 1, 1)).days).all()
        assert {known.symbol for known in each.contracts} == {LATER, OTHER}


def test_days_on_which_the_market_is_closed_or_keeps_other_hours_are_left_out() -> None:
    days = dates(generated_days([LATER], day=date(2025, 10, 17), ticks=100_000))
    assert days == [date(2025, 10, 17), date(2025, 10, 20), date(2025, 10, 23)]  # an hour at night, then a holiday


def test_a_contract_does_not_outlive_its_expiry() -> None:
    with pytest.raises(DataError, match=r"of the 200,000 asked for: NIFTY07OCT2524900CE expires before 2025-10-08"):
        DaySource(ticks=200_000).days()


def test_a_file_s_days_are_played_in_their_order_and_then_again(tmp_path: Path) -> None:
    source = DaySource(files=(write(tmp_path, "2025-09-30", "2025-10-01"),), ticks=10)
    days = source.days()
    assert dates(days) == [date(2025, 9, 30), date(2025, 10, 1), date(2025, 10, 3), date(2025, 10, 6)]
    for day in days:
        begins_ns = int(((day.time_ns + IST_NS) % DAY_NS)[0])
        assert timedelta(microseconds=begins_ns // 1000) == timedelta(hours=9, minutes=15)
        assert day.price.tolist() == days[0].price.tolist()
    assert dates(replace(source, ticks=6).days()) == dates(days)[:2]
    assert dates(replace(source, day=date(2025, 10, 1), ticks=1).days()) == [date(2025, 10, 1)]


def test_a_day_without_trading_is_not_repeated(tmp_path: Path) -> None:
    source = DaySource(files=(write(tmp_path, "2025-10-02"),))
    assert dates(source.days()) == [date(2025, 10, 2)]
    with pytest.raises(DataError, match="2025-10-02 is no trading day: its 3 ticks can't be repeated to make 4"):
        replace(source, ticks=4).days()


def test_the_calendar_ends_somewhere(tmp_path: Path) -> None:
    path = write(tmp_path, "2025-10-03", name="RELIANCE.csv")
    with pytest.raises(DataError, match=r"ticks of the 9,000 asked for: the calendar of NFO covers"):
        DaySource(files=(path,), symbols=("RELIANCE",), ticks=9_000).days()


def arrays(count: int = 6) -> dict[str, Any]:
    return {
        "time_ns": OPEN_NS + np.arange(count) * 10**9,
        "price": 20_000 + 5 * np.arange(count),
        "volume": np.full(count, 75),
        "instrument": np.arange(count) % 2,
    }


def test_arrays_are_a_day_too(tmp_path: Path) -> None:
    path = tmp_path / "ticks.npz"
    np.savez(path, **arrays())
    first, again = DaySource(arrays=str(path), symbols=(SYMBOL, OTHER), ticks=7).days()
    assert (first.day, again.day) == (DAY, date(2025, 10, 6))
    assert first.price.tolist() == again.price.tolist() == arrays()["price"].tolist()
    assert first.instrument.tolist() == [0, 1] * 3
    assert not first.bid.any()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda found: found.pop("price"), "has no array price"),
        (lambda found: found.update(price=found["price"] * 1.0), "price is float64"),
        (lambda found: found.update(volume=found["volume"][:3]), r"volume is int64 of shape \(3,\)"),
        (lambda found: found.update(price=found["price"] - 20_000), "1 of 6 rows are no tick of the 2 symbols"),
        (lambda found: found.update(instrument=found["instrument"] + 1), "3 of 6 rows are no tick"),
        (lambda found: found.update(time_ns=found["time_ns"] * 1 + DAY_NS * (np.arange(6) > 3)), "holds 2 days"),
        (lambda found: found.update({name: found[name][:0] for name in found}), "0 of 0 rows"),
    ],
)
def test_arrays_that_are_no_ticks_are_refused(tmp_path: Path, change: Callable[[Any], Any], said: str) -> None:
    found = arrays()
    change(found)
    path = tmp_path / "ticks.npz"
    np.savez(path, **found)
    with pytest.raises(DataError, match=said):
        DaySource(arrays=str(path), symbols=(SYMBOL, OTHER)).days()


def test_a_single_array_or_no_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ticks.npy"
    np.save(path, np.arange(3))
    for each in (path, tmp_path / "nothing.npz"):
        with pytest.raises(DataError, match=r"can't be read as an \.npz file"):
            DaySource(arrays=str(each)).days()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"time,price\n1,2\n"])
def test_what_is_no_archive_of_arrays_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ticks.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"ticks\.npz: can't be read as an \.npz file"):
        DaySource(arrays=str(path)).days()


@pytest.mark.parametrize(
    "source",
    [
        DaySource(),
        DaySource(symbols=(LATER, OTHER), day=date(2025, 9, 1), seed=9, ticks=70_000),
        DaySource(files=("a.csv", "b.parquet"), day=DAY),
        DaySource(arrays="a.npz", symbols=(SYMBOL,)),
    ],
)
def test_a_source_comes_through_json_as_it_was(source: DaySource) -> None:
    assert DaySource.of(json.loads(json.dumps(source.values()))) == source


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"ticks": 0}, "ticks = 0: must be from 1"),
        ({"ticks": TICKS_MAX + 1}, "must be from 1 to 2,000,000"),
        ({"ticks": "9"}, "ticks = '9'"),
        ({"ticks": True}, "ticks = True"),
        ({"seed": -1}, "seed = -1: must be at least 0"),
        ({"day": "tomorrow"}, "day = 'tomorrow': must be a date"),
        ({"day": 3}, "day = 3"),
        ({"files": "a.csv"}, "files = 'a.csv'"),
        ({"files": [""]}, "files"),
        ({"symbols": [1]}, "symbols"),
        ({"speed": 3}, "speed: a source of ticks has no such value"),
        ({"files": ["a.csv"], "arrays": "a.npz"}, "give one of them"),
        ({"files": ["a.csv"], "symbols": [SYMBOL, OTHER]}, "name at most one"),
        ({"arrays": "a.npz", "day": "2025-10-03"}, "leave it out"),
    ],
)
def test_values_that_can_not_be_are_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        DaySource.of(values)
