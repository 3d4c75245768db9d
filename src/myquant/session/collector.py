"""What a run collects from the commands of its engine, in bounded memory where their number is not bounded by trades."""

from typing import Any, Final

import numpy as np

from myquant.core import codes
from myquant.core.layout import dtype_of
from myquant.core.records import Command
from myquant.ticks.compiled import kept

KEPT: Final = (codes.POSITION_OPENED, codes.TRADE_CLOSED, codes.HALTED)

_COMMAND: Final = dtype_of(Command)
_FIELDS: Final = len(Command._fields)  # all of them int64: commands are also rows of as many numbers
_KIND, _INSTRUMENT, _TIME_NS = (Command._fields.index(name) for name in ("kind", "instrument", "time_ns"))
_IS_KEPT: Final = np.isin(np.arange(max(codes.COMMAND_NAMES) + 1), KEPT)

_NO_INTERVAL: Final = np.iinfo(np.int64).min
_LONGEST_NS: Final = 1 << 60  # no spacing grows beyond it: every instrument keeps its last mark


class Collector:
    """Keeps openings, trades and halts whole, and thins out marks to at most `max_marks`, evenly spaced.

    Of each instrument's marks the last of every interval stays; the interval doubles until they are few enough. So what is
    kept does not depend on how the commands were cut when they came.
    """

    def __init__(self, max_marks: int, interval_ns: int) -> None:
        self.max_marks = max_marks
        self._interval_ns = interval_ns
        self._kept = _rows(0)
        self._marks = _rows(0)
        self._counts = np.zeros(2, np.int64)  # rows in use of each

    def take(self, commands: np.ndarray[Any, Any]) -> None:
        """Take some commands in order; what is kept of them is copied."""
        self._kept = _with_room(self._kept, self._counts[0], len(commands))
        self._marks = _with_room(self._marks, self._counts[1], len(commands))
        rows = commands.view(np.int64).reshape(-1, _FIELDS)
        _sort_out(rows, _IS_KEPT, self._kept, self._marks, self._counts)
        if self._counts[1] > 2 * self.max_marks:
            self._thin_out()

    def _thin_out(self) -> None:
        """Keep the last mark of each interval, and if they are still too many, of each that is twice as long."""
        while True:
            used = self._used(1)
            last = np.full(used[:, _INSTRUMENT].max(initial=0) + 1, _NO_INTERVAL)
            self._counts[1] = _keep_last(used, self._interval_ns, last, np.empty(len(used), np.bool_))
            if self._counts[1] <= self.max_marks or self._interval_ns >= _LONGEST_NS:
                return
            self._interval_ns *= 2

    def commands(self, kind: int) -> np.ndarray[Any, Any]:
        """Return the commands of one kind that were kept, in order."""
        if kind == codes.MARK:
            self._thin_out()
            return _records(self._used(1))
        if kind not in KEPT:
            raise KeyError(kind)
        kept = self._used(0)
        return _records(kept.compress(kept[:, _KIND] == kind, axis=0))

    def _used(self, which: int) -> np.ndarray[Any, Any]:
        return (self._kept, self._marks)[which][: self._counts[which]]


@kept
def _sort_out(
    rows: np.ndarray[Any, Any],
    is_kept: np.ndarray[Any, Any],
    kept: np.ndarray[Any, Any],
    marks: np.ndarray[Any, Any],
    counts: np.ndarray[Any, Any],
) -> None:
    """Append each row to `kept` or `marks`, if it is to stay; both have room for all. `counts` are their rows in use."""
    keeping, marking = counts
    for i in range(len(rows)):
        kind = rows[i, _KIND]
        if kind == codes.MARK:
            for k in range(_FIELDS):
                marks[marking, k] = rows[i, k]
            marking += 1
        elif is_kept[kind]:
            for k in range(_FIELDS):
                kept[keeping, k] = rows[i, k]
            keeping += 1
    counts[0], counts[1] = keeping, marking


@kept
def _keep_last(
    marks: np.ndarray[Any, Any], interval_ns: int, last: np.ndarray[Any, Any], stays: np.ndarray[Any, Any]
) -> int:
    """Move each instrument's last mark of every interval forward, in their order; return how many they are.

    `last` is one interval per instrument, at first `_NO_INTERVAL`; `stays` has a place per mark.
    """
    for i in range(len(marks) - 1, -1, -1):
        who, interval = marks[i, _INSTRUMENT], marks[i, _TIME_NS] // interval_ns
        stays[i] = interval != last[who]
        last[who] = interval
    count = 0
    for i in range(len(marks)):
        if stays[i]:
            for k in range(_FIELDS):
                marks[count, k] = marks[i, k]
            count += 1
    return count


def _rows(count: int) -> np.ndarray[Any, Any]:
    return np.empty((count, _FIELDS), np.int64)


def _with_room(rows: np.ndarray[Any, Any], used: int, more: int) -> np.ndarray[Any, Any]:
    """Return rows with room for `more` after those in use, at least twice the old ones where they must grow."""
    if used + more <= len(rows):
        return rows
    grown = _rows(max(used + more, 2 * len(rows)))
    grown[:used] = rows[:used]
    return grown


def _records(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.ascontiguousarray(rows).view(_COMMAND).reshape(-1)
