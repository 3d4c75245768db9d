"""The reference kernel: a fixed piece of work, whose time tells how fast the machine is just now."""

from collections import deque
from collections.abc import Callable
from statistics import median
from typing import Final

import numpy as np

REFERENCE_RUNS: Final = 9  # the median of as many last runs: one that was interrupted does not count


class Reference:
    """The reference kernel's time, for ratios: `run` in an idle gap, `ns` is the median of the last runs, None before the first."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._runs: deque[int] = deque(maxlen=REFERENCE_RUNS)
        self.ns: float | None = None

    def run(self) -> None:
        """Run the kernel once, about 50 us."""
        began = self._clock()
        reference_kernel()
        self._runs.append(self._clock() - began)
        self.ns = float(median(self._runs))


_VALUES = np.arange(256.0)


def reference_kernel() -> float:
    """Do a fixed piece of work as a tick's is made of: Python's arithmetic and a dictionary, and small NumPy calls."""
    total = 0
    for number in range(300):
        total = (total * 31 + number) & 0xFFFF
    places: dict[int, int] = {}
    for number in range(60):
        places[number] = number * total
    values = _VALUES
    for _ in range(6):
        values = np.sqrt(values * values + 1.0)
    return float(values[3]) + places[59]
