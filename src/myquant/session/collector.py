"""What a run collects from the commands of its engine, in bounded memory where their number is not bounded by trades."""

from typing import Any, Final

import numpy as np

from myquant.core import codes
from myquant.core.layout import dtype_of
from myquant.core.records import Command

KEPT: Final = (codes.POSITION_OPENED, codes.TRADE_CLOSED, codes.HALTED)


class Collector:
    """Keeps openings, trades and halts whole, and thins out marks: at most `max_marks`, evenly spaced."""

    def __init__(self, max_marks: int) -> None:
        self.max_marks = max_marks
        self.thinned = 0  # how often every second mark was dropped
        self._kept: dict[int, list[np.ndarray[Any, Any]]] = {kind: [] for kind in KEPT}
        self._marks: list[np.ndarray[Any, Any]] = []
        self._mark_count = 0

    def take(self, commands: np.ndarray[Any, Any]) -> None:
        """Take some commands in order."""
        kinds = commands["kind"]
        for kind, kept in self._kept.items():
            chosen = kinds == kind
            if chosen.any():
                kept.append(commands[chosen])
        marks = commands[kinds == codes.MARK]
        if len(marks):
            self._marks.append(marks)
            self._mark_count += len(marks)
        if self._mark_count > self.max_marks:
            self._thin_out()

    def _thin_out(self) -> None:
        while self._mark_count > self.max_marks:
            self._marks = [np.concatenate(self._marks)[::2]]
            self._mark_count = len(self._marks[0])
            self.thinned += 1

    def commands(self, kind: int) -> np.ndarray[Any, Any]:
        """Return the commands of one kind that were kept, in order."""
        parts = self._marks if kind == codes.MARK else self._kept[kind]
        return np.concatenate(parts) if parts else np.zeros(0, dtype_of(Command))
