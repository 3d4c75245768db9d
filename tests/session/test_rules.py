"""From settings and tables to the core's units: rates, paise, the hours of a day."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from laws.driver import settings
from myquant.config.loading import LoadedConfig, load_config
from myquant.core import codes
from myquant.errors import ConfigError, DataError
from myquant.session.rules import core_rules, day_rules, local_date, paise, rate

KOLKATA = "Asia/Kolkata"
CALENDAR = {"session": {"source": "calendar"}}


def ns(day: date, clock: str, zone: str = KOLKATA) -> int:
    moment = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZoneInfo(zone))
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def clocks(loaded: LoadedConfig, day: date, symbol: str = "NIFTY", zone: str = KOLKATA) -> dict[str, str]:
    """Return the instants of a day's rules as clock readings."""
    rules = day_rules(loaded, symbol, None, day).day
    shown = {}
    for name in ("start_ns", "entry_from_ns", "entry_end_ns", "flatten_ns", "end_ns"):
        seconds, rest = divmod(getattr(rules, name), 10**9)
        moment = datetime.fromtimestamp(seconds, UTC).astimezone(ZoneInfo(zone))
        shown[name] = f"{moment:%d %H:%M:%S}" + (f"+{rest}ns" if rest else "")
    return shown


@pytest.mark.parametrize(
    ("percent", "expected"), [("0", 0), ("100", 10**8), ("30.0", 3 * 10**7), ("0.000001", 1), ("0.03553", 35_530)]
)
def test_a_percentage_is_an_exact_rate(percent: str, expected: int) -> None:
    assert rate(Decimal(percent)) == expected


def test_paise_are_whole() -> None:
    assert paise(Decimal("100.05")) == 10_005
    with pytest.raises(ConfigError, match=r"0\.5\d* is finer than the engine's unit"):
        paise(Decimal("0.005"))


def test_the_rules_in_the_cores_units() -> None:
    rules = core_rules(settings({}).config, strategy_has_stop=False)
    assert (rules.base_sl, rules.stop_rate, rules.position_rate) == (1500, 6_000_000, 30_000_000)
    assert rules.tp_points == (500, 1200, 2000, 3000, 0, 0, 0, 0)
    assert rules.tp_rates == (40_000_000, 30_000_000, 20_000_000, 10_000_000, 0, 0, 0, 0)
    assert (rules.tiers, rules.noise_rate, rules.noise_ticks) == (4, 10_000, 10**8)
    assert (rules.order_timeout_ns, rules.mark_interval_ns) == (5 * 10**9, 5 * 10**9)
    assert rules.stop_mode == codes.STOP_BY_POINTS


def test_a_strategys_own_stop_goes_before_the_configured_one() -> None:
    loaded = settings({"risk.stop_loss_mode": "atr"})
    assert core_rules(loaded.config, strategy_has_stop=True).stop_mode == codes.STOP_BY_STRATEGY
    assert core_rules(loaded.config, strategy_has_stop=False).stop_mode == codes.STOP_BY_ATR


def test_the_hours_of_the_defaults() -> None:
    assert clocks(settings({}), date(2025, 10, 6)) == {
        "start_ns": "06 00:00:00",
        "entry_from_ns": "06 09:20:00",
        "entry_end_ns": "06 15:10:00",
        "flatten_ns": "06 15:10:00",
        "end_ns": "07 00:00:00",
    }


WINDOWS: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "the longer start holds": (
        {"start_buffer_minutes": 5, "no_trade_start_minutes": 12},
        "09:27:00",
        "15:10:00",
        "15:10:00",
    ),
    "either start": ({"start_buffer_minutes": 30, "no_trade_start_minutes": 12}, "09:45:00", "15:10:00", "15:10:00"),
    # the last moment of the window may still enter: it ends a nanosecond later
    "a longer end": ({"no_trade_end_minutes": 60}, "09:20:00", "14:30:00+1ns", "15:10:00"),
    # at the flattening itself nothing may
    "both ends alike": ({"no_trade_end_minutes": 20}, "09:20:00", "15:10:00", "15:10:00"),
    "no buffers": (
        dict.fromkeys(
            ("start_buffer_minutes", "no_trade_start_minutes", "end_buffer_minutes", "no_trade_end_minutes"), 0
        ),
        "09:15:00",
        "15:30:00",
        "15:30:00",
    ),
    "another day": (
        {"start_hour": 10, "start_min": 30, "end_hour": 11, "end_min": 1},
        "10:35:00",
        "10:41:00",
        "10:41:00",
    ),
}


@pytest.mark.parametrize("case", WINDOWS)
def test_the_window_of_entries(case: str) -> None:
    changes, entry_from, entry_end, flatten = WINDOWS[case]
    found = clocks(settings({f"session.{key}": value for key, value in changes.items()}), date(2025, 10, 6))
    assert (found["entry_from_ns"], found["entry_end_ns"], found["flatten_ns"]) == (
        f"06 {entry_from}",
        f"06 {entry_end}",
        f"06 {flatten}",
    )


@pytest.mark.parametrize(
    ("day", "symbol", "opens", "flattens"),
    [
        (date(2025, 10, 6), "NIFTY", "09:20:00", "15:10:00"),
        (date(2025, 10, 21), "NIFTY", "13:50:00", "14:25:00"),  # the hour of Muhurat trading
        (date(2026, 2, 1), "NIFTY", "09:20:00", "15:10:00"),  # a Sunday, open for the budget
        (date(2026, 7, 31), "NIFTY", "09:20:00", "15:10:00"),
        (date(2026, 8, 3), "NIFTY", "09:20:00", "15:20:00"),  # closes ten minutes later from here on, at 15:40
        (date(2026, 8, 4), "NIFTY04AUG2624900CE", "09:20:00", "15:20:00"),
        (date(2026, 8, 6), "SENSEX", "09:20:00", "15:20:00"),
    ],
)
def test_the_calendar_knows_the_hours(day: date, symbol: str, opens: str, flattens: str) -> None:
    found = clocks(load_config(values=CALENDAR), day, symbol)
    assert (found["entry_from_ns"][3:], found["flatten_ns"][3:]) == (opens, flattens)


@pytest.mark.parametrize("day", [date(2025, 10, 4), date(2025, 10, 2), date(2026, 1, 26)])
def test_on_a_closed_day_nothing_is_entered_and_all_is_left(day: date) -> None:
    rules = day_rules(load_config(values=CALENDAR), "NIFTY", None, day).day
    assert rules.entry_from_ns == rules.entry_end_ns == rules.flatten_ns == rules.start_ns == ns(day, "00:00:00")


def test_hours_of_the_config_hold_on_every_day() -> None:
    assert clocks(settings({}), date(2025, 10, 5))["entry_from_ns"] == "05 09:20:00"


def test_a_day_of_another_zone_may_have_23_hours() -> None:
    new_york = "America/New_York"
    rules = day_rules(settings({"session.timezone": new_york}), "NIFTY", None, date(2026, 3, 8)).day
    assert rules.end_ns - rules.start_ns == 23 * 3600 * 10**9
    assert rules.entry_from_ns == ns(date(2026, 3, 8), "09:20:00", new_york)


@pytest.mark.parametrize(
    ("zone", "clock", "expected"),
    [
        (KOLKATA, "00:00:00", date(2025, 10, 6)),
        (KOLKATA, "23:59:59.999", date(2025, 10, 6)),
        ("UTC", "00:00:00", date(2025, 10, 5)),
    ],
)
def test_the_date_is_that_of_the_sessions_zone(zone: str, clock: str, expected: date) -> None:
    assert local_date(zone)(ns(date(2025, 10, 6), clock)) == expected


def test_what_no_table_covers_is_an_error_with_its_remedy() -> None:
    day = date(2025, 10, 6)
    with pytest.raises(DataError, match=r"set session\.source"):
        day_rules(settings({"session.source": "calendar", "charges.model": "percent"}), "NIFTY", None, date(2030, 1, 1))
    with pytest.raises(DataError, match=r"set instrument\.lot_size"):
        day_rules(load_config(values={}), "NIFTY", None, date(2030, 1, 1))
    with pytest.raises(DataError, match=r"set instrument\.tick_size"):
        day_rules(settings({"instrument.tick_size": 0}), "ACME", None, day)
    with pytest.raises(DataError, match=r"set charges\.model"):
        day_rules(settings({}), "NIFTY", None, date(2030, 1, 1))
    with pytest.raises(ConfigError, match="NIFTY trades on NFO, not BFO"):
        day_rules(settings({"instrument.exchange": "BFO"}), "NIFTY", None, day)


def test_an_instrument_of_ones_own_needs_lot_tick_and_charges() -> None:
    own = {"charges.model": "percent", "instrument.lot_size": 10, "instrument.tick_size": Decimal("0.25")}
    found = day_rules(settings(own), "ACME", None, date(2030, 1, 5))
    assert (found.day.lot_size, found.day.tick_size, found.day.freeze_quantity) == (10, 25, 0)
    assert (found.contract.exchange, found.rates.model) == ("NFO", "percent")


def test_the_book_knows_lot_tick_and_freeze_by_date() -> None:
    found = day_rules(load_config(values={}), "NIFTY07OCT2524900CE", None, date(2025, 10, 6)).day
    assert (found.lot_size, found.tick_size, found.freeze_quantity) == (75, 5, 1800)


def test_what_a_broker_lists_goes_before_the_contract_book_and_a_setting_before_both() -> None:
    day, symbol = date(2025, 10, 3), "NIFTY07OCT2524900CE"
    book = day_rules(load_config(), symbol, "NFO", day).day
    assert (book.lot_size, book.tick_size) == (75, 5)
    listed = day_rules(load_config(), symbol, "NFO", day, (50, 10)).day
    assert (listed.lot_size, listed.tick_size) == (50, 10)
    assert listed.grid != book.grid
    chosen = load_config(assignments=["instrument.lot_size=25", "instrument.tick_size=0.2"])
    rules = day_rules(chosen, symbol, "NFO", day, (50, 10)).day
    assert (rules.lot_size, rules.tick_size) == (25, 20)
