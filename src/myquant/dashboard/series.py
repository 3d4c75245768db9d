"""Series as a page draws them: few points of many, without losing an extreme. Pure functions of arrays.

Times: ns, int64; values of their own unit. A series is in order of time.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from myquant.dashboard.trace import Trace
from myquant.dashboard.trace_rows import (
    CLOSE,
    HIGH,
    LOW,
    MINUTE_NS,
    OPEN,
    SECOND,
    SECOND_NS,
    STAGES,
    Words,
    percentile_ns,
)

POINTS_MIN: Final = 4  # the ends and the extremes
P50, P99, P99_9 = 500, 990, 999  # per mille


class Line(NamedTuple):
    """Points: times and values, both int64 (n,)."""

    time_ns: NDArray[np.int64]
    value: NDArray[np.int64]


class Quantiles(NamedTuple):
    """Percentiles of the latencies of a stretch of minutes, ns; None: too few values to have one."""

    from_ns: int
    to_ns: int
    n: int
    p50: int | None
    p99: int | None
    p99_9: int | None


def bar_line(bars: Words) -> Line:
    """Return the prices of seconds (n, BAR_WORDS) as points: of each its lowest and its highest, half a second apart."""
    is_rise = bars[:, CLOSE] >= bars[:, OPEN]
    first = np.where(is_rise, bars[:, LOW], bars[:, HIGH])
    second = np.where(is_rise, bars[:, HIGH], bars[:, LOW])
    times = np.repeat(bars[:, SECOND] * SECOND_NS, 2)
    times[1::2] += SECOND_NS // 2
    values = np.stack((first, second), axis=1).reshape(-1)
    kept = np.ones(len(values), bool)
    kept[1::2] = first != second
    return Line(times[kept], values[kept])


def thinned(line: Line, most: int) -> Line:
    """Return at most so many (POINTS_MIN or more) of the points: all, or the ends and the extremes of equal stretches of time."""
    count = len(line.time_ns)
    if count <= most:
        return line
    stretches = max(1, (most - 2) // 2)
    since = line.time_ns - line.time_ns[0]
    column = since // (int(since[-1]) // stretches + 1)
    begins = np.flatnonzero(np.diff(column, prepend=-1))
    order = np.lexsort((line.value, column))  # by column, then value; stable: the first of equals
    ends = np.append(begins[1:], count) - 1
    places = np.unique(np.concatenate(([0, count - 1], order[begins], order[ends])))
    return Line(line.time_ns[places], line.value[places])


def between(line: Line, from_ns: int, to_ns: int) -> Line:
    """Return the points from a time up to another, which is included."""
    begin, end = np.searchsorted(line.time_ns, [from_ns, to_ns + 1])
    return Line(line.time_ns[begin:end], line.value[begin:end])


def zoomed(line: Line, from_ns: int, to_ns: int, most: int) -> Line:
    """Return at most so many points (24 or more): most of them within a range of time, a third outside, so that the whole can be seen, too."""
    inner = thinned(between(line, from_ns, to_ns), most * 2 // 3)
    outside = most // 6
    begin, end = np.searchsorted(line.time_ns, [from_ns, to_ns + 1])
    before = thinned(Line(line.time_ns[:begin], line.value[:begin]), outside)
    after = thinned(Line(line.time_ns[end:], line.value[end:]), outside)
    return Line(*(np.concatenate(parts) for parts in zip(before, inner, after, strict=True)))


def latency_line(trace: Trace, stage: str, minutes: Sequence[int], most: int) -> list[Quantiles]:
    """Return the percentiles of a stage (of `trace_rows.STAGES`) over some minutes, in order, at most so many points.

    Where there are more minutes, neighbours are taken together: their counts, never their percentiles.
    """
    size = max(1, -(-len(minutes) // max(1, most)))
    place, line = STAGES.index(stage), []
    for begin in range(0, len(minutes), size):
        group = list(minutes[begin : begin + size])
        counts = trace.counts(group)[place]
        if n := int(counts.sum()):
            found = (percentile_ns(counts, per_mille) for per_mille in (P50, P99, P99_9))
            line.append(Quantiles(group[0] * MINUTE_NS, (group[-1] + 1) * MINUTE_NS, n, *found))
    return line
