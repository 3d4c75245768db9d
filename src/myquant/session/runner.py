"""The runner: an engine between its journal and its order port. One input after the other, in one thread.

Each input is journaled, decided upon, and what was decided is journaled (`exchange.handle`, compiled). Only then do its
orders leave; what becomes of them comes back as further inputs.
"""

from collections import deque
from collections.abc import Callable
from struct import Struct
from typing import Any, Final, Protocol

import numpy as np

from myquant.core import codes
from myquant.core.compiled import direct, jit_enabled
from myquant.core.layout import dtype_of
from myquant.core.records import Command, Event
from myquant.exchange.handle import DONE, HAS_ORDERS, LACKS_DAY, LACKS_ROOM, STATUS
from myquant.journal.record import BODY_WORDS, DAY, WORDS, DayNote
from myquant.session.engine import Engine
from myquant.strategies.loading import LoadedStrategy
from myquant.strategies.specialise import is_compiled
from myquant.ticks.batch import TickBatch
from myquant.ticks.compiled import quick_to_load

EVENT_WORDS: Final = len(Event._fields)
_INSTRUMENT, _TIME_NS, _RECEIVE_NS = (Event._fields.index(name) for name in ("instrument", "time_ns", "receive_ns"))
_PUT_EVENT: Final = Struct(f"={EVENT_WORDS}q").pack_into

Words = np.ndarray[Any, Any]  # inputs: int64 of shape (n, BODY_WORDS)


class Records(Protocol):
    """Where the runner journals to: `journal.writer.JournalWriter`, or rows in memory."""

    rows: np.ndarray[Any, Any]
    cursor: np.ndarray[Any, Any]

    def make_room(self) -> None:
        """Go on in new rows, with a cursor that fits them; JournalError where there are none."""

    def append(self, holds: int, body: Any) -> None:
        """Append a record from Python."""


class Orders(Protocol):
    """Where orders go. `busy`: some order waits there, so that it has to see every input."""

    @property
    def busy(self) -> bool:
        """Whether some order waits."""

    def submit(self, command: Command) -> None:
        """Take a SUBMIT command."""

    def cancel(self, command: Command) -> None:
        """Take a CANCEL command."""

    def modify(self, command: Command) -> None:
        """Take a MODIFY command: another price, and trigger (`stop`), of an order."""

    def see(self, event: Event) -> None:
        """Look at an input that the engine has taken, while busy."""

    def answer(self) -> Event | None:
        """Return the next thing that became of an order, or None."""


class NoOrders:
    """An order port that sends nothing: the answers are among the inputs already."""

    busy = False
    asks_again = False

    def submit(self, command: Command) -> None:
        """Send nothing."""

    def cancel(self, command: Command) -> None:
        """Send nothing."""

    def modify(self, command: Command) -> None:
        """Send nothing."""

    def see(self, event: Event) -> None:
        """See nothing."""

    def answer(self) -> None:
        """Answer nothing."""

    def snapshot(self) -> bytes:
        """Return no state."""
        return b""

    def restore(self, state: bytes) -> None:
        """Take up no state. Raises ValueError at that of another port."""
        if state:
            raise ValueError(f"a state of {len(state)} bytes, where an order port has none")


def words_of(*events: Event) -> Words:
    """Return events as journal inputs of unknown origin."""
    words = np.zeros((len(events), BODY_WORDS), np.int64)
    for row, event in enumerate(events):
        words[row, :EVENT_WORDS] = event
    return words


def words_of_batch(batch: TickBatch) -> Words:
    """Return a batch of ticks as journal inputs."""
    words = np.zeros((len(batch), BODY_WORDS), np.int64)
    words[:, 0] = codes.TICK
    for name in ("instrument", "time_ns", "receive_ns", "price", "volume", "bid", "ask"):
        column = getattr(batch, name)
        if len(column):
            words[:, Event._fields.index(name)] = column
    return words


def is_ready(strategy: LoadedStrategy) -> bool:
    """Return whether the machine code that a session of this strategy runs is loaded or on disk; else it compiles for a while."""
    handle: Any = _handle_of(strategy)
    if jit_enabled() and handle.overloads:
        return True
    words, rows = np.zeros((1, BODY_WORDS), np.int64), np.zeros((1, WORDS), np.int64)
    instruments, desk = np.zeros(1, strategy.instrument_dtype()), np.zeros(1, strategy.desk_dtype())
    engine = (desk, instruments, instruments["day"].copy(), np.zeros(1, dtype_of(Command)), words)
    return is_compiled(handle, (words, 0, 1, 0, rows, np.zeros(4, np.int64), *engine))


def _handle_of(strategy: LoadedStrategy) -> Callable[..., int]:
    """Return a strategy's `handle`; a user's may count references, and loads as Numba has it."""
    handle: Callable[..., int] = strategy.handle.handle
    return quick_to_load(handle) if strategy.path is None else handle


class Runner:
    """Takes the inputs of one session, in order.

    Attributes:
        before_order: called before orders leave, to make the journal durable; False: it can't be, then no entry leaves.
        unsent: ids of entries that did not leave for that reason.
        on_commands: called with new commands, in order, after their orders were handed to the port.
        on_day: called for a day that is new to an instrument (index, time in ns): makes `engine.days` hold its rules, and
            returns what is to be journaled of them (None: it is journaled already).
    """

    def __init__(self, engine: Engine, records: Records, orders: Orders) -> None:
        self.engine = engine
        self.orders = orders
        self.before_order: Callable[[], bool] = _durable
        self.unsent: set[int] = set()
        self.on_commands: Callable[[list[Command]], None] = _no_commands
        self.on_day: Callable[[int, int], DayNote | None] = self._prepare_day
        self._handle: Callable[..., int] | None = None
        self._refused: deque[Event] = deque()
        self._later: deque[Event] = deque()
        self._answer = np.zeros((1, BODY_WORDS), np.int64)
        self._answer_bytes = self._answer.data.cast("B")
        self.journal_to(records)

    def journal_to(self, records: Records) -> None:
        """Journal to these records from now on."""
        self.records = records
        self._cursor = records.cursor.data  # gives plain ints, in a third of the time of NumPy's
        self._use_rows()

    def _use_rows(self) -> None:
        engine = self.engine
        self._rows = self.records.rows
        arrays = (engine.desk, engine.instruments, engine.days, engine.commands, engine.command_words)
        self._arrays = (self._rows, self.records.cursor, *arrays)

    def take(self, words: Words, count: int | None = None) -> None:
        """Take the first `count` rows of inputs (all: None), and all that becomes of the orders they lead to.

        Raises JournalError when the journal has no room left; the input at hand is then neither journaled nor taken.
        """
        at, count = 0, len(words) if count is None else count
        while at < count:
            busy = self.orders.busy
            at = self._run(words, at, at + 1 if busy else count)
            status = self._cursor[STATUS]
            if status == DONE and not busy:  # nearly always
                if self.engine.has_news():
                    self._send()
            elif status in (DONE, HAS_ORDERS):
                self._trade(words[at - 1], busy=busy)
            else:
                if self.engine.has_news():
                    self._send()
                self._make_way(status, words, at)

    def take_one(self, words: Words) -> None:
        """Take the first row of inputs, as `take` does, and 0.1 us sooner: of ticks nearly all lead to nothing."""
        engine = self.engine
        if self._handle is None or self.records.rows is not self._rows or self.orders.busy:
            self.take(words, 1)
            return
        engine.inputs += self._handle(words, 0, 1, engine.inputs, *self._arrays)
        status = self._cursor[STATUS]
        if status == DONE:
            if engine.emitted[0] != engine.drained:  # `has_news`, without its call
                self._send()
        elif status == HAS_ORDERS:
            self._trade(words[0], busy=False)
        else:  # nothing was taken: what is in the way is found there, too
            self.take(words, 1)

    def take_event(self, event: Event) -> None:
        """Take one event of no origin."""
        self.take(words_of(event))

    def take_later(self, event: Event) -> None:
        """Take an event of no origin once the input at hand and its orders are done with; for `before_order`."""
        self._later.append(event)

    def _run(self, words: Words, at: int, end: int) -> int:
        """Take inputs up to `end`, to the first that leads to orders, or to an obstacle; return the first not taken."""
        engine = self.engine
        if self.records.rows is not self._rows:  # there was no room left in the last ones
            self._use_rows()
        if self._handle is None:
            self._handle = direct(_handle_of(engine.strategy), words, at, end, engine.inputs, *self._arrays)
        taken = self._handle(words, at, end, engine.inputs, *self._arrays)
        engine.inputs += taken - at
        return taken

    def _trade(self, row: Words, *, busy: bool) -> None:
        """Let the order port see an input, if it was busy, and hand it the new orders; then take what becomes of them."""
        if busy:
            self.orders.see(Event(*row[:EVENT_WORDS].tolist()))
        if self.engine.has_news():
            self._send()
        self._take_answers(int(row[_RECEIVE_NS]))
        while self._later:
            self.take(words_of(self._later.popleft()))

    def _make_way(self, status: int, words: Words, at: int) -> None:
        """Give `handle` what it lacks: a day's rules or room."""
        if status == LACKS_ROOM:
            self.records.make_room()
        elif status == LACKS_DAY:
            note = self.on_day(int(words[at, _INSTRUMENT]), int(words[at, _TIME_NS]))
            if note is not None:
                self._append_day(note)
        else:
            raise ValueError(f"an input of unknown kind {words[at, 0]} or instrument {words[at, 1]}")

    def _append_day(self, note: DayNote) -> None:
        self.records.append(DAY, note)

    def _prepare_day(self, who: int, time_ns: int) -> DayNote:
        self.engine.prepare_day(who, time_ns)
        rules = self.engine.day_rules[who, self.engine.date_of(time_ns)]
        return DayNote(who, 0, 0, rules.day)

    def _send(self) -> None:
        """Hand new orders to the port, in their order, and then all new commands to whoever listens."""
        commands = self.engine.take_news()
        durable: bool | None = None
        for command in commands:
            if command.kind in codes.FOR_ORDER_PORT:
                durable = self.before_order() if durable is None else durable
                self._send_one(command, durable=durable)
        self.on_commands(commands)

    def _send_one(self, command: Command, *, durable: bool) -> None:
        order = command.order_id
        if command.kind == codes.CANCEL:
            self.orders.cancel(command)
        elif command.kind == codes.MODIFY:
            self.orders.modify(command)
        elif command.side == codes.BUY and (not durable or order in self.unsent):
            self.unsent.add(order)
            who, now = command.instrument, command.time_ns
            self._refused.append(Event(codes.ORDER_REJECT, who, 0, now, 0, 0, 0, 0, 0, order, 0, 0, codes.NOT_SENT))
        else:
            self.orders.submit(command)

    def _take_answers(self, receive_ns: int) -> None:
        """Take what became of orders, one answer after the other; each may lead to the next order."""
        while (answer := self._refused.popleft() if self._refused else self.orders.answer()) is not None:
            _PUT_EVENT(self._answer_bytes, 0, *answer[:_RECEIVE_NS], receive_ns, *answer[_RECEIVE_NS + 1 :])
            while self._run(self._answer, 0, 1) == 0:
                self._make_way(self._cursor[STATUS], self._answer, 0)
            self._send()


def _durable() -> bool:
    """Take the journal as it is for durable enough."""
    return True


def _no_commands(commands: list[Command]) -> None:
    """Listen to nothing."""
