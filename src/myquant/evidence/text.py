"""Verdicts and figures in plain sentences."""

from collections.abc import Iterator
from typing import Final

from myquant.evidence.figures import Figure
from myquant.evidence.gate import Judged, PhaseJudgement
from myquant.evidence.plan import Verification
from myquant.evidence.report import BaselineReport, Component
from myquant.evidence.verdicts import Judgement, Verdict

OVERHEAD_PERCENT: Final = 1.5  # what measuring may cost
POLLING: Final = "polling"  # delivery by any hand-off that is looked at now and then
RULE: Final = "-" * 72


def interval(figure: Figure | None, unit: str = "", digits: int = 3) -> str:
    """Return a figure with its interval: `45.2 % (43.9 to 46.5)`; a dash of none."""
    if figure is None:
        return "-"
    value, low, high = (number(each, digits) for each in (figure.value, figure.low, figure.high))
    return f"{value}{unit} ({low} to {high})"


def number(value: float, digits: int = 3) -> str:
    """Return a number with so many significant digits, or whole where it has more."""
    if value == 0 or abs(value) >= 10**digits:
        return f"{value:,.0f}"
    text = f"{value:#.{digits}g}"
    return f"{float(text):.{digits + 3}f}".rstrip("0").rstrip(".") if "e" in text else text.rstrip(".")


def by_share(report: BaselineReport) -> list[tuple[str, Component]]:
    """Return the components by name: the largest share first, those that were not measured last."""
    return sorted(
        report.component_breakdown.items(),
        key=lambda item: (not item[1].measured, -(item[1].percent_of_total.value if item[1].percent_of_total else 0.0)),
    )


def judged_line(judged: PhaseJudgement) -> str:
    """Return the verdict on an optimisation as a sentence or two."""
    phase, judgement = judged.phase, judged.judgement
    share = share_line(judgement, "of a tick's time")
    what = f"{phase.component}: {judgement.verdict}. {share}"
    if judged.change is not None:
        return f'{what} Phase {phase.number}, priority {phase.priority}: {phase.setting} = "{phase.optimised}".'
    if judged.is_on:
        return f'{what} The optimised variant is on already: {phase.setting} = "{judged.variant}".'
    return what


def share_line(judgement: Judgement, of: str) -> str:
    """Return what was measured and why it means that verdict."""
    reason = f"{judgement.reason[0].upper()}{judgement.reason[1:]}."
    if judgement.share is None or judgement.low is None or judgement.high is None:
        return reason
    edges = f"95 % interval {number(judgement.low)} to {number(judgement.high)}, n = {judgement.n:,}"
    return f"{number(judgement.share)} % {of} ({edges}). {reason}"


def gc_line(judgement: Judgement) -> str:
    """Return the verdict on collections of garbage as a sentence."""
    said = {
        Verdict.IMPLEMENT: "collections are a cause of the slowest ticks",
        Verdict.SKIP: "collections are not what makes ticks slow",
        Verdict.UNDECIDED: "whether collections make ticks slow is not decided",
        Verdict.UNKNOWN: "whether collections make ticks slow is not known",
    }[judgement.verdict]
    return f"gc: {said}. {share_line(judgement, 'of the ticks slower than p99 met a collection')}"


def recommendations(report: BaselineReport, judged: Judged) -> Iterator[str]:
    """Yield what to do next, the surest gain first."""
    yield from _switches(judged)
    yield from _shortfalls(report)
    yield from _delivery(report)


def _switches(judged: Judged) -> Iterator[str]:
    """Yield what the verdicts ask for."""
    for each in judged.phases:
        if (change := each.change) is not None:
            share = number(each.judgement.share or 0)
            yield (
                f'Set {change.key} = "{change.after}" (phase {change.phase}, {change.priority}): {change.component} takes '
                f"{share} % of a tick's time. `myquant gate REPORT --apply --verify` does it and proves it."
            )
    for each in judged.phases:
        if needed := each.judgement.ticks_needed:
            yield f"Measure about {needed:,} ticks more to decide on {each.phase.component}."
    if judged.gc.verdict == Verdict.IMPLEMENT:
        yield "Collections of garbage make ticks slow: keep long-lived objects out of the collector's sight (gc.freeze)."


def _shortfalls(report: BaselineReport) -> Iterator[str]:
    """Yield the targets that were missed, and what was lost or cost too much."""
    latency, capacity = report.latency_summary, report.throughput
    if not latency.meets_target:
        yield f"The mean latency, {interval(latency.avg, ' ms')}, is not surely within {number(latency.target_ms)} ms."
    if not capacity.meets_target:
        room = interval(capacity.capacity_ticks_per_second)
        yield f"There is time for {room} ticks a second, not surely for {number(capacity.target_tps)}."
    if report.instrument.overhead_percent.high > OVERHEAD_PERCENT:
        yield f"Measuring itself took up to {number(report.instrument.overhead_percent.high)} % of the time: measure more ticks, so that a smaller part of them has to be taken apart."
    if report.instrument.dropped_ticks:
        yield f"{report.instrument.dropped_ticks:,} ticks were not recorded for want of room: measure fewer at once."
    if report.queue.drops:
        yield f"The hand-off dropped {report.queue.drops:,} frames: it was full ({report.queue.variant})."


def _delivery(report: BaselineReport) -> Iterator[str]:
    """Yield which way of delivery has the shorter tail than the one in use, when that is sure."""
    used = report.delivery.get(report.queue.variant) or report.delivery.get(POLLING)
    best = min(report.delivery.items(), key=lambda item: item[1].p99.value, default=None)
    if used is None or best is None or best[1].p99.high >= used.p99.low:
        return
    yield (
        f"Delivery by {best[0]} has a p99 of {interval(best[1].p99, ' ms')}, by {report.queue.variant} "
        f"{interval(used.p99, ' ms')}."
    )


def verified_line(found: Verification) -> str:
    """Return what a verification showed and what became of the change."""
    gain = f"{interval(found.improvement_percent, ' %')} less time a tick, p = {found.p_value:.2g}, {found.pairs} pairs"
    most = f"without any {found.key.partition('.')[2]} it would be {interval(found.ablation_percent, ' %')}"
    control = f"control {interval(found.control_percent, ' %')}"
    same = f"{found.decisions:,} decisions byte-identical" if found.are_decisions_identical else "decisions DIFFER"
    kept = "KEPT" if found.is_kept else f"REVERTED: {'; '.join(found.against)}"
    return f'{found.key} = "{found.after}": {kept}. {gain}; {most}; {control} (99 % intervals); {same}.'


def latency_line(report: BaselineReport) -> str:
    """Return the latencies and their target as a sentence."""
    found = report.latency_summary
    tail = f"p99 {interval(found.percentiles['p99'], ' ms')}, max {number(found.max)} ms"
    target = f"target {number(found.target_ms)} ms {_met(found.meets_target)}"
    return f"Latency from {found.measured_from}: mean {interval(found.avg, ' ms')}, {tail}; {target}."


def throughput_line(report: BaselineReport) -> str:
    """Return the throughput and its target as a sentence."""
    found = report.throughput
    room = f"there is time for {interval(found.capacity_ticks_per_second)}"
    target = f"target {number(found.target_tps)} {_met(found.meets_target)}"
    return f"Throughput: {interval(found.avg_ticks_per_second)} ticks a second came, {room}; {target}."


def decision_text(report: BaselineReport, judged: Judged) -> str:
    """Return the text of `decision_<time>.txt`."""
    window, instrument = report.measurement_window, report.instrument
    rate = "flat out" if window.rate_per_s is None else f"at {number(window.rate_per_s)} ticks a second"
    overhead = interval(instrument.overhead_percent, " %")
    lines = [
        f"Baseline {report.run.id}, {report.run.time}",
        "",
        f"{window.ticks:,} ticks ({window.source}) {rate}, {window.sampled_ticks:,} of them measured in full.",
        latency_line(report),
        throughput_line(report),
        f"Measuring took {overhead} of the time; {instrument.dropped_ticks:,} ticks were not recorded.",
        "",
        "Verdicts",
        RULE,
        *(judged_line(each) for each in judged.phases),
        gc_line(judged.gc),
        "",
        "What to do",
        RULE,
        *(report.recommendations or ("Nothing: no change is proven to be worth it.",)),
        "",
        "What these figures belong to",
        RULE,
        *(f"{name:<18}{_flat(value)}" for name, value in report.provenance.items()),
        "pipeline          " + ", ".join(f"{name} {value}" for name, value in report.pipeline.items()),
    ]
    return "\n".join(lines) + "\n"


def _met(met: bool) -> str:
    return "met" if met else "NOT surely met"


def _flat(value: object) -> str:
    if isinstance(value, dict):
        return f"{number(value['value'])} ({number(value['low'])} to {number(value['high'])})"
    return "unknown" if value is None else str(value)
