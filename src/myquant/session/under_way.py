"""Recorded ticks against an exchange at which orders take time: through the runner, like a session's inputs.

An order is asked after, re-priced and given up as time passes, so there is a timer each second between ticks, as in a
session; in a long gap only at first, when all that time can do has been done.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np

from myquant.core import codes
from myquant.core.layout import dtype_of
from myquant.core.records import Command, Event
from myquant.exchange.handle import BEFORE, SEQUENCE, WRITTEN
from myquant.session.engine import Engine
from myquant.session.outcome import Rejects
from myquant.session.playback import RowsInMemory
from myquant.session.rules import SECOND_NS
from myquant.session.runner import Runner, Words, words_of_batch
from myquant.session.simulated import SimulatedOrders
from myquant.ticks.batch import TickBatch

TICKS: Final = 2048  # that get their timers at a time
TIMERS_MAX: Final = 120  # in one gap between ticks
KIND, INSTRUMENT, TIME_NS = (Event._fields.index(name) for name in ("kind", "instrument", "time_ns"))


class RowsForgotten(RowsInMemory):
    """Rows of which nothing is kept: of a run whose inputs are in files."""

    def make_room(self) -> None:
        """Go on from the first row."""
        self.cursor[BEFORE] = self.cursor[WRITTEN]

    def append(self, holds: int, body: Any) -> None:
        """Leave out a day's rules: the run finds them again in the market's tables."""


class VenueRun:
    """Runs batches of an engine whose orders go to the simulated exchange; `on_commands` gets every command."""

    def __init__(self, engine: Engine, on_commands: Callable[[np.ndarray[Any, Any]], None]) -> None:
        self._runner = Runner(engine, RowsForgotten(), SimulatedOrders(engine))
        self._runner.on_commands = lambda commands: on_commands(np.array(commands, dtype_of(Command)))
        self._last_ns = codes.NO_TIME

    def run(self, batch: TickBatch, rejects: Rejects) -> None:
        """Run a batch; `rejects` hears which row an input was."""
        ticks = words_of_batch(batch)
        for begin in range(0, len(ticks), TICKS):
            words, rows = with_timers(ticks[begin : begin + TICKS], self._last_ns)
            self._last_ns = max(self._last_ns, int(words[:, TIME_NS].max()))
            rejects.begin(batch, partial(_row_of, words, rows + begin))
            self._runner.take(words)


def _row_of(words: Words, rows: np.ndarray[Any, Any], sequence: int) -> int:
    return int(rows[np.argmax(words[:, SEQUENCE] == sequence)])


def with_timers(ticks: Words, last_ns: int) -> tuple[Words, np.ndarray[Any, Any]]:
    """Return ticks with a timer each second between them, and the row that each of them was (a timer's: the next tick's).

    `last_ns`: the latest time before them; NO_TIME: there was none.
    """
    times = ticks[:, TIME_NS]
    before = np.maximum.accumulate(np.concatenate([[last_ns], times]))[:-1]
    gaps = np.where((before > 0) & (times > before), times - before, 0)
    timers = np.minimum(np.maximum(gaps - 1, 0) // SECOND_NS, TIMERS_MAX)
    rows = np.repeat(np.arange(len(ticks)), timers + 1)
    left = np.cumsum(timers + 1)[rows] - 1 - np.arange(len(rows))  # to the tick itself
    words = ticks[rows]
    is_timer = left > 0
    words[is_timer] = 0
    words[is_timer, KIND] = codes.TIMER
    words[is_timer, INSTRUMENT] = -1
    words[is_timer, TIME_NS] = (before[rows] + (timers[rows] + 1 - left) * SECOND_NS)[is_timer]
    return words, rows
