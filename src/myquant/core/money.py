"""Money in integers: shares of amounts, half up, without overflow, and what an order costs."""

from typing import Final, NamedTuple

from myquant.core.codes import BUY
from myquant.core.compiled import inlined
from myquant.core.records import Charges

RATE_SCALE: Final = 10**8  # a rate of 1 (100 %): percentages of up to six decimals are exact

_HALF: Final = RATE_SCALE // 2


class OrderCosts(NamedTuple):
    """What one order costs, paise, each part rounded half up."""

    brokerage: int
    exchange: int
    sebi: int
    stt: int
    stamp: int
    gst: int


@inlined
def total(costs: OrderCosts) -> int:
    """Return the sum of the parts, paise."""
    return costs.brokerage + costs.exchange + costs.sebi + costs.stt + costs.stamp + costs.gst


@inlined
def share_down(amount: int, rate: int) -> int:
    """Return floor(amount * rate / RATE_SCALE), rate <= RATE_SCALE; the split keeps it inside 64 bits."""
    return amount // RATE_SCALE * rate + amount % RATE_SCALE * rate // RATE_SCALE


@inlined
def share_half_up(amount: int, rate: int) -> int:
    """Return amount * rate / RATE_SCALE rounded half up, rate <= RATE_SCALE."""
    return amount // RATE_SCALE * rate + (amount % RATE_SCALE * rate + _HALF) // RATE_SCALE


@inlined
def divide_half_up(amount: int, count: int) -> int:
    """Return amount / count rounded half up, both positive."""
    return (2 * amount + count) // (2 * count)


@inlined
def proportion_down(amount: int, part: int, whole: int) -> int:
    """Return floor(amount * part / whole), part <= whole < 2^41; twenty bits at a time, so that no product overflows."""
    rest, high, low = amount % whole, part >> 20, part & 0xFFFFF
    first = rest * high
    return amount // whole * part + ((first // whole) << 20) + (((first % whole) << 20) + rest * low) // whole


@inlined
def order_slices(quantity: int, freeze_quantity: int, lot_size: int) -> int:
    """Return how many exchange orders, whole lots each and none above the freeze quantity, carry an order."""
    largest = freeze_quantity // lot_size * lot_size
    return 1 if largest <= 0 else (quantity + largest - 1) // largest


@inlined
def order_costs(charges: Charges, side: int, turnover: int, slices: int) -> OrderCosts:
    """Return what one order of `turnover` paise costs.

    Source of the form: the strategy's specification for the percent model; for the dated schedule the exchange's and
    the broker's tariffs (market/data). GST is due on brokerage, exchange charges and SEBI fees.
    """
    orders = slices if charges.per_slice else 1
    brokerage = max(charges.brokerage_min * orders, share_half_up(turnover, charges.brokerage_rate))
    exchange = share_half_up(turnover, charges.exchange_rate)
    sebi = share_half_up(turnover, charges.sebi_rate)
    stt = 0 if side == BUY else share_half_up(turnover, charges.stt_rate)
    stamp = share_half_up(turnover, charges.stamp_rate) if side == BUY else 0
    if charges.gst_on_rounded:
        gst = share_half_up(brokerage + exchange + sebi, charges.gst_rate)
    else:
        gst = _gst_on_exact_parts(charges, brokerage, turnover)
    return OrderCosts(brokerage, exchange, sebi, stt, stamp, gst)


@inlined
def _gst_on_exact_parts(charges: Charges, brokerage: int, turnover: int) -> int:
    """Return GST on brokerage plus the unrounded exchange and SEBI charges, rounded once, half up.

    The base is held in hundred-millionths of a paisa; a brokerage that is a percentage counts as rounded.
    """
    rate = charges.exchange_rate + charges.sebi_rate
    whole = brokerage + turnover // RATE_SCALE * rate
    rest = turnover % RATE_SCALE * rate  # hundred-millionths of a paisa
    whole, rest = whole + rest // RATE_SCALE, rest % RATE_SCALE
    tax = whole % RATE_SCALE * charges.gst_rate + rest * charges.gst_rate // RATE_SCALE
    return whole // RATE_SCALE * charges.gst_rate + (tax + _HALF) // RATE_SCALE
