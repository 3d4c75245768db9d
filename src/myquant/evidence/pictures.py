"""What the page of a baseline draws, small enough to stand in its report."""

from typing import Any, Final

import numpy as np

from myquant.evidence.report import Mark, Pictures
from myquant.measure.breakdown import Breakdown, arrivals_of
from myquant.measure.histogram import buckets

STRETCHES: Final = 1_500  # of the timeline: the slowest tick of each
MARKS: Final = 300  # pauses of the collector, the longest
NS_PER_MS: Final = 1e6
NS_PER_S: Final = 1e9

Array = np.ndarray[Any, Any]


def pictures(breakdown: Breakdown, latency_ns: Array) -> Pictures:
    """Return histogram, timeline and marks of the latencies (n,) of a breakdown's ticks."""
    edges_ns, counts = buckets(latency_ns)
    done_ns, begun_ns = breakdown.stamps["done_ns"], int(arrivals_of(breakdown.stamps).min())
    slowest = _slowest(latency_ns)
    pauses = breakdown.collections
    lasted_ns = pauses["ended_ns"] - pauses["begun_ns"]
    longest = np.sort(np.argsort(-lasted_ns, kind="stable")[:MARKS])
    return Pictures(
        edges_ms=tuple(float(f"{edge / NS_PER_MS:.5g}") for edge in edges_ns),
        counts=tuple(counts),
        at_s=tuple(np.round((done_ns[slowest] - begun_ns) / NS_PER_S, 4).tolist()),
        latency_ms=tuple(np.round(latency_ns[slowest] / NS_PER_MS, 5).tolist()),
        collections=tuple(
            Mark(
                at_s=round((int(pauses["begun_ns"][place]) - begun_ns) / NS_PER_S, 4),
                pause_ms=round(int(lasted_ns[place]) / NS_PER_MS, 5),
                generation=int(pauses["generation"][place]),
                tick=int(pauses["tick"][place]),
            )
            for place in longest
        ),
        collections_left_out=len(pauses) - len(longest),
    )


def _slowest(latency_ns: Array) -> Array:
    """Return the places of the slowest tick of each of at most `STRETCHES` equal stretches."""
    stretches = np.array_split(np.arange(len(latency_ns)), min(STRETCHES, len(latency_ns)))
    return np.array([each[0] + int(np.argmax(latency_ns[each])) for each in stretches])
