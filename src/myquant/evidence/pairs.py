"""Before against after: randomised interleaved pairs, and the weaker comparison of two finished reports.

The two sides of a pair run next to each other, so most of the machine's drift is in both; which of them goes first is a fair
coin, so under no difference each pair's sign is a fair coin too, however the machine drifts. That is all that Wilcoxon's
signed-rank test asks for: its error is known exactly.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any

import numpy as np

from myquant.errors import ConfigError, DataError
from myquant.evidence.intervals import resampled

LEVEL = 0.99  # of the interval, so that one comparison in a hundred finds a difference where there is none
PAIRS_MIN = 8  # with fewer, even signs that all agree are no proof at LEVEL
PAIRS_MAX = 1_000
BATCHES_MIN = 10
REPLICATIONS = 2_000
# Between two runs the level of the machine differs by more than either run shows (standard deviations of the log):
RUN_TO_RUN = 0.15  # identical code, 11 to 18 %
RUN_TO_RUN_NORMALISED = 0.01  # divided by a reference kernel that ran in between

Flags = np.ndarray[Any, np.dtype[np.bool_]]
Floats = np.ndarray[Any, np.dtype[np.float64]]
Numbers = np.ndarray[Any, Any]
Statistic = Callable[[Numbers], float]


class Difference(StrEnum):
    """What a comparison has shown."""

    FASTER = "faster"
    SLOWER = "slower"
    NO_DIFFERENCE_SHOWN = "no_difference_shown"


class Kind(StrEnum):
    """What a time consists of: it decides whether a slower processor makes it longer."""

    COMPUTING = "computing"
    WAITING = "waiting"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Reference:
    """What the reference kernel took in a run, and the standard error of the log of that."""

    ns: float
    error: float = 0.0


UNDIVIDED = Reference(1.0)


@dataclass(frozen=True)
class Comparison:
    """What the time after is to the time before: a ratio, in (ratio_low, ratio_high) at `level`, from n pairs or batches.

    The verdict is `faster` or `slower` exactly when the interval excludes 1, and exactly when `p_value` <= 1 - `level`.
    """

    ratio: float
    ratio_low: float
    ratio_high: float
    p_value: float
    n: int
    level: float
    design: str

    @property
    def verdict(self) -> Difference:
        """What the interval shows: a difference where it excludes 1."""
        if self.ratio_high < 1:
            return Difference.FASTER
        return Difference.SLOWER if self.ratio_low > 1 else Difference.NO_DIFFERENCE_SHOWN

    @property
    def improvement_percent(self) -> float:
        """How much of the time before has gone: negative when it has become more."""
        return 100 * (1 - self.ratio)

    @property
    def low(self) -> float:
        """The lower end of the improvement's interval, percent."""
        return 100 * (1 - self.ratio_high)

    @property
    def high(self) -> float:
        """The upper end of the improvement's interval, percent."""
        return 100 * (1 - self.ratio_low)


def order(pairs: int, seed: int) -> Flags:
    """Return for each pair whether its `before` side goes first: fair coins, the same for the same seed."""
    return np.random.default_rng(seed).random(pairs) < 0.5


def mean(ticks: Numbers) -> float:
    """Return what a tick took on average: the statistic that a rare, dear component shows in."""
    return float(np.mean(ticks))


def median(ticks: Numbers) -> float:
    """Return what the usual tick took: the steadiest statistic, blind to what only one tick in ten does."""
    return float(np.median(ticks))


def p99(ticks: Numbers) -> float:
    """Return the 99th percentile: of 200 ticks the third highest, so expect to need larger differences or more pairs."""
    return float(np.percentile(ticks, 99, method="inverted_cdf"))


def compare(before: Numbers, after: Numbers, statistic: Statistic = median, level: float = LEVEL) -> Comparison:
    """Compare two sides pair by pair: each (pairs,) times, or (pairs, ticks) of which `statistic` makes a time.

    Wilcoxon's signed-rank test on the logs of after / before, with the Hodges-Lehmann estimate and interval (Hollander and
    Wolfe, Nonparametric Statistical Methods, 3.1 to 3.3): the interval consists of the pairs' Walsh averages and the p-value
    counts their signs, so that they never disagree. An average of exactly 0 counts against a difference. Raises ConfigError
    for a number of pairs that proves nothing or is too large, DataError for times that are not above 0.
    """
    sides = [np.asarray(side, np.float64) for side in (before, after)]
    times = [side if side.ndim == 1 else np.array([statistic(row) for row in side]) for side in sides]
    pairs = len(times[0])
    if pairs != len(times[1]):
        raise DataError(f"{pairs} times before and {len(times[1])} after: every pair needs both")
    least = next(n for n in range(1, 64) if 2.0 ** (1 - n) <= 1 - level)
    if not least <= pairs <= PAIRS_MAX:
        raise ConfigError(f"evidence.pairs: {pairs} pairs can't be compared: take {least} to {PAIRS_MAX:,}")
    logs = _logs(times[1]) - _logs(times[0])
    walsh = np.sort(((logs[:, None] + logs[None, :]) / 2)[np.triu_indices(pairs)])
    tail = _signed_rank_tail(pairs)  # tail[c]: probability of a rank sum of at most c
    outside = int(np.searchsorted(tail, (1 - level) / 2, side="right")) - 1  # averages cut off at each end, less one
    against = min(int(np.sum(walsh <= 0)), int(np.sum(walsh >= 0)))
    low, middle, high = walsh[outside], np.median(walsh), walsh[-1 - outside]
    p_value = min(1.0, 2 * float(tail[against]))
    return Comparison(*_ratios(middle, low, high), p_value, pairs, level, "interleaved pairs")


def compare_batches(
    base: Numbers,
    new: Numbers,
    base_reference: Reference | None = None,
    new_reference: Reference | None = None,
    kind: Kind = Kind.COMPUTING,
    level: float = LEVEL,
) -> Comparison:
    """Compare a component of two finished reports by its batch means (b,) of each, in ns a tick.

    The runs were not interleaved, so part of a difference may be the machine's. Computing is divided by the time of the
    reference kernel, which leaves 1 % between runs. Waiting is not, as it takes no longer on a slower processor: 15 % is
    allowed for, as it is without references, and only gross differences are shown. Where nobody knows how much of a time is
    waiting, a difference has to show divided and undivided, each with 1 %: its interval is the one that holds both. Within a
    run the standard error is a block bootstrap's. Raises DataError for too few batches, or means that are not above 0 (a
    component that was not entered has nothing to compare).
    """
    if min(len(base), len(new)) < BATCHES_MIN:
        raise DataError(f"{min(len(base), len(new))} batches are too few to compare: measure at least {BATCHES_MIN}")
    sides = (np.asarray(base, np.float64), np.asarray(new, np.float64))
    if base_reference is None or new_reference is None or kind is Kind.WAITING:
        return _compared(sides, (UNDIVIDED, UNDIVIDED), RUN_TO_RUN, level, "two runs, not normalised")
    references = (base_reference, new_reference)
    divided = _compared(
        sides, references, RUN_TO_RUN_NORMALISED, level, "two runs, each divided by its reference kernel"
    )
    if kind is Kind.COMPUTING:
        return divided
    undivided = _compared(sides, (UNDIVIDED, UNDIVIDED), RUN_TO_RUN_NORMALISED, level, divided.design)
    agree = (divided.ratio - 1) * (undivided.ratio - 1) > 0
    return replace(
        divided,
        ratio_low=min(divided.ratio_low, undivided.ratio_low),
        ratio_high=max(divided.ratio_high, undivided.ratio_high),
        p_value=max(divided.p_value, undivided.p_value) if agree else 1.0,
        design="two runs, divided by their reference kernels and undivided",
    )


def _compared(
    sides: tuple[Floats, Floats], references: tuple[Reference, Reference], between: float, level: float, design: str
) -> Comparison:
    random = np.random.default_rng(1)
    levels, variances = [], []
    for values, reference in zip(sides, references, strict=True):
        mean_log, reference_log = _logs(np.array([values.mean(), reference.ns]))
        levels.append(float(mean_log - reference_log))
        variances.append(_squared_error(values, random) + reference.error**2 + between**2)
    difference, error = levels[1] - levels[0], math.sqrt(sum(variances))
    from scipy.special import stdtr, stdtrit  # noqa: PLC0415  (takes long to import)

    batches = min(map(len, sides))
    freedom = batches // 2 - 1  # a block of two batches counts as one
    half = float(stdtrit(freedom, (1 + level) / 2)) * error
    p_value = 2 * float(stdtr(freedom, -abs(difference) / error))
    return Comparison(*_ratios(difference, difference - half, difference + half), p_value, batches, level, design)


def _squared_error(values: Floats, random: np.random.Generator) -> float:
    """Return the squared standard error of the log of the mean, by a circular bootstrap of blocks of two batches."""
    means = resampled(values, 2, (REPLICATIONS, len(values)), random).mean(axis=1)
    blocks = len(values) / 2
    return float(np.var(means) / values.mean() ** 2 * blocks / (blocks - 1))


@lru_cache(maxsize=16)
def _signed_rank_tail(pairs: int) -> Floats:
    """Return the probabilities that the rank sum of `pairs` fair signs is at most 0, 1, ..., pairs (pairs + 1) / 2."""
    chances = np.zeros(pairs * (pairs + 1) // 2 + 1)
    chances[0] = 1.0
    for rank in range(1, pairs + 1):
        chances[rank:] = (chances[rank:] + chances[:-rank]) / 2
        chances[:rank] /= 2
    return np.asarray(np.cumsum(chances))


def _logs(times: Floats) -> Floats:
    if not (np.all(np.isfinite(times)) and np.all(times > 0)):
        raise DataError("a time to be compared is not above 0: look at what was measured")
    return np.asarray(np.log(times), np.float64)


def _ratios(middle: float, low: float, high: float) -> tuple[float, float, float]:
    return math.exp(middle), math.exp(low), math.exp(high)
