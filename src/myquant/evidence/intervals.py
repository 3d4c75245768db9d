"""Intervals of counts and percentiles; those of shares and means are in `measure.batch_means`."""

from typing import Any

import numpy as np

from myquant.errors import DataError
from myquant.measure.batch_means import LEVEL, Interval, mean_interval

Floats = np.ndarray[Any, np.dtype[np.float64]]
Numbers = np.ndarray[Any, Any]


def proportion_interval(hits: int, n: int, independent: float | None = None) -> Interval:
    """Return the percentage of `hits` among `n` with its exact interval (Clopper and Pearson, Biometrika 26, 1934).

    Where the n are no independent cases, `independent` says how many there really are; the interval is as wide as
    theirs. Raises DataError for n = 0, or more hits than cases.
    """
    from scipy.special import betaincinv  # noqa: PLC0415  (takes long to import)

    if not 0 <= hits <= n or n == 0:
        raise DataError(f"{hits} of {n} is no proportion: count the cases again")
    cases = float(n if independent is None else independent)
    successes = cases * hits / n
    outside = (1 - LEVEL) / 2
    low = float(betaincinv(successes, cases - successes + 1, outside)) if hits > 0 else 0.0
    high = float(betaincinv(successes + 1, cases - successes, 1 - outside)) if hits < n else 1.0
    return Interval(100 * hits / n, 100 * low, 100 * high, n)


def percentile_interval(values: Numbers, percent: float) -> Interval:
    """Return a percentile of (n,) values, one a tick in the ticks' order, with its interval, in their unit.

    How many ticks lie below the percentile is a mean, which has an interval from batch means; the values at its two ends
    are the ends of the percentile's (Woodruff, JASA 47, 1952). So far out that fewer than a handful of ticks lie beyond,
    the upper end is the highest value seen, and nothing is sure above it. Raises DataError for too few ticks.
    """
    found = float(np.percentile(values, percent, method="inverted_cdf"))
    below = mean_interval(np.asarray(values) <= found)
    half = below.high - below.value
    edges = np.clip([percent / 100 - half, percent / 100 + half], 0.0, 1.0)
    low, high = np.quantile(values, edges, method="inverted_cdf")
    return Interval(found, float(low), float(high), len(values))


def resampled(values: Floats, block: int, shape: tuple[int, int], random: np.random.Generator) -> Floats:
    """Return series of `shape` (how many, how long) made of blocks of (n,) values that begin at random places.

    The circular block bootstrap (Politis and Romano, 1992): inside a block, neighbours stay neighbours.
    """
    count, length = shape
    blocks = -(-length // block)
    starts = random.integers(0, len(values), (count, blocks, 1))
    places = (starts + np.arange(block)) % len(values)
    return np.asarray(values[places.reshape(count, -1)[:, :length]], np.float64)
