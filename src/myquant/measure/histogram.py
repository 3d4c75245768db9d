"""Percentiles of times from an HdrHistogram, recorded in one go off the hot path.

Nothing is corrected for coordinated omission here: a tick's time counts from when it was due (`Breakdown.latency_ns`), so
that the ticks that wait behind a stall are in the data themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np
from hdrh.histogram import HdrHistogram

from myquant.errors import DataError

DIGITS: Final = 3  # significant ones: a value is told within 0.1 %
_WHOLE_BITS: Final = 11  # up to 2 * 10 ** DIGITS the histogram keeps each value apart

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Percentiles:
    """Percentiles of n times, in their unit: each the least value that so many percent do not exceed. `max` is exact."""

    p50: float
    p90: float
    p99: float
    p99_9: float
    max: float
    n: int


def percentiles_of(times_ns: Array) -> Percentiles:
    """Return the percentiles of times (n,), whole ns. Raises DataError for none, or for a negative one."""
    made, longest = histogram_of(times_ns), float(np.max(times_ns))
    p50, p90, p99, p99_9 = (
        min(float(made.get_value_at_percentile(percent)), longest) for percent in (50, 90, 99, 99.9)
    )
    return Percentiles(p50, p90, p99, p99_9, longest, len(times_ns))


def histogram_of(times_ns: Array) -> HdrHistogram:
    """Return the histogram of times (n,), whole ns: one record for all values that it does not tell apart."""
    values = np.sort(np.asarray(times_ns).astype(np.int64))
    if not len(values):
        raise DataError("no time was measured: a histogram needs one tick or more")
    if values[0] < 0:
        raise DataError(f"a time of {values[0]} ns: give times that begin before they end, of one clock")
    made = HdrHistogram(1, max(int(values[-1]), 2), DIGITS)
    bits = np.frexp(np.maximum(values, 1).astype(np.float64))[1]
    _, counts = np.unique(values >> np.maximum(bits - _WHOLE_BITS, 0) | bits.astype(np.int64) << 32, return_counts=True)
    places = np.cumsum(counts) - 1
    for value, count in zip(values[places].tolist(), counts.tolist(), strict=True):
        made.record_value(value, count)
    return made


def encoded(times_ns: Array) -> str:
    """Return the histogram of times (n,) in its own compressed form, base64: any HdrHistogram library decodes it."""
    return cast("bytes", histogram_of(times_ns).encode()).decode("ascii")


def buckets(times_ns: Array, per_decade: int = 20) -> tuple[Sequence[float], Sequence[int]]:
    """Return the edges (m + 1,) and counts (m,) of a chart with a logarithmic axis; what is below 1 ns is in the first."""
    values = np.maximum(np.asarray(times_ns, np.float64), 1.0)
    if not len(values):
        raise DataError("no time was measured: a histogram needs one tick or more")
    first, last = np.floor(np.log10(values.min()) * per_decade), np.floor(np.log10(values.max()) * per_decade) + 1
    edges = 10.0 ** (np.arange(first, last + 1) / per_decade)
    edges[0], edges[-1] = min(edges[0], values.min()), max(edges[-1], values.max())
    counts, _ = np.histogram(values, edges)
    return edges.tolist(), counts.tolist()
