"""The contract book: symbols, lots by expiry and day, freeze quantities, price steps, and what it refuses."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myquant.errors import ConfigError, DataError
from myquant.market.calendar import Calendar
from myquant.market.contracts import ParsedSymbol, contract, parse_symbol


@pytest.mark.parametrize(
    ("symbol", "parsed"),
    [
        ("NIFTY07OCT2524900CE", ParsedSymbol("NIFTY", date(2025, 10, 7), Decimal(24900), "CE")),
        ("NIFTY28OCT25FUT", ParsedSymbol("NIFTY", date(2025, 10, 28), None, "FUT")),
        ("SENSEX5030OCT2582000PE", ParsedSymbol("SENSEX50", date(2025, 10, 30), Decimal(82000), "PE")),
        ("NIFTYNXT5025NOV2568000CE", ParsedSymbol("NIFTYNXT50", date(2025, 11, 25), Decimal(68000), "CE")),
        ("M&M24FEB263100.5PE", ParsedSymbol("M&M", date(2026, 2, 24), Decimal("3100.5"), "PE")),
        ("NIFTY", ParsedSymbol("NIFTY")),
        ("SENSEX50", ParsedSymbol("SENSEX50")),
        ("BAJAJ-AUTO", ParsedSymbol("BAJAJ-AUTO")),
    ],
)
def test_a_symbol_is_taken_apart(symbol: str, parsed: ParsedSymbol) -> None:
    assert parse_symbol(symbol) == parsed


@pytest.mark.parametrize(
    "symbol",
    [
        *("", "nifty", "NIFTY 50", "NIFTY07OCT25", "NIFTY07OCT2524900", "NIFTY07OCT2524900XX", "07OCT2524900CE"),
        *("NIFTY31FEB2524900CE", "NIFTY07OKT2524900CE", "NIFTY07OCT25.5CE", "NIFTY07OCT25CE", "NIFTY07OCT2524900CE "),
        "NIFTY07OCT25٢٤٩٠٠CE",  # digits of another script are no strike
    ],
)
def test_what_is_no_symbol_is_none(symbol: str) -> None:
    assert parse_symbol(symbol) is None


@given(
    underlying=st.sampled_from(["NIFTY", "BANKNIFTY", "NIFTYNXT50", "SENSEX", "SENSEX50"]),
    expiry=st.dates(date(2000, 1, 1), date(2099, 12, 31)),
    strike=st.decimals(Decimal(1000), 200_000, places=2),
    right=st.sampled_from(["CE", "PE"]),
)
def test_parsing_undoes_writing(underlying: str, expiry: date, strike: Decimal, right: str) -> None:
    month = f"{expiry:%b}".upper()
    parsed = parse_symbol(f"{underlying}{expiry.day:02}{month}{expiry.year % 100:02}{strike}{right}")
    assert parsed is not None
    assert (parsed.underlying, parsed.expiry, parsed.strike, parsed.right) == (underlying, expiry, strike, right)


# Symbol, day of the trade, lot. Weekly and monthly contracts on both sides of every change.
LOTS = [
    ("NIFTY25APR2422000CE", "2024-04-25", 50),
    ("NIFTY02MAY2422000CE", "2024-04-26", 25),
    ("NIFTY26DEC2424000CE", "2024-12-26", 25),
    ("NIFTY02JAN2524000CE", "2024-12-26", 75),
    ("NIFTY30JAN2524000CE", "2025-01-23", 25),
    ("NIFTY27FEB2524000CE", "2025-01-23", 75),
    ("NIFTY07OCT2524900CE", "2025-10-03", 75),
    ("NIFTY30DEC2526000PE", "2025-12-30", 75),
    ("NIFTY30MAR2626000PE", "2025-12-30", 75),
    ("NIFTY30MAR2626000PE", "2025-12-31", 65),
    ("NIFTY06JAN2626000PE", "2025-12-29", 65),
    ("NIFTY27JAN2626000PE", "2025-12-01", 65),
    ("NIFTY23NOV2626000PE", "2026-11-20", 65),
    ("BANKNIFTY30JAN2550000CE", "2025-01-30", 15),
    ("BANKNIFTY27FEB2550000CE", "2025-01-30", 30),
    ("BANKNIFTY26JUN2550000CE", "2025-06-26", 30),
    ("BANKNIFTY30SEP2550000CE", "2025-04-24", 30),
    ("BANKNIFTY30SEP2550000CE", "2025-04-25", 35),
    ("BANKNIFTY31JUL2550000CE", "2025-06-26", 35),
    ("BANKNIFTY30DEC2550000CE", "2025-12-30", 35),
    ("BANKNIFTY27JAN2650000CE", "2025-12-30", 30),
    ("FINNIFTY23JUL2423000CE", "2024-07-23", 40),
    ("FINNIFTY30JUL2423000CE", "2024-07-23", 25),
    ("FINNIFTY30JAN2523000CE", "2025-01-30", 25),
    ("FINNIFTY27FEB2523000CE", "2025-01-30", 65),
    ("FINNIFTY27JAN2627000CE", "2025-12-30", 60),
    ("MIDCPNIFTY22JUL2411000CE", "2024-07-22", 75),
    ("MIDCPNIFTY29JUL2411000CE", "2024-07-22", 50),
    ("MIDCPNIFTY27FEB2511000CE", "2025-02-03", 120),
    ("MIDCPNIFTY31JUL2513000CE", "2025-06-26", 140),
    ("MIDCPNIFTY27JAN2613000CE", "2025-12-30", 120),
    ("NIFTYNXT5030JAN2568000CE", "2025-01-30", 10),
    ("NIFTYNXT5027FEB2568000CE", "2025-01-30", 25),
    ("NIFTYFPI25AUG261000CE", "2026-08-12", 1100),
    ("SENSEX03JAN2579000CE", "2025-01-03", 10),
    ("SENSEX07JAN2579000CE", "2025-01-03", 20),
    ("SENSEX28JAN2579000CE", "2025-01-27", 10),
    ("SENSEX04FEB2579000CE", "2025-01-27", 20),
    ("SENSEX31DEC2690000CE", "2026-12-30", 20),
    ("SENSEX07JAN2790000CE", "2026-12-30", 25),
    ("BANKEX30DEC2459000CE", "2024-12-30", 15),
    ("BANKEX25FEB2559000CE", "2025-02-03", 30),
    ("SENSEX5029JAN2680000CE", "2026-01-05", 75),
    ("NIFTY28OCT25FUT", "2025-10-03", 75),
    # A bare underlying has the lot of the nearest contract.
    ("NIFTY", "2024-04-25", 50),
    ("NIFTY", "2024-12-26", 25),
    ("NIFTY", "2024-12-27", 75),
    ("NIFTY", "2025-01-24", 25),
    ("NIFTY", "2025-01-31", 75),
    ("NIFTY", "2025-10-03", 75),
    ("NIFTY", "2025-12-30", 75),
    ("NIFTY", "2025-12-31", 65),
    ("BANKNIFTY", "2025-06-26", 30),
    ("BANKNIFTY", "2025-06-27", 35),
    ("SENSEX", "2025-01-03", 10),
    ("SENSEX", "2025-01-06", 20),
    ("SENSEX", "2026-12-31", 20),
]


@pytest.mark.parametrize(("symbol", "day", "lot_size"), LOTS)
def test_the_lot_is_that_of_the_contract(symbol: str, day: str, lot_size: int) -> None:
    found = contract(symbol, date.fromisoformat(day), tick_size=Decimal("0.05"))
    assert (found.lot_size, found.tick_size_paise) == (lot_size, 5)


@pytest.mark.parametrize(
    ("symbol", "day", "missing", "remedy"),
    [
        ("NIFTY07OCT2524900CE", "2025-10-08", "expired on 2025-10-07", "instrument.symbol"),
        ("NIFTY", "2020-01-01", "no lot size for NIFTY", "instrument.lot_size"),
        ("NIFTY27FEB2524000CE", "2024-12-20", "no lot size", "instrument.lot_size"),
        ("NIFTY05JAN2726000CE", "2026-12-30", "no lot size", "instrument.lot_size"),
        ("NIFTY", "2026-12-30", "no lot size for NIFTY", "instrument.lot_size"),
        ("BANKEX28JAN2559000CE", "2025-01-20", "no lot size", "instrument.lot_size"),
        ("SENSEX5030OCT2582000CE", "2025-10-03", "no lot size", "instrument.lot_size"),
        ("RELIANCE", "2025-10-03", "does not know RELIANCE", "instrument.lot_size"),
        ("NIFTY28OCT25FUT", "2025-10-03", "tick size of NIFTY28OCT25FUT", "instrument.tick_size"),
    ],
)
def test_what_the_book_does_not_cover_is_an_error(symbol: str, day: str, missing: str, remedy: str) -> None:
    with pytest.raises(DataError) as caught:
        contract(symbol, date.fromisoformat(day), exchange=None if "SENSEX" in symbol or "BANKEX" in symbol else "NFO")
    assert missing in str(caught.value)
    assert remedy in str(caught.value)


@pytest.mark.parametrize("symbol", ["banknifty", "BankNifty", "nifty07oct2524900ce"])
def test_a_symbol_in_small_letters_is_asked_about(symbol: str) -> None:
    with pytest.raises(DataError, match=rf"does not know {symbol}, did you mean {symbol.upper()}\?"):
        contract(symbol, date(2025, 10, 3))


@pytest.mark.parametrize("symbol", ["reliance", "RELIANCE", "nifty 50"])
def test_a_symbol_unknown_in_capitals_too_is_not_asked_about(symbol: str) -> None:
    with pytest.raises(DataError, match=rf"does not know {symbol} \(it has"):
        contract(symbol, date(2025, 10, 3))


@pytest.mark.parametrize(
    ("underlying", "day", "freeze_quantity"),
    [
        ("NIFTY", "2025-10-03", 1800),
        ("NIFTY", "2026-10-02", 1800),
        ("NIFTY", "2026-10-05", 3510),
        ("BANKNIFTY", "2025-08-29", 600),
        ("BANKNIFTY", "2025-09-01", 900),
        ("BANKNIFTY", "2025-10-31", 900),
        ("BANKNIFTY", "2025-11-03", 600),
        ("BANKNIFTY", "2026-05-04", None),
        ("BANKNIFTY", "2026-10-05", 1440),
        ("FINNIFTY", "2025-11-28", 1800),
        ("FINNIFTY", "2025-12-01", 1200),
        ("FINNIFTY", "2026-02-01", 1800),
        ("FINNIFTY", "2026-03-02", 1200),
        ("FINNIFTY", "2026-05-04", None),
        ("FINNIFTY", "2026-08-03", 1800),
        ("FINNIFTY", "2026-10-05", 3240),
        ("MIDCPNIFTY", "2025-06-30", None),
        ("MIDCPNIFTY", "2025-07-01", 2800),
        ("MIDCPNIFTY", "2026-10-05", 5760),
        ("NIFTYNXT50", "2026-10-02", 600),
        ("NIFTYNXT50", "2026-10-05", 1125),
        ("NIFTYFPI", "2026-08-12", None),
        ("NIFTYFPI", "2026-10-05", 53900),
        ("SENSEX", "2025-06-30", None),
        ("SENSEX", "2026-10-05", 1000),
        ("BANKEX", "2026-10-05", 900),
    ],
)
def test_the_freeze_quantity_is_that_of_the_day(underlying: str, day: str, freeze_quantity: int | None) -> None:
    assert contract(underlying, date.fromisoformat(day)).freeze_quantity == freeze_quantity


def weeklies(exchange: str) -> list[date]:
    """Return the expiries of NIFTY or SENSEX since both weekdays moved in September 2025, by the rule of the weekday."""
    calendar = Calendar.load()
    first, last = (
        (date(2025, 9, 2), date(2026, 12, 29)) if exchange == "NFO" else (date(2025, 9, 4), date(2026, 12, 31))
    )
    nominal = [first + timedelta(weeks=week) for week in range((last - first).days // 7 + 1)]
    muhurat = date(2025, 10, 21)  # the session of an hour is no day of expiry
    return [
        day
        if day != muhurat and calendar.is_trading_day(exchange, day)
        else calendar.previous_trading_day(exchange, day)
        for day in nominal
    ]


@pytest.mark.parametrize(("underlying", "exchange"), [("NIFTY", "NFO"), ("SENSEX", "BFO")])
def test_no_listed_weekly_falls_between_two_lots(underlying: str, exchange: str) -> None:
    for expiry in weeklies(exchange):
        symbol = f"{underlying}{expiry:%d%b%y}25000CE".upper()
        for back in (0, 1, 7, 21):
            assert contract(symbol, expiry - timedelta(days=back)).lot_size > 0


@pytest.mark.parametrize("underlying", ["NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "NIFTYNXT50", "SENSEX"])
def test_a_bare_underlying_has_a_lot_on_every_day_of_the_calendar(underlying: str) -> None:
    day = date(2025, 1, 1)
    while day <= date(2026, 12, 29):
        assert contract(underlying, day).lot_size > 0
        day += timedelta(days=1)


def test_the_config_goes_before_the_book() -> None:
    found = contract("NIFTY07OCT2524900CE", date(2025, 10, 3), lot_size=50, tick_size=Decimal("0.10"))
    assert (found.lot_size, found.tick_size_paise, found.freeze_quantity, found.exchange) == (50, 10, 1800, "NFO")


def test_the_config_serves_what_the_book_does_not_know() -> None:
    day = date(2019, 1, 1)
    found = contract("my ticks", day, lot_size=1, tick_size=Decimal("0.01"), exchange="MCX")
    assert (found.underlying, found.expiry, found.right) == ("my ticks", None, None)
    assert (found.lot_size, found.tick_size_paise, found.freeze_quantity, found.exchange) == (1, 1, None, "MCX")


@pytest.mark.parametrize(
    ("symbol", "settings", "error", "words"),
    [
        ("GOLD", {"lot_size": 1, "exchange": "MCX"}, DataError, "instrument.tick_size"),
        ("GOLD", {"lot_size": 1, "tick_size": Decimal(1)}, DataError, "instrument.exchange"),
        ("SENSEX", {"exchange": "NFO"}, ConfigError, 'instrument.exchange = "BFO"'),
        ("NIFTY", {"tick_size": Decimal("0.005")}, ConfigError, "instrument.tick_size = 0.005"),
        ("NIFTY", {"lot_size": 1801}, ConfigError, "instrument.lot_size = 1801"),
        ("NIFTY01OCT2524900CE", {"lot_size": 75, "tick_size": Decimal("0.05")}, DataError, "expired on 2025-10-01"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    symbol: str, settings: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        contract(symbol, date(2025, 10, 3), **settings)


@pytest.mark.parametrize("symbol", ["NIFTY25OCT24500CE", "NIFTY25OCT25000CE", "NIFTY25NOV26100CE", "NIFTY25O0724500CE"])
def test_another_brokers_way_to_write_a_contract_is_refused_with_ours(symbol: str) -> None:
    with pytest.raises(DataError, match="as in NIFTY07OCT2524900CE"):
        contract(symbol, date(2025, 10, 3))
