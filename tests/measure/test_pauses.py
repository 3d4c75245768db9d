"""Pauses of the collector: all of them are noted, and charged to the tick whose time they took."""

import gc
from collections.abc import Iterator

import numpy as np
import pytest

from measure.spinning import FakeClock, spin
from myquant.errors import ConfigError
from myquant.measure.breakdown import PAUSE, Breakdown
from myquant.measure.collections import PauseRecorder
from myquant.measure.names import GC, INGEST, LOGGING, QUEUE_OPS, UNATTRIBUTED
from myquant.measure.spans import Spans


@pytest.fixture(autouse=True)
def _only_when_asked() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def pauses(*rows: tuple[int, int]) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    return np.array([(begun, ended, 2, -1) for begun, ended in rows], PAUSE)


def a_tick(clock: FakeClock, spans: Spans) -> None:
    """Read at 1000, handed over at 1100, taken at 1200; nobody's for 100, then logging for 200: till 1500."""
    clock.now_ns = 1_200
    spans.begin(1_000, 1_100)
    clock.sleep(100)
    spans.mark(LOGGING)
    clock.sleep(200)
    spans.end()


@pytest.mark.parametrize(
    ("pause", "expected", "tick"),
    [
        ((1_310, 1_350), {LOGGING: 160, GC: 40}, 0),
        ((1_250, 1_350), {UNATTRIBUTED: 50, LOGGING: 150, GC: 100}, 0),  # over a boundary
        ((1_050, 1_150), {INGEST: 50, QUEUE_OPS: 50, GC: 100}, 0),  # while the frame waited
        ((900, 1_010), {INGEST: 90, GC: 10}, 0),  # had begun before it came
        ((1_200, 1_500), {UNATTRIBUTED: 0, LOGGING: 0, GC: 300}, 0),
        ((800, 1_000), {GC: 0}, -1),
        ((1_500, 1_600), {GC: 0}, -1),
    ],
)
def test_a_pause_is_cut_out_of_what_it_fell_into(pause: tuple[int, int], expected: dict[int, int], tick: int) -> None:
    clock = FakeClock()
    spans = Spans(4, clock=clock)
    a_tick(clock, spans)
    found = spans.breakdown(collections=pauses(pause))
    usual = {INGEST: 100, QUEUE_OPS: 100, UNATTRIBUTED: 100, LOGGING: 200, GC: 0}
    assert {code: found.self_ns[0, code] for code in usual} == usual | expected
    assert found.self_ns.sum() == found.service_ns.sum() == 500
    assert found.collections["tick"].tolist() == [tick]
    assert found.calls[0, GC] == (tick == 0)
    assert found.measured[GC]


def test_ticks_that_waited_behind_a_pause_meet_it_though_it_is_not_theirs() -> None:
    clock = FakeClock(2_000)
    spans = Spans(4, clock=clock)
    for arrived in (2_000, 2_010, 5_000):
        clock.now_ns = max(clock.now_ns, arrived)
        spans.begin(arrived, 0)
        clock.sleep(1_000)
        spans.end()
    found = spans.breakdown(collections=pauses((2_100, 2_900)))
    assert found.collections["tick"].tolist() == [0]
    assert found.self_ns[:, GC].tolist() == [800, 0, 0]
    assert found.meets_collection().tolist() == [True, True, False]


def measured(ticks: int, collect_in: dict[int, int], collect_after: dict[int, int]) -> Breakdown:
    """Measure ticks; in some of them and after others the collector runs a generation."""
    spans = Spans(ticks)
    with PauseRecorder() as recorder:
        for tick in range(ticks):
            spans.begin(0, 0)
            spans.mark(LOGGING)
            spin(5_000)
            if tick in collect_in:
                gc.collect(collect_in[tick])
            spans.end()
            if tick in collect_after:
                gc.collect(collect_after[tick])
    assert recorder.unrecorded == 0
    return spans.breakdown(collections=recorder.pauses())


def test_all_real_pauses_are_charged_to_their_ticks() -> None:
    found = measured(40, collect_in={3: 0, 17: 2, 39: 1}, collect_after={5: 1, 20: 0})
    assert found.collections[["generation", "tick"]].tolist() == [(0, 3), (1, -1), (2, 17), (0, -1), (1, 39)]
    inside = found.collections[found.collections["tick"] >= 0]
    charged = found.self_ns[inside["tick"], GC]
    assert charged.tolist() == (inside["ended_ns"] - inside["begun_ns"]).tolist()
    assert found.self_ns[:, GC].sum() == charged.sum() > 0
    assert found.self_ns.sum(axis=1) == pytest.approx(found.service_ns)


def test_pauses_without_room_are_counted() -> None:
    with PauseRecorder(capacity=2) as recorder:
        for _ in range(5):
            gc.collect(0)
    assert (len(recorder.pauses()), recorder.unrecorded) == (2, 3)


def test_nothing_is_noted_once_it_is_stopped() -> None:
    recorder = PauseRecorder()
    with recorder:
        gc.collect(0)
    gc.collect(0)
    assert len(recorder.pauses()) == 1
    with pytest.raises(ConfigError, match="give one or more"):
        PauseRecorder(capacity=0)
