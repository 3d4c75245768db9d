"""Intervals from batch means: they cover the truth as often as they say, stay in range, and refuse what has no interval."""

import numpy as np
import pytest
import scipy.signal  # noqa: F401  (what the simulations import when they run must not be within the deadline of an example)
from hypothesis import given
from hypothesis import strategies as st

from myquant.errors import DataError
from myquant.evidence import simulations
from myquant.evidence.simulations import Machine
from myquant.measure.batch_means import batch_means, mean_interval, share_interval

TRIALS = 600
COVERED = (92.0, 98.2)  # 93 to 97 %, and what 600 trials leave open


@pytest.mark.parametrize(
    ("ticks", "machine"),
    [
        (2_000, Machine()),
        (2_000, Machine(correlation=0.9, cv=0.18)),
        (5_000, Machine(correlation=0.8, cv=0.11, tick_sigma=1.0)),
        (20_000, Machine()),
        (20_000, Machine(own_cv=0.15)),  # a component that wanders by itself, 200 windows long
    ],
)
def test_an_interval_covers_the_truth_as_often_as_it_says(ticks: int, machine: Machine) -> None:
    low, high = COVERED
    assert low <= simulations.covered(np.random.default_rng(1), ticks, machine, TRIALS) <= high


def test_the_formula_for_independent_ticks_is_far_too_sure() -> None:
    random, machine, hits = np.random.default_rng(2), Machine(own_cv=0.15), 0
    for _ in range(200):
        part, whole = simulations.workload(random, 20_000, 0.4, machine)
        share = part.sum() / whole.sum()
        half = 1.96 * np.std(part - share * whole) / whole.mean() / np.sqrt(len(part))
        hits += abs(share - 0.4) <= half
    assert hits / 2 < 80  # so that the coverage above shows something


def test_more_ticks_make_a_narrower_interval() -> None:
    random = np.random.default_rng(3)
    widths = []
    for ticks in (2_000, 200_000):
        found = share_interval(*simulations.workload(random, ticks, 0.4, Machine()))
        widths.append(found.high - found.low)
        assert found.n == ticks
    assert 5 < widths[0] / widths[1] < 20  # the root of a hundred


def test_batches_that_lean_on_each_other_widen_the_interval() -> None:
    random = np.random.default_rng(4)
    values = np.concatenate([np.full(100, level) for level in (1.0, 2.0) for _ in range(10)])
    together = mean_interval(values)
    mixed = mean_interval(random.permuted(values.reshape(20, 100), axis=0).ravel())
    assert together.value == mixed.value == 1.5
    assert together.high - together.low > 2 * (mixed.high - mixed.low)


@given(st.integers(0, 2**32), st.floats(1e-6, 1e9), st.floats(0.001, 0.999))
def test_a_share_stays_in_range_and_knows_no_unit(seed: int, unit: float, share: float) -> None:
    part, whole = simulations.workload(np.random.default_rng(seed), 200, share, Machine())
    found, other = share_interval(part, whole), share_interval(unit * part, unit * whole)
    assert 0 <= found.low <= found.value <= found.high <= 100
    assert other == pytest.approx(found, rel=1e-6)


@given(st.integers(0, 2**32))
def test_a_part_and_the_rest_mirror_each_other(seed: int) -> None:
    part, whole = simulations.workload(np.random.default_rng(seed), 400, 0.3, Machine())
    found, rest = share_interval(part, whole), share_interval(whole - part, whole)
    assert (100 - rest.value, 100 - rest.high, 100 - rest.low) == pytest.approx(found[:3], rel=1e-6)


def test_nothing_and_everything_are_exact() -> None:
    ticks = np.ones(100)
    assert share_interval(0 * ticks, ticks)[:3] == (0, 0, 0)
    assert share_interval(ticks, ticks)[:3] == (100, 100, 100)


def test_batches_are_equal_stretches_in_order() -> None:
    assert batch_means(np.arange(40)).tolist() == [2 * batch + 0.5 for batch in range(20)]
    assert len(batch_means(np.arange(2_019))) == 20


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [
        (np.ones(39), np.ones(39), "39 ticks are too few"),
        (np.ones(50), np.ones(60), "a share of 60 ticks can't be made of 50"),
        (np.zeros(50), np.zeros(50), "some above 0"),
        (-np.ones(50), np.ones(50), "0 ns or more"),
        (np.full(50, np.nan), np.ones(50), "not a number"),
    ],
)
def test_what_has_no_share_is_refused(part: np.ndarray, whole: np.ndarray, said: str) -> None:
    with pytest.raises(DataError, match=said):
        share_interval(part, whole)
