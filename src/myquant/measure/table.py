"""What the recorder's log says, entry by entry, and the table of ticks by components that it is summed into."""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np

from myquant.errors import ConfigError
from myquant.measure.breakdown import Array, Floats
from myquant.measure.calibration import Calibration
from myquant.measure.names import CORE, CORE_CODES, UNATTRIBUTED

BEGIN: Final = -2  # a sampled tick's first entry in the log
# Python keeps the ints up to 256, so what stands in the log takes no memory of its own.
AGAIN: Final = 64  # a mark's code and this: back in it, on leaving an inner span
ADDED: Final = 128  # likewise: no switch, but a duration that was measured elsewhere
_NOTES: Final = ("decided_ns", "ordered_ns", "acknowledged_ns", "filled_ns")


class Recorded(NamedTuple):
    """What the recorder has: `stamps` (fields, n) of ticks begun, `places` of the ticks to sample, and the log (m,).

    `is_cut`: the log had no room for all; its last tick may lack marks. The rest is as `Spans` has it.
    """

    names: tuple[str, ...]
    stamps: Array
    places: Array
    codes: Array
    times: Array
    durations: Array
    is_cut: bool
    every: int
    dropped: int
    skips: float | None


@dataclass(frozen=True)
class Log:
    """The log's entries, (m,) each.

    Attributes:
        row: of the tick, in the order in which ticks began.
        column: the component whose time it is from then on; the core's is the table's last.
        named: the one that the entry names: the same, but of an addition the one that gets the duration.
        times: ns.
        is_begin, is_added, is_span: a tick began; a duration was added; a component was entered.
    """

    row: Array
    column: Array
    named: Array
    times: Array
    is_begin: Array
    is_added: Array
    is_span: Array

    def ends(self, done_ns: Array) -> Array:
        """Return when each stretch ended (m,): at the next entry of its tick, or with it."""
        done = done_ns[self.row]
        following = np.append(self.times[1:], 0)
        is_last = np.append(self.is_begin[1:], True)
        return np.maximum(np.where(is_last, done, np.minimum(following, done)), self.times)

    def costs(self, stamps: Array, calibration: Calibration) -> Floats:
        """Return how much of each stretch (m,) is the instrument's own."""
        is_last = np.append(self.is_begin[1:], True)
        mark, again, first, last, empty, add, note = (
            getattr(calibration, f"{name}_ns").value
            for name in ("mark", "again", "first", "last", "empty", "add", "note")
        )
        found: Floats = np.where(is_last, last, np.where(self.is_span, mark, again))
        found[self.is_begin] = np.where(is_last, empty, first)[self.is_begin]
        found[self.is_added] = add
        for kind in _NOTES:
            noted = stamps[kind][stamps[kind] > 0]
            place = np.searchsorted(self.times, noted, side="right") - 1
            place, noted = place[place >= 0], noted[place >= 0]
            np.add.at(found, place[noted <= stamps["done_ns"][self.row[place]]], note)
        return found


def read_log(recorded: Recorded) -> Log:
    """Return the log's entries. Raises ConfigError for a mark of no component."""
    codes, core = recorded.codes, len(recorded.names)
    is_begin, is_added = codes == BEGIN, codes >= ADDED
    named = np.where(codes >= 0, codes & (AGAIN - 1), np.where(codes == CORE, core, UNATTRIBUTED))
    unknown = (codes < BEGIN) | ((codes >= 0) & (named >= core)) | (codes >= ADDED + AGAIN)
    if np.any(unknown):
        raise ConfigError(f"a mark of component {codes[unknown][0]}: components are numbered from 0 to {core - 1}")
    latest_switch = np.maximum.accumulate(np.where(is_added, 0, np.arange(len(codes))))
    return Log(
        row=recorded.places[np.cumsum(is_begin) - 1],
        column=named[latest_switch],
        named=named,
        times=recorded.times,
        is_begin=is_begin,
        is_added=is_added,
        is_span=(codes < AGAIN) & ~is_begin,
    )


class Table:
    """Times by tick and component: `raw` as measured, `own` less the instrument's cost; a last column for the core's."""

    def __init__(self, components: int, ticks: int) -> None:
        self.shape = (ticks, components + 1)
        self.raw, self.own = np.zeros(self.shape), np.zeros(self.shape)
        self.calls = np.zeros(self.shape, np.int64)

    def take(self, row: Array, column: Any, ns: Floats, cost: Floats) -> None:
        """Add stretches of time (s,), each with the instrument's cost in it."""
        self.raw += self._sums(row, column, ns)
        self.own += self._sums(row, column, np.maximum(ns - cost, 0.0))

    def count(self, row: Array, column: Any) -> None:
        """Count calls (s,)."""
        self.calls += self._sums(row, column, np.ones(len(row))).astype(np.int64)

    def add(self, row: Array, column: int, ns: Floats) -> None:
        """Add times (s,) of rows that differ, in which the instrument has no part."""
        self.raw[row, column] += ns
        self.own[row, column] += ns

    def _sums(self, row: Array, column: Any, values: Floats) -> Array:
        cells: Array = np.bincount(row * self.shape[1] + column, values, self.shape[0] * self.shape[1])
        return cells.reshape(self.shape)

    def split_core(self, core_ns: Array | None, core_calls: Array | None) -> None:
        """Divide the core's time as its own counters say; what they leave, or all where there are none, is nobody's.

        They are of another clock: where they make more than there was time, all are cut down in proportion.
        """
        self.calls[:, -1] = 0
        if core_ns is not None:
            counted = core_ns.sum(axis=1)
            for times in (self.raw, self.own):
                part = np.minimum(1.0, times[:, -1] / np.maximum(counted, 1e-9))
                times[:, CORE_CODES] += core_ns * part[:, None]
                times[:, -1] -= counted * part
            self.calls[:, CORE_CODES] += (core_ns > 0) if core_calls is None else core_calls
        for times in (self.raw, self.own):
            times[:, UNATTRIBUTED] += np.maximum(times[:, -1], 0.0)

    def move(self, row: Array, source: Array, column: Array, ns: Array) -> Floats:
        """Give durations (s,) that were in `source` to another component; return each tick's excess over what was there."""
        source = np.where(source == self.shape[1] - 1, UNATTRIBUTED, source)  # the core's is divided already
        moved = self._sums(row, column, ns) - self._sums(row, source, ns)
        self.own = np.maximum(self.own + moved, 0.0)
        lacking = np.minimum(self.raw + moved, 0.0)
        self.raw += moved - lacking
        return np.asarray(-lacking.sum(axis=1), np.float64)
