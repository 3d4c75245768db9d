"""Percentiles from the histogram: within 0.8 % of those of the values themselves, whatever the values are."""

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as of_numpy

from myquant.errors import DataError
from myquant.measure.histogram import buckets, encoded, histogram_of, percentiles_of

times = of_numpy.arrays(np.int64, st.integers(1, 300), elements=st.integers(0, 2**36))


@given(times)
def test_percentiles_are_within_their_error(values: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    found = percentiles_of(values)
    ordered = np.sort(values)
    for name, percent in {"p50": 50, "p90": 90, "p99": 99, "p99_9": 99.9}.items():
        true = ordered[max(1, int(percent * len(values) / 100 + 0.5)) - 1]
        assert getattr(found, name) == pytest.approx(true, rel=0.008, abs=0)
    assert found.max == ordered[-1]
    assert found.n == len(values)


@given(times)
def test_one_record_for_many_is_as_good_as_one_each(values: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    one_each = HdrHistogram(1, max(int(values.max()), 2), 3)
    for value in values.tolist():
        one_each.record_value(value)
    percents = (1, 50, 99, 100)
    ours = histogram_of(values)
    assert [ours.get_value_at_percentile(at) for at in percents] == [
        one_each.get_value_at_percentile(at) for at in percents
    ]
    assert ours.get_total_count() == len(values)


def test_the_encoded_histogram_is_the_same_one() -> None:
    values = np.random.default_rng(1).lognormal(11, 1, 5_000).astype(np.int64)
    decoded = HdrHistogram.decode(encoded(values))
    assert decoded.get_total_count() == 5_000
    assert decoded.get_value_at_percentile(99) == pytest.approx(np.percentile(values, 99), rel=0.008)


@given(times)
def test_buckets_hold_every_value_once(values: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    edges, counts = buckets(values)
    assert sum(counts) == len(values)
    assert len(edges) == len(counts) + 1
    assert list(edges) == sorted(edges)


def test_buckets_are_where_their_edges_say() -> None:
    edges, counts = buckets(np.array([100, 101, 1_000, 9_999]), per_decade=1)
    assert edges == pytest.approx([100, 1_000, 10_000])
    assert counts == [2, 2]


def test_what_is_no_time_is_refused() -> None:
    with pytest.raises(DataError, match="one tick or more"):
        percentiles_of(np.zeros(0, np.int64))
    with pytest.raises(DataError, match="one tick or more"):
        buckets(np.zeros(0))
    with pytest.raises(DataError, match="a time of -5 ns"):
        percentiles_of(np.array([3, -5]))
