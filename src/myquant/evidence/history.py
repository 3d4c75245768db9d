"""When did it change? Change points of a series of results, one a run, oldest first."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from myquant.errors import DataError

RUNS_MIN = 3  # on each side of a change: a single odd run is none
FALSE_ALARMS = 0.04  # of series of mere noise that are found to change: 5 % with what 500 orders leave unsure
ORDERS = 500  # in which the runs are shuffled for the penalty
RUNS_MAX = 300
OUTLIER = 3.0  # standard deviations off its neighbours' median at which a run counts no further
NORMAL_MAD = 1.4826  # a standard deviation in median absolute deviations

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Change:
    """From result number `index` on (the first is 0), the usual value is `after` and no longer `before`: `percent` more."""

    index: int
    before: float
    after: float
    percent: float


def changes(values: Floats | list[float]) -> list[Change]:
    """Return the change points of (n,) results, all above 0, oldest first; none for a series shorter than six.

    PELT (Killick, Fearnhead and Eckley, JASA 107, 2012) with squared error on the logs, in units of the noise between
    neighbours; outlying results are drawn in. The penalty of a change is what the same results in a random order gain by one
    or two changes, at most, in 96 of 100 orders: mere noise is found to change in 4 % of cases, however it is distributed.
    Only the last 300 results are looked at. Raises DataError for a value that is not above 0.
    """
    series = np.asarray(values, np.float64)
    if not (np.all(np.isfinite(series)) and np.all(series > 0)):
        raise DataError("a result in the history is not above 0: look at what was recorded")
    passed_over = max(len(series) - RUNS_MAX, 0)
    series = series[passed_over:]
    if len(series) < 2 * RUNS_MIN or np.all(series == series[0]):
        return []
    logs = np.log(series)
    orders = np.random.default_rng(1).permuted(np.tile(logs, (ORDERS, 1)), axis=1)
    penalty = float(np.percentile(_gains(_steadied(orders)), 100 * (1 - FALSE_ALARMS)))
    ends = _pelt(_steadied(logs[None, :])[0], penalty)
    levels = [float(np.median(series[begin:end])) for begin, end in pairwise([0, *ends])]
    return [
        Change(passed_over + at, before, after, 100 * (after / before - 1))
        for at, (before, after) in zip(ends[:-1], pairwise(levels), strict=True)
    ]


def _pelt(series: Floats, penalty: float) -> list[int]:
    """Return where the segments end, the end of the series among them."""
    from ruptures import Pelt  # noqa: PLC0415  (takes long to import)

    return [int(end) for end in Pelt(model="l2", min_size=RUNS_MIN, jump=1).fit(series[:, None]).predict(pen=penalty)]


def _gains(series: Floats) -> Floats:
    """Return how much of its squares each series (m, n) loses by its best split, or by half its best two (m,)."""
    runs = series.shape[1]
    sums = np.cumsum(series - series.mean(axis=1, keepdims=True), axis=1)
    best = np.zeros(len(series))
    for first in range(RUNS_MIN, runs - RUNS_MIN + 1):
        left = sums[:, first - 1]
        best = np.maximum(best, left**2 / first + left**2 / (runs - first))
        second = np.arange(first + RUNS_MIN, runs - RUNS_MIN + 1)
        if len(second):
            up_to = sums[:, second - 1]
            parts = (up_to - left[:, None]) ** 2 / (second - first) + up_to**2 / (runs - second)
            best = np.maximum(best, (left**2 / first + parts.max(axis=1)) / 2)
    return best


def _steadied(series: Floats) -> Floats:
    """Return series (m, n) in units of their noise, with outliers drawn in.

    The noise is that of the differences of neighbours, so that a change is not taken for noise: by their median, or where most
    do not differ at all, by their mean square.
    """
    steps = np.diff(series, axis=1)
    by_median = NORMAL_MAD * np.median(np.abs(steps), axis=1)
    by_square = np.sqrt(np.mean(steps**2, axis=1))
    noise = np.maximum(by_median, by_square / 2)[:, None] / math.sqrt(2)
    padded = np.pad(series, ((0, 0), (2, 2)), mode="reflect")
    middle = np.median(np.lib.stride_tricks.sliding_window_view(padded, 5, axis=1), axis=2)
    return np.asarray(np.clip(series, middle - OUTLIER * noise, middle + OUTLIER * noise) / noise, np.float64)
