from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from myquant.config.loading import load_config
from myquant.session.engine import Engine
from myquant.session.hours import hours_of
from myquant.strategies.loading import default_strategy
from myquant.ticks.batch import InstrumentName

IST = ZoneInfo("Asia/Kolkata")


def clock(ns: int) -> str:
    return f"{datetime.fromtimestamp(ns // 10**9, IST):%H:%M}"


def at(on: date) -> int:
    return int(datetime.combine(on, time(12), IST).timestamp()) * 10**9


def engine(*assignments: str) -> Engine:
    return Engine(
        load_config(assignments=assignments), default_strategy(), (InstrumentName("NIFTY07OCT2524900CE", "NFO"),)
    )


@pytest.mark.parametrize(
    ("on", "expected"),
    [(date(2025, 10, 3), ("09:15", "15:30")), (date(2026, 11, 23), ("09:15", "15:40"))],
)
def test_hours_are_the_calendar_s_even_for_a_contract_that_has_expired(on: date, expected: tuple[str, str]) -> None:
    hours = hours_of(engine())(at(on))
    assert hours is not None
    assert (clock(hours.open_ns), clock(hours.close_ns)) == expected


@pytest.mark.parametrize(
    "on", [date(2025, 10, 4), date(2025, 10, 2), date(1999, 1, 1)], ids=["saturday", "holiday", "unknown"]
)
def test_a_day_without_trading_has_none(on: date) -> None:
    assert hours_of(engine())(at(on)) is None


def test_hours_of_the_config_hold_on_every_day() -> None:
    hours = hours_of(engine("session.source=config", "session.end_hour=23"))(at(date(2025, 10, 4)))
    assert hours is not None
    assert clock(hours.close_ns) == "23:30"
