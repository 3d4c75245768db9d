"""An order at the simulated exchange: a limit with a protection band, from its sending to its end. Pure, in integers.

Prices are int64 paise, times int64 ns since the epoch (UTC), rates hundred-millionths (`core.money.RATE_SCALE`).
"""

from typing import Final, NamedTuple, TypeVar

from myquant.core import codes, money
from myquant.core.money import RATE_SCALE
from myquant.core.records import NEVER, Event

Function = TypeVar("Function")


def _plain(function: Function) -> Function:
    """Return the Python function of one that is compiled into its callers."""
    return getattr(function, "py_func", function)


order_slices, share_down = _plain(money.order_slices), _plain(money.share_down)

# Models of the exchange.
AT_ONCE: Final = 0  # an order fills wholly when it is sent, at the price that the decision counted on
LIMIT: Final = 1

MODEL_NAMES: Final = {AT_ONCE: "at_once", LIMIT: "limit"}

# Where an order is.
GONE: Final = 0  # it has ended, or there was none
ON_ITS_WAY: Final = 1
RESTING: Final = 2

# Why an order was rejected or cancelled (`Event.code`).
BEYOND_PRICE_BAND: Final = 1
ASKED_FOR: Final = 2
LIFE_OVER: Final = 3

REASON_NAMES: Final = {
    BEYOND_PRICE_BAND: "beyond_price_band",
    ASKED_FOR: "asked_for",
    LIFE_OVER: "life_over",
}

JITTER_MAX_NS: Final = 2**31 - 1  # its product with a random number stays inside 63 bits


class VenueRules(NamedTuple):
    """How the exchange behaves. The model `AT_ONCE` looks at nothing else of it."""

    model: int
    latency_ns: (
        int  # from sending to the exchange, per slice; it counts from the exchange time of the tick decided upon
    )
    jitter_ns: int  # up to this much more, evenly spread
    protection_rate: int  # of the decision's price: how far the limit lies from it
    protection_ticks: int  # at least so many tick sizes, >= 1
    participation_rate: int  # of a tick's volume: what one order may take of it, in whole lots, at least one
    life_ns: int  # at the exchange; what is left then is cancelled
    slippage: int  # paise, worse than the price found


class Contract(NamedTuple):
    """What the exchange knows of an instrument on a day."""

    lot_size: int
    tick_size: int  # paise
    freeze_quantity: int  # units; 0: none known
    low_price: int  # the day's price band; 0: none known
    high_price: int


class Resting(NamedTuple):
    """The last order of one instrument."""

    order_id: int
    state: int
    side: int
    quantity: int
    filled: int
    value: int  # paise of what was filled
    limit: int
    since_ns: int  # its arrival, later the last look at the market: what is older does not concern it
    ends_ns: int  # what is left then is cancelled
    cancel_ns: int  # when the request to cancel it arrives; NEVER: there is none


def check_rules(rules: VenueRules) -> None:
    """Raise ValueError at rules that no exchange has."""
    fits = (
        rules.model in MODEL_NAMES
        and rules.latency_ns >= 0
        and 0 <= rules.jitter_ns <= JITTER_MAX_NS
        and 0 <= rules.protection_rate <= RATE_SCALE
        and rules.protection_ticks >= 1
        and 0 < rules.participation_rate <= RATE_SCALE
        and rules.life_ns > 0
        and rules.slippage >= 0
    )
    if not fits:
        raise ValueError(f"not the rules of an exchange: {rules}")


def draw(random: int, most: int) -> tuple[int, int]:
    """Return the generator's next state and a number from 0 to `most`.

    A linear congruential generator modulo 2^63, of full period, with the multiplier of Knuth's MMIX (The Art of Computer
    Programming, vol. 2, 3.3.4, table 1); its upper 32 bits, the good ones, are scaled.
    """
    random = (random * 6364136223846793005 + 1442695040888963407) & (2**63 - 1)
    return random, ((random >> 31) * (most + 1)) >> 32


def limit_price(side: int, price: int, tick_size: int, rules: VenueRules) -> int:
    """Return the limit of an order: the decision's price and its protection, rounded towards that price to a tick."""
    protection = max(share_down(price, rules.protection_rate), rules.protection_ticks * tick_size)
    if side == codes.BUY:
        return (price + protection) // tick_size * tick_size
    return max(tick_size, -((protection - price) // tick_size) * tick_size)


def send(
    order_id: int, side: int, quantity: int, price: int, time_ns: int, contract: Contract, rules: VenueRules
) -> Resting:
    """Return an order on its way. It is at the exchange once its last slice has arrived: they go one after the other."""
    slices = order_slices(quantity, contract.freeze_quantity, contract.lot_size)
    arrives_ns = time_ns + slices * rules.latency_ns
    limit = limit_price(side, price, contract.tick_size, rules)
    return Resting(order_id, ON_ITS_WAY, side, quantity, 0, 0, limit, arrives_ns, arrives_ns + rules.life_ns, NEVER)


def fill_at_once(order_id: int, side: int, quantity: int, price: int, time_ns: int) -> Resting:
    """Return an order that has filled when it was sent."""
    return Resting(order_id, GONE, side, quantity, quantity, quantity * price, price, time_ns, time_ns, NEVER)


def ask_to_cancel(order: Resting, arrives_ns: int) -> Resting:
    """Return the order with a request to cancel it under way. It overtakes neither the order nor what has happened."""
    return order._replace(cancel_ns=min(order.cancel_ns, max(arrives_ns, order.since_ns)))


def next_ns(order: Resting) -> int:
    """Return when something happens to an order without a look at the market; NEVER: nothing does."""
    if order.state == GONE:
        return NEVER
    return order.since_ns if order.state == ON_ITS_WAY else min(order.cancel_ns, order.ends_ns)


def happen(order: Resting, who: int, contract: Contract) -> tuple[Resting, Event]:
    """Return the order after what happens at `next_ns`, and the answer: acknowledged, rejected or cancelled."""
    time_ns = next_ns(order)
    if order.state == RESTING:
        code = ASKED_FOR if order.cancel_ns <= order.ends_ns else LIFE_OVER
        order = order._replace(state=GONE)
        return order, answer(order, codes.CANCELLED, who, time_ns, code)
    too_high = 0 < contract.high_price < order.limit
    if too_high or order.limit < contract.low_price:
        order = order._replace(state=GONE)
        return order, answer(order, codes.ORDER_REJECT, who, time_ns, BEYOND_PRICE_BAND)
    order = order._replace(state=RESTING)
    return order, answer(order, codes.ORDER_ACK, who, time_ns, 0)


def found_price(side: int, event: Event, slippage: int) -> int:
    """Return what a tick or quote offers an order, paise; 0: nothing.

    It is the other side of the quote, or the last price where that side is missing or the quote is crossed; as in
    `core.pricing`, slippage makes it worse, and a sale brings at least a paisa.
    """
    crossed = 0 < event.ask < event.bid
    quoted = 0 if crossed else (event.ask if side == codes.BUY else event.bid)
    base = quoted if quoted > 0 else event.price
    if base <= 0:
        return 0
    return base + slippage if side == codes.BUY else max(1, base - slippage)


def share_of(volume: int, left: int, lot_size: int, rate: int) -> int:
    """Return the units that an order may take of a tick's volume: whole lots, at least one, at most what is left."""
    lots = max(1, share_down(volume, rate) // lot_size)
    return min(left, lots * lot_size)


def look(order: Resting, event: Event, contract: Contract, rules: VenueRules) -> Resting:
    """Return the order after a look at the market, filled further or not."""
    if order.state != RESTING or event.time_ns < order.since_ns:
        return order
    order = order._replace(since_ns=event.time_ns)
    price = found_price(order.side, event, rules.slippage)
    if price == 0 or order.side * (price - order.limit) > 0:
        return order
    units = share_of(event.volume, order.quantity - order.filled, contract.lot_size, rules.participation_rate)
    filled = order.filled + units
    return order._replace(
        state=GONE if filled == order.quantity else RESTING,
        filled=filled,
        value=order.value + units * price,
    )


def answer(order: Resting, kind: int, who: int, time_ns: int, code: int) -> Event:
    """Return an answer, with the quantity and value of the order filled so far."""
    return Event(kind, who, 0, time_ns, 0, 0, 0, 0, 0, order.order_id, order.filled, order.value, code)
