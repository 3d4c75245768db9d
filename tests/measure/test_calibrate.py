"""What the instrument says of itself: its costs, how they are taken off, and how sparse a sample has to be."""

import numpy as np
import pytest

from measure.spinning import FakeClock
from myquant.measure.batch_means import Interval
from myquant.measure.calibrate import (
    EVERY_MAX,
    allowed_percent,
    calibrate,
    calibration_of,
    choose_sampling,
)
from myquant.measure.calibration import Calibration
from myquant.measure.names import CSV_WRITE, INGEST, LOGGING, QUEUE_OPS, UNATTRIBUTED
from myquant.measure.spans import AGAIN, DECIDED, Spans


def cost(ns: float) -> Interval:
    return Interval(ns, ns * 0.9, ns * 1.1, 101)


MADE_UP = Calibration(
    mark_ns=cost(10),
    again_ns=cost(12),
    first_ns=cost(14),
    last_ns=cost(16),
    empty_ns=cost(18),
    add_ns=cost(20),
    note_ns=cost(22),
    begin_ns=cost(30),
    end_ns=cost(15),
    tick_open_ns=cost(45),
    tick_mark_ns=cost(11),
    unsampled_ns=cost(40),
    skip_ns=cost(2),
)


def test_costs_are_found_on_this_machine() -> None:
    found = calibrate(batches=21)
    for name, each in found.figures().items():
        if name == "lap_ns":  # of the compiled core, by its own counter
            continue
        assert 0 < each.low <= each.value <= each.high, name
        assert each.n in (21, 6 * 21)
    assert found.skip_ns.high < found.mark_ns.low < found.empty_ns.low
    assert found.unsampled_ns.value < found.tick_open_ns.value + 8 * found.tick_mark_ns.value
    assert found.outside_ns > 0


def test_a_clock_that_stands_still_costs_nothing() -> None:
    assert all(each.value == 0 for each in calibrate(FakeClock(), batches=3).figures().values())


def test_the_median_of_batches_has_an_interval_that_covers_it() -> None:
    random = np.random.default_rng(3)
    covered = 0
    for _ in range(400):
        costs = iter(random.lognormal(0, 0.5, 200).tolist())
        found = calibration_of(lambda: {"mark_ns": next(costs)}, 51).mark_ns  # noqa: B023  (called at once)
        covered += found.low <= 1.0 <= found.high
    assert covered >= 0.93 * 400


def test_each_stretch_has_its_cost_taken_off() -> None:
    clock = FakeClock()
    spans = Spans(4, clock=clock, calibration=MADE_UP)
    spans.begin(900, 950)
    clock.sleep(100)
    spans.mark(LOGGING)  # 100 - first
    clock.sleep(100)
    spans.mark(CSV_WRITE)  # 100 - mark
    clock.sleep(100)
    spans.mark(AGAIN + LOGGING)  # 100 - mark
    clock.sleep(100)
    spans.mark(CSV_WRITE)  # 100 - again
    clock.sleep(40)
    spans.note(DECIDED)
    clock.sleep(60)
    spans.end()  # 100 - last - note
    spans.begin(0, 0)
    clock.sleep(10)
    spans.end()  # shorter than its cost
    found = spans.breakdown()
    own = {code: found.self_ns[0, code] for code in (UNATTRIBUTED, LOGGING, CSV_WRITE, INGEST, QUEUE_OPS)}
    outside = 30 + 15 - 18
    assert own == {
        UNATTRIBUTED: 86,
        LOGGING: 90 + 88,
        CSV_WRITE: 90 + 100 - 16 - 22,
        INGEST: 50,
        QUEUE_OPS: 50 - outside,
    }
    assert found.raw_ns.sum(axis=1).tolist() == found.service_ns.tolist() == [600, 10]
    assert (found.self_ns.sum(axis=1) + found.overhead_ns).tolist() == found.service_ns.tolist()
    assert found.overhead_ns.tolist() == [14 + 10 + 10 + 12 + 16 + 22 + outside, 10]


def test_the_cost_of_ticks_that_are_not_sampled_is_estimated() -> None:
    clock = FakeClock()
    spans = Spans(50, clock=clock, calibration=MADE_UP)
    spans.sample_every(5, seed=1)
    for _ in range(50):
        spans.begin(0, 0)
        clock.sleep(1_000)
        for _ in range(3):
            spans.mark(LOGGING)
            clock.sleep(1_000)
        spans.end()
    found = spans.breakdown()
    assert set(found.overhead_ns[~found.is_sampled]) == {40 + 3 * 2}
    assert set(found.overhead_ns[found.is_sampled]) == {14 + 10 + 10 + 16}
    spent = (45 + 5 * 11) / 5 + (40 + 3 * 2) * 4 / 5  # 50 ns of marks that follow each other are five of them
    whole = 100 * spent / (4_000 - spent)
    assert found.overhead_percent() == pytest.approx((whole, whole * 0.9, whole * 1.1, 50), rel=3e-3)
    spans.skips = 0
    assert set(spans.breakdown().overhead_ns[~found.is_sampled]) == {40}


@pytest.mark.parametrize(
    ("tick_ns", "percent"), [(1_000, 1.5), (25_000, 1.5), (57_500, 1.25), (90_000, 1.0), (10**7, 1.0)]
)
def test_what_measuring_may_cost(tick_ns: float, percent: float) -> None:
    assert allowed_percent(tick_ns) == pytest.approx(percent)


@pytest.mark.parametrize("tick_ns", [5_500, 25_000, 40_000, 90_000, 200_000])
@pytest.mark.parametrize("marks", [2, 8, 20])
@pytest.mark.parametrize("skips", [None, 0.0])
def test_the_sample_is_the_densest_that_may_be(tick_ns: float, marks: int, skips: float | None) -> None:
    k = choose_sampling(tick_ns, marks, MADE_UP, skips)
    allowed = tick_ns * allowed_percent(tick_ns) / 100
    if k < EVERY_MAX:
        assert MADE_UP.tick_ns(marks, k, skips).high <= allowed + 1e-6
    if k > 1:
        assert MADE_UP.tick_ns(marks, k - 1, skips).high > allowed


def test_no_sample_makes_measuring_cheap_enough_for_a_tick_that_is_too_short() -> None:
    assert choose_sampling(500, 8, MADE_UP) == EVERY_MAX
