"""What a trace holds, worked out record by record in plain Python, from the journal's description."""

from collections import Counter, defaultdict
from typing import Any

import numpy as np

from dashboard.made_rows import SECOND_NS
from myquant.core import codes
from myquant.core.records import Command, Event
from myquant.journal.record import (
    BEAT,
    BODY,
    COMMAND,
    DAY,
    HALTED_BY,
    HOLDS,
    INPUT,
    LEDGER,
    NOTE,
    POSITION,
    Holding,
    Ledger,
    Origin,
)

MINUTE_NS = 60 * SECOND_NS


class Oracle:
    def __init__(self, rows: np.ndarray[Any, Any]) -> None:
        self.bars: dict[tuple[int, int], list[int]] = {}  # (instrument, second): open, high, low, close, ticks
        self.times: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))  # by stage, minute
        self.refused: Counter[tuple[int, int, int]] = Counter()  # kind of command, reason, minute of exchange time
        self.ledgers: list[tuple[int, int, int, int]] = []
        self.held: dict[int, list[tuple[int, ...]]] = defaultdict(list)  # of each second
        self.events = Counter[str]()
        self._last: dict[int, int] = {}
        self._clock = 0
        self._minute: int | None = None
        self.account = Halted()
        everything = rows.tolist()
        for place, row in enumerate(everything):
            if row[HOLDS] == INPUT:
                self._take_input(row[BODY:], everything[place + 1 :])
            elif row[HOLDS] == COMMAND:
                self._take_command(Command._make(row[BODY:]))
            elif row[HOLDS] == NOTE:
                self._take_note(row[BODY:])
            elif row[HOLDS] == DAY:
                self.account.begin_day(row[BODY + 3])

    def _take_input(self, body: list[int], behind: list[list[int]]) -> None:
        event = Event._make(body[: len(Event._fields)])
        if event.kind == codes.OPERATOR:
            self.account.ask(event)
        if event.kind not in {codes.TICK, codes.QUOTE}:
            return
        if event.receive_ns > 0:
            self._minute = event.receive_ns // MINUTE_NS
        delay_ns = event.receive_ns - event.time_ns
        if event.receive_ns > 0 and abs(delay_ns) < 3600 * SECOND_NS and self._minute is not None:
            self.times["feed"][self._minute].append(max(0, delay_ns))
        if event.kind == codes.TICK:
            self._take_tick(event)
            self._take_spent(event, Origin._make(body[len(Event._fields) :]), behind)

    def _take_tick(self, event: Event) -> None:
        who, second = event.instrument, event.time_ns // SECOND_NS
        if who not in {0, 1} or event.price <= 0 or event.time_ns < self._last.get(who, 0):
            return
        self._last[who] = event.time_ns
        bar = self.bars.setdefault((who, second), [event.price, 0, event.price, 0, 0])
        bar[1], bar[2], bar[3] = max(bar[1], event.price), min(bar[2], event.price), event.price
        bar[4] += 1

    def _take_spent(self, event: Event, origin: Origin, behind: list[list[int]]) -> None:
        is_order = False
        for row in behind:
            if row[HOLDS] == COMMAND:
                command = Command._make(row[BODY:])
                is_order |= command.kind == codes.SUBMIT and command.event_sequence == event.sequence
            elif row[HOLDS] == INPUT:
                break
        else:
            return
        spent = Origin._make(row[BODY + len(Event._fields) :]).spent_ns
        if origin.arrived_ns <= 0 or spent <= 0 or self._minute is None:
            return
        decode = origin.decoded_ns - origin.arrived_ns
        self.times["total"][self._minute].append(spent)
        if origin.decoded_ns > 0 and 0 <= decode <= spent:
            self.times["decode"][self._minute].append(decode)
            self.times["order" if is_order else "decide"][self._minute].append(spent - decode)

    def _take_command(self, command: Command) -> None:
        if command.kind in {codes.DENIED, codes.TICK_REJECTED}:
            self.refused[command.kind, command.reason, command.time_ns // MINUTE_NS] += 1
        self.events[codes.COMMAND_NAMES[command.kind]] += 1
        self.account.take(command)

    def _take_note(self, body: list[int]) -> None:
        kind, _, instrument, wall_ns, _, *values = body
        if kind == BEAT:
            self._clock = values[5]
        elif kind == LEDGER:
            ledger = Ledger._make(values)
            self.ledgers.append((wall_ns, self._clock, ledger.equity, ledger.drawdown))
        elif kind == POSITION:
            places = [Holding._fields.index(name) for name in ("position_id", "stop", "floor", "target")]
            self.held[instrument].append((wall_ns, *(values[place] for place in places)))


class Halted:
    """What halts entries, as the core's account says it, and from when to when that was so."""

    def __init__(self) -> None:
        self.halt, self.flatten, self.lost_since = 0, False, 0
        self.spans: list[tuple[int, int | None, str]] = []
        self._open: dict[str, tuple[int, str]] = {}  # since when, and why: of the day's loss, and of all else

    def take(self, command: Command) -> None:
        if command.kind == codes.RESUMED:
            self.halt = 0
        elif command.kind == codes.HALTED and command.reason == codes.BY_DAY_LOSS:
            self.lost_since = self.lost_since or command.time_ns
        elif command.kind == codes.HALTED and self.halt == 0:
            self.halt = command.reason
        elif command.kind == codes.HALTED and command.reason != codes.BY_UNKNOWN_ORDER:
            self.halt = self.halt if self.halt in codes.GRAVE and command.reason not in codes.GRAVE else command.reason
        self._note(command.time_ns)

    def ask(self, event: Event) -> None:
        if event.code == codes.ASK_RESUME:
            self.halt, self.flatten = 0, False
        elif event.code == codes.ASK_FLATTEN:
            self.flatten = True
        self._note(event.time_ns)

    def begin_day(self, start_ns: int) -> None:
        if self.lost_since < start_ns:
            self.lost_since = 0
        self._note(start_ns)

    def _note(self, time_ns: int) -> None:
        now = {"loss": "day_loss" if self.lost_since else "", "else": HALTED_BY[self.halt]}
        now["else"] = now["else"] or ("flatten" if self.flatten else "")
        for track, reason in now.items():
            since, before = self._open.get(track, (0, ""))
            if before != reason:
                if before and since != time_ns:
                    self.spans.append((since, time_ns, before))
                self._open[track] = (time_ns, reason)

    def all(self) -> set[tuple[int, int | None, str]]:
        """Return the stretches that are over, and those that go on."""
        return {*self.spans, *((since, None, reason) for since, reason in self._open.values() if reason)}
