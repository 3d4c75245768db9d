"""The simulated exchange behind an order port: orders go in, ticks are seen, answers come out as events.

A pure function of what it was told, in that order: it knows no clock but the times it is told, and its random numbers
come from a generator in its state. Two models, by `VenueRules.model`:

    AT_ONCE  An order fills wholly when it is sent, at the price that its decision counted on: the very fill of `instant`.
    LIMIT    An order is a limit at a protection band from that price. It arrives after a latency, is acknowledged or
             rejected, and fills at later ticks and quotes, a share of each tick's volume at a time and never beyond its
             limit. What is left is cancelled on request, which takes as long to arrive, or when its life is over.

The model is pessimistic where a tape can't tell: what does not trade or quote inside the limit fills nothing, an order
never earns the spread, and each look takes part in that tick's volume only. It knows neither the queue nor the depth of
the book, so a size that would move the market fills too well.
"""

from collections import deque
from typing import Final, NamedTuple

import numpy as np

from myquant.core import codes
from myquant.core.layout import dtype_of
from myquant.core.records import NEVER, Event
from myquant.exchange.venue_orders import (
    AT_ONCE,
    GONE,
    Contract,
    Resting,
    VenueRules,
    answer,
    ask_to_cancel,
    check_rules,
    draw,
    fill_at_once,
    happen,
    look,
    next_ns,
    send,
)

WAITING_MAX: Final = 64  # answers that may wait, and so many more per instrument:
WAITING_MAX_EACH: Final = 4
NO_ORDER: Final = Resting(*[0] * len(Resting._fields))
NO_CONTRACT: Final = Contract(*[0] * len(Contract._fields))


class Head(NamedTuple):
    """What a snapshot begins with."""

    random: int
    waiting: int  # answers at its end


class Venue:
    """The simulated exchange of one session. Raises ValueError at rules that no exchange has.

    Arguments: how many instruments; the rules; the seed of the jitter, >= 0.

    Attributes:
        busy: an order is here or an answer waits; else there is no need to `see`.
        next_ns: the earliest time at which something happens without a look at the market; NEVER: nothing does.
    """

    def __init__(self, instruments: int, rules: VenueRules, seed: int) -> None:
        check_rules(rules)
        self._rules = rules
        self._orders = [NO_ORDER] * instruments
        self._contracts = [NO_CONTRACT] * instruments
        self._answers: deque[Event] = deque()
        self._answers_max = WAITING_MAX + WAITING_MAX_EACH * instruments
        self._random, _ = draw(seed, 0)
        self._here: set[int] = set()  # instruments that have an order here
        self._find_next()

    def prepare(self, who: int, contract: Contract) -> None:
        """Take what is known of an instrument on the day that begins. Raises ValueError or IndexError."""
        self._check(who)
        if contract.lot_size <= 0 or contract.tick_size <= 0:
            raise ValueError(f"a contract without lot or tick size: {contract}")
        self._contracts[who] = contract

    def submit(self, who: int, order_id: int, side: int, quantity: int, price: int, time_ns: int) -> None:
        """Take an order for instrument `who`. `price`: paise, what the decision counted on.

        Raises ValueError at one that can't be: of no quantity or price, of an instrument that has an order here, or
        that (model `LIMIT`) was not prepared.
        """
        self._check(who)
        if side not in (codes.BUY, codes.SELL) or quantity <= 0 or price <= 0:
            raise ValueError(f"not an order: id {order_id}, side {side}, quantity {quantity}, price {price}")
        if self._orders[who].state != GONE:
            raise ValueError(f"order {order_id} of instrument {who}: order {self._orders[who].order_id} is still here")
        if self._rules.model == AT_ONCE:
            self._orders[who] = order = fill_at_once(order_id, side, quantity, price, time_ns)
            self._tell(answer(order, codes.FILL, who, time_ns, 0))
            return
        contract = self._contracts[who]
        if contract.lot_size == 0:
            raise ValueError(f"order {order_id} of instrument {who}: its contract was not prepared")
        self._put(who, send(order_id, side, quantity, price, time_ns + self._jitter(), contract, self._rules))

    def cancel(self, who: int, order_id: int, time_ns: int) -> None:
        """Take a request to cancel an order; one that ends before it arrives is not changed by it.

        Raises ValueError at an order that never was, or is not the instrument's last one.
        """
        self._check(who)
        order = self._orders[who]
        if order.order_id != order_id or order.quantity == 0:
            raise ValueError(f"order {order_id} of instrument {who} can't be cancelled: it is not known here")
        if order.state != GONE:
            self._put(who, ask_to_cancel(order, time_ns + self._rules.latency_ns + self._jitter()))

    def see(self, event: Event) -> None:
        """Look at an input: its time passes for all orders, and a tick or quote may fill that of its instrument."""
        self._pass_time(event.time_ns)
        traded = event.kind == codes.TICK and event.price > 0 and event.volume >= 0  # else the guard refuses it
        if event.instrument in self._here and (traded or event.kind == codes.QUOTE):
            self._look(event)

    def answer(self) -> Event | None:
        """Return what next became of an order, or None."""
        if not self._answers:
            return None
        told = self._answers.popleft()
        self.busy = bool(self._here or self._answers)
        return told

    def answers(self, time_ns: int) -> list[Event]:
        """Let time pass up to `time_ns` and return all that became of orders, in order. For those who keep a clock."""
        self._pass_time(time_ns)
        return list(iter(self.answer, None))

    def snapshot(self) -> bytes:
        """Return the whole state, the rules aside: equal bytes are equal states."""
        head = [Head(self._random, len(self._answers))]
        parts = ((head, Head), (self._orders, Resting), (self._contracts, Contract), (list(self._answers), Event))
        return b"".join(np.array(rows, dtype_of(kind)).tobytes() for rows, kind in parts)

    def restore(self, state: bytes) -> None:
        """Take up the state of a snapshot. Raises ValueError at one of other instruments, and changes nothing then."""
        count, head_size = len(self._orders), dtype_of(Head).itemsize
        head = Head(*_rows(state, Head, 0, 1)[0]) if len(state) >= head_size else Head(0, -1)
        counts = ((Resting, count), (Contract, count), (Event, head.waiting))
        needed = head_size + sum(dtype_of(kind).itemsize * rows for kind, rows in counts)
        if not 0 <= head.waiting <= self._answers_max or len(state) != needed:
            raise ValueError(f"a snapshot of {len(state)} bytes is not one of {count} instruments")
        contracts = head_size + dtype_of(Resting).itemsize * count
        answers = contracts + dtype_of(Contract).itemsize * count
        self._random = head.random
        self._orders = [Resting(*row) for row in _rows(state, Resting, head_size, count)]
        self._contracts = [Contract(*row) for row in _rows(state, Contract, contracts, count)]
        self._answers = deque(Event(*row) for row in _rows(state, Event, answers, head.waiting))
        self._here = {who for who, order in enumerate(self._orders) if order.state != GONE}
        self._find_next()

    def _look(self, event: Event) -> None:
        who = event.instrument
        before = self._orders[who]
        order = look(before, event, self._contracts[who], self._rules)
        if order.filled == before.filled:
            self._orders[who] = order
        else:
            self._tell(answer(order, codes.FILL, who, event.time_ns, 0))
            self._put(who, order)

    def _pass_time(self, time_ns: int) -> None:
        while self._here and self.next_ns <= time_ns:
            who = self._next
            order, told = happen(self._orders[who], who, self._contracts[who])
            self._tell(told)
            self._put(who, order)

    def _put(self, who: int, order: Resting) -> None:
        self._orders[who] = order
        if order.state == GONE:
            self._here.discard(who)
        else:
            self._here.add(who)
        self._find_next()

    def _find_next(self) -> None:
        """Find anew to which of the orders here time does something first."""
        self.next_ns, self._next = min(((next_ns(self._orders[who]), who) for who in self._here), default=(NEVER, -1))
        self.busy = bool(self._here or self._answers)

    def _tell(self, told: Event) -> None:
        if len(self._answers) == self._answers_max:
            raise OverflowError(f"{len(self._answers)} answers of the simulated exchange wait: take them")
        self._answers.append(told)
        self.busy = True

    def _jitter(self) -> int:
        self._random, jitter = draw(self._random, self._rules.jitter_ns)
        return jitter

    def _check(self, who: int) -> None:
        if not 0 <= who < len(self._orders):
            raise IndexError(f"instrument {who} of {len(self._orders)}")


def _rows(state: bytes, kind: type, begin: int, count: int) -> list[tuple[int, ...]]:
    """Return records of a snapshot, from byte `begin` on, as plain ints."""
    rows: list[tuple[int, ...]] = np.frombuffer(state, dtype_of(kind), count, begin).tolist()
    return rows
