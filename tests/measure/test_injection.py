"""Known work planted into components comes out within a point of its share, in real time.

The truth is what each piece of work found that it took. A tick in which the system took the processor away between two
pieces has no known truth, and is left out on both sides.
"""

import time
from collections.abc import Callable

import numpy as np
import pytest

from measure.spinning import spin
from myquant.measure.calibrate import calibrate
from myquant.measure.instrumentor import PerformanceInstrumentor
from myquant.measure.names import CSV_WRITE, DATAFRAME_OPS, LOGGING, NAMES, UNATTRIBUTED
from myquant.measure.spans import AGAIN, Spans

TICKS = 300
US = 3_000  # three of them: a call of `spin` takes 0.2 us beside what it says
DISTURBED = 1.5  # times what marks, clocks and calls between pieces of work take in the median
PARTS = ("dataframe_ops", "logging", "unattributed", "csv_write")

Shares = dict[str, float]
Rows = np.ndarray[tuple[int, int], np.dtype[np.float64]]


def marked(spans: Spans, logging_us: int) -> tuple[int, ...]:
    """Run a tick with nested and repeated spans, and work that none covers; return what each of PARTS was in truth."""
    spans.begin(0, 0)
    mark = spans.mark
    mark(DATAFRAME_OPS)
    frames = spin(10 * US)
    mark(LOGGING)
    logging = spin(logging_us * US // 2)
    mark(AGAIN + DATAFRAME_OPS)
    frames += spin(5 * US)
    mark(UNATTRIBUTED)
    nobodys = spin(20 * US)
    mark(CSV_WRITE)
    written = spin(15 * US)
    mark(LOGGING)
    logging += spin(logging_us * US // 2)
    spans.end()
    return frames, logging, nobodys, written


def measured(made: PerformanceInstrumentor, logging_us: int) -> tuple[int, ...]:
    """Run the same through the public instrument."""
    made.start_tick()
    with made.measure("dataframe_ops"):
        frames = spin(10 * US)
        with made.measure("logging"):
            logging = spin(logging_us * US // 2)
        frames += spin(5 * US)
    nobodys = spin(20 * US)
    with made.measure("csv_write"):
        written = spin(15 * US)
    with made.measure("logging"):
        logging += spin(logging_us * US // 2)
    made.end_tick()
    return frames, logging, nobodys, written


def run(tick: Callable[[], tuple[int, ...]]) -> tuple[Rows, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Run ticks; return what they were in truth (n, 4), and which were not disturbed (n,)."""
    truth, whole = np.zeros((TICKS, len(PARTS))), np.zeros(TICKS)
    for number in range(TICKS):
        begun = time.monotonic_ns()
        truth[number] = tick()
        whole[number] = time.monotonic_ns() - begun
    between = whole - truth.sum(axis=1)
    return truth, between < DISTURBED * np.median(between)


def shares(rows: Rows) -> Shares:
    return dict(zip(PARTS, (100 * rows.sum(axis=0) / rows.sum()).tolist(), strict=True))


@pytest.mark.parametrize("logging_us", [10, 30, 60, 120])  # on both sides of 40 %
def test_marks_show_what_was_planted(logging_us: int) -> None:
    spans = Spans(TICKS, calibration=calibrate(batches=21))
    truth, is_sound = run(lambda: marked(spans, logging_us))
    found = spans.breakdown().self_ns[is_sound]
    assert is_sound.sum() > TICKS / 2
    assert shares(found[:, [NAMES.index(name) for name in PARTS]]) == pytest.approx(shares(truth[is_sound]), abs=1.0)


@pytest.mark.parametrize("logging_us", [10, 30, 60, 120])
def test_the_public_instrument_shows_it_too(logging_us: int) -> None:
    made = PerformanceInstrumentor(capacity=TICKS)
    truth, is_sound = run(lambda: measured(made, logging_us))
    found = [tick.components for tick in made.ticks()]
    rows = np.array([[tick[name] for name in PARTS] for tick in found])
    is_sound &= np.array([tick["gc"] == 0 for tick in found])  # a pause is in the truth of what it fell into
    assert is_sound.sum() > TICKS / 2
    assert shares(rows[is_sound]) == pytest.approx(shares(truth[is_sound]), abs=1.0)
    assert sum(each.percent_of_total for each in made.components()) == pytest.approx(100, abs=0.1)
