"""The calendar: hours by date, closed days against an independent one, special sessions, exact instants."""

import warnings
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myquant.errors import ConfigError, DataError
from myquant.market.calendar import Calendar, day_bounds_ns, session_ns

KOLKATA = "Asia/Kolkata"
SEGMENTS = ["NFO", "BFO"]
YEARS = [date(2025, 1, 1) + timedelta(days=days) for days in range(730)]


@pytest.fixture(scope="module")
def calendar() -> Calendar:
    return Calendar.load()


@pytest.mark.parametrize(
    ("day", "expires", "is_index", "close"),
    [
        ("2025-10-03", False, True, time(15, 30)),
        ("2026-07-31", False, True, time(15, 30)),
        ("2026-08-03", False, True, time(15, 40)),
        ("2026-08-04", True, True, time(15, 40)),
        ("2026-12-04", False, True, time(15, 40)),
        ("2026-12-07", False, True, time(15, 45)),
        ("2026-12-08", True, True, time(15, 30)),
        ("2026-12-08", True, False, time(15, 45)),
        ("2026-12-08", False, True, time(15, 45)),
    ],
)
def test_the_close_follows_the_date(calendar: Calendar, day: str, expires: bool, is_index: bool, close: time) -> None:
    on = date.fromisoformat(day)
    expiry = on if expires else date(2026, 12, 29)
    for exchange in SEGMENTS:
        session = calendar.session(exchange, on, expiry=expiry, underlying_is_index=is_index)
        assert session is not None
        assert (session.open, session.close, session.name) == (time(9, 15), close, "regular")
        assert session.announced == (on >= date(2026, 12, 7))


@pytest.mark.parametrize("exchange", SEGMENTS)
def test_special_sessions(calendar: Calendar, exchange: str) -> None:
    muhurat = calendar.session(exchange, date(2025, 10, 21), expiry=None)
    budget = calendar.session(exchange, date(2026, 2, 1), expiry=None)
    assert muhurat is not None
    assert budget is not None
    assert (muhurat.open, muhurat.close, muhurat.name) == (time(13, 45), time(14, 45), "Muhurat")
    assert (budget.open, budget.close, budget.name) == (time(9, 15), time(15, 30), "Budget")


def test_a_session_of_unknown_hours_is_an_error(calendar: Calendar) -> None:
    with pytest.raises(DataError, match=r"Muhurat session of NFO on 2026-11-08 .* session\.source"):
        calendar.session("NFO", date(2026, 11, 8), expiry=None)
    assert calendar.is_trading_day("NFO", date(2026, 11, 8))


def test_every_covered_day_is_open_or_closed_with_one_exception(calendar: Calendar) -> None:
    unknown = []
    for exchange in SEGMENTS:
        for day in YEARS:
            try:
                calendar.session(exchange, day, expiry=None)
            except DataError:
                unknown.append(day)
    assert unknown == [date(2026, 11, 8)] * len(SEGMENTS)


@pytest.mark.parametrize("day", ["2025-10-04", "2025-10-05", "2025-10-02", "2025-10-22", "2026-01-15", "2026-11-24"])
def test_closed_days_have_no_session(calendar: Calendar, day: str) -> None:
    assert calendar.session("NFO", date.fromisoformat(day), expiry=None) is None


def test_a_clearing_holiday_is_open(calendar: Calendar) -> None:
    assert calendar.session("NFO", date(2026, 8, 26), expiry=None) is not None


@pytest.mark.parametrize(
    ("exchange", "day", "words"),
    [
        ("NFO", date(2024, 12, 31), "covers 2025-01-01 to 2026-12-31, not 2024-12-31"),
        ("BFO", date(2027, 1, 1), "not 2027-01-01"),
        ("MCX", date(2025, 10, 3), "no exchange MCX"),
    ],
)
def test_what_is_not_covered_is_an_error(calendar: Calendar, exchange: str, day: date, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        calendar.session(exchange, day, expiry=None)
    assert 'set session.source = "config"' in str(caught.value)


def test_the_closed_weekdays_are_those_of_another_calendar(calendar: Calendar) -> None:
    with warnings.catch_warnings():
        # It still reads a Series in a way that pandas is about to change; what is tested is its list of days.
        warnings.filterwarnings("ignore", message="Series.values", category=DeprecationWarning)
        import exchange_calendars  # noqa: PLC0415 - half a second that only this test needs

        theirs = exchange_calendars.get_calendar("XBOM", start="2025-01-01", end="2026-12-31")
        sessions = {stamp.date() for stamp in theirs.sessions}
    ours = {day for day in YEARS if calendar._is_closed("NFO", day)}
    assert ours == {day for day in YEARS if day not in sessions}


@pytest.mark.parametrize(
    ("day", "after", "before"),
    [
        ("2025-10-01", "2025-10-03", "2025-09-30"),
        ("2025-10-03", "2025-10-06", "2025-10-01"),
        ("2026-11-23", "2026-11-25", "2026-11-20"),
        ("2026-01-30", "2026-02-01", "2026-01-29"),
        ("2026-11-06", "2026-11-08", "2026-11-05"),
    ],
)
def test_the_neighbours_of_a_day(calendar: Calendar, day: str, after: str, before: str) -> None:
    on = date.fromisoformat(day)
    assert calendar.next_trading_day("NFO", on) == date.fromisoformat(after)
    assert calendar.previous_trading_day("NFO", on) == date.fromisoformat(before)


def test_the_neighbours_end_with_the_covered_years(calendar: Calendar) -> None:
    with pytest.raises(DataError, match=r"session\.source"):
        calendar.next_trading_day("NFO", date(2026, 12, 31))


def test_instants_of_a_session() -> None:
    open_ns, close_ns = session_ns(date(2025, 10, 3), time(9, 15), time(15, 30), KOLKATA)
    assert open_ns == int(datetime(2025, 10, 3, 3, 45, tzinfo=UTC).timestamp()) * 10**9
    assert close_ns - open_ns == (6 * 60 + 15) * 60 * 10**9


@given(st.dates(date(1975, 1, 1), date(2100, 1, 1)), st.times())
def test_instants_are_exact(day: date, opening: time) -> None:
    opening = opening.replace(hour=opening.hour % 23, fold=0)
    open_ns, close_ns = session_ns(day, opening, time(23, 59), KOLKATA)
    start_ns, end_ns = day_bounds_ns(day, KOLKATA)
    seconds = opening.hour * 3600 + opening.minute * 60 + opening.second
    assert open_ns - start_ns == seconds * 10**9 + opening.microsecond * 1000
    assert end_ns - close_ns == 60 * 10**9
    assert (end_ns - start_ns, start_ns % 10**9) == (86_400 * 10**9, 0)


@pytest.mark.parametrize(("day", "hours"), [("2025-03-30", 23), ("2025-10-26", 25), ("2025-10-03", 24)])
def test_a_day_with_a_change_of_clocks_has_its_own_length(day: str, hours: int) -> None:
    start_ns, end_ns = day_bounds_ns(date.fromisoformat(day), "Europe/Berlin")
    assert end_ns - start_ns == hours * 3600 * 10**9


def test_bad_zones_and_hours_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"session\.timezone = 'Asia/Nowhere'"):
        day_bounds_ns(date(2025, 10, 3), "Asia/Nowhere")
    with pytest.raises(ConfigError, match=r"session\.timezone"):
        day_bounds_ns(date(2025, 10, 3), "../etc/passwd")
    with pytest.raises(ConfigError, match="not after its open"):
        session_ns(date(2025, 10, 3), time(9, 15), time(9, 15), KOLKATA)
