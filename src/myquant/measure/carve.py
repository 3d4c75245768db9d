"""From the recorder's log to each tick's times by component: sums over arrays, once measuring is over."""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import numpy as np

from myquant.errors import ConfigError
from myquant.measure.breakdown import PAUSE, STAMPS, Array, Breakdown, Floats, paused_ns, starts_of
from myquant.measure.calibration import Calibration
from myquant.measure.names import CORE_CODES, GC, INGEST, QUEUE_OPS, UNATTRIBUTED
from myquant.measure.table import Log, Recorded, Table, read_log

Paused = Callable[[Array], Floats]  # how long the collector had paused until then


def carve(
    recorded: Recorded,
    calibration: Calibration,
    *,
    core_ns: Any,
    core_calls: Any,
    measured: Collection[int],
    collections: Any,
    intended_ns: Any,
    exchange_ns: Any,
) -> Breakdown:
    """Return the breakdown; the arguments are those of `Spans.breakdown`. Raises ConfigError where they don't fit."""
    ticks = recorded.stamps.shape[1]
    log = read_log(recorded)
    stamps = _stamps(recorded, log)
    for name, given in (("intended_ns", intended_ns), ("exchange_ns", exchange_ns)):
        if given is not None:
            stamps[name] = _fitting(given, name, ticks)
    pauses = np.zeros(0, PAUSE) if collections is None else collections.astype(PAUSE)
    paused = paused_ns(pauses)
    rows = np.flatnonzero(stamps["done_ns"])  # an exception may have kept a tick from its end
    starts, done = starts_of(stamps[rows]), stamps["done_ns"][rows]

    table = Table(len(recorded.names), ticks)
    _take_spans(table, log, stamps, calibration, paused)
    known = stamps["begun_ns"][rows] > 0
    _take_waiting(table, stamps, rows[known], starts[known], calibration, paused)
    table.split_core(_fitting(core_ns, "core_ns", ticks), _fitting(core_calls, "core_calls", ticks))
    excess_ns = _take_additions(table, log, recorded.durations)
    table.add(rows, GC, paused(done) - paused(starts))
    pauses["tick"] = _ticks_of(pauses, starts, done)
    table.count(rows[pauses["tick"][pauses["tick"] >= 0]], GC)

    _take_stages(stamps, log, len(recorded.names))
    has = set(measured) | {UNATTRIBUTED} | ({GC} if collections is not None else set())
    has |= set() if core_ns is None else set(CORE_CODES)
    made = Breakdown(
        names=recorded.names,
        stamps=stamps[rows],
        self_ns=table.own[rows, :-1],
        raw_ns=table.raw[rows, :-1],
        calls=table.calls[rows, :-1],
        measured=np.any(table.calls[:, :-1], axis=0) | np.isin(np.arange(len(recorded.names)), list(has)),
        is_sampled=_is_whole(recorded, log, ticks)[rows],
        overhead_ns=np.zeros(len(rows)),
        excess_ns=excess_ns[rows],
        collections=pauses,
        dropped=recorded.dropped,
        unfinished=ticks - len(rows),
        every=recorded.every,
        calibration=calibration,
    )
    sampled = int(np.count_nonzero(log.is_begin))
    skips = (len(log.row) - sampled) / max(1, sampled) if recorded.skips is None else recorded.skips
    return _only_sampled(made, skips)


def _stamps(recorded: Recorded, log: Log) -> Array:
    """Return the stamps of all ticks that were begun; a sampled tick's beginning stands in the log."""
    stamps = np.zeros(recorded.stamps.shape[1], STAMPS)
    for name, column in zip(STAMPS.names or (), recorded.stamps, strict=True):
        stamps[name] = column
    stamps["begun_ns"][log.row[log.is_begin]] = log.times[log.is_begin]
    return stamps


def _take_stages(stamps: Array, log: Log, core: int) -> None:
    """Stamp when the compiled core began with a tick, which was decoded then, and when it was done, unless that was noted."""
    places = np.flatnonzero(log.named == core)[::-1]  # so that the first of a tick counts
    rows = log.row[places]
    stamps["decoded_ns"][rows] = log.times[places]
    last = places[np.unique(rows, return_index=True)[1]] if len(places) else places
    undecided = last[stamps["decided_ns"][log.row[last]] == 0]
    stamps["decided_ns"][log.row[undecided]] = log.ends(stamps["done_ns"])[undecided]


def _fitting(given: Any, name: str, ticks: int) -> Any:
    """Return what was given for each tick that was begun; there may be room for more."""
    if given is not None and len(given) < ticks:
        raise ConfigError(f"{name}: {len(given)} rows for {ticks} ticks: give a row for each tick that was begun")
    return None if given is None else np.asarray(given)[:ticks]


def _take_spans(table: Table, log: Log, stamps: Array, calibration: Calibration, paused: Paused) -> None:
    """Add what is between the entries of the log, pauses left out."""
    ends = log.ends(stamps["done_ns"])
    ns = ends - log.times - (paused(ends) - paused(log.times))
    table.take(log.row, log.column, ns, log.costs(stamps, calibration))
    table.count(log.row[log.is_span], log.named[log.is_span])


def _take_waiting(
    table: Table, stamps: Array, rows: Array, starts: Array, calibration: Calibration, paused: Paused
) -> None:
    """Add what is before a tick's beginning: `ingest` until its reader handed it over, then `queue_ops`.

    The last stretch holds what the instrument does before its first stamp.
    """
    begun = stamps["begun_ns"][rows]
    was_handed = stamps["handed_ns"][rows] > 0
    handed = np.where(was_handed, np.clip(stamps["handed_ns"][rows], starts, begun), begun)
    cost = calibration.outside_ns
    for code, begins, ends, known, has_cost in (
        (INGEST, starts, handed, stamps["arrived_ns"][rows] > 0, ~was_handed),
        (QUEUE_OPS, handed, begun, was_handed, was_handed),
    ):
        table.take(rows, code, ends - begins - (paused(ends) - paused(begins)), np.where(has_cost, cost, 0.0))
        uncounted = rows[known & (table.calls[rows, code] == 0)]
        table.count(uncounted, code)


def _take_additions(table: Table, log: Log, durations: Array) -> Floats:
    """Move the durations that were measured elsewhere; return each tick's excess over the time that was there."""
    added = log.is_added
    ns = durations[: np.count_nonzero(added)].astype(np.float64)
    table.count(log.row[added], log.named[added])
    return table.move(log.row[added], log.column[added], log.named[added], ns)


def _ticks_of(pauses: Array, starts: Array, done: Array) -> Array:
    """Return the tick whose time each pause fell into, -1 where none: times of different ticks don't overlap."""
    if not len(done):
        return np.full(len(pauses), -1)
    first = np.searchsorted(done, pauses["begun_ns"], side="right")
    last = np.minimum(first, len(done) - 1)
    return np.where((first < len(done)) & (starts[last] < pauses["ended_ns"]), first, -1)


def _is_whole(recorded: Recorded, log: Log, ticks: int) -> Array:
    """Return whether a tick's whole tree was taken (ticks,): not of the last one, where the log had no room for all."""
    sampled = log.row[log.is_begin]
    whole = np.zeros(ticks, np.bool_)
    whole[sampled[:-1] if recorded.is_cut else sampled] = True
    return whole


def _only_sampled(made: Breakdown, skips: float) -> Breakdown:
    """Return it with the instrument's cost, and without the times by component of ticks whose tree was not taken."""
    unknown = ~made.is_sampled
    cost = made.calibration
    estimate = cost.unsampled_ns.value + skips * cost.skip_ns.value
    overhead_ns = np.where(unknown, np.minimum(estimate, made.service_ns), (made.raw_ns - made.self_ns).sum(axis=1))
    for times in (made.raw_ns, made.self_ns):
        times[unknown] = np.nan
    made.calls[unknown] = 0
    return replace(made, skips=skips, overhead_ns=overhead_ns, excess_ns=np.where(unknown, 0.0, made.excess_ns))
