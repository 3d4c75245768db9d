"""The simulated exchange behind an order port: orders go in, ticks are seen, answers come out as events.

A pure function of what it was told, in that order: it knows no clock but the times it is told, and its random numbers
come from a generator in its state. Two models, by `VenueRules.model`:

    AT_ONCE  An order fills wholly when it is sent, at the price that its decision counted on: the very fill of `instant`.
    LIMIT    An order is a limit at a protection band from that price. It arrives after a latency, is acknowledged or
             rejected, and fills at later ticks and quotes, a share of each tick's volume at a time and never beyond its
             limit. A stop order waits until a trade reaches its trigger, and is such a limit from the next look on. To
             change or cancel an order takes as long as to send it; of one that ends meanwhile, that is refused.

The model is pessimistic where a tape can't tell: what does not trade or quote inside the limit fills nothing, an order
never earns the spread, and each look takes part in that tick's volume only. It knows neither the queue nor the depth of
the book, so a size that would move the market fills too well. Whether a sale is covered is not its business, and a stop
order whose trigger has been passed already is triggered by the next trade, where a broker might refuse it.
"""

from bisect import insort
from collections import deque
from operator import attrgetter
from typing import Final, NamedTuple

import numpy as np

from myquant.core import codes
from myquant.core.layout import dtype_of
from myquant.core.records import NEVER, Event
from myquant.exchange.venue_orders import (
    AT_ONCE,
    BEYOND_PRICE_BAND,
    CANCEL,
    CHANGE,
    GONE,
    HAS_ENDED,
    PLACE,
    Contract,
    Request,
    Resting,
    VenueRules,
    answer,
    arrive,
    check_rules,
    draw,
    fill_at_once,
    limit_price,
    look,
    reach_ns,
    send,
)

ORDERS_MAX_EACH: Final = 16  # orders that are known, ended ones included, per instrument
REQUESTS_MAX_EACH: Final = 32  # requests under way, per instrument
WAITING_MAX: Final = 64  # answers that may wait, and so many more per instrument:
WAITING_MAX_EACH: Final = 4
NO_CONTRACT: Final = Contract(*[0] * len(Contract._fields))
_ARRIVAL: Final = attrgetter("arrives_ns")


class Head(NamedTuple):
    """What a snapshot begins with: the generator's state, and how many rows follow, the contracts aside."""

    random: int
    orders: int
    requests: int
    waiting: int


class Venue:
    """The simulated exchange of one session. Raises ValueError at rules that no exchange has.

    Arguments: how many instruments; the rules; the seed of the jitter, >= 0.

    Attributes:
        busy: an order works, something is under way, or an answer waits; else there is no need to `see`.
    """

    def __init__(self, instruments: int, rules: VenueRules, seed: int) -> None:
        check_rules(rules)
        self._rules = rules
        self._contracts = [NO_CONTRACT] * instruments
        self._random, _ = draw(seed, 0)
        self._take_up([], [], [])

    @property
    def next_ns(self) -> int:
        """The earliest time at which something happens without a look at the market; NEVER: nothing does."""
        return self._requests[0].arrives_ns if self._requests else NEVER

    def prepare(self, who: int, contract: Contract) -> None:
        """Take what is known of an instrument on the day that begins. Raises ValueError or IndexError."""
        self._check(who)
        if contract.lot_size <= 0 or contract.tick_size <= 0:
            raise ValueError(f"a contract without lot or tick size: {contract}")
        self._contracts[who] = contract

    def submit(self, who: int, order_id: int, side: int, quantity: int, price: int, trigger: int, time_ns: int) -> None:
        """Take an order for instrument `who`. Paise: `price`, what the decision counted on; `trigger`, 0: no stop order.

        Raises ValueError at one that can't be: of no quantity or price, of a known id, a stop order where orders fill at
        once, or (model `LIMIT`) of an instrument that was not prepared; OverflowError where too many work already.
        """
        self._check(who)
        if side not in (codes.BUY, codes.SELL) or quantity <= 0 or price <= 0 or trigger < 0:
            told = f"id {order_id}, side {side}, quantity {quantity}, price {price}, trigger {trigger}"
            raise ValueError(f"not an order: {told}")
        if order_id in self._orders:
            raise ValueError(f"order {order_id} of instrument {who}: its id is that of an order here")
        if self._rules.model == AT_ONCE:
            if trigger:
                raise ValueError(f"order {order_id} of instrument {who}: a stop order, where orders fill at once")
            order = fill_at_once(who, order_id, side, quantity, price, time_ns)
            self._tell(answer(order, codes.FILL, time_ns, 0))
            self._keep(order)
            return
        contract = self._contracts[who]
        if contract.lot_size == 0:
            raise ValueError(f"order {order_id} of instrument {who}: its contract was not prepared")
        order = send(who, order_id, side, quantity, price, trigger, time_ns, contract, self._rules)
        self._keep(order)
        self._ask(order, PLACE, order.limit, trigger, time_ns)

    def modify(self, order_id: int, price: int, trigger: int, time_ns: int) -> None:
        """Take a request for another price and trigger of an order; its answer is MODIFIED or CHANGE_REJECT.

        Once a stop order is triggered, its trigger means nothing any more. Raises ValueError at an order that is not known
        here, or at numbers that it can't have; OverflowError where too much is under way.
        """
        order = self._known(order_id)
        if price <= 0 or trigger < 0 or (trigger > 0) != (order.trigger > 0):
            raise ValueError(f"order {order_id} can't have price {price} and trigger {trigger}: its is {order.trigger}")
        tick_size = self._contracts[order.instrument].tick_size
        limit = order.limit if order.state == GONE else limit_price(order.side, price, tick_size, self._rules)
        self._ask(order, CHANGE, limit, trigger, time_ns)

    def cancel(self, order_id: int, time_ns: int) -> None:
        """Take a request to cancel an order; its answer is CANCELLED or CHANGE_REJECT.

        Raises ValueError at an order that is not known here; OverflowError where too much is under way.
        """
        self._ask(self._known(order_id), CANCEL, 0, 0, time_ns)

    def see(self, event: Event) -> None:
        """Look at an input: its time passes for all orders, and a tick or quote may fill those of its instrument."""
        self.pass_time(event.time_ns)
        traded = event.kind == codes.TICK and event.price > 0 and event.volume >= 0  # else the guard refuses it
        if event.instrument in self._here and (traded or event.kind == codes.QUOTE):
            for order_id in tuple(self._here[event.instrument]):
                self._look(self._orders[order_id], event)

    def pass_time(self, time_ns: int) -> None:
        """Let time pass up to `time_ns`: what was under way arrives."""
        while self._requests and self._requests[0].arrives_ns <= time_ns:
            before = self._orders[self._requests[0].order_id]
            order, told = arrive(before, self._requests[0], self._contracts[before.instrument])
            self._tell(told)
            del self._requests[0]
            self._put(order)

    def answer(self) -> Event | None:
        """Return what next became of an order, or None."""
        if not self._answers:
            return None
        told = self._answers.popleft()
        self._note_busy()
        return told

    def answers(self, time_ns: int) -> list[Event]:
        """Let time pass up to `time_ns` and return all that became of orders, in order. For those who keep a clock."""
        self.pass_time(time_ns)
        return list(iter(self.answer, None))

    def snapshot(self) -> bytes:
        """Return the whole state, the rules aside: equal bytes are equal states."""
        orders, answers = list(self._orders.values()), list(self._answers)
        head = [Head(self._random, len(orders), len(self._requests), len(answers))]
        parts = (
            (head, Head),
            (self._contracts, Contract),
            (orders, Resting),
            (self._requests, Request),
            (answers, Event),
        )
        return b"".join(np.array(rows, dtype_of(kind)).tobytes() for rows, kind in parts)

    def restore(self, state: bytes) -> None:
        """Take up the state of a snapshot. Raises ValueError at one of other instruments, and changes nothing then."""
        instruments, head_size = len(self._contracts), dtype_of(Head).itemsize
        head = Head(*_rows(state, Head, 0, 1)[0]) if len(state) >= head_size else Head(0, -1, -1, -1)
        counts = ((Contract, instruments), (Resting, head.orders), (Request, head.requests), (Event, head.waiting))
        sizes = [dtype_of(kind).itemsize * rows for kind, rows in counts]
        most = (ORDERS_MAX_EACH * instruments, REQUESTS_MAX_EACH * instruments, self._answers_max)
        if any(not 0 <= rows <= limit for rows, limit in zip(head[1:], most, strict=True)) or len(state) != (
            head_size + sum(sizes)
        ):
            raise ValueError(f"a snapshot of {len(state)} bytes is not one of {instruments} instruments")
        begins = [head_size + sum(sizes[:part]) for part in range(len(sizes))]
        found = [_rows(state, kind, begin, rows) for (kind, rows), begin in zip(counts, begins, strict=True)]
        self._random = head.random
        self._contracts = [Contract(*row) for row in found[0]]
        self._take_up(
            [Resting(*row) for row in found[1]],
            [Request(*row) for row in found[2]],
            [Event(*row) for row in found[3]],
        )

    def _take_up(self, orders: list[Resting], requests: list[Request], answers: list[Event]) -> None:
        self._orders: dict[int, Resting] = {}  # in the order in which they were sent
        self._here: dict[int, list[int]] = {}  # by instrument: ids of its orders that have not ended
        self._requests = requests  # in the order in which they arrive
        self._answers = deque(answers)
        for order in orders:
            self._put(order)
        self._note_busy()

    @property
    def _answers_max(self) -> int:
        return WAITING_MAX + WAITING_MAX_EACH * len(self._contracts)

    def _keep(self, order: Resting) -> None:
        """Know a new order; where too many are known, the first that ended, and that nothing is asked of, is forgotten."""
        most = ORDERS_MAX_EACH * len(self._contracts)
        if len(self._orders) == most:
            asked = {request.order_id for request in self._requests}
            ended = (known for known, each in self._orders.items() if each.state == GONE and known not in asked)
            first = next(ended, None)
            if first is None:
                raise OverflowError(f"order {order.order_id}: the simulated exchange takes no more than {most}")
            del self._orders[first]
        self._put(order)

    def _known(self, order_id: int) -> Resting:
        order = self._orders.get(order_id)
        if order is None:
            raise ValueError(f"order {order_id} can't be changed or cancelled: it is not known here")
        return order

    def _ask(self, order: Resting, kind: int, limit: int, trigger: int, time_ns: int) -> None:
        """Send a request on its way; it overtakes neither what has happened nor an earlier one about the same order."""
        if self._rules.model == AT_ONCE:
            order = order._replace(since_ns=max(order.since_ns, time_ns))
            self._tell(answer(order, codes.CHANGE_REJECT, order.since_ns, HAS_ENDED))
            self._put(order)
            return
        most = REQUESTS_MAX_EACH * len(self._contracts)
        if len(self._requests) == most:
            raise OverflowError(f"order {order.order_id}: {most} requests are under way, the simulated exchange's most")
        self._random, jitter = draw(self._random, self._rules.jitter_ns)
        arrives_ns = reach_ns(order, time_ns + jitter, self._contracts[order.instrument], self._rules)
        earlier = [each.arrives_ns for each in self._requests if each.order_id == order.order_id]
        request = Request(max([arrives_ns, *earlier]), kind, order.order_id, limit, trigger)
        insort(self._requests, request, key=_ARRIVAL)
        self.busy = True

    def _look(self, before: Resting, event: Event) -> None:
        order = look(before, event, self._contracts[before.instrument], self._rules)
        if order.filled > before.filled:
            self._tell(answer(order, codes.FILL, event.time_ns, 0))
        elif order.state == GONE:
            self._tell(answer(order, codes.CANCELLED, event.time_ns, BEYOND_PRICE_BAND))
        self._put(order)

    def _put(self, order: Resting) -> None:
        who, order_id = order.instrument, order.order_id
        is_here = order_id in self._here.get(who, ())
        self._orders[order_id] = order
        if order.state != GONE and not is_here:
            self._here.setdefault(who, []).append(order_id)
        elif order.state == GONE and is_here:
            self._here[who].remove(order_id)
            if not self._here[who]:
                del self._here[who]

    def _tell(self, told: Event) -> None:
        if len(self._answers) == self._answers_max:
            raise OverflowError(f"{len(self._answers)} answers of the simulated exchange wait: take them")
        self._answers.append(told)
        self.busy = True

    def _note_busy(self) -> None:
        self.busy = bool(self._here or self._requests or self._answers)

    def _check(self, who: int) -> None:
        if not 0 <= who < len(self._contracts):
            raise IndexError(f"instrument {who} of {len(self._contracts)}")


def _rows(state: bytes, kind: type, begin: int, count: int) -> list[tuple[int, ...]]:
    """Return records of a snapshot, from byte `begin` on, as plain ints."""
    rows: list[tuple[int, ...]] = np.frombuffer(state, dtype_of(kind), count, begin).tolist()
    return rows
