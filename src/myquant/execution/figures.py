"""What orders cost and how long they took: slippage against three prices, and delays, of one order and of many."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from myquant.execution.life import BY_BROKER, CANCELLED, FILLED, REJECTED, UNKNOWN, OrderLife, gap_ns
from myquant.session.shadow import Comparison, nearest_rank

AGAINST: Final = ("decision", "quote", "shadow")
DELAYS: Final = ("decision_to_sent", "sent_to_ack", "ack_to_first_fill", "decision_to_last_fill")


class Slippage(NamedTuple):
    """By how many paise all filled units were worse than at each price; None: there is none to compare with."""

    decision: int | None
    quote: int | None
    shadow: int | None


class Delays(NamedTuple):
    """How long an order's steps took, ns; None: not known, or not come to it."""

    decision_to_sent: int | None
    sent_to_ack: int | None
    ack_to_first_fill: int | None
    decision_to_last_fill: int | None


class Spread(NamedTuple):
    """Many values: median and 95th percentile by the nearest rank, and the largest; None where there is none."""

    n: int
    median: float | None
    p95: float | None
    maximum: float | None


class Cost(NamedTuple):
    """Slippage of many orders. `units`: filled units of those that have such a price; `points`: rupees a unit, by order."""

    n: int
    units: int
    paise: int | None  # None: of no order
    points: Spread


class Totals(NamedTuple):
    """Many orders together. `value`: paise, bought and sold; `partial_fills`: fills that did not complete their order."""

    orders: int
    filled: int  # orders of which all was filled
    part_filled: int  # orders of which a part was
    units: int
    bought: int  # units of those
    sold: int
    value: int
    fills: int
    partial_fills: int
    cancelled: int
    rejected: int  # by the broker
    not_sent: int
    not_found: int
    unknown: int  # that were so at any time
    unknown_now: int
    at_work: int
    changes: int
    changes_refused: int
    slippage: Mapping[str, Cost]  # by `AGAINST`
    delays: Mapping[str, Spread]  # by `DELAYS`, ns


def worse_paise(life: OrderLife, price: int | None) -> int | None:
    """Return by how many paise the filled units of an order were worse than at a price a unit; above 0: worse."""
    if price is None or not life.fills:
        return None
    return life.side * (life.value - life.filled * price)


def slippage_of(life: OrderLife, shadow: Comparison | None = None) -> Slippage:
    """Return an order's slippage; `shadow`: what became of it at the simulated exchange."""
    beside = None
    if shadow is not None and shadow.worse_paise is not None and life.fills:
        beside = round(shadow.worse_paise * life.filled)
    return Slippage(worse_paise(life, life.decision_price), worse_paise(life, life.quote), beside)


def delays_of(life: OrderLife, *, is_simulated: bool) -> Delays:
    """Return an order's delays: by the exchange's clock where fills are simulated, else by the machine's."""
    decided = None if life.decision is None else life.decision.at
    first, last = (life.fills[0].at, life.fills[-1].at) if life.fills else (None, None)
    steps = ((decided, life.sent), (life.sent, life.acknowledged), (life.acknowledged, first), (decided, last))
    return Delays(*(gap_ns(before, after, by_exchange=is_simulated) for before, after in steps))


def time_in_states(life: OrderLife, *, is_simulated: bool) -> dict[str, int | None]:
    """Return for how long an order was in each state that it has left, ns; None: not known."""
    found: dict[str, int | None] = {}
    for (state, since), (_, until) in zip(life.states, life.states[1:], strict=False):
        gap, before = gap_ns(since, until, by_exchange=is_simulated), found.get(state, 0)
        found[state] = None if gap is None or before is None else before + gap
    return found


def spread_of(values: Iterable[float]) -> Spread:
    """Return how values are spread."""
    ordered = sorted(values)
    return Spread(len(ordered), nearest_rank(ordered, 50), nearest_rank(ordered, 95), ordered[-1] if ordered else None)


def points_of(paise: int, units: int) -> float:
    """Return slippage in points: rupees a unit, to a ten-thousandth."""
    return round(paise / units / 100, 4)


def totals_of(lives: Iterable[OrderLife], shadow: Mapping[int, Comparison], *, is_simulated: bool) -> Totals:
    """Return what many orders come to; `shadow`: what became of them at the simulated exchange, by their ids."""
    each = list(lives)
    steps = [delays_of(life, is_simulated=is_simulated) for life in each]
    costs = [
        (slippage_of(life, shadow.get(life.order_id)), life.filled) for life in each
    ]  # in this order: fills may come
    fills = sum(len(life.fills) for life in each)
    completed = sum(1 for life in each if life.fills and life.filled >= life.quantity)
    ended = [life.state for life in each]
    refusals = [life.refusal for life in each if life.state == REJECTED]
    bought = sum(life.filled for life in each if life.side > 0)
    sold = sum(life.filled for life in each if life.side < 0)
    return Totals(
        orders=len(each),
        filled=ended.count(FILLED),
        part_filled=sum(1 for life in each if life.fills and life.filled < life.quantity),
        units=bought + sold,
        bought=bought,
        sold=sold,
        value=sum(life.value for life in each),
        fills=fills,
        partial_fills=fills - completed,
        cancelled=ended.count(CANCELLED),
        rejected=refusals.count(BY_BROKER),
        not_sent=refusals.count("not_sent"),
        not_found=refusals.count("not_found"),
        unknown=sum(life.was_unknown for life in each),
        unknown_now=ended.count(UNKNOWN),
        at_work=sum(life.is_at_work for life in each),
        changes=sum(life.changes_made for life in each),
        changes_refused=sum(life.changes_refused for life in each),
        slippage={name: _cost((units, getattr(cost, name)) for cost, units in costs) for name in AGAINST},
        delays={name: spread_of(v for step in steps if (v := getattr(step, name)) is not None) for name in DELAYS},
    )


def _cost(slips: Iterable[tuple[int, int | None]]) -> Cost:
    known = [(units, paise) for units, paise in slips if paise is not None]
    points = spread_of(points_of(paise, units) for units, paise in known)
    paise = sum(paise for _, paise in known) if known else None
    return Cost(len(known), sum(units for units, _ in known), paise, points)
