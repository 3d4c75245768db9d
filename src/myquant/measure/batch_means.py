"""Intervals of ticks that are not independent: a record is cut into batches, and the batches' means are what is counted with.

Neighbouring ticks are slow together, so the formula for independent samples is far too sure of itself (it covers the truth in
50 to 78 % of cases). Means of long batches are nearly independent; what dependence is left between neighbouring batches is
estimated and widens the interval.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from myquant.errors import DataError

BATCHES = 20  # of which Student's t still makes something sure; more would be shorter and lean on each other more
TICKS_PER_BATCH = 2  # at least: below it, a batch is no mean
LEVEL = 0.95
CORRELATION_MAX = 0.95

Floats = np.ndarray[Any, np.dtype[np.float64]]
Numbers = np.ndarray[Any, Any]


class Interval(NamedTuple):
    """A figure and what it lies in at `LEVEL`, all three in the unit of the figure; from `n` ticks."""

    value: float
    low: float
    high: float
    n: int


def share_interval(part: Numbers, whole: Numbers, batches: int = BATCHES) -> Interval:
    """Return how much of `whole` is `part`, in percent, 0 to 100: both (n,), one value a tick, `part` not above `whole`.

    The share is the ratio of the sums. Its variance is that of a ratio (Cochran, Sampling Techniques, 6.4) from batch means;
    see `_half_width`. The interval is made on the logit scale, so it stays inside 0 and 100 and leans the right way for a
    share near either end. Raises DataError for too few ticks, lengths that differ, or values that are no durations.
    """
    parts, wholes = (batch_means(values, batches) for values in (part, whole))
    if len(part) != len(whole):
        raise DataError(
            f"a share of {len(whole)} ticks can't be made of {len(part)}: give a value for each tick of both"
        )
    total = float(wholes.sum())
    if total <= 0 or float(np.min(part)) < 0 or float(np.min(whole)) < 0:
        raise DataError("a share needs durations of 0 ns or more, and some above 0: look at what was recorded")
    share = float(parts.sum()) / total
    if not 0 < share < 1:
        return Interval(100 * share, 100 * share, 100 * share, len(part))
    half = _half_width((parts - share * wholes) / wholes.mean()) / (share * (1 - share))
    middle = np.log(share / (1 - share))
    low, high = (float(100 / (1 + np.exp(-np.clip(edge, -700, 700)))) for edge in (middle - half, middle + half))
    return Interval(100 * share, low, high, len(part))


def mean_interval(values: Numbers, batches: int = BATCHES) -> Interval:
    """Return the mean of (n,) values, one a tick in the ticks' order, in their unit. Raises DataError for too few ticks."""
    means = batch_means(values, batches)
    middle = float(np.mean(values, dtype=np.float64))
    half = _half_width(means - means.mean())
    return Interval(middle, middle - half, middle + half, len(values))


def batch_means(values: Numbers, batches: int = BATCHES) -> Floats:
    """Return the means (batches,) of as many equal stretches of (n,) values; lengths differ by one tick at most.

    Raises DataError when there are too few ticks, or a value that is no number.
    """
    if len(values) < TICKS_PER_BATCH * batches:
        raise DataError(
            f"{len(values)} ticks are too few for an interval: measure at least {TICKS_PER_BATCH * batches}"
        )
    edges = np.linspace(0, len(values), batches + 1).astype(np.int64)
    sums = np.add.reduceat(np.asarray(values, np.float64), edges[:-1])
    if not np.all(np.isfinite(sums)):
        raise DataError("a duration is not a number: look at what was recorded")
    return np.asarray(sums / np.diff(edges), np.float64)


def _half_width(deviations: Floats) -> float:
    """Return the half-width of the interval of a mean, from the batches' deviations from it.

    The batches are taken for an AR(1) series. Its correlation is estimated with the bias of a short series put back
    (Marriott and Pope, Biometrika 41, 1954), and b dependent batches count as the number of independent ones whose mean is
    as sure; Student's t has one degree of freedom less than that.
    """
    from scipy.special import stdtrit  # noqa: PLC0415  (takes long to import, and a session measures without it)

    batches = len(deviations)
    square = float(deviations @ deviations)
    if square == 0:
        return 0.0
    found = float(deviations[1:] @ deviations[:-1]) / square
    correlation = min(max(found + (1 + 4 * found) / batches, 0.0), CORRELATION_MAX)
    lags = np.arange(1, batches)
    inflation = 1 + 2 * float(np.sum((1 - lags / batches) * correlation**lags))
    independent = max(batches / inflation, 2.0)
    variance = square / batches / (independent - 1)
    return float(stdtrit(independent - 1, (1 + LEVEL) / 2)) * math.sqrt(variance)
