"""The gate: what a report's shares say about each optimisation, and the changes that follow."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from myquant.config.loading import LoadedConfig
from myquant.evidence.figures import Figure
from myquant.evidence.plan import Change
from myquant.evidence.report import BaselineReport
from myquant.evidence.verdicts import PHASES, Judgement, Phase, Verdict, judge_share
from myquant.measure.batch_means import Interval

SECTION: Final = "evidence."
GC_KEY: Final = "gc_spikes_percent"
THRESHOLDS: Final = (*(phase.threshold_key.removeprefix(SECTION) for phase in PHASES), GC_KEY, "min_ticks")


@dataclass(frozen=True)
class PhaseJudgement:
    """What is to be done about one optimisation. `variant` is what the report's pipeline had."""

    phase: Phase
    variant: str
    judgement: Judgement

    @property
    def is_on(self) -> bool:
        """Whether the report's pipeline had the optimisation already, or another one that will do."""
        return self.change is None and self.variant in (self.phase.optimised, self.phase.alternative)

    @property
    def change(self) -> Change | None:
        """The change that follows: of what takes too much, and could be better."""
        phase = self.phase
        if self.judgement.verdict != Verdict.IMPLEMENT or self.variant == phase.optimised:
            return None
        return Change(phase.number, phase.priority, phase.component, phase.setting, self.variant, phase.optimised)


@dataclass(frozen=True)
class Judged:
    """A report's verdicts: one for each optimisation, and that on collections of garbage."""

    phases: tuple[PhaseJudgement, ...]
    gc: Judgement

    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes that follow, in the order of the phases."""
        return tuple(each.change for each in self.phases if each.change is not None)


def thresholds_of(loaded: LoadedConfig) -> dict[str, float]:
    """Return the thresholds of a configuration as a report has them."""
    return {name: float(loaded.values[f"{SECTION}{name}"]) for name in THRESHOLDS}


def judge(report: BaselineReport, thresholds: Mapping[str, float]) -> Judged:
    """Return the verdicts on a report at some thresholds: percentages by name, and `min_ticks`."""
    min_ticks = int(thresholds["min_ticks"])
    phases = []
    for phase in PHASES:
        found = report.component_breakdown[phase.component]
        judgement = judge_share(
            _interval(found.percent_of_total),
            thresholds[phase.threshold_key.removeprefix(SECTION)],
            report.measurement_window.sampled_ticks,
            min_ticks,
            entered=found.ticks_entered,
        )
        judgement = _in_ticks(judgement, report.instrument.sampled_every)
        variant = str(report.pipeline[phase.setting.partition(".")[2]])
        phases.append(PhaseJudgement(phase, variant, judgement))
    return Judged(tuple(phases), _judge_gc(report, thresholds[GC_KEY], min_ticks))


def _in_ticks(judgement: Judgement, every: int) -> Judgement:
    """Return a judgement whose further ticks are those of a run, of which 1 in `every` is measured in full."""
    if judgement.ticks_needed is None or every == 1:
        return judgement
    needed = judgement.ticks_needed * every
    reason = f"{judgement.reason}; 1 tick in {every} is measured in full, so {needed:,} more in all"
    return replace(judgement, ticks_needed=needed, reason=reason)


def _judge_gc(report: BaselineReport, threshold: float, min_ticks: int) -> Judgement:
    found, n = report.gc, report.measurement_window.ticks
    if found.spikes_percent is None:
        return Judgement(Verdict.UNKNOWN, None, None, None, threshold, None, found.why, found.spikes)
    judged = judge_share(_interval(found.spikes_percent), threshold, n, min_ticks, entered=n)
    return replace(judged, n=found.spikes)


def _interval(figure: Figure | None) -> Interval | None:
    return None if figure is None else Interval(figure.value, figure.low, figure.high, figure.n)


def as_document(judged: Judged) -> list[dict[str, Any]]:
    """Return the verdicts as plain data, that on garbage last."""
    rows = [
        {
            "phase": each.phase.number,
            "priority": each.phase.priority,
            "component": each.phase.component,
            "setting": each.phase.setting,
            "variant": each.variant,
            "change_to": each.change.after if each.change else None,
            **_plain(each.judgement),
        }
        for each in judged.phases
    ]
    return [*rows, {"component": "gc", **_plain(judged.gc)}]


def _plain(judgement: Judgement) -> dict[str, Any]:
    return {
        "verdict": str(judgement.verdict),
        "percent": judgement.share,
        "low": judgement.low,
        "high": judgement.high,
        "threshold_percent": judgement.threshold,
        "n": judgement.n,
        "ticks_needed": judgement.ticks_needed,
        "reason": judgement.reason,
    }
