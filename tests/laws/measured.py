"""Where a setting of `[evidence]` shows: what a made-up report says under it."""

from collections.abc import Mapping
from typing import Any

from evidence.baselines import make_report
from laws.driver import settings
from myquant.evidence.gate import judge, thresholds_of
from myquant.evidence.verify import size_of

Values = Mapping[str, Any]
SHARES = {"logging": 34.0, "csv_write": 24.0, "queue_ops": 14.0, "dataframe_ops": 18.0}


def verdicts(values: Values) -> list[Any]:
    """Return the verdicts on each component of a report."""
    loaded = settings(values)
    judged = judge(make_report(SHARES, loaded, ticks=3_000, pauses=15), thresholds_of(loaded))
    return [each.judgement.verdict for each in judged.phases] + [judged.gc.verdict]


def targets(values: Values) -> tuple[Any, ...]:
    """Return what a report says that was promised, and whether it is kept."""
    report = make_report(SHARES, settings(values), ticks=1_000)
    latency, throughput = report.latency_summary, report.throughput
    return latency.target_ms, latency.meets_target, throughput.target_tps, throughput.meets_target


def pairs(values: Values) -> tuple[int, int]:
    """Return how many pairs of how many ticks are compared, where there is no lack of ticks."""
    evidence = settings(values).config.evidence
    return size_of(10**7, evidence.pairs, evidence.pair_ticks)
