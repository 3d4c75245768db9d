"""Intervals of counts and percentiles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from myquant.errors import DataError
from myquant.evidence.intervals import percentile_interval, proportion_interval, resampled


@given(st.integers(1, 500), st.data())
def test_a_proportions_interval_is_the_exact_one(n: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, n))
    wanted = binomtest(hits, n).proportion_ci(method="exact")
    assert proportion_interval(hits, n)[1:3] == pytest.approx((100 * wanted.low, 100 * wanted.high), abs=1e-6)


def test_fewer_independent_cases_make_a_wider_interval() -> None:
    each, runs = proportion_interval(30, 100), proportion_interval(30, 100, 10)
    assert each.value == runs.value == 30
    assert runs.low < each.low < each.high < runs.high


@pytest.mark.parametrize(("hits", "n"), [(0, 0), (3, 2), (-1, 4)])
def test_what_is_no_proportion_is_refused(hits: int, n: int) -> None:
    with pytest.raises(DataError, match="no proportion"):
        proportion_interval(hits, n)


@pytest.mark.parametrize("percent", [50, 90, 99])
def test_a_percentiles_interval_covers_the_truth(percent: float) -> None:
    random, truth = np.random.default_rng(1), -np.log(1 - percent / 100)
    found = [percentile_interval(random.exponential(size=5_000), percent) for _ in range(400)]
    assert 92 <= np.mean([each.low <= truth <= each.high for each in found]) * 100 <= 99


@given(st.integers(0, 2**32), st.floats(0.1, 99.9))
def test_a_percentile_lies_in_its_interval_and_scales(seed: int, percent: float) -> None:
    values = np.random.default_rng(seed).exponential(size=200)
    found, doubled = percentile_interval(values, percent), percentile_interval(2 * values, percent)
    assert values.min() <= found.low <= found.value <= found.high <= values.max()
    assert doubled[:3] == pytest.approx([2 * edge for edge in found[:3]])


def test_a_resampled_series_keeps_neighbours_together() -> None:
    series = resampled(np.arange(100.0), 10, (50, 95), np.random.default_rng(1))
    assert series.shape == (50, 95)
    together = np.diff(series, axis=1) % 100 == 1
    assert together[:, np.arange(94) % 10 != 9].all()
    assert not together[:, 9::10].all()
