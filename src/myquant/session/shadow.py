"""The shadow: the simulated exchange beside real fills, told the same ticks and orders, to say how wrong its fills are.

Nothing that it answers reaches the engine. What it is told waits in a queue and is worked off when there is time; as the
simulated exchange knows no clock but the times it is told, it comes to the same answers as at once.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from myquant.core import codes
from myquant.core.records import NEVER, NO_COMMAND, Command, Event
from myquant.session.later import Later, at_once

EVENT_WORDS: Final = len(Event._fields)
AT_A_TIME: Final = 16  # things worked off in one go
QUEUE_MAX: Final = 4096  # things that may wait; with more all are worked off at once
COMPARED_MAX: Final = 10_000  # orders that are kept for the summary
PATIENCE_NS: Final = 5_000_000_000  # how much later than the real exchange the simulated one may fill
ANSWERS: Final = (codes.ORDER_ACK, codes.ORDER_REJECT, codes.FILL, codes.CANCELLED, codes.MODIFIED, codes.CHANGE_REJECT)

ENTRY: Final = "entry"
EXIT: Final = "exit"
STOP: Final = "stop"


class Simulated(Protocol):
    """A simulated exchange behind an order port: `session.simulated.SimulatedOrders`."""

    def submit(self, command: Command) -> None:
        """Take a SUBMIT command."""

    def modify(self, command: Command) -> None:
        """Take a MODIFY command."""

    def cancel(self, command: Command) -> None:
        """Take a CANCEL command."""

    def see(self, event: Event) -> None:
        """Look at a tick or quote."""

    def answer(self) -> Event | None:
        """Return the next thing that became of an order, or None."""


@dataclass
class _Side:
    """What became of an order at one of the exchanges."""

    filled: int = 0
    value: int = 0
    filled_ns: int = 0  # the last fill
    is_over: bool = False

    def take(self, event: Event, quantity: int) -> None:
        if event.kind == codes.FILL and event.quantity > self.filled:
            self.filled, self.value, self.filled_ns = event.quantity, event.value, event.time_ns
        self.is_over |= event.kind in (codes.CANCELLED, codes.ORDER_REJECT) or self.filled >= quantity


@dataclass
class _Pair:
    submit: Command
    real: _Side = field(default_factory=_Side)
    shadow: _Side = field(default_factory=_Side)
    ends_ns: int = NEVER  # from here on what still works in the shadow is cancelled
    is_refused: bool = False  # by the broker, or it was not sent


class Comparison(NamedTuple):
    """An order at both exchanges."""

    order_id: int
    instrument: int
    role: str  # ENTRY, EXIT or STOP
    quantity: int
    filled: int
    shadow_filled: int
    worse_paise: float | None  # by how much a unit the real average price was worse; None: not filled in both
    delay_ns: int  # from the decision to the last fill; 0: none
    shadow_delay_ns: int


class Earlier(NamedTuple):
    """What earlier processes of a session have left; see `Summary`."""

    compared: tuple[Comparison, ...]
    refused: int
    left_out: int
    failed: int
    cut_short: int


@dataclass(frozen=True)
class Summary:
    """How wrong the simulated exchange was. Prices in paise per unit, positive: the real fill was worse."""

    orders: int  # that have ended at both
    refused: int  # that the broker refused, or that were not sent: not compared
    both_filled: int
    only_real_filled: int
    only_shadow_filled: int
    neither_filled: int
    other_quantity: int  # filled at both, not the same quantity
    worse_mean_paise: float | None  # None: no order was filled at both
    worse_p5_paise: float | None
    worse_p50_paise: float | None
    worse_p95_paise: float | None
    delay_p50_ms: float | None
    shadow_delay_p50_ms: float | None
    under_way: int  # that have not ended yet
    cut_short: int  # that were under way when a process of the session ended: not compared
    left_out: int  # compared beyond what is kept
    failed: int  # requests that the simulated exchange could not take

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return asdict(self)


class Shadow:
    """Runs a simulated exchange beside a real one, and compares what became of each order.

    Attributes:
        later: calls what it is given once there is time for it; set it when the loop runs.
        compared: orders that have ended at both exchanges, at most `COMPARED_MAX`.
    """

    def __init__(self, simulated: Simulated) -> None:
        self.later: Later = at_once
        self.compared: list[Comparison] = []
        self._simulated = simulated
        self._pairs: dict[int, _Pair] = {}
        self._queue: deque[Command | Event] = deque()
        self._is_called = False
        self._refused = self._left_out = self._failed = self._cut_short = 0

    @property
    def ended(self) -> tuple[int, int]:
        """How many orders have been compared, and how many can't be."""
        return len(self.compared) + self._left_out, self._refused + self._failed

    def counts(self) -> dict[str, int]:
        """Return the orders that are not compared, as `Summary` names them."""
        counts = {"refused": self._refused, "left_out": self._left_out, "failed": self._failed}
        return counts | {"cut_short": self._cut_short, "under_way": len(self._pairs)}

    def go_on(self, earlier: Earlier) -> None:
        """Go on from what earlier processes of the session have compared."""
        self.compared = list(earlier.compared)
        self._refused, self._left_out, self._failed, self._cut_short = earlier[1:]

    def order(self, command: Command) -> None:
        """Take a SUBMIT, MODIFY or CANCEL command, after it was sent."""
        if command.kind == codes.SUBMIT:
            self._pairs[command.order_id] = _Pair(command)
        self._put(command)

    def hear(self, event: Event) -> None:
        """Take what became of an order at the real exchange."""
        if self._pairs:
            self._put(event)

    def see(self, row: Sequence[int]) -> None:
        """Take the words of an input, after the engine took it; ticks and quotes count."""
        if self._pairs and row[0] in (codes.TICK, codes.QUOTE):
            self._put(Event(*map(int, row[:EVENT_WORDS])))

    def summary(self) -> Summary:
        """Return how the orders compare that have ended so far."""
        self._work_off(len(self._queue))
        both = [each for each in self.compared if each.filled and each.shadow_filled]
        worse = sorted(each.worse_paise for each in both if each.worse_paise is not None)
        count = len(self.compared)
        only_real = sum(1 for each in self.compared if each.filled and not each.shadow_filled)
        only_shadow = sum(1 for each in self.compared if each.shadow_filled and not each.filled)
        return Summary(
            orders=count + self._left_out,
            both_filled=len(both),
            only_real_filled=only_real,
            only_shadow_filled=only_shadow,
            neither_filled=count - len(both) - only_real - only_shadow,
            other_quantity=sum(1 for each in both if each.filled != each.shadow_filled),
            worse_mean_paise=sum(worse) / len(worse) if worse else None,
            worse_p5_paise=nearest_rank(worse, 5),
            worse_p50_paise=nearest_rank(worse, 50),
            worse_p95_paise=nearest_rank(worse, 95),
            delay_p50_ms=nearest_rank(sorted(each.delay_ns / 1e6 for each in both), 50),
            shadow_delay_p50_ms=nearest_rank(sorted(each.shadow_delay_ns / 1e6 for each in both), 50),
            **self.counts(),
        )

    def _put(self, thing: Command | Event) -> None:
        self._queue.append(thing)
        if len(self._queue) > QUEUE_MAX:
            self._work_off(len(self._queue))
        elif not self._is_called:
            self._is_called = True
            self.later(self._work)

    def _work(self) -> None:
        self._is_called = False
        self._work_off(AT_A_TIME)
        if self._queue and not self._is_called:
            self._is_called = True
            self.later(self._work)

    def _work_off(self, most: int) -> None:
        for _ in range(min(most, len(self._queue))):
            thing = self._queue.popleft()
            if isinstance(thing, Command):
                self._ask(thing)
            elif thing.kind in ANSWERS:
                self._take_real(thing)
            else:
                self._look(thing)
            while (answer := self._simulated.answer()) is not None:
                self._take_answer(answer)

    def _ask(self, command: Command) -> None:
        pair = self._pairs.get(command.order_id)
        if pair is None or pair.shadow.is_over:  # of an earlier process, or gone in the shadow already
            return
        asks = {codes.SUBMIT: self._simulated.submit, codes.MODIFY: self._simulated.modify}
        try:
            asks.get(command.kind, self._simulated.cancel)(command)
        except (ValueError, OverflowError):  # what it does not take is no reason to disturb the session
            self._failed += 1
            del self._pairs[command.order_id]

    def _look(self, event: Event) -> None:
        self._simulated.see(event)
        for pair in [pair for pair in self._pairs.values() if pair.ends_ns <= event.time_ns]:
            self._give_up(pair, event.time_ns)

    def _give_up(self, pair: _Pair, time_ns: int) -> None:
        """Cancel an order that the real exchange has done with."""
        pair.ends_ns = NEVER
        of = pair.submit
        quantity = of.quantity - pair.shadow.filled
        cancel = NO_COMMAND._replace(
            kind=codes.CANCEL, instrument=of.instrument, time_ns=time_ns, order_id=of.order_id, quantity=quantity
        )
        self._ask(cancel)

    def _take_real(self, event: Event) -> None:
        pair = self._pairs.get(event.order_id)
        if pair is None:
            return
        was_over = pair.real.is_over
        pair.real.take(event, pair.submit.quantity)
        if pair.real.is_over and not was_over:
            pair.is_refused = event.kind == codes.ORDER_REJECT and pair.real.filled == 0
            if pair.real.filled >= pair.submit.quantity:
                pair.ends_ns = event.time_ns + PATIENCE_NS
            elif not pair.shadow.is_over:
                self._give_up(pair, event.time_ns)
        self._settle(pair)

    def _take_answer(self, answer: Event) -> None:
        pair = self._pairs.get(answer.order_id)
        if pair is not None:
            pair.shadow.take(answer, pair.submit.quantity)
            self._settle(pair)

    def _settle(self, pair: _Pair) -> None:
        """Compare an order that has ended at both."""
        of, real, shadow = pair.submit, pair.real, pair.shadow
        if not (real.is_over and shadow.is_over) or self._pairs.pop(of.order_id, None) is None:
            return
        if pair.is_refused:
            self._refused += 1
        elif len(self.compared) == COMPARED_MAX:
            self._left_out += 1
        else:
            self.compared.append(_compared(pair))


def _compared(pair: _Pair) -> Comparison:
    of, real, shadow = pair.submit, pair.real, pair.shadow
    worse = None
    if real.filled and shadow.filled:
        worse = of.side * (real.value / real.filled - shadow.value / shadow.filled)
    role = ENTRY if of.side == codes.BUY else STOP if of.stop else EXIT
    delays = [side.filled_ns - of.time_ns if side.filled else 0 for side in (real, shadow)]
    return Comparison(
        of.order_id, of.instrument, role, of.quantity, real.filled, shadow.filled, worse, delays[0], delays[1]
    )


def nearest_rank(ordered: Sequence[float], percent: int) -> float | None:
    """Return a percentile of ordered values by the nearest rank: the smallest value that so many are not above."""
    return ordered[max(1, -(-len(ordered) * percent // 100)) - 1] if ordered else None
