"""The statistics of this room tried out on made-up machines whose truth is known; the tests do it briefly, the benchmark at length.

The machines are as noisy as measured ones: the speed wanders by 11 to 18 % with a correlation of 0.8 to 0.9 between windows,
single ticks have heavy tails, one in 200 is interrupted.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from myquant.evidence.drift import HORIZON_TICKS, Calibration, DriftDetector, first_alarm
from myquant.evidence.pairs import Difference, compare
from myquant.evidence.verdicts import Verdict, judge_share
from myquant.measure.batch_means import share_interval

INTERRUPTED = 1 / 200  # of the ticks
INTERRUPTION = 10.0  # times as long
THRESHOLD = 30.0  # percent, of the verdicts tried out
MARGIN = 5.0  # points by which the truth is off it, at least
MIN_TICKS = 2_000
PAIR_TICKS = 200
STRETCHES = 10  # of 200 ticks, that the machine keeps its speed for, but for
RESIDUAL_CV = 0.01  # by which two stretches differ nevertheless, and what dividing by the reference kernel leaves

Floats = np.ndarray[Any, np.dtype[np.float64]]
Random = np.random.Generator


@dataclass(frozen=True)
class Machine:
    """How noisy a made-up machine is; the defaults lie in what was measured.

    `own_cv` is how much a component wanders by itself, which is what is left when the machine's own drift is divided out;
    `every`: the component is entered in each so many-th tick only.
    """

    correlation: float = 0.85
    cv: float = 0.15
    own_cv: float = RESIDUAL_CV
    window_ticks: int = 100
    tick_sigma: float = 0.5
    every: int = 1


def workload(random: Random, ticks: int, share: float, machine: Machine) -> tuple[Floats, Floats]:
    """Return what a component with this true share (0 to 1) and what the whole took in each tick, (n,) both, in no unit."""
    windows = -(-ticks // machine.window_ticks)
    level, own = (
        np.repeat(_levels(random, windows, machine.correlation, cv), machine.window_ticks)[:ticks]
        for cv in (machine.cv, machine.own_cv)
    )
    part = share * level * own * _heavy_tailed(random, ticks, machine.tick_sigma)
    if machine.every > 1:
        part *= np.where(np.arange(ticks) % machine.every == machine.every // 2, machine.every, 0)
    return part, part + (1 - share) * level * _heavy_tailed(random, ticks, machine.tick_sigma)


def covered(random: Random, ticks: int, machine: Machine, trials: int) -> float:
    """Return how often the interval of a share covers the truth, percent."""
    hits = 0
    for share in random.uniform(0.05, 0.7, trials):
        found = share_interval(*workload(random, ticks, share, machine))
        hits += found.low <= 100 * share <= found.high
    return 100 * hits / trials


def verdicts(random: Random, ticks: int, share: float, machine: Machine, trials: int) -> list[Verdict]:
    """Return the verdicts on a component of this true share (0 to 1) against the threshold of 30 %."""
    found = []
    for _ in range(trials):
        part, whole = workload(random, ticks, share, machine)
        entered = int(np.count_nonzero(part))
        interval = share_interval(part, whole)
        found.append(judge_share(interval, THRESHOLD, ticks, MIN_TICKS, entered=entered).verdict)
    return found


def wrong_verdicts(random: Random, ticks: int, machine: Machine, trials: int) -> float:
    """Return how often a truth at least 5 points off the threshold is judged to lie on its other side, percent."""
    wrong = 0
    for off in random.uniform(MARGIN, 3 * MARGIN, trials) * random.choice([-1, 1], trials):
        opposite = Verdict.SKIP if off > 0 else Verdict.IMPLEMENT
        wrong += verdicts(random, ticks, (THRESHOLD + off) / 100, machine, 1)[0] == opposite
    return 100 * wrong / trials


def pairs_of(random: Random, pairs: int, change: float, tick_sigma: float = 0.1) -> tuple[Floats, Floats]:
    """Return ticks (pairs, 200) before and after a change (0.02: 2 % slower), run in an order drawn for each pair."""
    sides = 2 * pairs
    slow = np.repeat(_levels(random, sides // STRETCHES + 2, 0.85, 0.15), STRETCHES)
    begun = int(random.integers(STRETCHES))  # a pair may lie across a change of speed
    level = slow[begun : begun + sides] * np.exp(RESIDUAL_CV * random.standard_normal(sides))
    ticks = _heavy_tailed(random, sides * PAIR_TICKS, tick_sigma).reshape(pairs, 2, PAIR_TICKS)
    ticks *= level.reshape(pairs, 2, 1)
    first = (random.random(pairs) < 0.5)[:, None]  # the `before` side is
    before, after = np.where(first, ticks[:, 0], ticks[:, 1]), np.where(first, ticks[:, 1], ticks[:, 0])
    return before, after * (1 + change)


def shown(random: Random, pairs: int, change: float, trials: int) -> float:
    """Return how often a comparison shows a difference, percent: its power, or without a change its false alarms."""
    found = (compare(*pairs_of(random, pairs, change)).verdict for _ in range(trials))
    return 100 * sum(verdict is not Difference.NO_DIFFERENCE_SHOWN for verdict in found) / trials


def ratios(random: Random, ticks: int, residual_cv: float = RESIDUAL_CV, tick_sigma: float = 0.3) -> Floats:
    """Return ratios (n,) of tick time to reference time: the machine's drift divided out but for `residual_cv`."""
    left = np.repeat(_levels(random, -(-ticks // 100), 0.85, residual_cv), 100)[:ticks]
    return np.asarray(left * _heavy_tailed(random, ticks, tick_sigma), np.float64)


def detector(random: Random, residual_cv: float = RESIDUAL_CV, baseline_ticks: int = 40_000) -> Calibration:
    """Return what a baseline of such ratios calibrates a detector to."""
    return DriftDetector.calibrate(ratios(random, baseline_ticks, residual_cv)).calibration


def alarms(random: Random, calibration: Calibration, horizons: int, residual_cv: float = RESIDUAL_CV) -> int:
    """Return in how many horizons of 600,000 ticks without a slowdown the detector gives alarm."""
    calm = (first_alarm(ratios(random, HORIZON_TICKS, residual_cv), calibration) for _ in range(horizons))
    return sum(found is not None for found in calm)


def delays(random: Random, calibration: Calibration, trials: int, residual_cv: float = RESIDUAL_CV) -> Floats:
    """Return after how many ticks each slowdown of 20 % is found (trials,); infinite: not in 20,000."""
    slowed = (1.2 * ratios(random, 20_000, residual_cv) for _ in range(trials))
    found = [first_alarm(one, calibration) for one in slowed]
    return np.array([math.inf if at is None else at for at in found], np.float64)


def _levels(random: Random, windows: int, correlation: float, cv: float) -> Floats:
    """Return a level for each window, with mean 1: the logs are an AR(1) series."""
    from scipy.signal import lfilter  # noqa: PLC0415  (takes long to import)

    sigma = math.sqrt(math.log1p(cv**2))
    steps = random.standard_normal(windows) * sigma * math.sqrt(1 - correlation**2)
    steps[0] = random.standard_normal() * sigma
    return np.asarray(np.exp(lfilter([1.0], [1.0, -correlation], steps) - sigma**2 / 2), np.float64)


def _heavy_tailed(random: Random, ticks: int, sigma: float) -> Floats:
    """Return what ticks take, with mean 1: lognormal, and some interrupted."""
    times = np.exp(sigma * random.standard_normal(ticks) - sigma**2 / 2)
    times[random.random(ticks) < INTERRUPTED] *= INTERRUPTION
    return np.asarray(times / (1 + INTERRUPTED * (INTERRUPTION - 1)), np.float64)
