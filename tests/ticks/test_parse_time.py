"""Text and epoch numbers to nanoseconds, against the standard library."""

from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myquant.ticks.batch import NO_TIME, Ints
from myquant.ticks.parse import Bytes
from myquant.ticks.parse_time import epoch_to_ns, parse_dates_and_clocks, parse_times

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  (naive times are what is tested)
NINE_TEN_NS = 1_759_482_600_000_000_000  # 2025-10-03 09:10:00 UTC


def fields(texts: list[str]) -> tuple[Bytes, Ints, Ints]:
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([len(text) for text in encoded], dtype=np.int64)
    starts = np.concatenate([[0], ends[:-1]]).astype(np.int64)
    return np.frombuffer(b"".join(encoded), np.uint8).copy(), starts, ends


def times_of(*texts: str, unit_ns: int = 0) -> list[tuple[int, bool]]:
    out, naive = np.zeros(len(texts), np.int64), np.zeros(len(texts), np.bool_)
    parse_times(*fields(list(texts)), np.array([unit_ns]), out, naive)
    return list(zip(out.tolist(), naive.tolist(), strict=True))


@pytest.mark.parametrize(
    "text",
    [
        "2025-10-03 09:10:00",
        "2025-10-03T09:10",
        "2025-10-03t09:10:00",
        "2025-10-03   09:10:00",
        "2025/10/03 09:10:00.000000000",
        "03-10-2025 09:10:00",
        "03/10/2025 09:10:00",
        "20251003 09:10:00",
    ],
)
def test_a_naive_time(text: str) -> None:
    assert times_of(text) == [(NINE_TEN_NS, True)]


@pytest.mark.parametrize(
    "text",
    [
        "2025-10-03 09:10:00Z",
        "2025-10-03 09:10:00 z",
        "2025-10-03T14:40:00+05:30",
        "2025-10-03T14:40:00 +0530",
        "2025-10-03T14:40+05:30",
        "2025-10-02 23:10:00-10",
        "03-10-2025 14:40:00.0+05:30",
    ],
)
def test_a_time_with_an_offset(text: str) -> None:
    assert times_of(text) == [(NINE_TEN_NS, False)]


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "2025-10-03", "09:10:00", "25-10-03", "2025-10-03 ", "2025-10-03 09", "2025-10-03 09:"),
        *("2025-10-0309:10:00", "2025-10-03x09:10:00", "2025-10-03TT09:10:00", "2025-10-03 T09:10:00"),
        *("2025-10-03 9:10:00", "2025-10-03 09:10:60", "2025-10-03 09:60:00", "2025-10-03 24:00:00"),
        *("2025-10-03 09:10:00.", "2025-10-03 09:10:00.1234567891", "2025-10-03 09:10:00 IST"),
        *("2025-10-03 09:10:00+", "2025-10-03 09:10:00+5", "2025-10-03 09:10:00+05:3", "2025-10-03 09:10:00+05:60"),
        *("2025-10-03 09:10:00+24", "2025-10-03 09:10:00Zx"),
        *("2025-13-03 09:10:00", "2025-02-29 09:10:00", "2025-04-31 09:10:00", "2025-00-10 09:10:00"),
        *("1677-12-31 09:10:00", "2262-01-01 09:10:00", "2025-1-3 09:10"),
        *("03/10-2025 09:10:00", "03-10/2025 09:10:00", "2025-10/03 09:10", "2025/10-03 09:10"),
        *("10/13/2025 09:10:00", "3/10/2025 09:10:00", "03/10/25 09:10:00", "03.10.2025 09:10:00"),
    ],
)
def test_what_is_no_time(text: str) -> None:
    assert times_of(text) == [(NO_TIME, False)]


@pytest.mark.parametrize(("text", "day"), [("2024-02-29", 19782), ("2000-02-29", 11016), ("1969-12-31", -1)])
def test_leap_days_and_the_time_before_the_epoch(text: str, day: int) -> None:
    assert times_of(text + " 00:00:00.5Z") == [(day * 86_400 * 10**9 + 5 * 10**8, False)]


@given(
    st.datetimes(datetime(1678, 1, 1), datetime(2261, 12, 31)),  # noqa: DTZ001
    st.none() | st.integers(-23 * 60, 23 * 60),
    st.sampled_from(["seconds", "milliseconds", "microseconds"]),
)
def test_iso_text_is_read_as_the_standard_library_does(moment: datetime, offset: int | None, timespec: str) -> None:
    if offset is not None:
        moment = moment.replace(tzinfo=timezone(timedelta(minutes=offset)))
    text = moment.isoformat(timespec=timespec)
    moment = datetime.fromisoformat(text)
    since = moment.replace(tzinfo=None) - EPOCH - (moment.utcoffset() or timedelta(0))
    assert times_of(text) == [(since // timedelta(microseconds=1) * 1000, offset is None)]


@pytest.mark.parametrize(
    ("texts", "times_ns"),
    [
        (["1759482600", "1759482601.0"], [NINE_TEN_NS, NINE_TEN_NS + 10**9]),
        (["1759482600001"], [NINE_TEN_NS + 10**6]),
        (["1759482600000001"], [NINE_TEN_NS + 10**3]),
        (["1759482600000000001"], [NINE_TEN_NS + 1]),
        (["0", "x", "20251003", "1759482600", "1", "1759482600000"], [NO_TIME] * 3 + [NINE_TEN_NS, 10**9, NO_TIME]),
        (["100000000", "99999999999"], [10**17, NO_TIME]),
        (["100000000000"], [10**17]),
        (["100000000000000"], [10**17]),
        (["100000000000000000"], [10**17]),
        (
            ["99999999999999999999", "9223372036854775808", "-5", "1759482600.5", "1759482600."],
            [NO_TIME] * 4 + [NINE_TEN_NS],
        ),
    ],
)
def test_the_first_epoch_number_decides_the_unit(texts: list[str], times_ns: list[int]) -> None:
    assert times_of(*texts) == [(time_ns, False) for time_ns in times_ns]
    if all(text.lstrip("-").isdigit() and len(text) < 19 for text in texts):
        out = np.zeros(len(texts), np.int64)
        epoch_to_ns(np.array([int(text) for text in texts]), np.zeros(1, np.int64), out)
        assert out.tolist() == times_ns


def test_a_unit_that_is_known_takes_any_number() -> None:
    assert times_of("0", "7", "x", unit_ns=1) == [(0, False), (7, False), (NO_TIME, False)]


def test_date_and_time_of_day_in_two_columns() -> None:
    dates = ["2025-10-03", "20251003", "03/10/2025", "2025-10-03 ", "2025-10-03", "x", "2025-10-03", "2025-10-03"]
    clocks = ["09:10", "09:10:00.0", "14:40:00+05:30", "09:10", "9:10", "09:10", "", "2025-10-03 09:10:00"]
    out, naive = np.zeros(len(dates), np.int64), np.zeros(len(dates), np.bool_)
    parse_dates_and_clocks(*fields(dates), *fields(clocks), out, naive)
    assert out.tolist() == [NINE_TEN_NS] * 3 + [NO_TIME] * 5
    assert naive.tolist() == [True, True] + [False] * 6
