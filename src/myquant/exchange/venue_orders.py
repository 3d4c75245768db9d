"""An order at the simulated exchange: a limit with a protection band, from its sending to its end. Pure, in integers.

A stop order is such a limit that waits for its trigger first.

Prices are int64 paise, times int64 ns since the epoch (UTC), rates hundred-millionths (`core.money.RATE_SCALE`).
"""

from typing import Final, NamedTuple, TypeVar

from myquant.core import codes, money
from myquant.core.money import RATE_SCALE
from myquant.core.records import Event

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
GONE: Final = 0  # it has ended
ON_ITS_WAY: Final = 1
RESTING: Final = 2  # it works: what trades inside its limit fills it
WAITING: Final = 3  # a stop order whose trigger has not been reached

# What may be under way to the exchange.
PLACE: Final = 1
CHANGE: Final = 2
CANCEL: Final = 3

# Why an order was rejected or cancelled, or a request about it refused (`Event.code`); other numbers than those by which
# `core.codes` says who rejected an order.
ASKED_FOR: Final = 2
BEYOND_PRICE_BAND: Final = 4
HAS_ENDED: Final = 5

REASON_NAMES: Final = {
    ASKED_FOR: "asked_for",
    BEYOND_PRICE_BAND: "beyond_price_band",
    HAS_ENDED: "has_ended",
}

JITTER_MAX_NS: Final = 2**31 - 1  # its product with a random number stays inside 63 bits


class VenueRules(NamedTuple):
    """How the exchange behaves. The model `AT_ONCE` looks at nothing else of it."""

    model: int
    latency_ns: int  # from asking to the exchange, per slice; from the exchange time of the tick decided upon
    jitter_ns: int  # up to this much more, evenly spread
    protection_rate: int  # of the decision's price: how far the limit lies from it
    protection_ticks: int  # at least so many tick sizes, >= 1
    participation_rate: int  # of a tick's volume: what one order may take of it, in whole lots, at least one
    slippage: int  # paise, worse than the price found


class Contract(NamedTuple):
    """What the exchange knows of an instrument on a day."""

    lot_size: int
    tick_size: int  # paise
    freeze_quantity: int  # units; 0: none known
    low_price: int  # the day's price band; 0: none known
    high_price: int


class Resting(NamedTuple):
    """An order, from its sending on; one that has ended, too."""

    order_id: int
    instrument: int
    state: int
    side: int
    quantity: int
    filled: int
    value: int  # paise of what was filled
    limit: int
    trigger: int  # of a stop order: the last price that lets it work; 0: it works as soon as it is there
    since_ns: (
        int  # its sending, its arrival or last change, its last look at the market: what is older does not concern it
    )


class Request(NamedTuple):
    """What is under way to the exchange: an order, a change of one, or its cancellation."""

    arrives_ns: int
    kind: int
    order_id: int
    limit: int  # of an order or a change
    trigger: int


def check_rules(rules: VenueRules) -> None:
    """Raise ValueError at rules that no exchange has."""
    fits = (
        rules.model in MODEL_NAMES
        and rules.latency_ns >= 0
        and 0 <= rules.jitter_ns <= JITTER_MAX_NS
        and 0 <= rules.protection_rate <= RATE_SCALE
        and rules.protection_ticks >= 1
        and 0 < rules.participation_rate <= RATE_SCALE
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
    who: int,
    order_id: int,
    side: int,
    quantity: int,
    price: int,
    trigger: int,
    time_ns: int,
    contract: Contract,
    rules: VenueRules,
) -> Resting:
    """Return an order on its way."""
    limit = limit_price(side, price, contract.tick_size, rules)
    return Resting(order_id, who, ON_ITS_WAY, side, quantity, 0, 0, limit, trigger, time_ns)


def fill_at_once(who: int, order_id: int, side: int, quantity: int, price: int, time_ns: int) -> Resting:
    """Return an order that has filled when it was sent."""
    return Resting(order_id, who, GONE, side, quantity, quantity, quantity * price, price, 0, time_ns)


def reach_ns(order: Resting, time_ns: int, contract: Contract, rules: VenueRules) -> int:
    """Return when what is asked at `time_ns` has reached all slices of an order: they are asked for one after the other."""
    slices = order_slices(order.quantity, contract.freeze_quantity, contract.lot_size)
    return max(order.since_ns, time_ns + slices * rules.latency_ns)


def is_beyond_band(order: Resting, contract: Contract) -> bool:
    """Return whether an order's limit lies outside the price band of the day."""
    return 0 < contract.high_price < order.limit or order.limit < contract.low_price


def arrive(order: Resting, request: Request, contract: Contract) -> tuple[Resting, Event]:
    """Return an order after a request about it has arrived, and the answer.

    A stop order meets the price band when it is triggered, and not before.
    """
    now = request.arrives_ns
    if order.state == GONE:
        return order, answer(order, codes.CHANGE_REJECT, now, HAS_ENDED)
    if request.kind == CANCEL:
        order = order._replace(state=GONE)
        return order, answer(order, codes.CANCELLED, now, ASKED_FOR)
    is_new = request.kind == PLACE
    state = (WAITING if request.trigger else RESTING) if is_new else order.state
    asked = order._replace(state=state, limit=request.limit, trigger=request.trigger, since_ns=now)
    if state == RESTING and is_beyond_band(asked, contract):
        refusal = codes.ORDER_REJECT if is_new else codes.CHANGE_REJECT
        order = order._replace(state=GONE if is_new else state)
        return order, answer(order, refusal, now, BEYOND_PRICE_BAND)
    return asked, answer(asked, codes.ORDER_ACK if is_new else codes.MODIFIED, now, 0)


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
    """Return the order after a look at a tick or quote: filled further, triggered, or as it was.

    One that is `GONE` and not filled was triggered outside the price band.
    """
    if order.state not in (RESTING, WAITING) or event.time_ns < order.since_ns:
        return order
    order = order._replace(since_ns=event.time_ns)
    if order.state == WAITING:
        return _wait(order, event, contract)
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


def _wait(order: Resting, event: Event, contract: Contract) -> Resting:
    """Let a stop order work once a trade has reached its trigger: from the next look on.

    The print that triggers it was made by others before it could take part, so its volume and quote fill nothing.
    """
    if event.kind != codes.TICK or order.side * (event.price - order.trigger) < 0:
        return order
    return order._replace(state=GONE if is_beyond_band(order, contract) else RESTING)


def answer(order: Resting, kind: int, time_ns: int, code: int) -> Event:
    """Return an answer, with the quantity and value of the order filled so far."""
    return Event(kind, order.instrument, 0, time_ns, 0, 0, 0, 0, 0, order.order_id, order.filled, order.value, code)
