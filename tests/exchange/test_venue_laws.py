"""Laws of the simulated exchange, under any orders, ticks and requests, in any order and at any time."""

from dataclasses import dataclass, field
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myquant.core import codes, orders
from myquant.core.money import RATE_SCALE
from myquant.core.records import NEVER, Event
from myquant.exchange.venue import Venue
from myquant.exchange.venue_orders import ASKED_FOR, AT_ONCE, HAS_ENDED, LIMIT, Contract, VenueRules, limit_price

MS = 1_000_000
LOT = 65
INSTRUMENTS = 2
BLANK = Event(*[0] * len(Event._fields))
CONTRACT = Contract(LOT, 5, 3 * LOT, 9_000, 11_000)
KINDS = ("submit", "submit", "cancel", "modify", "tick", "tick", "tick", "quote", "timer")
WORKING_MAX = 5  # orders of one instrument at a time
ENDS = (orders.FILLED, orders.REJECTED, orders.CANCELLED)


class Move(NamedTuple):
    """Something that the exchange is told; `kind` says which of the numbers count."""

    kind: str
    who: int
    ms: int  # since the last move; time may go back
    side: int
    lots: int
    price: int
    volume: int
    bid: int
    ask: int
    trigger: int  # 0: no stop order
    which: int  # of the orders that were sent
    take: bool  # take the answers afterwards


@dataclass
class Known:
    """What has been told of one order."""

    who: int
    side: int
    quantity: int
    limits: list[int]  # all that it may have by now
    trigger: int
    sent_ns: int
    slices: int
    asked: int = 0  # requests about it
    answered: int = 0
    state: int = orders.SENT
    filled: int = 0
    value: int = 0
    last_ns: int = 0


def rules_of(model: int) -> st.SearchStrategy[VenueRules]:
    return st.builds(
        VenueRules,
        model=st.just(model),
        latency_ns=st.integers(0, 100 * MS),
        jitter_ns=st.integers(0, 100 * MS),
        protection_rate=st.integers(0, RATE_SCALE // 10),
        protection_ticks=st.integers(1, 40),
        participation_rate=st.integers(1, RATE_SCALE),
        slippage=st.integers(0, 20),
    )


PRICES = st.integers(9_700, 10_300)
MOVES = st.lists(
    st.builds(
        Move,
        kind=st.sampled_from(KINDS),
        who=st.integers(0, INSTRUMENTS - 1),
        ms=st.integers(-20, 200),
        side=st.sampled_from([codes.BUY, codes.SELL]),
        lots=st.integers(1, 8),
        price=PRICES | st.just(10_950),
        volume=st.integers(0, 12 * LOT),
        bid=st.just(0) | PRICES,
        ask=st.just(0) | PRICES,
        trigger=st.just(0) | PRICES,
        which=st.integers(0, 3),
        take=st.booleans(),
    ),
    max_size=40,
)


@dataclass
class World:
    """An exchange, what was sent there, and what has been heard of it; the laws are checked at every answer."""

    rules: VenueRules
    restores: bool = False
    time_ns: int = 10**18
    told: list[Event] = field(default_factory=list)
    sent: dict[int, Known] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.venue = Venue(INSTRUMENTS, self.rules, seed=5)
        for who in range(INSTRUMENTS):
            self.venue.prepare(who, CONTRACT)

    def play(self, moves: list[Move]) -> "World":
        for move in moves:
            self.time_ns += move.ms * MS
            if move.kind == "submit":
                self.submit(move)
            elif move.kind in ("cancel", "modify"):
                self.ask(move)
            else:
                self.venue.see(self.event(move))
            if self.restores:
                self.restore()
            if move.take:
                self.take()
        self.take()
        return self

    def event(self, move: Move) -> Event:
        if move.kind == "timer":
            return BLANK._replace(kind=codes.TIMER, instrument=-1, time_ns=self.time_ns)
        event = BLANK._replace(instrument=move.who, time_ns=self.time_ns, bid=move.bid, ask=move.ask)
        if move.kind == "quote":
            return event._replace(kind=codes.QUOTE)
        return event._replace(kind=codes.TICK, price=move.price, volume=move.volume)

    def submit(self, move: Move) -> None:
        if len([order for order in self.sent.values() if order.who == move.who]) >= WORKING_MAX:
            return
        limited = self.rules.model == LIMIT
        order_id, quantity, trigger = len(self.sent) + 1, move.lots * LOT, move.trigger if limited else 0
        self.venue.submit(move.who, order_id, move.side, quantity, move.price, trigger, self.time_ns)
        limit = self.limit(move.side, move.price)
        slices = -(-quantity // CONTRACT.freeze_quantity) if limited else 0
        self.sent[order_id] = Known(move.who, move.side, quantity, [limit], trigger, self.time_ns, slices)

    def ask(self, move: Move) -> None:
        """Ask for a change or a cancellation of one of the last orders, ended ones included."""
        order_id = len(self.sent) - move.which
        if order_id not in self.sent:
            return
        order = self.sent[order_id]
        order.asked += 1
        if move.kind == "cancel":
            self.venue.cancel(order_id, self.time_ns)
            return
        trigger = (move.trigger or 10_000) if order.trigger else 0
        self.venue.modify(order_id, move.price, trigger, self.time_ns)
        order.limits.append(self.limit(order.side, move.price))

    def limit(self, side: int, price: int) -> int:
        return limit_price(side, price, CONTRACT.tick_size, self.rules) if self.rules.model == LIMIT else price

    def restore(self) -> None:
        state = self.venue.snapshot()
        self.venue = Venue(INSTRUMENTS, self.rules, seed=99)
        self.venue.restore(state)
        assert self.venue.snapshot() == state

    def take(self) -> None:
        while (event := self.venue.answer()) is not None:
            self.told.append(event)
            check(event, self.sent[event.order_id], self.rules)
        waits = any(order.state not in ENDS or order.answered < order.asked for order in self.sent.values())
        assert self.venue.busy == waits

    def finish(self) -> "World":
        """Cancel all that has not been cancelled, and wait."""
        for order_id in self.sent:
            self.venue.cancel(order_id, self.time_ns)
            self.sent[order_id].asked += 1
        self.told.extend(ended := self.venue.answers(NEVER))
        for event in ended:
            check(event, self.sent[event.order_id], self.rules)
        return self


HAPPENINGS = {
    codes.ORDER_ACK: orders.ON_ACK,
    codes.ORDER_REJECT: orders.ON_REJECT,
    codes.CANCELLED: orders.ON_CANCEL,
}


def check(event: Event, order: Known, rules: VenueRules) -> None:
    """Hold an answer against what is known of its order."""
    assert event.instrument == order.who
    assert event.time_ns >= max(order.sent_ns + order.slices * rules.latency_ns, order.last_ns)
    happening = HAPPENINGS.get(event.kind, orders.ON_FULL_FILL)
    asked_for = event.kind == codes.CANCELLED and event.code == ASKED_FOR
    order.answered += event.kind in (codes.MODIFIED, codes.CHANGE_REJECT) or asked_for
    if event.kind == codes.FILL:
        happening = orders.ON_FULL_FILL if event.quantity == order.quantity else orders.ON_PART_FILL
        check_fill(event, order, rules)
    else:
        assert (event.quantity, event.value) == (order.filled, order.value)
    if event.kind == codes.CHANGE_REJECT:
        assert (order.state in ENDS) == (event.code == HAS_ENDED)
    elif event.kind == codes.MODIFIED:
        assert order.state in (orders.WORKING, orders.PARTIAL)
    else:
        assert order.state not in ENDS  # nothing but refusals after the end
        order.state = orders.NEXT[order.state, happening]  # a pair that is not there is impossible
    order.filled, order.value, order.last_ns = event.quantity, event.value, event.time_ns


def check_fill(event: Event, order: Known, rules: VenueRules) -> None:
    assert order.filled < event.quantity <= order.quantity
    assert event.quantity % LOT == 0
    added = event.value - order.value
    assert added > 0
    worst = max(order.limits, key=order.side.__mul__)
    assert order.side * (added - (event.quantity - order.filled) * worst) <= 0
    if rules.model == LIMIT:
        assert order.state in (orders.WORKING, orders.PARTIAL)  # acknowledged before


MODELS = pytest.mark.parametrize("model", [AT_ONCE, LIMIT])


@MODELS
@settings(max_examples=150, deadline=None)
@given(data=st.data(), moves=MOVES)
def test_every_answer_is_possible_and_every_order_ends_once(model: int, data: st.DataObject, moves: list[Move]) -> None:
    world = World(data.draw(rules_of(model))).play(moves).finish()
    assert all(order.state in ENDS and order.answered == order.asked for order in world.sent.values())
    assert not world.venue.busy
    assert world.venue.next_ns == NEVER


@MODELS
@settings(max_examples=60, deadline=None)
@given(data=st.data(), moves=MOVES)
def test_the_same_moves_give_the_same_bytes_whenever_it_is_restored(
    model: int, data: st.DataObject, moves: list[Move]
) -> None:
    rules = data.draw(rules_of(model))
    first, again, restored = World(rules).play(moves), World(rules).play(moves), World(rules, restores=True).play(moves)
    assert first.told == again.told == restored.told
    assert first.venue.snapshot() == again.venue.snapshot() == restored.venue.snapshot()
    assert (first.venue.busy, first.venue.next_ns) == (restored.venue.busy, restored.venue.next_ns)


@settings(max_examples=60, deadline=None)
@given(rules=rules_of(LIMIT), moves=MOVES)
def test_when_answers_are_taken_changes_none_of_them(rules: VenueRules, moves: list[Move]) -> None:
    late = [move._replace(take=False) for move in moves]
    early = [move._replace(take=True) for move in moves]
    assert World(rules).play(late).finish().told == World(rules).play(early).finish().told


@settings(max_examples=60, deadline=None)
@given(rules=rules_of(LIMIT), moves=MOVES, cut=st.integers(0, 10**6))
def test_bytes_that_are_no_snapshot_are_refused_and_change_nothing(
    rules: VenueRules, moves: list[Move], cut: int
) -> None:
    venue = World(rules).play(moves).venue
    state = venue.snapshot()
    with pytest.raises(ValueError, match=r"a snapshot of \d+ bytes is not one of 2 instruments"):
        venue.restore(state[: cut % len(state)])
    with pytest.raises(ValueError, match="is not one of 3 instruments"):
        Venue(3, rules, seed=5).restore(state)
    assert venue.snapshot() == state
