"""Local times to UTC, against zoneinfo one by one."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from myquant.errors import ConfigError
from myquant.ticks.batch import NO_TIME
from myquant.ticks.zone import utc_from_local, utc_of, zone_of

ZONES = ["Asia/Kolkata", "America/New_York", "Europe/London", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Beirut"]


def local_ns(text: str) -> int:
    return (datetime.fromisoformat(text) - datetime(1970, 1, 1)) // timedelta(microseconds=1) * 1000  # noqa: DTZ001


def utc(text: str, zone: str) -> str:
    time_ns = int(utc_from_local(np.array([local_ns(text)]), ZoneInfo(zone))[0])
    return datetime.fromtimestamp(time_ns / 1e9, UTC).strftime("%m-%d %H:%M:%S")


@pytest.mark.parametrize(
    ("local", "zone", "expected"),
    [
        ("2025-10-03T09:15:00", "Asia/Kolkata", "10-03 03:45:00"),
        ("2025-11-02T01:30:00", "America/New_York", "11-02 05:30:00"),  # twice: the first, in summer time
        ("2025-11-02T02:00:00", "America/New_York", "11-02 07:00:00"),
        ("2025-03-09T02:30:00", "America/New_York", "03-09 07:30:00"),  # never: half an hour after the change
        ("2025-03-09T03:00:00", "America/New_York", "03-09 07:00:00"),
        ("2018-11-04T00:30:00", "America/Sao_Paulo", "11-04 03:30:00"),  # never: the change is at midnight
        ("2018-02-17T23:30:00", "America/Sao_Paulo", "02-18 01:30:00"),  # twice, at the end of a day
    ],
)
def test_a_change_of_the_clocks_is_resolved_one_way(local: str, zone: str, expected: str) -> None:
    assert utc(local, zone) == expected


@example("America/New_York", [datetime(1992, 10, 25, 1, 0, fold=1)])  # noqa: DTZ001
@given(st.sampled_from(ZONES), st.lists(st.datetimes(datetime(1975, 1, 1), datetime(2035, 1, 1)), max_size=20))  # noqa: DTZ001
def test_as_zoneinfo(zone: str, moments: list[datetime]) -> None:
    """A time that comes twice is the first of both: Python's `fold` of 0."""
    local = np.array([local_ns(moment.isoformat()) for moment in moments], np.int64)
    expected = [
        (moment.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC))
        // timedelta(microseconds=1)
        * 1000
        for moment in moments
    ]
    assert utc_from_local(local, ZoneInfo(zone)).tolist() == expected


def test_times_that_are_none_or_too_far_away_stay_none() -> None:
    ends = [NO_TIME, NO_TIME + 1, 2**63 - 1, 10**18 + 1]
    zone = ZoneInfo("Asia/Kolkata")
    assert utc_from_local(np.array(ends), zone).tolist() == [NO_TIME] * 3 + [10**18 + 1 - 19_800 * 10**9]
    assert utc_of(np.array([5, 5]), np.array([False, True]), zone).tolist() == [5, 5 - 19_800 * 10**9]


@pytest.mark.parametrize("name", ["Asia/Nowhere", "", "../etc/passwd", "IST"])
def test_an_unknown_zone_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match="IANA name such as Asia/Kolkata"):
        zone_of(name)
