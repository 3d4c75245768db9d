"""Whether the statistics keep their word: intervals, verdicts, comparisons, drift and history on made-up machines.

Nothing is timed. Each figure is a share of seeded trials, with its exact 95 % interval in place of quartiles; where the truth
is known, so is what the figure should be.
"""

from collections.abc import Callable

import numpy as np

from bench import company
from bench.measure import Goal, Row, Section, Spread
from myquant.evidence import simulations
from myquant.evidence.history import changes
from myquant.evidence.intervals import percentile_interval, proportion_interval
from myquant.evidence.simulations import Machine

LONG, QUICK = 1.0, 0.1  # of the trials below
COVERAGE_TRIALS = {2_000: 3_000, 5_000: 2_000, 20_000: 1_500, 100_000: 500}
DETECTORS = 30  # each from a baseline of its own, with 10 calm horizons and 100 slowdowns
# A machine that is as steady as any measured was, and one that is as unsteady.
MACHINES = (Machine(correlation=0.8, cv=0.11), Machine(correlation=0.9, cv=0.18))
# Harder than what was measured: dividing by a reference kernel leaves 1 %.
WANDERS = Machine(own_cv=0.15)
RARE = Machine(every=100)
TOO_SHORT = "its memory is as long as a batch and more, so the interval is too narrow: measure 20,000 ticks"


def measure(rounds: int, *, quick: bool) -> Section:  # noqa: ARG001  (trials, not rounds)
    scale = QUICK if quick else LONG
    section = Section("simulations: how often intervals, verdicts, comparisons and alarms are right")
    section.rows += _coverage(scale)
    section.rows += _verdicts(scale)
    section.rows += _pairs(scale)
    section.rows += _drift(scale)
    section.rows.append(_history(scale))
    section.notes.append(
        "in brackets: exact 95 % intervals of the trials, of the delay that of a percentile; all seeded"
    )
    company.tally.taken += 1
    return section


def _coverage(scale: float) -> list[Row]:
    """Return the rows of a share's interval: at its nominal 95 %, too wide is as wrong as too narrow."""
    rows = []
    for ticks, full in COVERAGE_TRIALS.items():
        trials = round(full * scale)
        each = [simulations.covered(_random(ticks), ticks, machine, trials) for machine in MACHINES]
        found = _of(sum(each) / 2, 2 * trials)
        name = f"true share inside its interval, {ticks:,} ticks"
        rows.append(Row(name, "%", found, goal=Goal(93.0)))
        rows.append(Row(f"{name}: not too often", "%", found, goal=Goal(97.0, at_least=False)))
    for what, machine in {"entered each 100th tick": RARE, "wandering by 15 % itself": WANDERS}.items():
        for ticks, full in COVERAGE_TRIALS.items():
            trials = round(full * scale)
            found = _of(simulations.covered(_random(ticks), ticks, machine, trials), trials)
            note = TOO_SHORT if machine is WANDERS and ticks < 20_000 else ""
            rows.append(Row(f"component {what}, {ticks:,} ticks", "%", found, goal=Goal(93.0), note=note))
    return rows


def _verdicts(scale: float) -> list[Row]:
    rows, trials = [], round(4_000 * scale)
    for what, machine in {
        "": MACHINES[1],
        ", entered each 100th tick": RARE,
        ", wandering by 15 % itself": WANDERS,
    }.items():
        wrong = simulations.wrong_verdicts(_random(1), 2_000, machine, trials)
        name = f"wrong verdicts, truth 5 to 15 points off, 2,000 ticks{what}"
        rows.append(Row(name, "%", _of(wrong, trials), goal=Goal(1.0, at_least=False)))
    return rows


def _pairs(scale: float) -> list[Row]:
    trials, more = round(1_000 * scale), round(4_000 * scale)
    return [
        Row("2 % slower found, 40 pairs of 200 ticks", "%", _shown(0.02, trials), goal=Goal(95.0)),
        Row("2 % faster found, likewise", "%", _shown(-0.02, trials), goal=Goal(95.0)),
        Row("no change taken for one, likewise", "%", _shown(0.0, more), goal=Goal(1.5, at_least=False)),
    ]


def _drift(scale: float) -> list[Row]:
    """Return the rows of the detector, for what facts say is left beside the reference kernel, and for three times that."""
    rows = []
    for residual_cv, has_goal in ((0.01, True), (0.03, False)):
        random, detectors = _random(2), max(round(DETECTORS * scale), 4)
        delays, alarms = [], 0
        for _ in range(detectors):
            calibration = simulations.detector(random, residual_cv)
            delays.append(simulations.delays(random, calibration, 100, residual_cv))
            alarms += simulations.alarms(random, calibration, 10, residual_cv)
        late = percentile_interval(np.concatenate(delays), 95)
        false = proportion_interval(alarms, 10 * detectors)
        left = f", {100 * residual_cv:.0f} % left beside the reference"
        delay_max, alarms_max = (Goal(bound, at_least=False) if has_goal else None for bound in (1_500.0, 5.0))
        delay = Spread(late.value, late.low, late.high, late.n)
        rows.append(Row(f"20 % slowdown found after, p95{left}", "ticks", delay, goal=delay_max))
        alarm = Spread(false.value, false.low, false.high, false.n)
        rows.append(Row(f"false alarms in 600,000 ticks{left}", "%", alarm, goal=alarms_max))
    return rows


def _history(scale: float) -> Row:
    trials, random = round(800 * scale), _random(3)
    noises: tuple[Callable[[], simulations.Floats], ...] = (
        lambda: random.standard_normal(20),
        lambda: random.standard_t(3, 20),
        lambda: random.exponential(1, 20),
    )
    false = sum(bool(changes(np.exp(0.02 * noises[trial % 3]()))) for trial in range(trials))
    name = "noise of 20 runs taken for a change"
    return Row(
        name, "%", _of(100 * false / trials, trials), goal=Goal(5.0, at_least=False), note="three kinds of noise"
    )


def _shown(change: float, trials: int) -> Spread:
    return _of(simulations.shown(_random(4), 40, change, trials), trials)


def _of(percent: float, trials: int) -> Spread:
    """Return a percentage of trials with its exact interval."""
    found = proportion_interval(round(percent * trials / 100), trials)
    return Spread(found.value, found.low, found.high, trials)


def _random(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)
