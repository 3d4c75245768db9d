"""Charges: published panels to the paisa, rates by date, rounding, slices."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myquant.errors import DataError
from myquant.market.charges import (
    ChargeRates,
    Charges,
    Order,
    Side,
    contract_note,
    order_charges,
    percent_rates,
    schedule_rates,
    slices,
)
from myquant.market.contracts import Right

PANEL_DAY = date(2026, 9, 1)
PERCENT = percent_rates(
    commission_percent=Decimal("0.03"),
    commission_per_trade=Decimal(0),
    stt_percent=Decimal("0.025"),
    exchange_charges_percent=Decimal("0.003"),
    gst_percent=Decimal(18),
)
NIFTY = schedule_rates(PANEL_DAY, "NFO", "zerodha", "NIFTY")
SENSEX = schedule_rates(PANEL_DAY, "BFO", "zerodha", "SENSEX")

# Rates, units, rupees bought at, rupees sold at, billed rupees.
NOTES = [
    (NIFTY, 20, 589, 797, "82.86"),
    (SENSEX, 20, 476, 280, "61.02"),
    (NIFTY, 65, 100, 110, "63.94"),
    (NIFTY, 650, 100, 110, "213.59"),
    (SENSEX, 20, 300, 320, "61.97"),
]


@pytest.mark.parametrize(("rates", "quantity", "bought", "sold", "billed"), NOTES)
def test_a_contract_note_is_billed_to_the_paisa(
    rates: ChargeRates, quantity: int, bought: int, sold: int, billed: str
) -> None:
    note = contract_note([Order("buy", bought * 100, quantity), Order("sell", sold * 100, quantity)], rates)
    assert note.total == Decimal(billed) * 100


def test_the_parts_of_a_note() -> None:
    note = contract_note([Order("buy", 10_000, 65), Order("sell", 11_000, 65)], NIFTY)
    assert (note.brokerage, note.stt, note.exchange, note.sebi, note.stamp, note.gst) == (4000, 1100, 485, 1, 0, 808)


def test_a_note_rounds_the_day_and_not_the_order() -> None:
    order = Order("sell", 10_000, 65)  # STT of 9.75 rupees
    assert contract_note([order], NIFTY).stt == 1000
    assert contract_note([order] * 4, NIFTY).stt == 3900
    assert contract_note([], NIFTY).total == 0


def test_an_order_keeps_its_paise() -> None:
    assert order_charges(NIFTY, "buy", 10_000, 65) == Charges(2000, 231, 1, 0, 20, 402)
    assert order_charges(NIFTY, "sell", 11_000, 65) == Charges(2000, 254, 1, 1073, 0, 406)


def test_the_schedule_pays_brokerage_for_each_slice() -> None:
    one, three = (order_charges(NIFTY, "buy", 10_000, 65, slices=count) for count in (1, 3))
    assert three.brokerage == 3 * one.brokerage
    assert order_charges(PERCENT, "buy", 10_000, 65, slices=3) == order_charges(PERCENT, "buy", 10_000, 65)


def test_the_percent_model_rounds_before_gst() -> None:
    # Turnover 21,003.75 rupees: commission 6.301125, exchange 0.6301125, both rounded before GST, STT 5.2509375.
    assert order_charges(PERCENT, "sell", 28_005, 75) == Charges(630, 63, 0, 525, 0, 125)
    assert order_charges(PERCENT, "buy", 28_005, 75) == Charges(630, 63, 0, 0, 0, 125)


def test_a_commission_per_trade_is_the_least() -> None:
    least = percent_rates(
        commission_percent=Decimal("0.03"),
        commission_per_trade=Decimal(20),
        stt_percent=Decimal(0),
        exchange_charges_percent=Decimal(0),
        gst_percent=Decimal(0),
    )
    assert order_charges(least, "buy", 10_000, 65).brokerage == 2000
    assert order_charges(least, "buy", 10_000_000, 65).brokerage == 195_000


@pytest.mark.parametrize(
    ("day", "stt_percent"),
    [
        ("2024-10-01", "0.10"),
        ("2025-10-03", "0.10"),
        ("2026-03-31", "0.10"),
        ("2026-04-01", "0.15"),
        ("2026-12-31", "0.15"),
    ],
)
def test_the_tax_follows_the_date(day: str, stt_percent: str) -> None:
    assert schedule_rates(date.fromisoformat(day), "NFO", "zerodha", "NIFTY").stt_sell_percent == Decimal(stt_percent)


@pytest.mark.parametrize(
    ("exchange", "underlying", "percent"),
    [
        ("NFO", "NIFTY", "0.03553"),
        ("NFO", "BANKNIFTY", "0.03553"),
        ("BFO", "SENSEX", "0.0325"),
        ("BFO", "BANKEX", "0.0325"),
        ("BFO", "SENSEX50", "0.005"),
    ],
)
@pytest.mark.parametrize("day", [date(2024, 10, 1), date(2026, 2, 28), date(2026, 3, 1), date(2026, 12, 31)])
def test_the_exchange_charge_follows_the_index(exchange: str, underlying: str, percent: str, day: date) -> None:
    assert schedule_rates(day, exchange, "zerodha", underlying).exchange_percent == Decimal(percent)


@pytest.mark.parametrize("broker", ["zerodha", "angelone", "upstox"])
def test_every_broker_of_the_config_has_a_plan(broker: str) -> None:
    assert schedule_rates(PANEL_DAY, "NFO", broker, "NIFTY", "CE").brokerage_per_order == 20


@pytest.mark.parametrize(
    ("day", "exchange", "broker", "underlying", "right", "words"),
    [
        ("2024-09-30", "NFO", "zerodha", "NIFTY", None, "no NFO charge on NIFTY options for 2024-09-30"),
        ("2027-01-01", "NFO", "zerodha", "NIFTY", None, "2027-01-01"),
        ("2025-10-03", "NFO", "zerodha", "SENSEX", None, "no NFO charge on SENSEX"),
        ("2025-10-03", "NFO", "zerodha", "RELIANCE", None, "RELIANCE"),
        ("2025-10-03", "NFO", "acme", "NIFTY", None, "no brokerage of 'acme'"),
        ("2025-10-03", "NFO", "zerodha", "NIFTY", "FUT", "not futures on NIFTY"),
    ],
)
def test_what_the_schedule_does_not_cover_is_an_error(
    day: str, exchange: str, broker: str, underlying: str, right: Right | None, words: str
) -> None:
    with pytest.raises(DataError, match=words) as caught:
        schedule_rates(date.fromisoformat(day), exchange, broker, underlying, right)
    assert 'set charges.model = "percent"' in str(caught.value)


@pytest.mark.parametrize(
    ("quantity", "freeze_quantity", "lot_size", "orders"),
    [
        (65, 1800, 65, 1),
        (1755, 1800, 65, 1),
        (1820, 1800, 65, 2),
        (3510, 1800, 65, 2),
        (3575, 1800, 65, 3),
        (1800, 1800, 75, 1),
        (1875, 1800, 75, 2),
        (1_000_000, None, 75, 1),
    ],
)
def test_an_order_above_the_freeze_becomes_whole_lots(
    quantity: int, freeze_quantity: int | None, lot_size: int, orders: int
) -> None:
    assert slices(quantity, freeze_quantity, lot_size) == orders


def test_a_freeze_below_one_lot_is_an_error() -> None:
    with pytest.raises(DataError, match=r"instrument\.lot_size"):
        slices(75, 74, 75)


def half_up(amount: Fraction) -> int:
    return floor(amount + Fraction(1, 2))


@given(
    rates=st.sampled_from([NIFTY, SENSEX, PERCENT]),
    side=st.sampled_from(get_args(Side)),
    price_paise=st.integers(1, 10**8),
    quantity=st.integers(1, 10**7),
)
def test_rounding_is_half_up_of_the_exact_fraction(
    rates: ChargeRates, side: Side, price_paise: int, quantity: int
) -> None:
    turnover = price_paise * quantity
    charged = order_charges(rates, side, price_paise, quantity)
    exchange, sebi = (turnover * Fraction(p) / 100 for p in (rates.exchange_percent, rates.sebi_percent))
    commission = turnover * Fraction(rates.commission_percent) / 100
    brokerage = max(commission, Fraction(rates.brokerage_per_order) * 100)
    base: Fraction | int = brokerage + exchange + sebi
    if rates.gst_on == "rounded":
        base = half_up(brokerage) + half_up(exchange) + half_up(sebi)
    assert (charged.brokerage, charged.exchange, charged.sebi) == (
        half_up(brokerage),
        half_up(exchange),
        half_up(sebi),
    )
    assert charged.stt == (half_up(turnover * Fraction(rates.stt_sell_percent) / 100) if side == "sell" else 0)
    assert charged.stamp == (half_up(turnover * Fraction(rates.stamp_buy_percent) / 100) if side == "buy" else 0)
    assert charged.gst == half_up(base * Fraction(rates.gst_percent) / 100)


@given(st.lists(st.tuples(st.sampled_from(get_args(Side)), st.integers(1, 10**7), st.integers(1, 10**4)), max_size=20))
def test_a_note_strays_from_its_orders_by_rounding_only(trades: list[tuple[Side, int, int]]) -> None:
    orders = [Order(*trade) for trade in trades]
    note = contract_note(orders, NIFTY)
    billed = [order_charges(NIFTY, order.side, order.price_paise, order.quantity) for order in orders]
    slack = (len(orders) + 1) * Fraction(1, 2)
    assert note.brokerage == sum(charges.brokerage for charges in billed)
    for part in ("exchange", "sebi", "gst"):
        assert abs(getattr(note, part) - sum(getattr(charges, part) for charges in billed)) <= slack
    for part in ("stt", "stamp"):
        assert getattr(note, part) % 100 == 0
        assert abs(getattr(note, part) - sum(getattr(charges, part) for charges in billed)) <= slack + 50
