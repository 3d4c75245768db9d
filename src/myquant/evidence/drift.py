"""Has the session become slower? A detector that looks at every tick.

A machine's speed wanders by a tenth and more, and the reference kernel (`measure.reference`) wanders with it: their ratio is
steady. One-sided CUSUM (Page, Biometrika 41, 1954) on the log of the ratio; its threshold comes from a block bootstrap of a
baseline, so that it knows how the ratios hang together.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from myquant.errors import DataError
from myquant.evidence.intervals import resampled

SLOWDOWN = math.log(1.2)  # what is to be found: 20 %
HORIZON_TICKS = 600_000  # a long day
FALSE_ALARMS = 0.05  # of the horizons without a slowdown, at most
DELAY_TICKS = 1_500  # until a slowdown is found in 95 of 100 cases, at most
BASELINE_MIN_TICKS = 20_000
BLOCK_TICKS = 5_000  # of the bootstrap: several times what the ratios remember
SEGMENTS, SEGMENT_TICKS = 200, 60_000
DETECTIONS = 400

Floats = np.ndarray[Any, np.dtype[np.float64]]


class Drift(NamedTuple):
    """A slowdown: found at tick `tick` (counted from 1), begun about `ticks` before, by about `percent`."""

    tick: int
    ticks: int
    percent: float


@dataclass(frozen=True)
class Calibration:
    """What the detector takes from a baseline; logs of ratios throughout.

    `delay_p95_ticks` is what the bootstrap expects of a slowdown of 20 %; infinite where it is not found in time, because the
    baseline is too unsteady.
    """

    middle: float
    bound: float  # a log further off the middle counts as this far: one interrupted tick is no drift
    allowance: float  # taken off each log: half of what a slowdown adds
    threshold: float
    delay_p95_ticks: float


class DriftDetector:
    """Watches the ratios of tick time to reference time, one `add` a tick; O(1), and keeps nothing but four numbers."""

    def __init__(self, calibration: Calibration) -> None:
        self.calibration = calibration
        self.ticks = 0
        self._sum = 0.0
        self._began = 0
        self._told = False

    @property
    def is_slow(self) -> bool:
        """Whether a drift was found, and the ratios have not come back to what they were."""
        return self._told

    @classmethod
    def calibrate(cls, ratios: Floats, seed: int = 1) -> "DriftDetector":
        """Make a detector from the ratios (n,) of a baseline, at least 20,000 ticks in their order.

        Raises DataError for fewer, and for a ratio that is not above 0. Takes about half a second.
        """
        return cls(_calibration(np.asarray(ratios, np.float64), np.random.default_rng(seed)))

    def add(self, ratio: float) -> Drift | None:
        """Take one tick's ratio; return a drift when it shows, once until the ratios have come back to what they were."""
        if not ratio > 0:
            raise DataError(f"the ratio of a tick to the reference is {ratio}: both times must be above 0")
        given = self.calibration
        self.ticks += 1
        off = math.log(ratio) - given.middle
        if off > given.bound:
            off = given.bound
        elif off < -given.bound:
            off = -given.bound
        total = self._sum + off - given.allowance
        if total <= 0:
            self._sum, self._began, self._told = 0.0, self.ticks, False
            return None
        self._sum = min(total, given.threshold)  # no higher: it has to come down again when the slowdown is over
        if total < given.threshold or self._told:
            return None
        self._told = True
        ticks = self.ticks - self._began
        return Drift(self.ticks, ticks, 100 * math.expm1(total / ticks + given.allowance))


def first_alarm(ratios: Floats, calibration: Calibration) -> int | None:
    """Return the tick, counted from 1, at which a fresh detector finds a drift in (n,) ratios; None where it finds none."""
    off = np.clip(np.log(ratios) - calibration.middle, -calibration.bound, calibration.bound)
    found = _first(_sums(off - calibration.allowance), calibration.threshold)
    return None if math.isinf(found) else int(found)


def _calibration(ratios: Floats, random: np.random.Generator) -> Calibration:
    if len(ratios) < BASELINE_MIN_TICKS:
        raise DataError(f"a baseline of {len(ratios):,} ticks is too short: record at least {BASELINE_MIN_TICKS:,}")
    if not (np.all(np.isfinite(ratios)) and np.all(ratios > 0)):
        raise DataError("a ratio of a tick to the reference is not above 0: look at what was recorded")
    logs = np.log(ratios)
    logs -= np.median(logs)
    bound = max(2 * SLOWDOWN, 4 * 1.4826 * float(np.median(np.abs(logs))))  # 1.4826: a normal deviation of the median's
    bounded, slow = np.clip(logs, -bound, bound), np.clip(logs + SLOWDOWN, -bound, bound)
    allowance = float(slow.mean() - bounded.mean()) / 2
    steps, slow_steps = bounded - bounded.mean() - allowance, slow - bounded.mean() - allowance
    late = [_sums(resampled(slow_steps, BLOCK_TICKS, (1, 10 * DELAY_TICKS), random)[0]) for _ in range(DETECTIONS)]
    threshold = max(_alarming(steps, random), _found_in(DELAY_TICKS // 2, late))
    delays = [_first(sums, threshold) for sums in late]
    middle = float(np.median(np.log(ratios))) + float(bounded.mean())
    return Calibration(middle, bound, allowance, threshold, float(np.percentile(delays, 95, method="inverted_cdf")))


def _alarming(steps: Floats, random: np.random.Generator) -> float:
    """Return the sum that a horizon without a slowdown reaches as seldom as false alarms are allowed.

    The highest sum of a long segment has a Gumbel distribution (its tail is that of a random walk's maximum), fitted here by
    moments; a horizon is as many independent segments.
    """
    series = (resampled(steps, BLOCK_TICKS, (1, SEGMENT_TICKS), random)[0] for _ in range(SEGMENTS))
    highest = np.array([_sums(one).max() for one in series])
    scale = float(highest.std(ddof=1)) * math.sqrt(6) / math.pi
    calm = (1 - FALSE_ALARMS) ** (SEGMENT_TICKS / HORIZON_TICKS)
    return float(highest.mean()) - scale * (float(np.euler_gamma) + math.log(-math.log(calm)))


def _found_in(ticks: int, late: list[Floats]) -> float:
    """Return the sum that 95 of 100 slowdowns reach in so many ticks.

    Asked for half of the promised delay, this guards against what the baseline did not show: spells that are slower
    by themselves (a higher threshold), and a baseline that was itself slow (room left in the delay).
    """
    return float(np.percentile([sums[:ticks].max() for sums in late], 5))


def _sums(steps: Floats) -> Floats:
    """Return the CUSUM after each step: the sum of the steps since it was last 0, never below."""
    sums = np.cumsum(steps)
    return np.asarray(sums - np.minimum(np.minimum.accumulate(sums), 0.0), np.float64)


def _first(sums: Floats, threshold: float) -> float:
    """Return after how many steps the threshold is reached; infinite: never."""
    reached = sums >= threshold
    return float(reached.argmax()) + 1 if reached.any() else math.inf
