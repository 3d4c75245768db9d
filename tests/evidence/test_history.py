"""Change points: found where they are, seldom where there is only noise, whatever its kind."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myquant.errors import DataError
from myquant.evidence.history import changes

Noise = Callable[[np.random.Generator, int], np.ndarray]
NOISES: dict[str, Noise] = {
    "normal": lambda random, n: random.standard_normal(n),
    "heavy tails": lambda random, n: random.standard_t(3, n),
    "leaning": lambda random, n: random.exponential(1, n),
    "outliers": lambda random, n: random.standard_normal(n) + np.where(random.random(n) < 0.05, 6, 0),
}


@pytest.mark.parametrize("kind", NOISES)
@pytest.mark.parametrize(("runs", "series"), [(8, 200), (30, 80)])
def test_noise_is_seldom_taken_for_a_change(kind: str, runs: int, series: int) -> None:
    random = np.random.default_rng(1)
    false = sum(bool(changes(np.exp(0.02 * NOISES[kind](random, runs)))) for _ in range(series))
    assert false / series <= 0.09  # 4 %, and what so few series leave open


def test_a_change_is_found_where_it_is() -> None:
    random, found = np.random.default_rng(2), 0
    for _ in range(50):
        series = 250 * np.exp(0.02 * random.standard_normal(30))
        series[18:] *= 1.1
        seen = changes(series)
        found += len(seen) == 1 and abs(seen[0].index - 18) <= 1 and abs(seen[0].percent - 10) < 4
    assert found >= 45


def test_there_and_back_are_two_changes() -> None:
    series = 100 + 0.5 * np.random.default_rng(3).standard_normal(36)
    series[12:24] += 20
    there, back = changes(series)
    assert (there.index, back.index) == (12, 24)
    assert there.percent == pytest.approx(20, abs=2)
    assert back.percent == pytest.approx(-100 / 6, abs=2)
    assert there.after == back.before


def test_one_odd_run_is_no_change() -> None:
    series = 100 + np.random.default_rng(4).standard_normal(30)
    series[11] = 400
    assert changes(series) == []


def test_a_clean_step_is_found_without_any_noise() -> None:
    (change,) = changes([10.0] * 10 + [11.0] * 10)
    assert (change.index, change.before, change.after) == (10, 10, 11)
    assert change.percent == pytest.approx(10)


@pytest.mark.parametrize("series", [[], [5.0], [1.0, 1, 1, 9, 9], [7.0] * 40, [10.0] * 5 + [11.0] + [10.0] * 6])
def test_what_shows_no_change(series: list[float]) -> None:
    assert changes(series) == []


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.floats(1e-3, 1e6))
def test_the_unit_does_not_matter(seed: int, unit: float) -> None:
    series = np.random.default_rng(seed).lognormal(0, 0.02, 20)
    series[10:] *= 1.1
    found, other = changes(series), changes(unit * series)
    assert [change.index for change in other] == [change.index for change in found]
    assert [change.percent for change in other] == pytest.approx([change.percent for change in found])


def test_a_long_history_is_looked_at_from_its_end() -> None:
    series = np.random.default_rng(5).lognormal(0, 0.01, 400)
    series[350:] *= 1.2
    assert [change.index for change in changes(series)] == [350]


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_a_result_that_is_none_is_refused(bad: float) -> None:
    with pytest.raises(DataError, match="not above 0"):
        changes([1.0, 1, 1, 1, bad, 1])
