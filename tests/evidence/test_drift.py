"""The streaming detector: finds a slowdown in time, does not find what is not there, and says so once."""

import numpy as np
import pytest

from myquant.errors import DataError
from myquant.evidence import simulations
from myquant.evidence.drift import (
    DELAY_TICKS,
    Calibration,
    Drift,
    DriftDetector,
    first_alarm,
)


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return simulations.detector(np.random.default_rng(1))


def fed(detector: DriftDetector, ratios: np.ndarray) -> list[Drift]:
    return [drift for ratio in ratios.tolist() if (drift := detector.add(ratio))]


@pytest.mark.parametrize("residual_cv", [0.01, 0.03])
def test_a_slowdown_is_found_in_time(residual_cv: float) -> None:
    random = np.random.default_rng(2)
    calibration = simulations.detector(random, residual_cv)
    found = simulations.delays(random, calibration, 200, residual_cv)
    assert np.percentile(found, 95, method="inverted_cdf") <= DELAY_TICKS


def test_a_session_without_a_slowdown_is_left_alone() -> None:
    random = np.random.default_rng(3)
    assert sum(simulations.alarms(random, simulations.detector(random), 5) for _ in range(4)) <= 1


def test_tick_by_tick_finds_what_the_whole_series_finds(calibration: Calibration) -> None:
    random = np.random.default_rng(4)
    for slower in (1.0, 1.12, 1.2, 1.5):
        ratios = slower * simulations.ratios(random, 5_000)
        found = fed(DriftDetector(calibration), ratios)
        assert (found[0].tick if found else None) == first_alarm(ratios, calibration)


def test_a_drift_says_when_it_began_and_how_large_it_is(calibration: Calibration) -> None:
    random = np.random.default_rng(5)
    calm, slow = simulations.ratios(random, 20_000), 1.3 * simulations.ratios(random, 5_000)
    found = fed(DriftDetector(calibration), np.concatenate([calm, slow]))
    assert len(found) == 1
    assert 20_000 < found[0].tick < 21_000
    assert abs(found[0].tick - found[0].ticks - 20_000) < 150
    assert found[0].percent == pytest.approx(30, abs=8)


def test_a_drift_is_told_once_until_it_is_over(calibration: Calibration) -> None:
    random = np.random.default_rng(6)
    stretches = [slower * simulations.ratios(random, 5_000) for slower in (1, 1.4, 1, 1.4)]
    found = fed(DriftDetector(calibration), np.concatenate(stretches))
    assert [drift.tick // 5_000 for drift in found] == [1, 3]


def test_one_tick_however_slow_is_no_drift(calibration: Calibration) -> None:
    detector = DriftDetector(calibration)
    assert fed(detector, np.ones(100)) == []
    assert detector.add(1e9) is None


def test_a_faster_session_is_no_drift(calibration: Calibration) -> None:
    assert first_alarm(simulations.ratios(np.random.default_rng(7), 20_000) / 1.3, calibration) is None


def test_the_scale_of_the_ratios_does_not_matter() -> None:
    ratios = simulations.ratios(np.random.default_rng(8), 20_000)
    one, other = (DriftDetector.calibrate(scale * ratios).calibration for scale in (1.0, 40.0))
    assert other.threshold == pytest.approx(one.threshold, rel=1e-6)
    assert other.middle - one.middle == pytest.approx(np.log(40))


def test_the_same_baseline_calibrates_the_same(calibration: Calibration) -> None:
    assert simulations.detector(np.random.default_rng(1)) == calibration


def test_an_unsteady_baseline_says_that_it_will_be_late() -> None:
    steady, wild = (
        DriftDetector.calibrate(simulations.ratios(np.random.default_rng(9), 20_000, tick_sigma=sigma)).calibration
        for sigma in (0.3, 2.5)
    )
    assert steady.delay_p95_ticks <= DELAY_TICKS < wild.delay_p95_ticks


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan")])
def test_a_ratio_that_is_none_is_refused(calibration: Calibration, bad: float) -> None:
    with pytest.raises(DataError, match="above 0"):
        DriftDetector(calibration).add(bad)
    with pytest.raises(DataError, match="not above 0"):
        DriftDetector.calibrate(np.append(np.ones(30_000), bad))


def test_a_short_baseline_is_refused() -> None:
    with pytest.raises(DataError, match="19,999 ticks is too short: record at least 20,000"):
        DriftDetector.calibrate(np.ones(19_999))
