"""A session's journal, folded into the lives of its orders: block after block, in order, wherever it is cut."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from myquant.config.schema import Config
from myquant.core import codes
from myquant.core.records import Command, Day, Event
from myquant.execution.life import (
    BY_BROKER,
    CANCELLED,
    ENTRY,
    EXIT,
    FILLED,
    PARTIAL,
    REFUSALS,
    REJECTED,
    SENT,
    STOP,
    UNKNOWN,
    WORKING,
    Decision,
    Fill,
    OrderLife,
    Stamp,
)
from myquant.execution.scan import Known, Scan
from myquant.journal.codes import OF_FORGOTTEN
from myquant.journal.record import BODY, COMMAND, DAY, HOLDS, INPUT, SENT_SUBMIT, DayNote, Note, Sent
from myquant.journal.segment import Rows

SECOND_NS: Final = 10**9
LOST: Final = "an order that the journal has lost"
SOLD_BY_OTHERS: Final = "a trade that is not the session's"
_NOTE_CODE, _NOTE_VALUES = (Note._fields.index(name) for name in ("code", "values"))
_EVENT_WORDS: Final = len(Event._fields)
_ANSWERS: Final = (codes.ORDER_ACK, codes.ORDER_REJECT, codes.FILL)
_DAY_START: Final = BODY + len(DayNote._fields) - 1 + Day._fields.index("start_ns")


class Foreign(NamedTuple):
    """Units that the broker has traded and the journal knows no order of."""

    at: Stamp
    day: str  # ISO
    instrument: int
    symbol: str
    units: int  # above 0: bought
    value: int | None  # paise; None: not known
    order_id: int | None  # of a lost order of ours
    what: str


class Trade(NamedTuple):
    """An exit that was booked."""

    day: str  # ISO
    instrument: int
    units: int
    reason: str


class Lives:
    """Takes a journal's records, in order, into the orders that they tell of.

    Args:
        symbols: of the instruments, by their numbers.
        config: the session's.
        is_simulated: whether the session's fills are.
        on_answered: takes an order with its first answer.
        on_filled: takes an order with each part that is filled.
        on_ended: takes an order that has ended.
        on_unknown: takes an order that has had no answer for too long.
        orders_max: how many are kept: beyond it the oldest go that have ended; of trades and foreign ones likewise. None: all.

    Attributes:
        orders: by their ids, in the order in which they were sent.
        foreign: what the broker has traded that the journal knows no order of.
        trades: that were closed.
        days: of the session, ISO dates in its zone.
        is_simulated: as given.
        taken: how many records there were that may have changed any of these.
    """

    def __init__(
        self,
        symbols: tuple[str, ...],
        config: Config,
        *,
        is_simulated: bool,
        on_answered: Callable[[OrderLife], None] | None = None,
        on_filled: Callable[[OrderLife], None] | None = None,
        on_ended: Callable[[OrderLife], None] | None = None,
        on_unknown: Callable[[OrderLife], None] | None = None,
        orders_max: int | None = None,
    ) -> None:
        self.orders: dict[int, OrderLife] = {}
        self.foreign: list[Foreign] = []
        self.trades: list[Trade] = []
        self.days: set[str] = set()
        self.is_simulated = is_simulated
        self.taken = 0
        self._symbols = symbols
        self._zone = ZoneInfo(config.session.timezone)
        self._timeout_ns = int(config.execution.order_timeout_s * SECOND_NS)
        self._scan = Scan(len(symbols), self._timeout_ns)
        self._on_answered, self._on_filled, self._on_ended = on_answered, on_filled, on_ended
        self._on_unknown = on_unknown
        self._orders_max = orders_max
        self._waiting: dict[int, int] = {}  # by order without an answer: the exchange's time at which that is too long
        self._dates: dict[int, str] = {}  # by second

    def take(self, block: Rows) -> None:
        """Take a block of records: int64 (n, WORDS). Where it ends within a step, the next one goes on."""
        for row, known in self._scan.seldom(block):
            self.taken += 1
            holds, body = row[HOLDS], row[BODY:]
            if holds == INPUT:
                self._take_input(Event._make(body[:_EVENT_WORDS]), _stamp(known))
            elif holds == COMMAND:
                self._take_command(Command._make(body), known)
            elif holds == DAY:
                self.days.add(self.day_of(row[_DAY_START]))
            else:
                code, values = body[_NOTE_CODE], body[_NOTE_VALUES:]
                if code == SENT_SUBMIT:
                    self._take_sent(Sent._make(values[: len(Sent._fields)]), _stamp(known))

    def symbol_of(self, instrument: int) -> str:
        """Return the symbol of an instrument, by its number; of one that is not there, its number in words."""
        known = 0 <= instrument < len(self._symbols)
        return self._symbols[instrument] if known else f"instrument {instrument}"

    def day_of(self, time_ns: int | None) -> str:
        """Return the date of a time in the session's zone; "" of none."""
        if time_ns is None:
            return ""
        second = time_ns // SECOND_NS
        found = self._dates.get(second)
        if found is None:
            if len(self._dates) > 10_000:
                self._dates.clear()
            found = self._dates[second] = datetime.fromtimestamp(second, self._zone).date().isoformat()
        return found

    def _take_command(self, command: Command, known: Known) -> None:
        if command.kind == codes.SUBMIT:
            self._submit(command, known)
            return
        if command.kind == codes.TRADE_CLOSED:
            reason = codes.EXIT_NAMES.get(command.reason, f"code_{command.reason}")
            _keep_newest(self.trades, self._orders_max)
            self.trades.append(Trade(self.day_of(command.time_ns), command.instrument, command.quantity, reason))
            return
        life = self.orders.get(command.order_id)
        if life is None:
            return
        if command.kind == codes.CANCEL:
            life.cancels_asked += 1
        else:
            life.changes_asked += 1
            life.asked = command.price, command.stop, codes.EXIT_NAMES.get(command.reason, "")

    def _submit(self, command: Command, known: Known) -> None:
        mono_ns = known.decoded_ns or known.mono_ns
        at = _stamp(known)._replace(time_ns=command.time_ns, mono_ns=mono_ns or None)
        decision = Decision(at, known.arrived_ns or None, known.price or None, known.bid or None, known.ask or None)
        is_buy = command.side == codes.BUY
        life = self.orders[command.order_id] = OrderLife(
            command.order_id,
            command.instrument,
            self.symbol_of(command.instrument),
            command.side,
            command.quantity,
            ENTRY if is_buy else STOP if command.stop else EXIT,
            codes.EXIT_NAMES.get(command.reason, ""),
            price=command.price,
            trigger=command.stop or None,
            decision=decision,
            sent=at if self.is_simulated else None,
            states=[(SENT, at)],
            day=self.day_of(command.time_ns),
        )
        self._waiting[life.order_id] = command.time_ns + self._timeout_ns
        self.days.add(life.day)
        if self._orders_max is not None and len(self.orders) > self._orders_max:
            oldest = next((key for key, each in self.orders.items() if not each.is_at_work), None)
            if oldest is not None:
                del self.orders[oldest]

    def _take_sent(self, sent: Sent, at: Stamp) -> None:
        """Note when a slice of an order left: by the monotonic clock, which tells what the machine's was then."""
        life, mono_ns = self.orders.get(sent.order_id), sent.written_monotonic_ns
        if life is None or mono_ns <= 0:
            return
        wall_ns = None if at.wall_ns is None or at.mono_ns is None else at.wall_ns + mono_ns - at.mono_ns
        stamp = Stamp(None, wall_ns, mono_ns, at.boot)
        life.sent, life.sent_last = life.sent or stamp, stamp
        life.waited_ns = max(sent.waited_ns, life.waited_ns or 0)
        life.slices = sent.parts

    def _take_input(self, event: Event, at: Stamp) -> None:
        if event.kind == codes.TIMER:
            self._time_out(event.time_ns, at)
        elif event.kind == codes.FOREIGN_TRADE:
            self._note_foreign(event, at, -event.quantity, -event.value, None, SOLD_BY_OTHERS)
        else:
            life = self.orders.get(event.order_id)
            if life is None and event.kind == codes.FILL and event.order_id and event.code != OF_FORGOTTEN:
                life = self._lost(event, at)
            if life is not None and not (event.kind == codes.ORDER_REJECT and event.code == codes.COUNTS_NOW):
                self._answer(life, event, at)

    def _time_out(self, now_ns: int, at: Stamp) -> None:
        """Take orders that have had no answer for too long for unknown, as the core does."""
        for order_id in [each for each, end_ns in self._waiting.items() if now_ns >= end_ns]:
            del self._waiting[order_id]
            self.orders[order_id].states.append((UNKNOWN, at))
            if self._on_unknown is not None:
                self._on_unknown(self.orders[order_id])
        if self._waiting:
            self._scan.wait_until(min(self._waiting.values()))

    def _note_foreign(self, event: Event, at: Stamp, units: int, value: int, order_id: int | None, what: str) -> None:
        who, day = event.instrument, self.day_of(at.time_ns)
        known = abs(value) if event.value else None
        _keep_newest(self.foreign, self._orders_max)
        self.foreign.append(Foreign(at, day, who, self.symbol_of(who), units, known, order_id, what))

    def _lost(self, event: Event, at: Stamp) -> OrderLife:
        """Return the order of a fill that the journal has no order of: an entry that was lost."""
        self._note_foreign(event, at, event.quantity, event.value, event.order_id, LOST)
        life = self.orders[event.order_id] = OrderLife(
            event.order_id,
            event.instrument,
            self.symbol_of(event.instrument),
            codes.BUY,
            event.quantity,
            ENTRY,
            states=[(WORKING, at)],
            day=self.day_of(at.time_ns),
        )
        return life

    def _answer(self, life: OrderLife, event: Event, at: Stamp) -> None:
        self._waiting.pop(life.order_id, None)
        kind = event.kind
        if kind == codes.FILL:
            self._fill(life, event, at)
        elif kind == codes.ORDER_ACK:
            life.acknowledged = life.acknowledged or at
            if life.state in (SENT, UNKNOWN):
                life.states.append((WORKING, at))
        elif kind == codes.MODIFIED:
            self._change(life)
        elif kind == codes.CHANGE_REJECT:
            life.changes_refused += 1
            life.asked = None
        elif kind == codes.ORDER_REJECT:
            life.refusal = life.refusal or REFUSALS.get(event.code, BY_BROKER) if life.is_at_work else life.refusal
            self._end(life, REJECTED, at)
        else:
            self._end(life, CANCELLED, at)
        is_own = kind == codes.ORDER_REJECT and event.code == codes.NOT_SENT
        if kind in _ANSWERS and life.answered is None and not is_own and life.decision is not None:
            life.answered = at
            if self._on_answered is not None:
                self._on_answered(life)

    def _change(self, life: OrderLife) -> None:
        life.changes_made += 1
        if life.asked is not None:
            price, trigger, reason = life.asked
            life.price, life.trigger, life.reason = price, trigger or None, reason or life.reason
            life.asked = None

    def _fill(self, life: OrderLife, event: Event, at: Stamp) -> None:
        units, value = event.quantity - life.filled, event.value - life.value
        if units <= 0:
            return  # told again
        life.fills.append(Fill(units, value, at, event.code == OF_FORGOTTEN))
        if event.quantity >= life.quantity:
            self._end(life, FILLED, at)
        elif life.is_at_work and life.state != PARTIAL:
            life.states.append((PARTIAL, at))
        if self._on_filled is not None:
            self._on_filled(life)

    def _end(self, life: OrderLife, state: str, at: Stamp) -> None:
        if not life.is_at_work:
            return  # it has ended, whatever is told of it
        life.states.append((state, at))
        life.ended, life.asked = at, None
        if self._on_ended is not None:
            self._on_ended(life)


def _stamp(known: Known) -> Stamp:
    return Stamp(known.time_ns or None, known.wall_ns or None, known.mono_ns or None, known.boot)


def _keep_newest(rows: list[Any], most: int | None) -> None:
    """Make room for one more in a list that is to hold so many; None: any number."""
    if most is not None and len(rows) >= most:
        del rows[: len(rows) - most + 1]
