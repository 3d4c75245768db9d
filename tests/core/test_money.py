"""Money in integers agrees with exact arithmetic, without overflow, and order costs with the market room's decimals."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.jit import jitted
from myquant.core import codes, money
from myquant.core.money import RATE_SCALE
from myquant.core.records import Charges
from myquant.market.charges import ChargeRates, order_charges, slices
from myquant.session.rules import core_charges

LARGEST = 2**63 - 1
WHOLE_MAX = 2**41 - 1  # units of the largest position: all of the largest capital at a paisa each

compiled = settings(deadline=None)  # the first call compiles
amounts = st.integers(0, LARGEST)
rates = st.integers(0, RATE_SCALE)


@jitted
def share_down(amount: int, rate: int) -> int:
    return money.share_down(amount, rate)


@jitted
def share_half_up(amount: int, rate: int) -> int:
    return money.share_half_up(amount, rate)


@jitted
def divide_half_up(amount: int, count: int) -> int:
    return money.divide_half_up(amount, count)


@jitted
def proportion_down(amount: int, part: int, whole: int) -> int:
    return money.proportion_down(amount, part, whole)


@jitted
def order_slices(quantity: int, freeze_quantity: int, lot_size: int) -> int:
    return money.order_slices(quantity, freeze_quantity, lot_size)


@jitted
def order_costs(charges: Charges, side: int, turnover: int, count: int) -> tuple[money.OrderCosts, int]:
    costs = money.order_costs(charges, side, turnover, count)
    return costs, money.total(costs)


@compiled
@given(st.integers(-LARGEST, LARGEST), rates)
@example(LARGEST, RATE_SCALE)
def test_share_down(amount: int, rate: int) -> None:
    assert share_down(amount, rate) == amount * rate // RATE_SCALE


@compiled
@given(amounts, rates)
@example(LARGEST, RATE_SCALE)
@example(RATE_SCALE // 2, 1)  # exactly half a paisa goes up
@example(RATE_SCALE // 2 - 1, 1)
def test_share_half_up(amount: int, rate: int) -> None:
    assert share_half_up(amount, rate) == (2 * amount * rate + RATE_SCALE) // (2 * RATE_SCALE)


@compiled
@given(st.integers(0, 2**61), st.integers(1, WHOLE_MAX))
@example(5, 2)
@example(15, 10)
@example(14, 10)
def test_divide_half_up(amount: int, count: int) -> None:
    assert divide_half_up(amount, count) == (2 * amount + count) // (2 * count)


@compiled
@given(amounts, st.integers(1, WHOLE_MAX), st.data())
def test_proportion_down(amount: int, whole: int, data: st.DataObject) -> None:
    part = data.draw(st.integers(0, whole))
    assert proportion_down(amount, part, whole) == amount * part // whole


@compiled
@given(amounts, st.integers(1, WHOLE_MAX), st.lists(st.floats(0, 1), max_size=6))
def test_parts_of_an_amount_never_sum_to_more_than_it(amount: int, whole: int, cuts: list[float]) -> None:
    places = sorted({0, whole, *(int(cut * whole) for cut in cuts)})
    parts = [end - start for start, end in pairwise(places)]
    rest = amount - sum(proportion_down(amount, part, whole) for part in parts)
    assert 0 <= rest < max(1, len(parts))


@compiled
@given(st.integers(1, 10**12), st.integers(1, 5000), st.integers(1, 10**6))
def test_order_slices(quantity: int, lot_size: int, freeze_quantity: int) -> None:
    if freeze_quantity >= lot_size:
        assert order_slices(quantity, freeze_quantity, lot_size) == slices(quantity, freeze_quantity, lot_size)
    assert order_slices(quantity, 0, lot_size) == 1


percents = st.decimals(0, 100, places=6)
prices = st.one_of(st.integers(1, 100_000), st.integers(1, 10**9))
quantities = st.one_of(st.integers(1, 10_000), st.integers(1, 10**6))
brokerages = st.decimals(0, 1000, places=2)


@st.composite
def charge_rates(draw: st.DrawFn) -> ChargeRates:
    percent = draw(st.booleans())
    nothing = Decimal(0)
    return ChargeRates(
        model="percent" if percent else "india_index_options",
        brokerage_per_order=draw(brokerages),
        commission_percent=draw(percents) if percent else nothing,
        exchange_percent=draw(percents),
        sebi_percent=nothing if percent else draw(percents),
        stt_sell_percent=draw(percents),
        stamp_buy_percent=nothing if percent else draw(percents),
        gst_percent=draw(percents),
        gst_on="rounded" if percent else "unrounded",
        per_slice=not percent,
    )


@compiled
@given(charge_rates(), prices, quantities, st.integers(1, 50), st.booleans())
def test_order_costs_are_those_of_the_market_room(
    rates: ChargeRates, price: int, quantity: int, count: int, buy: bool
) -> None:
    costs, total = order_costs(core_charges(rates), codes.BUY if buy else codes.SELL, price * quantity, count)
    wanted = order_charges(rates, "buy" if buy else "sell", price, quantity, slices=count)
    assert costs._asdict() == vars(wanted)
    assert total == wanted.total


@pytest.mark.parametrize("model", ["percent", "india_index_options"])
@pytest.mark.parametrize("side", ["buy", "sell"])
def test_the_largest_order_does_not_overflow(model: str, side: str) -> None:
    hundred = Decimal(100)
    rates = ChargeRates(
        model=model,  # type: ignore[arg-type]  # pytest knows it as text
        brokerage_per_order=Decimal(10**10),
        commission_percent=hundred if model == "percent" else Decimal(0),
        exchange_percent=hundred,
        sebi_percent=hundred,
        stt_sell_percent=hundred,
        stamp_buy_percent=hundred,
        gst_percent=hundred,
        gst_on="rounded" if model == "percent" else "unrounded",
        per_slice=True,
    )
    turnover = 10**16  # ten thousand times the largest capital, in paise
    costs, total = order_costs(core_charges(rates), codes.BUY if side == "buy" else codes.SELL, turnover, 1000)
    wanted = order_charges(rates, side, turnover, 1, slices=1000)  # type: ignore[arg-type]  # likewise
    assert costs._asdict() == vars(wanted)
    assert total == wanted.total
