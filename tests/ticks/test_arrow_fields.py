"""Arrow columns of every type to integers."""

from collections.abc import Callable
from datetime import date, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myquant.errors import DataError
from myquant.ticks.arrow_fields import ArrowFields
from myquant.ticks.batch import NO_TIME, PRICE_NOT_FINITE, PRICE_UNPARSABLE, VOLUME_UNPARSABLE, Ints
from myquant.ticks.columns import Column
from myquant.ticks.parse import MAX_PRICE, MAX_WHOLE

NINE_TEN = datetime(2025, 10, 3, 9, 10)  # noqa: DTZ001  (naive times are what is tested)
NINE_TEN_NS = 1_759_462_800_000_000_000  # 09:10 in India
BAD, ODD, NEVER = PRICE_UNPARSABLE, PRICE_NOT_FINITE, NO_TIME


def fields(*, ours: bool = False, **arrays: Any) -> ArrowFields:
    return ArrowFields(pa.RecordBatch.from_pydict(arrays), ZoneInfo("Asia/Kolkata"), "f.parquet", ours=ours)


def as_list(column: Ints) -> list[int]:
    assert column.dtype == np.int64
    assert column.flags.c_contiguous
    assert column.flags.writeable
    return [int(value) for value in column]


def either_way(read: Callable[[bool], Ints]) -> list[int]:
    """Return the values of a column, which do not depend on whose memory it is."""
    copied, taken = as_list(read(False)), as_list(read(True))
    assert copied == taken
    return copied


def prices(array: Any, decimals: int = 2) -> list[int]:
    return either_way(lambda ours: fields(ours=ours, price=array).prices(Column(0, "price", decimals)))


def volumes(array: Any) -> list[int]:
    return either_way(lambda ours: fields(ours=ours, volume=array).volumes(Column(0, "volume")))


def times(array: Any, clock: Any = None, unit_ns: int = 0) -> list[int]:
    two = {} if clock is None else {"time": clock}
    column = None if clock is None else Column(1, "time")
    return either_way(
        lambda ours: fields(ours=ours, ts=array, **two).times(Column(0, "ts"), column, np.array([unit_ns]))
    )


def test_memory_of_ours_is_taken_as_it_is_and_lives_as_long_as_the_column() -> None:
    array = pa.array(range(3, 103), pa.int64())[1:]
    taken = fields(ours=True, price=array).prices(Column(0, "price", 0))
    copied = fields(price=array).prices(Column(0, "price", 0))
    stamps = fields(ours=True, ts=array.cast(pa.timestamp("ns", "UTC"))).times(Column(0, "ts"), None, np.array([0]))
    assert taken.ctypes.data == array.buffers()[1].address + 8
    assert copied.ctypes.data != array.buffers()[1].address + 8
    del array
    assert taken.tolist() == copied.tolist() == stamps.tolist() == list(range(4, 103))
    odd = pa.array([5, None, -7, MAX_PRICE, MAX_PRICE + 1], pa.int64())
    assert prices(odd, 0) == [5, BAD, 0, MAX_PRICE, BAD]
    assert volumes(pa.array([5, -7, MAX_WHOLE, MAX_WHOLE + 1])) == [5, VOLUME_UNPARSABLE, MAX_WHOLE, VOLUME_UNPARSABLE]


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([295, 0, -3, None], pa.int64()), [29500, 0, 0, BAD]),
        (pa.array([255, 0], pa.uint8()), [25500, 0]),
        (pa.array([2**64 - 1, 7], pa.uint64()), [BAD, 700]),
        (pa.array([10**8, 10**8 + 1, -(2**63)], pa.int64()), [MAX_PRICE, BAD, 0]),
        (
            pa.array([295.105, 1.005, float("nan"), float("-inf"), None, -1.0, 1e300], pa.float64()),
            [29511, 101, ODD, ODD, BAD, 0, BAD],
        ),
        (pa.array([295.105, 1.005, 1e8, 1.0001e8, None], pa.float32()), [29511, 101, MAX_PRICE, BAD, BAD]),
        (pa.array([Decimal("295.105"), None], pa.decimal128(12, 4)), [29511, BAD]),
        (pa.array([Decimal(29500), None], pa.decimal128(12, -2)), [2950000, BAD]),
        (pa.array(["295.105", " x", None, "nan"], pa.string()), [29511, BAD, BAD, ODD]),
        (pa.array(["295.105", None], pa.string_view()), [29511, BAD]),
        (pa.array(["1.5", None, "1.5"]).dictionary_encode(), [150, BAD, 150]),
        (pa.array([1.5, 2.5, 1.5]).dictionary_encode(), [150, 250, 150]),
        (pa.array([None, None], pa.null()), [BAD, BAD]),
        (pa.array([1, 2, 3, 4])[2:], [300, 400]),
        (pa.array(["1", "2", "3"])[1:], [200, 300]),
    ],
    ids=str,
)
def test_prices(array: Any, expected: list[int]) -> None:
    assert prices(array) == expected


def test_prices_in_paise() -> None:
    assert prices(pa.array([29510, -1, None, MAX_PRICE + 1]), 0) == [29510, 0, BAD, BAD]
    assert prices(pa.array([29510.0, 0.5]), 0) == [29510, 1]


@given(st.lists(st.floats(0, 1e9) | st.decimals(0, 10**6, places=3).map(float), min_size=1), st.booleans())
def test_a_float_stands_for_its_shortest_decimal(floats: list[float], is_single: bool) -> None:
    array = np.array(floats, np.float32 if is_single else np.float64)
    exact = [int((Decimal(str(value)) * 100).to_integral_value(ROUND_HALF_UP)) for value in array]
    assert prices(pa.array(array)) == [paise if paise <= MAX_PRICE else BAD for paise in exact]


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([75, 0, -1, None], pa.int32()), [75, 0, -1, -1]),
        (pa.array([2**64 - 1, 75], pa.uint64()), [-1, 75]),
        (pa.array([MAX_WHOLE, MAX_WHOLE + 1]), [MAX_WHOLE, -1]),
        (pa.array([75.0, 75.5, -2.0, float("nan"), float("inf"), 1e300, None]), [75] + [VOLUME_UNPARSABLE] * 6),
        (pa.array(["75", "x", None]), [75, -1, -1]),
        (pa.array([Decimal("75.00"), Decimal("75.50")]), [75, -1]),
    ],
    ids=str,
)
def test_volumes(array: Any, expected: list[int]) -> None:
    assert volumes(array) == expected


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_timestamps_of_every_unit(unit: str) -> None:
    assert times(pa.array([NINE_TEN, None], pa.timestamp(unit))) == [NINE_TEN_NS, NEVER]
    utc = pa.array([NINE_TEN_NS // 10**9, None]).cast(pa.timestamp("s")).cast(pa.timestamp(unit, "UTC"))
    assert times(utc) == [NINE_TEN_NS, NEVER]
    assert times(utc.cast(pa.timestamp(unit, "America/New_York"))) == [NINE_TEN_NS, NEVER]


def test_timestamps_that_nanoseconds_do_not_hold() -> None:
    far = pa.array([2**62, -(2**62), 0]).cast(pa.timestamp("us", "UTC"))
    assert times(far) == [NEVER, NEVER, 0]


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([1_759_462_800, None, -5], pa.int64()), [NINE_TEN_NS, NEVER, NEVER]),
        (pa.array([1_759_462_800_000, 0], pa.uint64()), [NINE_TEN_NS, 0]),
        (pa.array([1_759_462_800.0, 1_759_462_800.5, None]), [NINE_TEN_NS, NEVER, NEVER]),
        (
            pa.array(["2025-10-03 09:10:00", "2025-10-03T03:40:00Z", None, "x"]),
            [NINE_TEN_NS, NINE_TEN_NS, NEVER, NEVER],
        ),
        (pa.array(["1759462800"]).dictionary_encode(), [NINE_TEN_NS]),
    ],
    ids=str,
)
def test_other_times(array: Any, expected: list[int]) -> None:
    assert times(array) == expected


def test_nanoseconds_by_name_may_be_small() -> None:
    assert times(pa.array([0, 5, -1]), unit_ns=1) == [0, 5, NEVER]


@pytest.mark.parametrize(
    "day",
    [
        pa.array([date(2025, 10, 3), None]),
        pa.array([datetime(2025, 10, 3), None], pa.timestamp("us")),  # noqa: DTZ001
        pa.array(["03-10-2025", None]),
        pa.array([20251003, None]),
    ],
    ids=str,
)
@pytest.mark.parametrize("clock", [pa.array([time(9, 10), None]), pa.array(["09:10:00", "x"])], ids=str)
def test_date_and_time_of_day_in_two_columns(day: Any, clock: Any) -> None:
    assert times(day, clock) == [NINE_TEN_NS, NEVER]


def test_labels() -> None:
    plain = fields(symbol=pa.array([" B ", None, "A", "B", ""])).labels(Column(0, "symbol"))
    assert [plain.texts[code] if code >= 0 else None for code in plain.codes] == ["B", None, "A", "B", ""]
    codes = pa.array([1, None, 1, 0], pa.int8())
    packed = pa.DictionaryArray.from_arrays(codes, pa.array(["A", "B", None, "C"]))
    found = fields(symbol=packed).labels(Column(0, "symbol"))
    assert (found.codes.tolist(), found.texts) == ([1, -1, 1, 0], ["A", "B", "", "C"])
    assert fields(symbol=pa.array([26000, 0])).labels(Column(0, "symbol")).texts == ["26000", "0"]


@pytest.mark.parametrize(
    "array", [pa.array([True]), pa.array([[1.0]]), pa.array([{"a": 1}]), pa.array([b"\xff"])], ids=str
)
def test_types_that_are_no_numbers(array: Any) -> None:
    with pytest.raises(DataError, match=r"f.parquet: column 'price' holds .*convert it to numbers"):
        prices(array)


@pytest.mark.parametrize("array", [pa.array([date(2025, 10, 3)]), pa.array([time(9, 10)]), pa.array([False])], ids=str)
def test_types_that_are_no_times(array: Any) -> None:
    with pytest.raises(DataError, match="column 'ts' holds"):
        times(array)
