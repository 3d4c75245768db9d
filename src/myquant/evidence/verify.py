"""The proof of a change: before and after on the same ticks, in interleaved pairs, with a control and an ablation.

Four pipelines stand side by side, each with a connection of its own to the same lab: before, before once more (the control),
after, and before with the component a no-op (the ablation). In each round every one takes the same stretch of ticks, in an
order drawn anew, while the others wait; so what the machine does in the meantime falls on all of them alike.
"""

import gc
import shutil
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from myquant.config.loading import LoadedConfig
from myquant.errors import ConfigError
from myquant.evidence.baseline import PILOT, WARM_UP, rows_of
from myquant.evidence.figures import Figure
from myquant.evidence.ground import Ground, days_of, open_ground
from myquant.evidence.pairs import PAIRS_MIN, Comparison, compare, mean, p99
from myquant.evidence.plan import Change, Tell, Verification, VerifyPlan
from myquant.evidence.rig import Decided, Rig, RigPlan, open_rig
from myquant.measure.collections import collector_at_rest
from myquant.measure.names import NAMES, QUEUE_OPS
from myquant.session.quick_loop import run_loop

BEFORE, CONTROL, AFTER, ABLATION = "before", "control", "after", "ablation"
SIDES: Final = (BEFORE, CONTROL, AFTER, ABLATION)

Statistic = Callable[[Any], float]
Times = dict[
    str, dict[Statistic, np.ndarray[Any, Any]]
]  # by side: each statistic of the ticks' service times (pairs,), ns
STATISTICS: Final = (mean, p99)


def verify(plan: VerifyPlan, tell: Tell) -> Verification:
    """Compare before and after; `tell` is called with the number of pairs so far.

    Raises ConfigError where the report's ticks are too few for the pairs, or are no longer to be had.
    """
    scratch = Path(tempfile.mkdtemp(prefix=".verify-", dir=plan.folder))
    try:
        found: Verification = run_loop(_run(plan, scratch, tell))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return found


async def _run(plan: VerifyPlan, scratch: Path, tell: Tell) -> Verification:
    report, config = plan.report, plan.loaded.config
    window = report.measurement_window
    if window.feed:
        raise ConfigError(
            f"{report.run.id}: is of a broker's feed, whose ticks can't be played again: measure recorded ones"
        )
    pairs, ticks = size_of(window.ticks + PILOT, config.evidence.pairs, config.evidence.pair_ticks)
    days = days_of(
        [Path(each) for each in window.inputs], rows_of(window.ticks), report.run.seed, config.instrument.symbol
    )
    async with open_ground(days, config.feed.mode) as ground, AsyncExitStack() as stack:
        if ground.feeder.digest != report.environment.input_hash:
            raise ConfigError(
                f"{', '.join(window.inputs) or 'the generated ticks'}: are not those of the report: measure again"
            )
        with collector_at_rest():
            rigs = {}
            for side in SIDES:
                rigs[side] = await stack.enter_async_context(open_rig(_rig_plan(plan, ground, side, scratch)))
                await rigs[side].play(ground.feeder, len(rigs) - 1, 0, WARM_UP, None)
            gc.collect()
            gc.freeze()
            times = await _pairs(plan, ground, rigs, pairs, ticks, tell)
        decided = {side: rigs[side].decided() for side in SIDES}
    return _verification(plan, times, decided, ticks)


def size_of(available: int, pairs: int, ticks: int) -> tuple[int, int]:
    """Return the number of pairs and of their ticks: what is asked for, fewer pairs where the report has fewer ticks."""
    possible = min(pairs, available // ticks)
    if possible < PAIRS_MIN:
        raise ConfigError(
            f"evidence.pair_ticks = {ticks}: {available:,} ticks are enough for {possible} pairs, and {PAIRS_MIN} are needed:"
            " measure more ticks, or take shorter pairs"
        )
    return possible, ticks


def _rig_plan(plan: VerifyPlan, ground: Ground, side: str, scratch: Path) -> RigPlan:
    """Return the plan of one side."""
    change, loaded, without = plan.change, plan.loaded, frozenset[str]()
    if side == AFTER:
        loaded = _changed(loaded, change.key, change.after)
    elif side == ABLATION and change.component == NAMES[QUEUE_OPS]:
        loaded = _changed(loaded, change.key, "callback")  # no hop at all
    elif side == ABLATION:
        without = frozenset({change.component})
    return RigPlan(loaded, plan.strategy, ground.source, scratch / side, without)


def _changed(loaded: LoadedConfig, key: str, value: str) -> LoadedConfig:
    section, _, name = key.partition(".")
    part = getattr(loaded.config, section).model_copy(update={name: value})
    return replace(loaded, config=loaded.config.model_copy(update={section: part}))


async def _pairs(plan: VerifyPlan, ground: Ground, rigs: dict[str, Rig], pairs: int, ticks: int, tell: Tell) -> Times:
    """Let all sides take the same stretches, and return how long each tick took."""
    random = np.random.default_rng(plan.seed)
    found: dict[str, list[list[float]]] = {side: [] for side in SIDES}
    for pair in range(pairs):
        begin = WARM_UP + pair * ticks
        for at in random.permutation(len(SIDES)).tolist():
            side = SIDES[at]
            stretch = await rigs[side].play(
                ground.feeder, at, begin, begin + ticks, plan.report.measurement_window.rate_per_s
            )
            if not len(stretch.done_ns):
                raise ConfigError(
                    f"ticks {begin} to {begin + ticks}: all are refused: take longer pairs, or other ticks"
                )
            found[side].append([statistic(stretch.service_ns) for statistic in STATISTICS])
        tell(pair + 1)
    return {side: dict(zip(STATISTICS, np.array(taken).T, strict=True)) for side, taken in found.items()}


def _verification(plan: VerifyPlan, times: Times, rigs: dict[str, Decided], pair_ticks: int) -> Verification:
    change: Change = plan.change

    def against(side: str, statistic: Statistic = mean) -> Comparison:
        return compare(times[BEFORE][statistic], times[side][statistic])

    gain = against(AFTER)
    return Verification(
        key=change.key,
        before=change.before,
        after=change.after,
        pairs=gain.n,
        pair_ticks=pair_ticks,
        seed=plan.seed,
        improvement_percent=_figure(gain),
        p99_improvement_percent=_figure(against(AFTER, p99)),
        p_value=gain.p_value,
        control_percent=_figure(against(CONTROL)),
        ablation_percent=_figure(against(ABLATION)),
        decisions_before=rigs[BEFORE].digest,
        decisions_after=rigs[AFTER].digest,
        decisions_control=rigs[CONTROL].digest,
        decisions=rigs[BEFORE].commands,
    )


def _figure(found: Comparison) -> Figure:
    return Figure(value=found.improvement_percent, low=found.low, high=found.high, n=found.n)
