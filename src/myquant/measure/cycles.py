"""The counters of a measuring engine: the processor's time stamp counter, read at each boundary inside compiled code.

They stand behind the journal's cursor, the one array that is the caller's own in each call of `handle`: no argument
more, and no Python per tick.
"""

import platform
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple, cast

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from myquant.core import codes
from myquant.core.compiled import direct, inlined, jit_enabled
from myquant.core.probe import INDICATORS, JOURNALING, POSITION, REST, SIGNAL
from myquant.ticks.compiled import kept

__all__ = ["INDICATORS", "JOURNALING", "POSITION", "REST", "SIGNAL", "Cycles", "begin", "lap"]
MODULE: Final = __name__

CURSOR = 4  # words of the journal's cursor, which come first
LAST = 4  # counter at the last lap
ROW = 5  # where the present tick's row begins
TICKS = 6  # ticks and quotes so far
CAPACITY = 7  # rows
WASTE = 8  # the row of what belongs to no tick
COLUMNS = 8  # words of a row; those of `core.probe`
FIRST = WASTE + COLUMNS

_ARM: Final = platform.machine() in (
    "aarch64",
    "arm64",
)  # its cycle counter is the kernel's own, its timer is everyone's


def _counter() -> Callable[[], int]:
    """Return what reads the counter. It does not wait for what came before it: some ns may be counted beyond a boundary."""
    if not jit_enabled():
        return time.monotonic_ns
    if _ARM:
        llvmlite.binding.initialize_native_asmparser()

    def generate(_context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        kind = ir.FunctionType(ir.IntType(64), [])
        if _ARM:
            return builder.asm(kind, "mrs $0, cntvct_el0", "=r", [], side_effect=True)
        return builder.call(builder.module.declare_intrinsic("llvm.readcyclecounter", (), kind), [])

    def cycles(_typing: Any) -> Any:
        return types.int64(), generate

    return cast("Callable[[], int]", intrinsic(cycles))


cycles = _counter()


@inlined
def begin(probe: np.ndarray[Any, Any], kind: int) -> None:
    """Begin an input: a tick or quote has a row of its own, answers of orders go on with the present one."""
    if kind in (codes.TICK, codes.QUOTE):
        probe[TICKS] += 1
        place = probe[TICKS]
        probe[ROW] = FIRST + COLUMNS * (place - 1) if place <= probe[CAPACITY] else WASTE
    elif kind not in (codes.FILL, codes.ORDER_ACK, codes.ORDER_REJECT, codes.CANCELLED):
        probe[ROW] = WASTE
    probe[LAST] = cycles()


@inlined
def lap(probe: np.ndarray[Any, Any], column: int) -> None:
    """Count the time since the last call for a column."""
    now = cycles()
    probe[probe[ROW] + column] += now - probe[LAST]
    probe[LAST] = now


@kept
def _laps(probe: np.ndarray[Any, Any], count: int) -> int:
    """Make empty laps, and return the counter."""
    for _ in range(count):
        lap(probe, 0)
    return int(cycles())


class CycleClock(NamedTuple):
    """The counter and the clock, read together."""

    cycles: int
    time_ns: int


class Cycles:
    """The counters of one engine's `handle`.

    Attributes:
        cursor: int64; its first four words are the journal's cursor. Give it to the journal before anything is written.
    """

    def __init__(self, cursor: np.ndarray[Any, Any], capacity: int) -> None:
        """Make room for `capacity` ticks behind a copy of a journal's cursor."""
        self.cursor = np.zeros(FIRST + COLUMNS * capacity, np.int64)
        self.cursor[:CURSOR] = cursor[:CURSOR]
        self.cursor[CAPACITY], self.cursor[ROW] = capacity, WASTE
        self._scratch = np.zeros(FIRST, np.int64)
        self._scratch[ROW] = WASTE
        self._laps = direct(_laps, self._scratch, 0)
        self._began = self._now()

    def _now(self) -> CycleClock:
        """Return both clocks at one moment: the reading of the counter between two of the clock that lie close together."""
        readings = [(time.monotonic_ns(), int(self._laps(self._scratch, 0)), time.monotonic_ns()) for _ in range(9)]
        before, counter, after = min(readings, key=lambda reading: reading[2] - reading[0])
        return CycleClock(counter, (before + after) // 2)

    def cycles_per_ns(self) -> float:
        """Return the counter's rate, from its advance since this was made; wait some milliseconds at the least."""
        now = self._now()
        return (now.cycles - self._began.cycles) / max(1, now.time_ns - self._began.time_ns)

    def lap_ns(self, laps: int = 2000, rounds: int = 25) -> float:
        """Return what a lap costs: the median over rounds of its mean."""
        costs = []
        for _ in range(rounds):
            before = int(self._laps(self._scratch, 0))
            costs.append((int(self._laps(self._scratch, laps)) - before) / laps)
        return float(np.median(costs)) / self.cycles_per_ns()

    def reset(self) -> None:
        """Begin anew with the next tick as the first."""
        self.cursor[TICKS], self.cursor[ROW] = 0, WASTE
        self.cursor[WASTE:] = 0

    def rows(self) -> tuple[np.ndarray[Any, Any], int]:
        """Return the ticks' rows in ns, float64 (n, 5) in the columns of `core.probe`, and how many ticks had no room."""
        ticks, capacity = int(self.cursor[TICKS]), int(self.cursor[CAPACITY])
        count = min(ticks, capacity)
        counted = self.cursor[FIRST : FIRST + COLUMNS * count].reshape(count, COLUMNS)[:, :5]
        return counted / self.cycles_per_ns(), ticks - count
