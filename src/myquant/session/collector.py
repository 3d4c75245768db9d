"""What a run collects from the commands of its engine, in bounded memory where their number is not bounded by trades."""

from typing import Any, Final

import numpy as np

from myquant.core import codes
from myquant.core.layout import dtype_of
from myquant.core.records import Command

KEPT: Final = (codes.POSITION_OPENED, codes.TRADE_CLOSED, codes.HALTED)

_LONGEST_NS: Final = 1 << 60  # no spacing grows beyond it: every instrument keeps its last mark


class Collector:
    """Keeps openings, trades and halts whole, and thins out marks to at most `max_marks`, evenly spaced.

    Of each instrument's marks the last of every interval stays; the interval doubles until they are few enough. So what is
    kept does not depend on how the commands were cut when they came.
    """

    def __init__(self, max_marks: int, interval_ns: int) -> None:
        self.max_marks = max_marks
        self._interval_ns = interval_ns
        self._kept: dict[int, list[np.ndarray[Any, Any]]] = {kind: [] for kind in KEPT}
        self._marks = [np.zeros(0, dtype_of(Command))]
        self._mark_count = 0

    def take(self, commands: np.ndarray[Any, Any]) -> None:
        """Take some commands in order."""
        kinds = commands["kind"]
        for kind, kept in self._kept.items():
            chosen = kinds == kind
            if chosen.any():
                kept.append(commands[chosen])
        marks = commands[kinds == codes.MARK]
        self._marks.append(marks)
        self._mark_count += len(marks)
        if self._mark_count > 2 * self.max_marks:
            self._thin_out()

    def _thin_out(self) -> None:
        marks = _last_of_each(np.concatenate(self._marks), self._interval_ns)
        while len(marks) > self.max_marks and self._interval_ns < _LONGEST_NS:
            self._interval_ns *= 2
            marks = _last_of_each(marks, self._interval_ns)
        self._marks = [marks]
        self._mark_count = len(marks)

    def commands(self, kind: int) -> np.ndarray[Any, Any]:
        """Return the commands of one kind that were kept, in order."""
        if kind == codes.MARK:
            self._thin_out()
            return self._marks[0]
        parts = self._kept[kind]
        return np.concatenate(parts) if parts else np.zeros(0, dtype_of(Command))


def _last_of_each(marks: np.ndarray[Any, Any], interval_ns: int) -> np.ndarray[Any, Any]:
    """Return the last mark of each instrument and interval, in their order."""
    order = np.argsort(marks["instrument"], kind="stable")
    instrument, interval = marks["instrument"][order], marks["time_ns"][order] // interval_ns
    last = np.ones(len(marks), bool)
    last[:-1] = (instrument[1:] != instrument[:-1]) | (interval[1:] != interval[:-1])
    return marks[np.sort(order[last])]
