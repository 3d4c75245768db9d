"""What the instrument costs on this machine now, and which part of the ticks it may look at for that cost."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from myquant.measure.added import added_ns
from myquant.measure.calibration import Calibration, median_of
from myquant.measure.names import INGEST, LOGGING
from myquant.measure.spans import AGAIN, DECIDED, Spans
from myquant.measure.table import read_log

__all__ = ["Calibration", "allowed_percent", "calibrate", "calibration_of", "choose_sampling", "laps_ns"]

BATCHES: Final = 101
WARM_UP: Final = 15  # batches before the first that counts: the interpreter rewrites code that runs often
TICKS: Final = 40  # of a batch
ROUNDS_PER_BATCH: Final = 6  # of ticks with and without the instrument

LONG_TICK_NS: Final = 90_000.0
SHORT_TICK_NS: Final = 25_000.0
LONG_PERCENT: Final = 1.0  # what measuring may cost a long tick
SHORT_PERCENT: Final = 1.5  # likewise a short one
EVERY_MAX: Final = 100  # a sparser sample of a usual run would be no sample

Clock = Callable[[], int]


def calibrate(clock: Clock = time.monotonic_ns, batches: int = BATCHES) -> Calibration:
    """Return the costs of `Spans` on this clock: 0.2 s of batches of some hundred marks, and of ticks in pairs."""
    alone = calibration_of(lambda: _batch(clock), batches)
    return replace(alone, **added_ns(clock, ROUNDS_PER_BATCH * batches))


def calibration_of(batch: Callable[[], Mapping[str, float]], batches: int) -> Calibration:
    """Return the medians over batches of costs by name: one in which the system took the processor away does not count."""
    for _ in range(WARM_UP):
        batch()
    found = [batch() for _ in range(batches)]
    return Calibration(**{name: median_of([costs[name] for costs in found]) for name in found[0]})


def laps_ns(spans: Spans) -> dict[str, float]:
    """Return the mean length of stretches in which nothing happened, by kind, as a calibration names them."""
    recorded = spans.recorded()
    log = read_log(recorded)
    done = np.zeros(spans.capacity, np.int64)
    done[: recorded.stamps.shape[1]] = recorded.stamps[-2]
    ns = log.ends(done) - log.times
    is_last = np.append(log.is_begin[1:], True)
    kinds = {
        "empty_ns": log.is_begin & is_last,
        "first_ns": log.is_begin & ~is_last,
        "last_ns": ~log.is_begin & is_last,
        "mark_ns": log.is_span & ~is_last,
        "again_ns": ~log.is_span & ~log.is_begin & ~is_last,
    }
    return {name: float(ns[kind].mean()) for name, kind in kinds.items() if np.any(kind)}


def _batch(clock: Clock) -> dict[str, float]:
    """Return each cost's mean over one batch."""
    marked = Spans(TICKS, clock=clock)
    for _ in range(TICKS):
        marked.begin(1, 1)
        mark = marked.mark
        mark(INGEST)
        mark(LOGGING)
        mark(INGEST)
        mark(LOGGING)
        mark(AGAIN + INGEST)
        mark(AGAIN + LOGGING)
        marked.end()
    found = laps_ns(marked)
    found |= _calls_ns(clock) | _beside_ns(clock, found)
    return found


def _calls_ns(clock: Clock) -> dict[str, float]:
    """Return what calls cost their caller, from outside; and what an empty tick shows."""
    empty = Spans(TICKS, clock=clock)
    skip = empty.mark  # as between ticks
    begun = clock()
    for _ in range(TICKS):
        empty.begin(1, 1)
        empty.end()
    paired = clock()
    for _ in range(TICKS):
        empty.end()
    ended = clock()
    for _ in range(TICKS):
        skip(INGEST)
        skip(LOGGING)
        skip(INGEST)
        skip(LOGGING)
    skipped = clock()
    for _ in range(TICKS):
        clock()
    read = clock()
    end_ns = (ended - paired) / TICKS
    return {
        "empty_ns": laps_ns(empty)["empty_ns"],
        "begin_ns": (paired - begun) / TICKS - end_ns,
        "end_ns": end_ns,
        "skip_ns": (skipped - ended) / TICKS / 4,
        "clock_ns": (read - skipped) / TICKS,
    }


def _beside_ns(clock: Clock, laps: Mapping[str, float]) -> dict[str, float]:
    """Return what additions and notes lengthen the span they fall into."""
    spans = Spans(TICKS, clock=clock)
    notes, additions = 0, 0
    for _ in range(TICKS):
        spans.begin(1, 1)
        mark, note, add = spans.mark, spans.note, spans.add
        mark(INGEST)
        begun = clock()
        note(DECIDED)
        note(DECIDED)
        noted = clock()
        add(LOGGING, 0)
        add(LOGGING, 0)
        additions += clock() - noted
        notes += noted - begun
        mark(LOGGING)
        spans.end()
    read_ns = laps["mark_ns"] / 2  # about what reading the clock between them takes
    return {
        "note_ns": max(0.0, (notes / TICKS - read_ns) / 2),
        "add_ns": max(0.0, (additions / TICKS - read_ns) / 2),
    }


def allowed_percent(tick_ns: float) -> float:
    """Return what measuring may cost a tick of this length: 1 % from 90 us, 1.5 % up to 25 us, in a line between."""
    lengths, percents = (SHORT_TICK_NS, LONG_TICK_NS), (SHORT_PERCENT, LONG_PERCENT)
    return float(np.interp(tick_ns, lengths, percents))


def choose_sampling(
    tick_ns: float, marks_per_tick: float, calibration: Calibration, skips_per_tick: float | None = None
) -> int:
    """Return k: with the trees of 1 tick in k taken, the upper bound of what measuring costs is within `allowed_percent`.

    `skips_per_tick`: marks of a tick whose tree is not taken; None: as many. `EVERY_MAX` where no k brings the cost there, as
    with ticks of a few us: what it costs is in the breakdown all the same.
    """
    allowed_ns = tick_ns * allowed_percent(tick_ns) / 100
    whole = calibration.tick_ns(marks_per_tick, 1).high
    least = calibration.unsampled_ns.high + calibration.skip_ns.high * (
        marks_per_tick if skips_per_tick is None else skips_per_tick
    )
    if whole <= allowed_ns:
        return 1
    if least >= allowed_ns:
        return EVERY_MAX
    return min(EVERY_MAX, math.ceil((whole - least) / (allowed_ns - least)))
