"""The engine on a batch in memory against the same job as a plain C loop."""

from collections.abc import Callable
from time import perf_counter
from typing import Any

from bench import jobs
from bench.limit import climit
from bench.limit.ticks import Ticks
from bench.measure import Goal, Row, Section, interleaved, ratio, spread

# Every job: its settings, whether every signal is asked, and the part of C's speed that is wanted.
JOBS: dict[str, tuple[dict[str, Any], bool, float]] = {
    "default strategy, whole accounting": ({}, False, 0.5),
    "every indicator": (jobs.EVERY_SIGNAL, True, 0.2),
    "every indicator and the ATR stop": ({**jobs.EVERY_SIGNAL, **jobs.ATR_STOP}, True, 0.2),
}
REDUCED = "reduced job, engine"
WITH_CURVE = "default strategy with its equity curve"
CURVE_MARKS_S = 5  # as in defaults.toml


def measure(rounds: int, *, quick: bool) -> Section:  # noqa: ARG001  (every section has it)
    """The jobs of the issue; in each the trades of both sides are compared first."""
    columns = jobs.ticks()
    section = Section("core: a batch in memory against plain C (-O3), a thirty times repeated day")
    section.notes.append(f"{len(columns):,} ticks: {jobs.recorded_day()[1]} on following days")
    section.rows.append(_reduced(columns, rounds))
    section.rows += [_job(name, columns, rounds) for name in JOBS]
    section.rows.append(_with_curve(columns, rounds))
    return section


def engine_seconds(changes: dict[str, Any], columns: Ticks) -> float:
    """Return what a run takes, its trades collected; loading, and making the engine, apart."""
    made, batch = jobs.engine(changes), jobs.batch_of(columns)
    began = perf_counter()
    jobs.run(made, batch)
    return perf_counter() - began


def _reduced(columns: Ticks, rounds: int) -> Row:
    price = columns.price
    limit = climit.run_reduced(columns.time_ns, price)
    trades = len(jobs.run(jobs.engine(jobs.REDUCED), jobs.batch_of(columns)).trades)
    if trades != limit.trades:
        raise RuntimeError(f"{REDUCED}: the engine has {trades} trades, the C loop {limit.trades}")
    note = f"{trades:,} trades on both sides; C keeps no accounts and no records here, the engine does"
    return _row(
        REDUCED, jobs.REDUCED, columns, lambda: climit.run_reduced(columns.time_ns, price).seconds, rounds, 0.6, note
    )


def _job(name: str, columns: Ticks, rounds: int) -> Row:
    changes, every_signal, goal = JOBS[name]
    limit = climit.run_indicators if every_signal else climit.run_default
    ours = jobs.rows_of_engine(jobs.run(jobs.engine(changes), jobs.batch_of(columns)).trades)
    wanted = jobs.rows_of_c(limit(columns).trades)
    if jobs.ATR_STOP.items() <= changes.items():
        note = f"{len(ours):,} trades; the C loop averages the range, too, but stops by points: {len(wanted):,} trades"
    elif ours != wanted:
        raise RuntimeError(f"{name}: the {len(ours)} trades of the engine are not the {len(wanted)} of the C loop")
    else:
        note = f"{len(ours):,} trades, equal in every column"
    return _row(name, changes, columns, lambda: limit(columns).seconds, rounds, goal, note)


def _with_curve(columns: Ticks, rounds: int) -> Row:
    changes = {"results.mark_interval_s": CURVE_MARKS_S}
    note = f"a point every {CURVE_MARKS_S} s of the day, which the C loop does not draw"
    return _row(WITH_CURVE, changes, columns, lambda: climit.run_default(columns).seconds, rounds, None, note)


def _row(
    name: str,
    changes: dict[str, Any],
    columns: Ticks,
    limit: Callable[[], float],
    rounds: int,
    goal: float | None,
    note: str,
) -> Row:
    engine_seconds(changes, columns)  # warm
    seconds = interleaved({"ours": lambda: engine_seconds(changes, columns), "C": limit}, rounds)
    per_tick = 1e9 / len(columns)
    return Row(
        name,
        "ns/tick",
        spread(seconds["ours"]).scaled(per_tick),
        "C loop",
        spread(seconds["C"]).scaled(per_tick),
        ratio(seconds["C"], seconds["ours"]),
        Goal(goal) if goal else None,
        note,
    )
