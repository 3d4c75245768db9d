"""The recorder: self times, counts, samples, and what has no room; on a clock that is told the time."""

import gc
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from measure.spinning import FakeClock
from myquant.errors import ConfigError
from myquant.measure.breakdown import Breakdown
from myquant.measure.names import CORE, CSV_WRITE, FIRST_OWN, GC, INGEST, LOGGING, NAMES, QUEUE_OPS, UNATTRIBUTED
from myquant.measure.spans import ACKNOWLEDGED, AGAIN, DECIDED, ORDERED, Spans

JOURNAL_COLUMN = 3  # of the core's four


def of(breakdown: Breakdown, tick: int = 0) -> dict[str, float]:
    """Return the components of a tick that have a time."""
    return {name: ns for name, ns in zip(breakdown.names, breakdown.self_ns[tick], strict=True) if ns}


def make(capacity: int = 8, marks: int = 0, own: tuple[str, ...] = ()) -> tuple[FakeClock, Spans]:
    clock = FakeClock()
    return clock, Spans(capacity, marks, own, clock)


def one_tick(clock: FakeClock, spans: Spans, *steps: tuple[int, int]) -> None:
    spans.begin(0, 0)
    for code, ns in steps:
        spans.mark(code)
        clock.sleep(ns)
    spans.end()


def test_a_mark_ends_the_span_before_it() -> None:
    clock, spans = make()
    spans.begin(0, 0)
    clock.sleep(5)  # nobody's
    spans.mark(LOGGING)
    clock.sleep(45)
    spans.mark(CSV_WRITE)
    clock.sleep(20)
    spans.mark(AGAIN + LOGGING)
    clock.sleep(10)
    spans.mark(UNATTRIBUTED)
    clock.sleep(20)
    spans.end()
    found = spans.breakdown()
    assert of(found) == {"unattributed": 25, "logging": 55, "csv_write": 20}
    assert found.service_ns.tolist() == [100]
    assert found.calls[0, [LOGGING, CSV_WRITE]].tolist() == [1, 1]


def test_repeated_spans_of_one_component_add_up() -> None:
    clock, spans = make()
    one_tick(clock, spans, (LOGGING, 10), (UNATTRIBUTED, 5), (LOGGING, 30), (UNATTRIBUTED, 5))
    found = spans.breakdown()
    assert of(found) == {"logging": 40, "unattributed": 10}
    assert found.calls[0, LOGGING] == 2


@given(st.lists(st.lists(st.tuples(st.integers(0, 10), st.integers(0, 1000)), max_size=8), min_size=1, max_size=8))
def test_the_components_times_are_the_ticks_time(ticks: list[list[tuple[int, int]]]) -> None:
    clock, spans = make()
    for steps in ticks:
        clock.sleep(3)
        one_tick(clock, spans, *steps)
    found = spans.breakdown()
    assert found.raw_ns.sum(axis=1).tolist() == found.service_ns.tolist() == [sum(ns for _, ns in s) for s in ticks]


def test_waiting_while_the_thread_was_idle_counts_and_waiting_behind_a_tick_does_not() -> None:
    clock, spans = make()
    clock.now_ns = 1_000
    spans.begin(900, 960)  # read at 900, handed over at 960, taken at 1000
    clock.sleep(500)
    spans.end()
    clock.sleep(100)
    spans.begin(1_100, 1_550)  # came while the first was at work, handed over 50 after it was done
    clock.sleep(10)
    spans.end()
    found = spans.breakdown()
    assert of(found, 0) == {"ingest": 60, "queue_ops": 40, "unattributed": 500}
    assert of(found, 1) == {"ingest": 50, "queue_ops": 50, "unattributed": 10}
    assert found.latency_ns.tolist() == [600, 510]
    assert found.calls[:, [INGEST, QUEUE_OPS]].tolist() == [[1, 1], [1, 1]]


def test_latency_counts_from_when_a_tick_was_due() -> None:
    clock, spans = make()
    one_tick(clock, spans, (LOGGING, 50))
    found = spans.breakdown(intended_ns=[400], exchange_ns=[7])
    assert found.latency_ns.tolist() == [650]
    assert found.stamps["exchange_ns"].tolist() == [7]


def test_the_core_is_divided_by_its_own_counters() -> None:
    clock, spans = make()
    one_tick(clock, spans, (INGEST, 10), (CORE, 100), (LOGGING, 10))
    core_ns = np.array([[30.0, 20.0, 0.0, 40.0]])
    found = spans.breakdown(core_ns, np.array([[1, 1, 0, 2]]))
    assert of(found) == {
        "unattributed": 10,
        "ingest": 10,
        "indicator_update": 30,
        "signal_eval": 20,
        "journal": 40,
        "logging": 10,
    }
    assert found.calls[0, NAMES.index("journal")] == 2
    assert found.measured[NAMES.index("position_mgmt")]


def test_counters_that_make_more_than_there_was_are_cut_down() -> None:
    clock, spans = make()
    one_tick(clock, spans, (CORE, 100))
    found = spans.breakdown(np.array([[120.0, 0.0, 0.0, 80.0]]))
    assert of(found) == {"indicator_update": pytest.approx(60), "journal": pytest.approx(40)}


def test_a_core_without_counters_is_nobodys() -> None:
    clock, spans = make()
    one_tick(clock, spans, (CORE, 100))
    found = spans.breakdown()
    assert of(found) == {"unattributed": 100}
    assert not found.measured[JOURNAL_COLUMN]


def test_what_was_measured_elsewhere_is_taken_from_what_is_open() -> None:
    clock, spans = make()
    spans.begin(0, 0)
    spans.mark(LOGGING)
    clock.sleep(60)
    spans.add(CSV_WRITE, 25)
    clock.sleep(40)
    spans.end()
    found = spans.breakdown()
    assert of(found) == {"logging": 75, "csv_write": 25}
    assert found.calls[0, [LOGGING, CSV_WRITE]].tolist() == [1, 1]


def test_what_exceeds_it_lengthens_the_tick() -> None:
    clock, spans = make()
    spans.begin(0, 0)
    clock.sleep(10)
    spans.add(LOGGING, 50)
    spans.end()
    found = spans.breakdown()
    assert of(found) == {"logging": 50}
    assert found.service_ns.tolist() == [50]


def test_stamps_of_an_order_are_its_ticks() -> None:
    clock, spans = make()
    spans.begin(0, 0)
    spans.note(DECIDED)
    clock.sleep(5)
    spans.note(ORDERED)
    spans.end()
    spans.begin(0, 0)
    clock.sleep(5)
    spans.note_at(ACKNOWLEDGED, 0)
    spans.end()
    found = spans.breakdown().stamps
    assert found[["decided_ns", "ordered_ns", "acknowledged_ns"]].tolist() == [(1000, 1005, 1010), (0, 0, 0)]


def test_a_component_of_ones_own_has_a_code_and_a_name() -> None:
    clock, spans = make(own=("risk", "audit"))
    one_tick(clock, spans, (FIRST_OWN + 1, 10))
    assert of(spans.breakdown()) == {"audit": 10}


def test_what_no_tick_entered_is_not_measured_unless_the_pipeline_has_it() -> None:
    clock, spans = make()
    one_tick(clock, spans, (LOGGING, 10))
    found = spans.breakdown(measured=(CSV_WRITE,))
    assert [NAMES[place] for place in np.flatnonzero(found.measured)] == ["unattributed", "logging", "csv_write"]


def test_ticks_without_room_are_counted_and_none_is_overwritten() -> None:
    clock, spans = make(capacity=3)
    for ns in range(1, 7):
        one_tick(clock, spans, (LOGGING, ns))
        assert spans.tick == min(ns - 1, 3)
    found = spans.breakdown()
    assert found.self_ns[:, LOGGING].tolist() == [1, 2, 3]
    assert found.dropped == spans.dropped == 3


@pytest.mark.parametrize("room", range(1, 9))
def test_ticks_whose_marks_have_no_room_keep_their_stamps(room: int) -> None:
    clock, spans = make(marks=room)
    for ns in range(1, 5):
        clock.sleep(100)
        one_tick(clock, spans, (LOGGING, ns), (CSV_WRITE, ns))  # three entries of the log each
    found = spans.breakdown()
    whole = (room - 1) // 3  # the last one that fits is not told from one that lacks its last mark
    assert found.is_sampled.tolist() == [tick < whole for tick in range(4)]
    assert found.service_ns.tolist() == [2, 4, 6, 8]
    assert found.self_ns[:whole, LOGGING].tolist() == list(range(1, whole + 1))
    assert np.all(np.isnan(found.self_ns[whole:]))
    assert spans.lost > 0


def test_a_tick_that_never_ended_is_counted_and_left_out() -> None:
    clock, spans = make()
    one_tick(clock, spans, (LOGGING, 1))
    spans.begin(0, 0)
    spans.mark(LOGGING)
    clock.sleep(7)
    one_tick(clock, spans, (LOGGING, 3))
    found = spans.breakdown()
    assert found.unfinished == 1
    assert found.self_ns[:, LOGGING].tolist() == [1, 3]


def test_a_sample_is_one_of_every_k_and_the_others_have_stamps() -> None:
    clock, spans = make(capacity=100)
    spans.sample_every(10, seed=5)
    for ns in range(1, 101):
        clock.sleep(10)
        one_tick(clock, spans, (LOGGING, ns))
    found = spans.breakdown()
    assert found.is_sampled.reshape(10, 10).sum(axis=1).tolist() == [1] * 10
    assert found.service_ns.tolist() == list(range(1, 101))
    sampled = np.flatnonzero(found.is_sampled)
    assert found.self_ns[sampled, LOGGING].tolist() == (sampled + 1).tolist()
    assert np.all(np.isnan(found.raw_ns[~found.is_sampled]))
    assert (found.stamps["begun_ns"] > 0).tolist() == found.is_sampled.tolist()
    assert found.latency_ns.tolist() == list(range(1, 101))


def test_ticks_that_are_not_sampled_have_their_latency_and_service_time() -> None:
    clock, spans = make(capacity=100)
    spans.sample_every(100, seed=1)
    for tick in range(4):
        clock.now_ns = 2_000 + 100 * tick
        spans.begin(1_900, 1_950)  # all came at once
        clock.sleep(100)
        spans.end()
    found = spans.breakdown()
    assert not found.is_sampled.any()
    assert found.latency_ns.tolist() == [200, 300, 400, 500]
    assert found.service_ns.tolist() == [200, 100, 100, 100]


def test_another_seed_draws_another_sample() -> None:
    drawn = []
    for seed in (1, 1, 2):
        clock, spans = make(capacity=200)
        spans.sample_every(10, seed)
        for _ in range(200):
            one_tick(clock, spans, (LOGGING, 1))
        drawn.append(spans.breakdown().is_sampled.tolist())
    assert drawn[0] == drawn[1] != drawn[2]


def test_marks_between_ticks_are_nobodys() -> None:
    clock, spans = make()
    for _ in range(3):
        one_tick(clock, spans, (LOGGING, 10))
        spans.mark(CSV_WRITE)
        clock.sleep(10)
    assert spans.breakdown().calls[:, CSV_WRITE].tolist() == [0, 0, 0]


def test_a_window_of_the_ticks_has_their_times() -> None:
    clock, spans = make()
    for ns in (5, 6, 7):
        spans.begin(1_000, 0)  # all came at once
        clock.sleep(ns)
        spans.end()
    found = spans.breakdown()
    assert found.window(1, 3).service_ns.tolist() == found.service_ns[1:].tolist() == [6, 7]
    assert found.window(1, 3).latency_ns.tolist() == [11, 18]


def test_nothing_recorded_is_no_ticks() -> None:
    _, spans = make()
    assert len(spans.breakdown().stamps) == 0


@pytest.mark.parametrize(
    ("capacity", "own", "what"),
    [(0, (), "give one tick or more"), (5, ("logging",), "a name of its own"), (5, ("a", "a"), "a name of its own")],
)
def test_a_recorder_that_can_not_be(capacity: int, own: tuple[str, ...], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        Spans(capacity, own=own)


def test_a_sample_is_chosen_before_the_first_tick() -> None:
    clock, spans = make()
    with pytest.raises(ConfigError, match="give 1 or more"):
        spans.sample_every(0, 1)
    one_tick(clock, spans)
    with pytest.raises(ConfigError, match="before the first tick"):
        spans.sample_every(2, 1)


def test_a_mark_of_no_component_is_told() -> None:
    clock, spans = make()
    one_tick(clock, spans, (77, 1))
    with pytest.raises(ConfigError, match="a mark of component 77"):
        spans.breakdown()


def test_too_few_rows_of_the_core_are_told() -> None:
    clock, spans = make()
    one_tick(clock, spans, (CORE, 1))
    with pytest.raises(ConfigError, match="core_ns: 0 rows for 1 ticks"):
        spans.breakdown(np.zeros((0, 4)))


def test_recording_allocates_nothing_that_stays() -> None:
    spans = Spans(2_000)

    def record(ticks: int) -> None:
        for tick in range(ticks):
            spans.begin(tick, tick)
            mark = spans.mark
            mark(LOGGING)
            spans.note(DECIDED)
            spans.add(CSV_WRITE, tick)
            mark(AGAIN + INGEST)
            spans.end()

    record(100)
    gc.collect()
    tracemalloc.start()
    try:
        record(10)
        before = tracemalloc.get_traced_memory()[0]
        record(1_500)
        assert tracemalloc.get_traced_memory()[0] - before < 1_500  # less than a byte a tick
    finally:
        tracemalloc.stop()


def test_gc_is_a_component_only_where_it_was_watched() -> None:
    clock, spans = make()
    one_tick(clock, spans, (LOGGING, 1))
    assert not spans.breakdown().measured[GC]
