"""How compiled code holds its state: kernels of the reduced job against the C loop, and what an argument costs.

docs/decisions/0001-shape-of-state.md says what follows from the figures.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, TypeAlias

import numpy as np

from bench import company, jobs
from bench.kernels import Whole, run_folded, run_in_place
from bench.limit import climit
from bench.limit.ticks import Ticks
from bench.measure import Goal, Row, Section, interleaved, ratio, spread, timed
from myquant.core.compiled import direct, entry_point
from myquant.core.layout import record_access
from myquant.core.records import Account, Rules
from myquant.session.engine import Engine
from myquant.session.rules import core_rules

CASH = 10_000_000  # paise

Arguments: TypeAlias = tuple[Any, ...]


@entry_point
def nothing(desk: Any, instruments: Any, days: Any, events: Any, at: int, commands: Any) -> int:  # noqa: ARG001  (only to be passed)
    """Take what `drive.step` takes and do nothing: what is left is the cost of the call."""
    return at


def measure(rounds: int, *, quick: bool) -> Section:
    """The kernels against the C loop, the cost of arguments, and the engine with its calls left as calls."""
    section = Section("shape: how compiled code holds its state")
    section.rows += _kernel_rows(jobs.ticks(), rounds)
    section.rows += _argument_rows(rounds)
    if quick:
        section.notes.append("the engine with its calls left as calls: skipped, it has to be compiled (20 s)")
    else:
        section.rows.append(_calls_row())
    return section


def kernels(columns: Ticks) -> dict[str, Callable[[], tuple[int, int]]]:
    """Return each kernel as a call that gives its trades and its cash, paise."""
    rules = np.zeros(1, record_access(Rules).dtype)
    rules[0] = core_rules(jobs.load(jobs.REDUCED).config, strategy_has_stop=False)
    account, whole = np.zeros(1, record_access(Account).dtype), np.zeros(1, record_access(Whole).dtype)
    inputs = (columns.time_ns, columns.price_paise, CASH, rules, account)
    return {
        "reduced job, kernel, folded tuples": lambda: run_folded(*inputs),
        "reduced job, kernel, record in place": lambda: run_in_place(*inputs, whole),
    }


def _kernel_rows(columns: Ticks, rounds: int) -> list[Row]:
    price, per_tick = columns.price, 1e9 / len(columns)
    limit = climit.run_reduced(columns.time_ns, price)
    found = kernels(columns)
    for name, kernel in found.items():
        trades = kernel()[0]
        if trades != limit.trades:
            raise RuntimeError(f"{name}: {trades} trades, the C loop has {limit.trades}")
    sides: dict[str, Callable[[], float]] = {name: partial(timed, kernel) for name, kernel in found.items()}
    seconds = interleaved(sides | {"C": lambda: climit.run_reduced(columns.time_ns, price).seconds}, rounds)
    return [
        Row(
            name,
            "ns/tick",
            spread(seconds[name]).scaled(per_tick),
            "C loop",
            spread(seconds["C"]).scaled(per_tick),
            ratio(seconds["C"], seconds[name]),
            Goal(0.6) if "folded" in name else None,
            f"{limit.trades} trades on both sides",
        )
        for name in found
    ]


def _argument_rows(rounds: int) -> list[Row]:
    """What a call costs by the way its arguments go in: the arrays of an engine of one instrument, and one event."""
    events = jobs.events_of(jobs.ticks(1))
    first, second = _arrays(jobs.engine({}), events), _arrays(jobs.engine({}), events)
    as_bytes: Arguments = tuple(part.view(np.uint8) if isinstance(part, np.ndarray) else part for part in first)
    past = direct(nothing, *first)
    nothing(*first)  # the dispatcher now knows these dtypes, though not equal ones of another making
    ways: dict[str, Callable[[], int]] = {
        "arguments: records it has met, through the dispatcher": lambda: nothing(*first),
        "arguments: records of another engine, likewise": lambda: nothing(*second),
        "arguments: records as bytes, through the dispatcher": lambda: nothing(*as_bytes),
        "arguments: records, past the dispatcher": lambda: past(*first),
    }
    calls = 2_000
    seconds = interleaved({name: partial(_repeated, way, calls) for name, way in ways.items()}, rounds)
    return [Row(name, "us/call", spread(taken).scaled(1e6 / calls)) for name, taken in seconds.items()]


def _arrays(made: Engine, events: np.ndarray[Any, Any]) -> Arguments:
    return made.desk, made.instruments, made.days, events, 0, made.commands


def _repeated(way: Callable[[], int], calls: int) -> float:
    way()
    began = perf_counter()
    for _ in range(calls):
        way()
    return perf_counter() - began


def _calls_row() -> Row:
    """Compile the engine in a process of its own without folding its functions into each other."""
    with TemporaryDirectory() as cache:
        environment = {**os.environ, "MYQUANT_CACHE": cache, "NUMBA_CACHE_DIR": cache}
        command = [sys.executable, "-m", "bench.called"]
        answer = subprocess.run(command, cwd=jobs.ROOT, env=environment, check=True, capture_output=True, text=True)
    found = json.loads(answer.stdout.splitlines()[-1])
    company.add(found["tally"])
    ours, limit = found["seconds"]["engine"], found["seconds"]["C"]
    per_tick = 1e9 / jobs.TICKS
    return Row(
        "reduced job, engine, every call left a call",
        "ns/tick",
        spread(ours).scaled(per_tick),
        "C loop",
        spread(limit).scaled(per_tick),
        ratio(limit, ours),
        note="the engine's own source; its functions take and return the same tuples, through memory",
    )
