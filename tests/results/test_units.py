"""Rounding, ISO 8601 and days: the units that a reader gets."""

import json
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myquant.results.trades import csv_text, times
from myquant.results.units import day_numbers, iso_time, mean_rupees, percent, quotient, rupees
from results.sample import DAY_1, DAY_2, at

KOLKATA = ZoneInfo("Asia/Kolkata")


@pytest.mark.parametrize(
    ("clock", "text"),
    [
        ("09:21:07", "2025-10-03T09:21:07+05:30"),
        ("09:21:07.5", "2025-10-03T09:21:07.500+05:30"),
        ("09:21:07.000001", "2025-10-03T09:21:07.000001+05:30"),
        ("00:00:00.000000001", "2025-10-03T00:00:00.000000001+05:30"),
    ],
)
def test_time_has_decimals_only_where_they_say_something(clock: str, text: str) -> None:
    assert iso_time(at(clock), KOLKATA) == text


@given(st.integers(min_value=0, max_value=4 * 10**18), st.sampled_from(["Asia/Kolkata", "UTC", "America/New_York"]))
def test_csv_and_summary_write_a_time_alike(time_ns: int, zone: str) -> None:
    column = times("time", np.array([time_ns]), zone)
    assert csv_text(pl.DataFrame([column])).splitlines()[1] == iso_time(time_ns, ZoneInfo(zone))


@given(st.integers(min_value=-(10**15), max_value=10**15))
def test_rupees_carry_the_exact_paise(paise: int) -> None:
    sign, whole, part = "-" if paise < 0 else "", *divmod(abs(paise), 100)
    assert f"{rupees(paise):.2f}" == f"{sign}{whole}.{part:02d}"
    assert round(json.loads(json.dumps(rupees(paise))) * 100) == paise


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [(1, 3, 0.3333), (2, 3, 0.6667), (5, 100_000, 0.0001), (-5, 100_000, -0.0001), (-1, 10**9, 0.0), (1, 0, None)],
)
def test_quotients_round_half_up_and_may_be_undefined(part: int, whole: int, expected: float | None) -> None:
    assert str(quotient(part, whole)) == str(expected)


def test_percent_and_mean() -> None:
    assert percent(1, 8) == 12.5
    assert percent(1, 0) is None
    assert mean_rupees(1001, 2) == 5.01
    assert mean_rupees(-1001, 2) == -5.01
    assert mean_rupees(0, 0) is None


def test_a_time_belongs_to_the_calendar_day_of_its_zone() -> None:
    just_before = at("00:00:00", DAY_2) - 1
    found = day_numbers(np.array([at("09:15:00"), just_before, at("00:00:00", DAY_2)]), (DAY_1, DAY_2), "Asia/Kolkata")
    assert found.tolist() == [0, 0, 1]


def test_days_follow_a_change_of_the_clock() -> None:
    zone = ZoneInfo("Europe/Berlin")  # its clock went back on 26 October 2025
    days = (date(2025, 10, 26), date(2025, 10, 27))
    late = int(datetime(2025, 10, 26, 23, 30, tzinfo=zone).timestamp()) * 10**9
    assert day_numbers(np.array([late, late + 3600 * 10**9]), days, "Europe/Berlin").tolist() == [0, 1]
