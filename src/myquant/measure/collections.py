"""Pauses of Python's garbage collector: when each began and ended, and its generation. Which ticks they hit is `carve`'s.

`PauseTotals` keeps no pauses, only what they come to: it may listen for days.
"""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, Self

import numpy as np

from myquant.errors import ConfigError
from myquant.measure.breakdown import PAUSE, Array

CAPACITY: Final = 20_000


class PauseRecorder:
    """Notes the pauses while it is started, also as a context manager.

    Attributes:
        unrecorded: pauses that had no room.
    """

    def __init__(self, capacity: int = CAPACITY, clock: Callable[[], int] = time.monotonic_ns) -> None:
        """Make room for `capacity` pauses."""
        if capacity < 1:
            raise ConfigError(f"room for {capacity} pauses: give one or more")
        self.unrecorded = 0
        self._rows = np.zeros((3, capacity), np.int64)
        self._begun, self._ended, self._generation = (column.data for column in self._rows)
        self._capacity = capacity
        self._clock = clock
        self._count = 0
        self._since = 0  # 0: none is under way
        self._listener = self._on_phase  # one object, which can be found again

    def start(self) -> None:
        """Begin to listen to the collector."""
        gc.callbacks.append(self._listener)

    def stop(self) -> None:
        """Listen no longer."""
        gc.callbacks.remove(self._listener)
        self._since = 0

    def pauses(self) -> Array:
        """Return the pauses so far, PAUSE (m,), of no tick yet."""
        found = np.zeros(self._count, PAUSE)
        for name, column in zip(("begun_ns", "ended_ns", "generation"), self._rows, strict=True):
            found[name] = column[: self._count]
        found["tick"] = -1
        return found

    def _on_phase(self, phase: str, info: dict[str, Any]) -> None:
        if phase == "start":
            self._since = self._clock()
        elif self._since:
            at = self._count
            if at < self._capacity:
                self._begun[at], self._generation[at] = self._since, info["generation"]
                self._ended[at] = self._clock()
                self._count = at + 1
            else:
                self.unrecorded += 1
            self._since = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class PauseTotals:
    """Counts the pauses while it is started.

    Attributes:
        count: pauses so far. total_ns: what they took in all.
    """

    def __init__(self, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self.count = self.total_ns = 0
        self._clock = clock
        self._longest_ns = 0
        self._since = 0  # 0: none is under way
        self._listener = self._on_phase  # one object, which can be found again

    def start(self) -> None:
        """Begin to listen to the collector."""
        gc.callbacks.append(self._listener)

    def stop(self) -> None:
        """Listen no longer; nothing happens where it does not."""
        with suppress(ValueError):
            gc.callbacks.remove(self._listener)
        self._since = 0

    def take_longest_ns(self) -> int:
        """Return the longest pause since this was called last."""
        longest_ns, self._longest_ns = self._longest_ns, 0
        return longest_ns

    def _on_phase(self, phase: str, _info: dict[str, Any]) -> None:
        if phase == "start":
            self._since = self._clock()
        elif self._since:
            took_ns = self._clock() - self._since
            self.count += 1
            self.total_ns += took_ns
            self._longest_ns = max(self._longest_ns, took_ns)
            self._since = 0


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Keep the collector as a session does: what there is is frozen, and it runs only when it is called."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
