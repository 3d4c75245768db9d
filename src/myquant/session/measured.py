"""A session that is measured: the same steps with a mark at each boundary. Any other session has no trace of it."""

from collections.abc import Callable

from myquant.core import codes
from myquant.core.records import Command, Event
from myquant.errors import JournalError
from myquant.measure.names import CORE, CSV_WRITE, DATAFRAME_OPS, INGEST, LOGGING, ORDER_SEND
from myquant.measure.passes import MemorySpans
from myquant.measure.spans import ACKNOWLEDGED, DECIDED, FILLED, ORDERED, Spans
from myquant.session.pipeline import Pipeline
from myquant.session.runner import Orders
from myquant.session.supervisor import DECODED, SPENT, USED, Supervisor
from myquant.session.tick_row import TickRow, row_of


def _parts(pipeline: Pipeline | None) -> list[tuple[int, Callable[[TickRow], None]]]:
    """Return the parts of a pipeline that take ticks, each with its component."""
    if pipeline is None:
        return []
    parts = ((CSV_WRITE, pipeline.results), (DATAFRAME_OPS, pipeline.frames), (LOGGING, pipeline.lines))
    return [(code, part.take) for code, part in parts if part is not None]


class MeasuredOrders:
    """An order port, its time counted as that of sending orders, and the stages of an order stamped.

    Nothing is counted until `measure`.
    """

    def __init__(self, orders: Orders) -> None:
        self._spans: Spans | MemorySpans | None = None
        self._orders = orders
        self._ticks: dict[int, int] = {}  # of each order that was sent in a tick that is taken in full

    def measure(self, spans: Spans | MemorySpans | None) -> None:
        """Count in these from now on; None: nowhere."""
        self._spans = spans
        self._ticks.clear()

    @property
    def busy(self) -> bool:
        """Whether some order waits."""
        return self._orders.busy

    def submit(self, command: Command) -> None:
        """Take a SUBMIT command: the decision stands, and the order leaves."""
        spans = self._spans
        if spans is None or not spans.is_open:
            self._orders.submit(command)
            return
        self._ticks[command.order_id] = spans.tick
        spans.note(DECIDED)
        spans.mark(ORDER_SEND)
        self._orders.submit(command)
        spans.note(ORDERED)
        spans.mark(CORE)

    def cancel(self, command: Command) -> None:
        """Take a CANCEL command."""
        spans = self._spans
        if spans is None:
            self._orders.cancel(command)
            return
        spans.mark(ORDER_SEND)
        self._orders.cancel(command)
        spans.mark(CORE)

    def modify(self, command: Command) -> None:
        """Take a MODIFY command."""
        spans = self._spans
        if spans is None:
            self._orders.modify(command)
            return
        spans.mark(ORDER_SEND)
        self._orders.modify(command)
        spans.mark(CORE)

    def see(self, event: Event) -> None:
        """Look at an input that the engine has taken, while busy."""
        self._orders.see(event)

    def answer(self) -> Event | None:
        """Return the next thing that became of an order, or None."""
        answer = self._orders.answer()
        if answer is not None and self._spans is not None:
            tick = self._ticks.get(answer.order_id)
            if tick is not None:  # it may have been sent long before
                self._spans.note_at(FILLED if answer.kind == codes.FILL else ACKNOWLEDGED, tick)
        return answer


class MeasuredSupervisor(Supervisor):
    """A supervisor whose ticks are measured once `measure` was called.

    Attributes:
        handed_ns: when the reader handed the frame over that comes next; 0: it comes straight from the socket.
    """

    handed_ns = 0

    def measure(self, spans: Spans | MemorySpans, orders: MeasuredOrders) -> None:
        """Measure from the next frame on."""
        self._spans = spans
        self._measured_orders = orders
        orders.measure(spans)
        results = self.pipeline.results if self.pipeline is not None else None
        self._decide = results.decide if results is not None else None
        self._take_part = _parts(self.pipeline)
        self.on_frame = self._on_measured_frame  # type: ignore[method-assign]
        self.runner.on_commands = self._tell_measured

    def stop_measuring(self) -> None:
        """Measure no further."""
        self._measured_orders.measure(None)
        del self.on_frame
        self.runner.on_commands = self._tell

    def _on_measured_frame(self, connection: int, payload: memoryview, arrived_ns: int) -> None:
        spans = self._spans
        spans.begin(arrived_ns, self.handed_ns)
        if not spans.is_open:  # of this tick only its stamps are wanted
            super().on_frame(connection, payload, arrived_ns)
            spans.end()
            return
        mark = spans.mark
        mark(INGEST)
        self.frames += 1
        self._arrived_ns = arrived_ns
        decode, words, stamps = self._ways[connection - 1]
        if decode(payload, arrived_ns, self._wall_ns()) not in USED or self._is_blind:
            spans.end()
            return
        stamps[DECODED], stamps[SPENT] = self._monotonic_ns(), self._spent_ns
        mark(CORE)
        try:
            self.runner.take_one(words)
        except JournalError as error:
            self._stop_blind(error)
            spans.end()
            return
        if self._take_part:
            row = row_of(words)
            if row[0] == codes.TICK:
                for code, take in self._take_part:
                    mark(code)
                    take(row)
        spans.end()
        self._spent_ns = self._monotonic_ns() - arrived_ns
        self._spent_max_ns = max(self._spent_max_ns, self._spent_ns)

    def _tell_measured(self, commands: list[Command]) -> None:
        mark = self._spans.mark
        if self._decide is not None:
            mark(CSV_WRITE)
            self._decide(commands)
        mark(LOGGING)
        self._tell_people(commands)
        mark(CORE)
