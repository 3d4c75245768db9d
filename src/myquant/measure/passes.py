"""Two further passes over some of the same ticks: the processor's time by component, and the memory by component.

Both have the interface of `Spans`, so that whatever is measured runs as it does. They are passes of their own, offline:
reading a thread's processor time is a system call of 0.6 us, and tracemalloc slows Python 12 to 69 times, so neither has a
place beside times that are to be believed.
"""

import math
import time
import tracemalloc
from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from myquant.errors import ConfigError
from myquant.measure.batch_means import Interval, mean_interval
from myquant.measure.breakdown import Breakdown
from myquant.measure.calibrate import calibrate
from myquant.measure.names import CORE, NAMES, UNATTRIBUTED
from myquant.measure.spans import Spans
from myquant.measure.table import AGAIN


class CpuSpans(Spans):
    """Spans on the clock of the thread's processor time: what a component waits for is no time of its own.

    Arrival and hand-over are of another clock and left out, so a tick is its handling.
    """

    def __init__(self, capacity: int, own: Collection[str] = ()) -> None:
        """Make room for `capacity` ticks, all of them to be taken in full."""
        clock = time.thread_time_ns
        super().__init__(capacity, own=own, clock=clock, calibration=calibrate(clock))

    def _arm(self) -> None:
        super()._arm()
        begin = self.begin
        self.begin = lambda _arrived_ns, _handed_ns: begin(0, 0)


def cpu_percent(cpu: Breakdown, wall: Breakdown) -> dict[str, Interval]:
    """Return how much of each component's time a processor worked, in percent, by component.

    `cpu` is the breakdown of `CpuSpans`, `wall` that of `Spans`, of ticks alike. The interval holds the spread of both; for
    components that took time in both. Raises DataError for fewer ticks than an interval needs.
    """
    found = {}
    for place, name in enumerate(wall.names):
        above, below = (
            mean_interval(each.self_ns[each.is_sampled, place]) if each.measured[place] else None
            for each in (cpu, wall)
        )
        if above is None or below is None or above.value <= 0 or below.value <= 0:
            continue
        share = 100 * above.value / below.value
        half = share * math.hypot(*((each.high - each.low) / 2 / each.value for each in (above, below)))
        found[name] = Interval(share, max(0.0, share - half), share + half, above.n)
    return found


class MemoryUse(NamedTuple):
    """A component's memory over all ticks: what it kept in the end, and the most that one span of it took, bytes."""

    kept_bytes: int
    peak_bytes: int


class MemorySpans:
    """The interface of `Spans`, with tracemalloc's count of bytes for a clock. Start tracemalloc before the first tick.

    Memory that Python's allocators hand out is seen, NumPy's included; that of other libraries is not.
    """

    is_open = True  # every tick is taken in full

    def __init__(self, own: Collection[str] = ()) -> None:
        self.names = (*NAMES, *own)
        self.tick = -1
        self._kept = np.zeros(len(self.names), np.int64)
        self._peak = np.zeros(len(self.names), np.int64)
        self._entered = np.zeros(len(self.names), np.bool_)
        self._open = -1  # outside of a tick
        self._before = 0

    def begin(self, _arrived_ns: int, _handed_ns: int) -> None:
        """Begin a tick."""
        if not tracemalloc.is_tracing():
            raise ConfigError("a pass for memory: call tracemalloc.start() before the first tick")
        self.tick += 1
        self._switch(UNATTRIBUTED)

    def mark(self, code: int) -> None:
        """Let what follows be component `code`'s; the compiled core allocates nothing of its own."""
        if self._open >= 0:
            self._switch(UNATTRIBUTED if code == CORE else code & (AGAIN - 1))

    def end(self) -> None:
        """End a tick."""
        self._switch(-1)

    def add(self, code: int, duration_ns: int) -> None:
        """Take no time."""

    def note(self, kind: int) -> None:
        """Take no stamp."""

    def note_at(self, kind: int, tick: int) -> None:
        """Take no stamp."""

    def memory_by_component(self) -> dict[str, MemoryUse]:
        """Return the memory of the components that some tick entered."""
        return {
            name: MemoryUse(int(self._kept[code]), int(self._peak[code]))
            for code, name in enumerate(self.names)
            if self._entered[code]
        }

    def _switch(self, code: int) -> None:
        now, peak = tracemalloc.get_traced_memory()
        before = self._open
        if before >= 0:
            self._entered[before] = True
            self._kept[before] += now - self._before
            self._peak[before] = max(self._peak[before], peak - self._before)
        self._open = code
        tracemalloc.reset_peak()
        self._before = tracemalloc.get_traced_memory()[0]
