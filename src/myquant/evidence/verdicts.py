"""What a measured share says about an optimisation: worth it, not worth it, not yet known, or never measured."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from myquant.evidence.intervals import proportion_interval
from myquant.measure.batch_means import Interval

ENTERED_MIN = 20  # ticks that entered a component: with fewer, the batches' means are too far from normal
SPIKE_PERCENTILE = 99
SPIKES_MIN = 20  # what 2,000 ticks have above their 99th percentile
TICKS_NEEDED_MAX = 10_000_000  # more than three months of full days: nobody measures that long
POWER = 1.43  # (1.96 + 0.84) / 1.96: the further measurement decides in four cases of five, not in one of two

Flags = np.ndarray[Any, np.dtype[np.bool_]]
Numbers = np.ndarray[Any, Any]


class Verdict(StrEnum):
    """What is to be done about a component."""

    IMPLEMENT = "IMPLEMENT"  # the whole interval lies above the threshold
    SKIP = "SKIP"  # the whole interval lies below it
    UNDECIDED = "UNDECIDED"  # the threshold lies in it
    UNKNOWN = "UNKNOWN"  # there is nothing to judge by


@dataclass(frozen=True)
class Judgement:
    """A verdict and what it was made of: percentages of the whole, None where nothing was measured.

    `ticks_needed` is how many more measured ticks would probably settle it; None where none are needed, or where no
    reasonable number would do (the reason says so). `n` is how many cases the share is of.
    """

    verdict: Verdict
    share: float | None
    low: float | None
    high: float | None
    threshold: float
    ticks_needed: int | None
    reason: str
    n: int


@dataclass(frozen=True)
class Phase:
    """An optimisation: the component it makes cheaper, where its threshold stands, and what it switches in `[pipeline]`."""

    number: int
    component: str
    priority: str
    threshold_key: str
    setting: str
    plain: str
    optimised: str
    alternative: str | None = None


PHASES = (
    Phase(2, "logging", "HIGH", "evidence.logging_percent", "pipeline.logging", "sync", "async"),
    Phase(3, "csv_write", "HIGH", "evidence.csv_write_percent", "pipeline.results", "direct", "buffered"),
    Phase(4, "queue_ops", "MEDIUM", "evidence.queue_ops_percent", "pipeline.handoff", "queue", "callback", "ring"),
    Phase(5, "dataframe_ops", "MEDIUM", "evidence.dataframe_ops_percent", "pipeline.frames", "append", "batch"),
)


def judge_share(
    interval: Interval | None, threshold_percent: float, n: int, min_ticks: int, *, entered: int
) -> Judgement:
    """Judge a component's share of the service time against its threshold, both in percent.

    `interval` is None where the pipeline did not have the component or it was not measured. `n` ticks were measured, and
    `entered` of them entered the component.
    """
    threshold = float(threshold_percent)
    if interval is None:
        return Judgement(Verdict.UNKNOWN, None, None, None, threshold, None, "not measured", n)

    def judged(verdict: Verdict, reason: str, needed: int | None = None) -> Judgement:
        return Judgement(verdict, interval.value, interval.low, interval.high, threshold, needed, reason, n)

    if n < min_ticks:
        return judged(
            Verdict.UNKNOWN, f"{n:,} ticks were measured, and at least {min_ticks:,} are needed", min_ticks - n
        )
    if entered < ENTERED_MIN:
        reason = f"entered in {entered} of {n:,} ticks, and at least {ENTERED_MIN} are needed"
        return judged(Verdict.UNKNOWN, reason, _reasonable(n * ENTERED_MIN / entered - n) if entered else None)
    if interval.low > threshold:
        return judged(Verdict.IMPLEMENT, f"all of the interval lies above {threshold:g} %")
    if interval.high < threshold:
        return judged(Verdict.SKIP, f"all of the interval lies below {threshold:g} %")
    needed = ticks_needed(interval, threshold, n)
    if needed is None:
        return judged(Verdict.UNDECIDED, f"the share lies so near to {threshold:g} % that measuring longer won't tell")
    return judged(
        Verdict.UNDECIDED, f"{threshold:g} % lies in the interval: measure about {needed:,} ticks more", needed
    )


def ticks_needed(interval: Interval, threshold: float, n: int) -> int | None:
    """Return how many more ticks would bring the interval off the threshold, if the share is what it seems to be.

    The half-width shrinks with the root of the number of ticks. None: too many to be measured.
    """
    half = interval.high - interval.value if interval.value < threshold else interval.value - interval.low
    distance = abs(interval.value - threshold)
    if distance == 0:
        return None
    return _reasonable(n * max((POWER * half / distance) ** 2 - 1, 0.01))


def judge_gc(
    latency_ns: Numbers, collections_overlap: Flags | None, threshold_percent: float, min_ticks: int
) -> Judgement:
    """Judge whether collections of garbage cause the slowest ticks: the share of ticks above p99 that met one, in percent.

    `latency_ns` and `collections_overlap` are (n,), one a tick; the flags are None where collections were not recorded.
    One stall makes many ticks in a row late, so each run of slow ticks counts once for the interval's width.
    """
    threshold, n = float(threshold_percent), len(latency_ns)
    if collections_overlap is None or n < min_ticks:
        few = f"{n:,} ticks were measured, and at least {min_ticks:,} are needed"
        reason, needed = (
            ("collections were not recorded", None) if collections_overlap is None else (few, min_ticks - n)
        )
        return Judgement(Verdict.UNKNOWN, None, None, None, threshold, needed, reason, n)
    is_spike = latency_ns > np.percentile(latency_ns, SPIKE_PERCENTILE, method="inverted_cdf")
    spikes = int(is_spike.sum())
    if spikes < SPIKES_MIN:
        reason = f"{spikes} ticks lie above p{SPIKE_PERCENTILE}, and at least {SPIKES_MIN} are needed"
        needed = _reasonable(n * SPIKES_MIN / spikes - n) if spikes else None
        return Judgement(Verdict.UNKNOWN, None, None, None, threshold, needed, reason, spikes)
    runs = int(is_spike[0]) + int(np.sum(is_spike[1:] & ~is_spike[:-1]))
    found = proportion_interval(int((is_spike & collections_overlap).sum()), spikes, runs)
    judged = judge_share(found, threshold, n, min_ticks, entered=n)
    reason = f"{judged.reason}; {spikes} ticks above p{SPIKE_PERCENTILE}, in {runs} runs"
    return Judgement(judged.verdict, found.value, found.low, found.high, threshold, judged.ticks_needed, reason, spikes)


def _reasonable(ticks: float) -> int | None:
    return math.ceil(ticks) if ticks <= TICKS_NEEDED_MAX else None
