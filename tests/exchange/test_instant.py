"""The exchange that fills at once: the whole quantity, at the price of the fill model, never below a paisa."""

from decimal import Decimal
from typing import Any

import pytest

from core.jit import jitted
from laws.driver import settings
from myquant.core import codes
from myquant.core.records import NO_ORDER, Event, Order, Rules, Tape
from myquant.exchange import instant
from myquant.session.rules import core_rules

CAUSE = Event(codes.TICK, 3, 77, 1000, 0, 10_000, 75, 9990, 10_010, 0, 0, 0, 0)


@jitted
def fill_at_once(order: Order, tape: Tape, rules: Rules, event: Event) -> Event:
    return instant.fill_at_once(order, tape, rules, event)


def fill(side: int, bid: int, ask: int, last: int = 10_000, **values: Any) -> Event:
    """Return the fill of an order for 150 units."""
    rules = core_rules(
        settings({name.replace("__", "."): value for name, value in values.items()}).config, strategy_has_stop=False
    )
    tape = Tape(999, last, bid, ask, 60, 3, 10**18, 10**18)
    return fill_at_once(NO_ORDER._replace(id=5, side=side, quantity=150), tape, rules, CAUSE)


QUOTE = {"execution__fill_model": "quote"}
SLIP = {"risk__slippage_points": Decimal("0.25")}

#        model, side, bid, ask -> price
PRICES = [
    ({}, codes.BUY, 9990, 10_010, 10_000),
    ({}, codes.SELL, 9990, 10_010, 10_000),
    (SLIP, codes.BUY, 0, 0, 10_025),
    (SLIP, codes.SELL, 0, 0, 9975),
    (QUOTE, codes.BUY, 9990, 10_010, 10_010),
    (QUOTE, codes.SELL, 9990, 10_010, 9990),
    (QUOTE, codes.SELL, 10_000, 10_000, 10_000),  # locked is not crossed
    ({**QUOTE, **SLIP}, codes.BUY, 9990, 10_010, 10_035),
    ({**QUOTE, **SLIP}, codes.SELL, 9990, 10_010, 9965),
    # a missing or crossed quote: an exit falls back to the last price (an entry is denied before)
    (QUOTE, codes.SELL, 0, 10_010, 10_000),
    (QUOTE, codes.SELL, 9990, 0, 10_000),
    (QUOTE, codes.SELL, 10_020, 10_010, 10_000),
    ({**QUOTE, **SLIP}, codes.SELL, 0, 0, 9975),
]


@pytest.mark.parametrize(("values", "side", "bid", "ask", "price"), PRICES)
def test_the_price_of_a_fill(values: dict[str, Any], side: int, bid: int, ask: int, price: int) -> None:
    assert fill(side, bid, ask, **values).value == 150 * price


def test_a_sale_brings_at_least_a_paisa() -> None:
    assert fill(codes.SELL, 0, 0, last=20, **SLIP).value == 150


def test_a_fill_tells_whose_order_filled_when_and_why() -> None:
    found = fill(codes.BUY, 0, 0)
    assert (found.kind, found.instrument, found.order_id, found.quantity) == (codes.FILL, 3, 5, 150)
    assert found.time_ns == 999  # of the last tick: nothing happens between ticks
    assert found.sequence == CAUSE.sequence
