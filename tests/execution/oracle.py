"""What a journal says of its seldom rows, found row by row in plain Python: slow, and written from its description alone."""

from myquant.core import codes
from myquant.core.records import Command, Event
from myquant.execution.scan import EVEN_MAX_NS, LEAP_NS, Known
from myquant.journal.record import BODY, COMMAND, DAY, HOLDS, INPUT, NOTE, NUMBER, SENT, STARTED, Note, Origin
from myquant.journal.segment import Rows

EVENT_WORDS = len(Event._fields)
SELDOM_EVENTS = {
    codes.ORDER_ACK,
    codes.ORDER_REJECT,
    codes.FILL,
    codes.CANCELLED,
    codes.MODIFIED,
    codes.CHANGE_REJECT,
    codes.FOREIGN_TRADE,
}
SELDOM_COMMANDS = {codes.SUBMIT, codes.CANCEL, codes.MODIFY, codes.TRADE_CLOSED}


class Oracle:
    """Goes over rows; `found`: numbers of the seldom ones, each with what was known."""

    def __init__(self, timeout_ns: int, instruments: int = 2) -> None:
        self.instruments = instruments
        self.found: list[tuple[int, Known]] = []
        self.timeout_ns = timeout_ns
        self.deadlines: list[int] = []
        self.quotes: dict[int, tuple[int, int, int]] = {}
        self.before: tuple[int, tuple[int, int, int]] = (-1, (0, 0, 0))
        self.arrived = self.decoded = self.wall = self.mono = self.time = 0
        self.boots = [0]  # of each start of the machine, the wall clock at which the monotonic one was 0, as last seen

    def take(self, rows: Rows) -> None:
        for row in rows.tolist():
            {INPUT: self.input, COMMAND: self.command, NOTE: self.note, DAY: self.day}.get(row[HOLDS], self.nothing)(
                row
            )

    def input(self, row: list[int]) -> None:
        event = Event(*row[BODY : BODY + EVENT_WORDS])
        origin = Origin(*row[BODY + EVENT_WORDS :])
        self.time, self.arrived, self.decoded = event.time_ns, origin.arrived_ns, origin.decoded_ns
        passed = event.receive_ns - self.wall
        if origin.arrived_ns:
            self.mono = origin.arrived_ns
        elif event.receive_ns and not 0 <= passed <= EVEN_MAX_NS:
            self.mono = 0
        elif event.receive_ns and self.mono:
            self.mono += passed
        self.wall = event.receive_ns or self.wall
        if event.kind in (codes.TICK, codes.QUOTE) and 0 <= event.instrument < self.instruments:
            last = self.quotes.get(event.instrument, (0, 0, 0))
            self.before = event.instrument, last
            price = event.price if event.kind == codes.TICK and event.price > 0 else last[0]
            self.quotes[event.instrument] = price, event.bid, event.ask
        if event.kind in SELDOM_EVENTS:
            self.pick(row, event.instrument)
        if event.kind == codes.TIMER and self.deadlines and event.time_ns >= min(self.deadlines):
            self.pick(row, event.instrument)
            self.deadlines = []

    def command(self, row: list[int]) -> None:
        command = Command(*row[BODY:])
        if command.kind == codes.TICK_REJECTED and self.before[0] == command.instrument:
            self.quotes[command.instrument] = self.before[1]
        if command.kind == codes.SUBMIT:
            self.deadlines.append(command.time_ns + self.timeout_ns)
        if command.kind in SELDOM_COMMANDS:
            self.pick(row, command.instrument)

    def note(self, row: list[int]) -> None:
        head = dict(zip(Note._fields, row[BODY:], strict=False))
        if head["kind"] == STARTED:
            self.arrived = self.decoded = 0
        if head["wall_ns"] > 0 and head["monotonic_ns"] > 0:
            self.wall, self.mono = head["wall_ns"], head["monotonic_ns"]
            began, last = self.wall - self.mono, self.boots.pop()
            is_anew = head["kind"] == STARTED and last and not -LEAP_NS <= began - last <= LEAP_NS
            self.boots += [last, began] if is_anew else [began]
        if head["kind"] == SENT:
            self.pick(row, -1)

    def day(self, row: list[int]) -> None:
        self.pick(row, -1)

    def nothing(self, row: list[int]) -> None:
        pass

    def pick(self, row: list[int], who: int) -> None:
        quote = self.quotes.get(who, (0, 0, 0))
        known = Known(*quote, self.arrived, self.decoded, self.wall, self.mono, self.time, len(self.boots) - 1)
        self.found.append((row[NUMBER], known))
