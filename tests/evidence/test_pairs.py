"""Comparisons: the interval and the p-value never disagree, a swap turns everything round, and what is there is found."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import wilcoxon

from myquant.errors import ConfigError, DataError
from myquant.evidence import simulations
from myquant.evidence.pairs import Difference, Kind, Reference, compare, compare_batches, mean, median, order, p99

TIMES = st.integers(8, 30).flatmap(lambda pairs: arrays(np.float64, (2, pairs), elements=st.integers(900, 1_100)))
SAME, SLOWER, FASTER = Difference.NO_DIFFERENCE_SHOWN, Difference.SLOWER, Difference.FASTER


@given(TIMES)
def test_the_verdict_the_interval_and_the_p_value_agree(times: np.ndarray) -> None:
    found = compare(*times)
    excluded = found.ratio_high < 1 or found.ratio_low > 1
    assert excluded == (found.p_value <= 1 - found.level) == (found.verdict is not SAME)
    assert found.ratio_low <= found.ratio <= found.ratio_high
    assert found.low <= found.improvement_percent <= found.high


@given(TIMES)
def test_a_swap_turns_everything_round(times: np.ndarray) -> None:
    found, back = compare(*times), compare(*times[::-1])
    assert (back.ratio, back.ratio_low, back.ratio_high) == pytest.approx(
        (1 / found.ratio, 1 / found.ratio_high, 1 / found.ratio_low)
    )
    assert back.p_value == found.p_value
    assert {found.verdict, back.verdict} in ({SAME}, {SLOWER, FASTER})


@given(TIMES, st.floats(0.01, 1e6))
def test_the_unit_does_not_matter(times: np.ndarray, unit: float) -> None:
    found, other = compare(*times), compare(*(unit * times))
    assert other.ratio == pytest.approx(found.ratio)
    assert other.n == found.n == times.shape[1]


@pytest.mark.parametrize("pairs", [8, 20, 40])
def test_the_p_value_is_wilcoxons(pairs: int) -> None:
    random = np.random.default_rng(pairs)
    before, after = random.lognormal(0, 0.1, (2, pairs)) * [[1], [1.03]]
    wanted = wilcoxon(np.log(after / before), method="exact").pvalue
    assert compare(before, after).p_value == pytest.approx(wanted, abs=1e-12)


def test_the_order_is_drawn_by_its_seed() -> None:
    assert (order(200, 7) == order(200, 7)).all()
    assert (order(200, 7) != order(200, 8)).any()
    assert 70 < order(200, 7).sum() < 130


def test_identical_sides_show_no_difference() -> None:
    found = compare(np.full(40, 5.0), np.full(40, 5.0))
    assert (found.ratio, found.p_value, found.verdict) == (1, 1, SAME)


def test_two_percent_are_found_in_forty_pairs() -> None:
    random = np.random.default_rng(1)
    assert simulations.shown(random, 40, 0.02, 200) >= 95
    assert simulations.shown(random, 40, -0.02, 200) >= 95


def test_no_change_is_seldom_taken_for_one() -> None:
    assert simulations.shown(np.random.default_rng(1), 40, 0, 600) <= 1.5


def test_a_change_that_fools_the_order_of_the_sides_is_not_found() -> None:
    random = np.random.default_rng(2)
    false = 0
    for seed in range(300):  # the second side is always 5 % slower, as after a cold cache
        first, second = random.lognormal(0, 0.02, (2, 40)) * [[1], [1.05]]
        is_first = order(40, seed)
        false += compare(np.where(is_first, first, second), np.where(is_first, second, first)).verdict is not SAME
    assert false / 300 <= 0.03


def test_a_statistic_is_taken_of_each_sides_ticks() -> None:
    random = np.random.default_rng(3)
    before = random.lognormal(0, 0.05, (40, 200))
    after = before.copy()
    after[:, ::50] *= 3  # one tick in fifty: what is rare shows in the mean and the tail, not in the usual tick
    after[:, 0] *= 3
    assert compare(before, after, mean).verdict is SLOWER
    assert compare(before, after, p99).verdict is SLOWER
    assert abs(compare(before, after, median).improvement_percent) < 1


def test_a_slower_tail_is_found() -> None:
    random, found = np.random.default_rng(4), 0
    for _ in range(40):
        found += compare(*simulations.pairs_of(random, 40, 0.2), p99).verdict is SLOWER
    assert found >= 36


@pytest.mark.parametrize("pairs", [0, 7, 1_001])
def test_a_number_of_pairs_that_proves_nothing_is_refused(pairs: int) -> None:
    with pytest.raises(ConfigError, match=f"evidence.pairs: {pairs} pairs can't be compared"):
        compare(np.ones(pairs), np.ones(pairs))


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_a_time_that_is_none_is_refused(bad: float) -> None:
    times = np.ones(20)
    times[3] = bad
    with pytest.raises(DataError, match="not above 0"):
        compare(times, np.ones(20))


def test_pairs_have_two_sides() -> None:
    with pytest.raises(DataError, match="20 times before and 19 after"):
        compare(np.ones(20), np.ones(19))


def report(random: np.random.Generator, slower: float) -> tuple[np.ndarray, Reference]:
    """Return the batch means and the reference of a run, on a machine that is as fast as it happens to be that day."""
    speed = random.lognormal(0, 0.15)
    return speed * (1 + slower) * random.lognormal(0, 0.01) * random.lognormal(0, 0.03, 20), Reference(speed * 50_000)


@pytest.mark.parametrize(("slower", "least", "most"), [(0, 0, 1.5), (0.1, 95, 100), (0.02, 0, 40)])
def test_two_reports_with_references_show_what_is_gross(slower: float, least: float, most: float) -> None:
    random, found = np.random.default_rng(5), 0
    for _ in range(200):
        (base, base_reference), (new, new_reference) = report(random, 0), report(random, slower)
        found += compare_batches(base, new, base_reference, new_reference).verdict is not SAME
    assert least <= found / 2 <= most


def test_two_reports_without_references_are_compared_with_great_caution() -> None:
    random = np.random.default_rng(6)
    pairs = [(report(random, 0)[0], report(random, 0)[0]) for _ in range(200)]
    assert sum(compare_batches(*pair).verdict is not SAME for pair in pairs) <= 3
    assert compare_batches(pairs[0][0], 3 * pairs[0][0]).verdict is SLOWER
    assert compare_batches(pairs[0][0], pairs[0][1], Reference(50_000)).design == "two runs, not normalised"


def test_reports_swapped_turn_the_ratio_round() -> None:
    random = np.random.default_rng(7)
    (base, one), (new, other) = report(random, 0), report(random, 0.1)
    found, back = compare_batches(base, new, one, other), compare_batches(new, base, other, one)
    assert back.ratio == pytest.approx(1 / found.ratio)
    assert (found.verdict, back.verdict) == (SLOWER, FASTER)
    assert (found.p_value <= 0.01) == (found.ratio_low > 1)


FAST, SLOW = Reference(45_000), Reference(50_000)


def times(level: float, seed: int) -> np.ndarray:
    """Return batch means with 1 % of noise."""
    return level * np.random.default_rng(seed).lognormal(0, 0.01, 20)


@pytest.mark.parametrize("kind", [Kind.WAITING, Kind.UNKNOWN])
@pytest.mark.parametrize("references", [(SLOW, FAST), (FAST, SLOW)])
def test_waiting_is_no_longer_on_a_slower_processor(kind: Kind, references: tuple[Reference, Reference]) -> None:
    for seed in range(20):
        found = compare_batches(times(550, 2 * seed), times(550, 2 * seed + 1), *references, kind)
        assert found.verdict is SAME
        assert found.p_value > 0.01


@pytest.mark.parametrize("kind", [Kind.COMPUTING, Kind.UNKNOWN])
@pytest.mark.parametrize("references", [(SLOW, FAST), (FAST, SLOW), (SLOW, SLOW)])
@pytest.mark.parametrize("slower", [1.2, 1.25])
def test_slower_work_is_found_on_a_machine_of_another_speed(
    kind: Kind, references: tuple[Reference, Reference], slower: float
) -> None:
    speed = references[1].ns / references[0].ns
    for seed in range(20):
        before, after = times(30, 2 * seed), times(30 * slower * speed, 2 * seed + 1)
        found = compare_batches(before, after, *references, kind)
        assert found.verdict is SLOWER
        assert found.p_value < 0.01
        assert found.ratio == pytest.approx(slower, rel=0.02)
        assert compare_batches(after, before, *references[::-1], kind).verdict is FASTER


@given(st.floats(0.5, 2), st.floats(0.5, 2), st.sampled_from(Kind))
def test_verdict_interval_and_p_value_of_reports_agree(change: float, speed: float, kind: Kind) -> None:
    found = compare_batches(times(30, 1), times(30 * change, 2), SLOW, Reference(50_000 * speed), kind)
    assert (found.verdict is not SAME) == (found.p_value <= 1 - found.level)
    assert found.ratio_low <= found.ratio <= found.ratio_high


def test_a_gross_difference_of_waiting_is_found() -> None:
    assert compare_batches(times(550, 1), times(1_650, 2), SLOW, FAST, Kind.WAITING).verdict is SLOWER


def test_an_unsure_reference_makes_the_comparison_unsure() -> None:
    before, after = times(30, 1), times(33, 2)
    assert compare_batches(before, after, SLOW, SLOW).verdict is SLOWER
    unsure = Reference(50_000, 0.05)
    assert compare_batches(before, after, unsure, unsure).verdict is SAME


def test_too_few_batches_are_refused() -> None:
    with pytest.raises(DataError, match="9 batches are too few"):
        compare_batches(np.ones(9), np.ones(20))
