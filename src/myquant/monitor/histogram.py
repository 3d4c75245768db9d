"""Counts of values in buckets, as Prometheus wants them."""

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any

import numpy as np

# 1 us to 1 s, three a decade
LATENCY_S: tuple[float, ...] = (
    1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0,
)  # fmt: skip


@dataclass
class Histogram:
    """How many values fell into each bucket: `counts[i]` are those above `bounds[i - 1]` and not above `bounds[i]`."""

    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)  # one more than bounds: the last are above all
    total: float = 0.0  # sum of the values

    def __post_init__(self) -> None:
        """Begin with none."""
        self.counts = self.counts or [0] * (len(self.bounds) + 1)

    def add(self, value: float) -> None:
        """Take one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def add_all(self, values: "np.ndarray[Any, Any]") -> None:
        """Take float values of shape (n,)."""
        if len(values):
            places = np.searchsorted(self.bounds, values, side="left")
            for place, count in enumerate(np.bincount(places, minlength=len(self.counts)).tolist()):
                self.counts[place] += count
            self.total += float(values.sum())

    @property
    def n(self) -> int:
        """How many values there were."""
        return sum(self.counts)
