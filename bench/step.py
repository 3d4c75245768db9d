"""One tick at a time through the Python call, as a live session makes it.

Times come from `perf_counter_ns` around each call. What the pair of clock reads itself takes is measured in the same
rounds and its median taken off.
"""

from collections.abc import Callable
from functools import partial
from time import perf_counter_ns
from typing import Any

import numpy as np

from bench import jobs
from bench.measure import Goal, Row, Section, interleaved, spread
from bench.shape import nothing
from myquant.core.compiled import direct

TICKS = 34_000  # a day of them
PERCENTILES = {"p50": 50.0, "p99": 99.0, "p99.9": 99.9}
GOALS_US = {"p50": Goal(1.0, at_least=False), "p99": Goal(3.0, at_least=False)}
NS_PER_US = 1e3

Ints = np.ndarray[Any, np.dtype[np.int64]]
Records = np.ndarray[Any, Any]


def measure(rounds: int, *, quick: bool) -> Section:  # noqa: ARG001  (every section has it)
    columns = jobs.ticks(TICKS)
    events = jobs.events_of(columns)

    def step() -> Ints:
        made = jobs.engine({})
        made.prepare_day(0, int(columns.time_ns[0]))
        made.step_at(events, 0)  # finds its machine code
        return _each(partial(made.step_at, events), range(1, len(events)))

    idle = jobs.engine({})
    past = direct(nothing, idle.desk, idle.instruments, idle.days, events, 0, idle.commands)

    def empty(events: Records, at: int) -> int:  # as much Python as in `Engine.step_at`
        return past(idle.desk, idle.instruments, idle.days, events, at, idle.commands)

    sides: dict[str, Callable[[], Ints]] = {
        "step": step,
        "empty": lambda: _each(partial(empty, events), range(len(events))),
        "clock": lambda: _clock(len(events)),
    }
    found = interleaved(sides, rounds)
    clock_ns = float(np.median([np.median(times) for times in found["clock"]]))
    section = Section("step: one tick at a time through the Python call, default strategy")
    section.rows += _rows("Engine.step_at", found["step"], clock_ns, GOALS_US)
    section.rows += _rows("an empty compiled call", found["empty"], clock_ns, {})
    section.notes.append(
        f"{len(events):,} ticks a round; {clock_ns:.0f} ns, the median of a pair of clock reads, are off"
    )
    return section


def _each(call: Callable[[int], Any], places: range) -> Ints:
    """Return the nanoseconds of every single call."""
    taken = np.zeros(len(places), np.int64)
    for number, at in enumerate(places):
        began = perf_counter_ns()
        call(at)
        taken[number] = perf_counter_ns() - began
    return taken


def _clock(count: int) -> Ints:
    """Return what a pair of clock reads by itself shows."""
    taken = np.zeros(count, np.int64)
    for number in range(count):
        began = perf_counter_ns()
        taken[number] = perf_counter_ns() - began
    return taken


def _rows(name: str, rounds: list[Ints], clock_ns: float, goals: dict[str, Goal]) -> list[Row]:
    """Return a row per percentile: the spread of the rounds' percentiles."""
    rows = []
    for label, percent in PERCENTILES.items():
        values = [(float(np.percentile(times, percent)) - clock_ns) / NS_PER_US for times in rounds]
        rows.append(Row(f"{name}, {label}", "us", spread(values), goal=goals.get(label)))
    return rows
