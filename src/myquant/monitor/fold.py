"""A session's journal, folded into its view: block after block, in order. Nothing is kept of a record but what the view has.

Counts and latencies are taken from whole columns at once; only what happens seldom is looked at one by one: answers to
orders, decisions about them, notes.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from myquant.brokers.packets import PRICE_END
from myquant.core import codes
from myquant.core.records import Command, Event
from myquant.journal.record import (
    BEAT,
    BODY,
    COMMAND,
    HOLDS,
    INPUT,
    LEDGER,
    NOTE,
    NUMBER,
    POSITION,
    STARTED,
    TELEMETRY,
    WORDS,
    Note,
    Origin,
)
from myquant.journal.segment import Rows
from myquant.monitor.fold_execution import Execution
from myquant.monitor.fold_latency import Latencies
from myquant.monitor.fold_notes import take_note
from myquant.monitor.fold_orders import NEAR, OrderBook
from myquant.monitor.news import NewsDesk
from myquant.monitor.view import InstrumentView, SessionView

_EVENT_WORDS: Final = len(Event._fields)
_PLACES: Final = {name: BODY + place for place, name in enumerate((*Event._fields, *Origin._fields))}
_COMMAND_PLACES: Final = {name: BODY + place for place, name in enumerate(Command._fields)}

# What is looked at one by one.
_EVENTS: Final = (
    codes.ORDER_ACK,
    codes.ORDER_REJECT,
    codes.FILL,
    codes.CANCELLED,
    codes.FEED_STATUS,
    codes.OPERATOR,
    codes.MODIFIED,
    codes.CHANGE_REJECT,
    codes.FOREIGN_TRADE,
)
_COMMANDS: Final = (
    codes.SUBMIT,
    codes.MODIFY,
    codes.POSITION_OPENED,
    codes.TRADE_CLOSED,
    codes.HALTED,
    codes.RESUMED,
)
_IS_EVENT, _IS_COMMAND = np.zeros(64, bool), np.zeros(64, bool)
_IS_EVENT[list(_EVENTS)] = _IS_COMMAND[list(_COMMANDS)] = True
_LAST_COUNTS: Final = (BEAT, TELEMETRY, LEDGER)  # notes of which the last of a block says it all


def word(name: str) -> int:
    """Return the place of a field of an input in a record."""
    return _PLACES[name]


def command_word(name: str) -> int:
    """Return the place of a field of a command in a record."""
    return _COMMAND_PLACES[name]


class Fold:
    """Takes the records of one session's journal, in order, into its view.

    Attributes:
        execution: what adds up what became of its orders.
    """

    def __init__(self, view: SessionView, desk: NewsDesk) -> None:
        self.view = view
        self._desk = desk
        self._orders = OrderBook(view, desk)
        self._latencies = Latencies(view)
        self.execution = Execution(view)
        self._recent: Rows = np.zeros((0, WORDS), np.int64)
        view.instruments = view.instruments or [InstrumentView(symbol) for symbol in view.symbols]

    def take(self, block: Rows) -> None:
        """Take a block of records: int64 (n, WORDS), n > 0. Where it ends within a step, the next one goes on."""
        view, holds = self.view, block[:, HOLDS]
        given, decided = block[holds == INPUT], block[holds == COMMAND]
        recent = np.concatenate((self._recent, given))
        before = min(len(self._recent), 1)
        self._latencies.take(recent[len(self._recent) - before :], before, decided)
        self.execution.take(block)
        self._count(given, decided)
        self._orders.recent = recent
        self._one_by_one(block)
        if len(given):
            view.inputs = int(given[-1, word("sequence")]) + 1
            self._observe(given)
            self._observe_packets(block, holds)
            self._orders.time_out(int(given[-1, word("time_ns")]))
        self._recent = recent[-NEAR:].copy()
        view.records = int(block[-1, NUMBER])

    def _count(self, given: Rows, decided: Rows) -> None:
        """Count ticks, commands and what was refused."""
        view, kinds = self.view, decided[:, command_word("kind")]
        _add_up(view.commands, kinds, codes.COMMAND_NAMES)
        reasons = decided[:, command_word("reason")]
        _add_up(view.denied, reasons[kinds == codes.DENIED], codes.DENIAL_NAMES)
        _add_up(view.ticks_rejected, reasons[kinds == codes.TICK_REJECTED], codes.REJECTION_NAMES)
        ticks = given[given[:, word("kind")] == codes.TICK]
        for who, count in zip(*np.unique(ticks[:, word("instrument")], return_counts=True), strict=True):
            if 0 <= who < len(view.instruments):
                view.instruments[int(who)].ticks += int(count)

    def _observe(self, given: Rows) -> None:
        """Note the last price of each instrument and the last times."""
        view = self.view
        prices = given[:, word("price")]
        ticks = given[(given[:, word("kind")] == codes.TICK) & (prices > 0) & (prices < PRICE_END)]
        whose = ticks[:, word("instrument")]
        for who in np.unique(whose).tolist():
            if 0 <= who < len(view.instruments):
                last = ticks[np.flatnonzero(whose == who)[-1]]
                each = view.instruments[who]
                each.last_price, each.last_time_ns = int(last[word("price")]), int(last[word("time_ns")])
        written = int(given[:, word("receive_ns")].max())
        if written > 0:
            view.written_wall_ns = max(view.written_wall_ns or 0, written)

    def _observe_packets(self, block: Rows, holds: NDArray[np.int64]) -> None:
        """Note when the last packet of the process at work came: an earlier one's tell nothing, by a clock that may be another."""
        starts = np.flatnonzero((holds == NOTE) & (block[:, BODY] == STARTED))
        first = int(starts[-1]) if len(starts) else 0
        arrived = block[first:, word("arrived_ns")][holds[first:] == INPUT]
        if len(arrived) and arrived.max() > 0:
            self.view.packet_mono_ns = max(self.view.packet_mono_ns or 0, int(arrived.max()))

    def _one_by_one(self, block: Rows) -> None:
        """Take what happens seldom, in the order in which it was journaled."""
        for row in block[_chosen(block)].tolist():
            number, holds, body = row[NUMBER], row[HOLDS], row[BODY:]
            if holds == INPUT:
                self._orders.take_event(Event._make(body[:_EVENT_WORDS]), number)
            elif holds == COMMAND:
                self._orders.take_command(Command._make(body), number)
            else:
                kind, code, instrument, wall_ns, monotonic_ns, *values = body
                note = Note(kind, code, instrument, wall_ns, monotonic_ns, tuple(values))
                take_note(self.view, note, number, self._desk)


def _add_up(counter: Any, values: NDArray[np.int64], names: dict[int, str]) -> None:
    """Count values by their names."""
    for value, count in zip(*np.unique(values, return_counts=True), strict=True):
        counter[names.get(int(value), f"code_{value}")] += int(count)


def _chosen(block: Rows) -> NDArray[np.bool_]:
    """Return which records of a block are looked at one by one."""
    holds, first, second = block[:, HOLDS], block[:, BODY], block[:, BODY + 1]
    chosen = (holds == INPUT) & _IS_EVENT[np.clip(first, 0, len(_IS_EVENT) - 1)]
    chosen |= (holds == COMMAND) & _IS_COMMAND[np.clip(second, 0, len(_IS_COMMAND) - 1)]
    notes = holds == NOTE
    for kind in _LAST_COUNTS:
        places = np.flatnonzero(notes & (first == kind))
        notes[places[:-1]] = False
    held = np.flatnonzero(notes & (first == POSITION))
    notes[held] = False
    whose = block[held, BODY + 2][::-1]  # of each instrument the last says it all
    notes[held[::-1][np.unique(whose, return_index=True)[1]]] = True
    result: NDArray[np.bool_] = chosen | notes
    return result
