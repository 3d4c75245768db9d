from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.made_rows import SECOND_NS, Made, session
from myquant.core import codes
from myquant.dashboard import trace_rows as rows_of
from myquant.dashboard.series import Line, bar_line, between, latency_line, thinned, zoomed
from myquant.dashboard.trace import Trace
from myquant.dashboard.trace_rows import BAR_WORDS, BUCKETS, LONGEST_NS, STAGES, percentile_ns

INDIA = ZoneInfo("Asia/Kolkata")
bucket_of = getattr(rows_of.bucket_of, "py_func", rows_of.bucket_of)  # it is compiled into its callers only
POINTS = st.lists(st.tuples(st.integers(0, 10**15), st.integers(-(10**9), 10**9)), max_size=200)
MOST = st.integers(4, 60)


def line_of(points: list[tuple[int, int]]) -> Line:
    ordered = sorted(points, key=lambda point: point[0])
    return Line(np.array([at for at, _ in ordered], np.int64), np.array([value for _, value in ordered], np.int64))


def points_of(line: Line) -> list[tuple[int, int]]:
    return list(zip(line.time_ns.tolist(), line.value.tolist(), strict=True))


@given(POINTS, MOST)
def test_few_points_keep_order_ends_and_extremes(points: list[tuple[int, int]], most: int) -> None:
    line = line_of(points)
    thin = thinned(line, most)
    assert len(thin.time_ns) == (len(points) if len(points) <= most else min(len(thin.time_ns), most))
    assert (np.diff(thin.time_ns) >= 0).all()
    assert not set(points_of(thin)) - set(points)
    if points:
        assert points_of(thin)[0] == points_of(line)[0]
        assert points_of(thin)[-1] == points_of(line)[-1]
        assert (thin.value.min(), thin.value.max()) == (line.value.min(), line.value.max())


@given(POINTS, MOST)
def test_each_stretch_of_time_keeps_its_extremes(points: list[tuple[int, int]], most: int) -> None:
    line = line_of(points)
    thin = thinned(line, most)
    if len(points) <= most:
        assert points_of(thin) == points_of(line)
        return
    stretches = (most - 2) // 2
    width = int(line.time_ns[-1] - line.time_ns[0]) // stretches + 1
    for stretch in range(stretches):
        begin = int(line.time_ns[0]) + stretch * width
        every, few = (between(each, begin, begin + width - 1).value for each in (line, thin))
        assert (sorted({*every.tolist()})[:1], sorted({*every.tolist()})[-1:]) == (
            sorted({*few.tolist()})[:1],
            sorted({*few.tolist()})[-1:],
        )


@given(POINTS, st.integers(0, 10**15), st.integers(0, 10**15), st.integers(24, 60))
def test_a_zoom_has_more_of_what_is_looked_at(points: list[tuple[int, int]], one: int, other: int, most: int) -> None:
    line, (begin, end) = line_of(points), sorted((one, other))
    found = zoomed(line, begin, end, most)
    assert len(found.time_ns) <= most
    assert (np.diff(found.time_ns) >= 0).all()
    inner = thinned(between(line, begin, end), most * 2 // 3)
    assert points_of(between(found, begin, end)) == points_of(inner)
    if points:
        assert (found.value.min(), found.value.max()) == (line.value.min(), line.value.max())


def test_a_second_is_its_lowest_and_its_highest_in_the_order_of_its_move() -> None:
    bars = np.zeros((3, BAR_WORDS), np.int64)
    bars[:, 1:6] = [(1, 10, 15, 9, 14), (2, 14, 16, 8, 9), (3, 9, 9, 9, 9)]
    second, half = SECOND_NS, SECOND_NS // 2
    assert points_of(bar_line(bars)) == [
        *((second, 9), (second + half, 15)),
        *((2 * second, 16), (2 * second + half, 8)),
        (3 * second, 9),
    ]


@given(st.lists(st.integers(0, LONGEST_NS), min_size=1, max_size=3000), st.sampled_from([500, 990, 999]))
def test_percentiles_are_within_0_8_percent(values: list[int], per_mille: int) -> None:
    counts = np.zeros(BUCKETS, np.int64)
    for value in values:
        counts[bucket_of(value)] += 1
    found = percentile_ns(counts, per_mille)
    least = {500: 1, 990: 100, 999: 1000}[per_mille]
    assert (found is None) == (len(values) < least)
    if found is not None:
        exact = float(np.percentile(np.array(values), per_mille / 10, method="inverted_cdf"))
        assert abs(found - exact) <= 0.008 * exact


def test_small_times_are_exact_and_long_ones_count_as_the_longest() -> None:
    buckets = [bucket_of(value) for value in range(-3, 129)]
    assert [rows_of.middle_ns(bucket) for bucket in buckets] == [0, 0, 0, *range(129)]
    assert bucket_of(2**62) == BUCKETS - 1


def test_minutes_that_are_taken_together_have_the_percentiles_of_all_their_values() -> None:
    made, drawn = Made(), np.random.default_rng(4)
    values = (10 ** drawn.uniform(4, 8, (6, 300))).astype(np.int64)
    for minute, row in enumerate(values.tolist(), start=1):
        at = minute * 60 * SECOND_NS
        for value in row:
            made.event(codes.QUOTE, time_ns=at, receive_ns=at + value)
    trace = Trace(("NIFTY",), INDIA)
    trace.take(made.rows())
    lines = {stage: latency_line(trace, stage, trace.minutes(), most=2) for stage in STAGES}
    assert [stage for stage in STAGES if lines[stage]] == ["feed"]
    assert [(each.n, each.from_ns, each.to_ns) for each in lines["feed"]] == [
        (900, 60 * SECOND_NS, 240 * SECOND_NS),
        (900, 240 * SECOND_NS, 420 * SECOND_NS),
    ]
    for each, whole in zip(lines["feed"], (values[:3], values[3:]), strict=True):
        exact = [np.percentile(whole, percent, method="inverted_cdf") for percent in (50, 99)]
        assert [each.p50, each.p99] == pytest.approx(exact, rel=0.008)
        assert each.p99_9 is None


def test_of_a_trace_of_nothing_there_are_no_lines() -> None:
    trace = Trace(("NIFTY",), INDIA)
    assert trace.minutes() == []
    assert latency_line(trace, "total", trace.minutes(), most=100) == []
    assert points_of(thinned(bar_line(trace.bars(0)), 100)) == []
    trace.take(session(1, seconds=3).rows())
    assert len(bar_line(trace.bars(0)).time_ns) > 0
