"""Verdicts: right on both sides of a threshold, honest in between, and none where nothing was measured."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myquant.config.loading import load_config
from myquant.evidence import simulations
from myquant.evidence.simulations import Machine
from myquant.evidence.verdicts import ENTERED_MIN, PHASES, Verdict, judge_gc, judge_share, ticks_needed
from myquant.measure.batch_means import Interval, share_interval
from myquant.measure.names import NAMES


def judged(low: float, share: float, high: float, threshold: float = 40) -> Verdict:
    return judge_share(Interval(share, low, high, 20_000), threshold, 20_000, 2_000, entered=20_000).verdict


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        ((40.1, 42, 44), Verdict.IMPLEMENT),
        ((36, 38, 39.9), Verdict.SKIP),
        ((39, 41, 43), Verdict.UNDECIDED),
        ((40, 42, 44), Verdict.UNDECIDED),  # an end that lies on the threshold is not beyond it
        ((36, 38, 40), Verdict.UNDECIDED),
    ],
)
def test_the_whole_interval_decides(interval: tuple[float, float, float], verdict: Verdict) -> None:
    assert judged(*interval) is verdict


def test_what_was_not_measured_is_unknown_and_has_no_share() -> None:
    found = judge_share(None, 40, 20_000, 2_000, entered=0)
    assert (found.verdict, found.share, found.low, found.high) == (Verdict.UNKNOWN, None, None, None)
    assert found.reason == "not measured"


@given(st.floats(0, 100), st.integers(0, 100_000), st.integers(0, 100_000))
def test_too_few_samples_are_unknown_whatever_they_say(share: float, n: int, entered: int) -> None:
    found = judge_share(Interval(share, share, share, n), 40, n, 2_000, entered=entered)
    assert (found.verdict is Verdict.UNKNOWN) == (n < 2_000 or entered < ENTERED_MIN)
    if n < 2_000:
        assert found.ticks_needed == 2_000 - n


def test_a_share_of_nothing_is_unknown_and_no_reason_to_skip() -> None:
    found = judge_share(Interval(0, 0, 0, 20_000), 40, 20_000, 2_000, entered=0)
    assert (found.verdict, found.ticks_needed) == (Verdict.UNKNOWN, None)


def test_a_rare_component_says_how_long_to_measure() -> None:
    found = judge_share(Interval(3, 1, 8, 2_000), 40, 2_000, 2_000, entered=5)
    assert (found.verdict, found.ticks_needed) == (Verdict.UNKNOWN, 6_000)
    assert "entered in 5 of 2,000 ticks" in found.reason


def test_the_ticks_still_needed_do_settle_it_mostly() -> None:
    random, settled, judgements = np.random.default_rng(1), 0, 0
    for _ in range(100):
        part, whole = simulations.workload(random, 4_000, 0.392, Machine())
        first = judge_share(share_interval(part, whole), 40, 4_000, 2_000, entered=4_000)
        if first.verdict is not Verdict.UNDECIDED or first.ticks_needed is None or first.ticks_needed > 100_000:
            continue
        n = 4_000 + first.ticks_needed
        longer = share_interval(*simulations.workload(random, n, 0.392, Machine()))
        settled += judge_share(longer, 40, n, 2_000, entered=n).verdict is Verdict.SKIP
        judgements += 1
    assert judgements > 30
    assert settled / judgements > 0.5


def test_a_share_on_the_threshold_needs_no_number_of_ticks() -> None:
    found = judge_share(Interval(40.0001, 38, 42, 20_000), 40, 20_000, 2_000, entered=20_000)
    assert (found.verdict, found.ticks_needed) == (Verdict.UNDECIDED, None)
    assert "measuring longer won't tell" in found.reason
    assert ticks_needed(Interval(40, 38, 42, 20_000), 40, 20_000) is None


@given(st.floats(0.1, 20), st.floats(0.05, 1))
def test_the_nearer_the_threshold_the_more_ticks_are_needed(half: float, nearness: float) -> None:
    far, near = (
        ticks_needed(Interval(40 - distance, 40 - distance - half, 40 - distance + half, 5_000), 40, 5_000)
        for distance in (half, half * nearness)
    )
    assert far is not None
    assert near is None or near >= far > 0


@pytest.mark.parametrize("machine", [Machine(), Machine(correlation=0.9, cv=0.18), Machine(every=100)])
@pytest.mark.parametrize("ticks", [2_000, 5_000])
def test_workloads_off_the_threshold_are_not_judged_wrongly(ticks: int, machine: Machine) -> None:
    assert simulations.wrong_verdicts(np.random.default_rng(1), ticks, machine, 300) <= 1


def test_the_workloads_that_a_last_value_gate_misjudges() -> None:
    random = np.random.default_rng(1)
    for share, verdict in ((0.45, Verdict.IMPLEMENT), (0.22, Verdict.SKIP)):
        for _ in range(50):
            found = share_interval(*simulations.workload(random, 20_000, share, Machine()))
            assert judge_share(found, 40, 20_000, 2_000, entered=20_000).verdict is verdict


def spikes(hit: float, *, n: int = 4_000) -> tuple[np.ndarray, np.ndarray]:
    """Return latencies with a spike each hundredth tick, and collections at so much of them."""
    random = np.random.default_rng(1)
    latency, at = random.uniform(1e4, 2e4, n), np.arange(50, n, 100)
    latency[at] += 1e6
    overlaps = np.zeros(n, np.bool_)
    overlaps[at[: round(hit * len(at))]] = True
    return latency, overlaps


@pytest.mark.parametrize(("hit", "verdict"), [(0, "SKIP"), (0.3, "UNDECIDED"), (0.6, "IMPLEMENT"), (1, "IMPLEMENT")])
def test_collections_are_judged_by_the_spikes_they_meet(hit: float, verdict: str) -> None:
    found = judge_gc(*spikes(hit), 30, 2_000)
    assert (found.verdict, found.n) == (verdict, 40)
    assert found.share == pytest.approx(100 * hit)


def test_a_single_stall_is_no_proof_however_many_ticks_it_makes_late() -> None:
    latency = np.random.default_rng(1).uniform(1e4, 2e4, 4_000)
    latency[1_000:1_040] += 1e6
    overlaps = latency > 1e6
    found = judge_gc(latency, overlaps, 30, 2_000)
    assert (found.verdict, found.share) == (Verdict.UNDECIDED, 100)
    assert "in 1 runs" in found.reason


def test_collections_that_were_not_recorded_are_unknown() -> None:
    latency, overlaps = spikes(0)
    assert judge_gc(latency, None, 30, 2_000).verdict is Verdict.UNKNOWN
    assert judge_gc(latency[:500], overlaps[:500], 30, 2_000).ticks_needed == 1_500
    assert judge_gc(np.ones(4_000), overlaps, 30, 2_000).verdict is Verdict.UNKNOWN  # nothing stands out


def test_every_phase_names_settings_and_a_component_that_exist() -> None:
    tree = load_config().config.model_dump()
    for phase in PHASES:
        section, key = phase.threshold_key.split(".")
        assert key in tree[section]
        section, key = phase.setting.split(".")
        assert key in tree[section]
        assert phase.component in NAMES
    assert [(phase.number, phase.priority) for phase in PHASES] == [
        (2, "HIGH"),
        (3, "HIGH"),
        (4, "MEDIUM"),
        (5, "MEDIUM"),
    ]
