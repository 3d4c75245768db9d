"""What a session's journal says for a comparison, in one pass: its trades, its equity, and what ticks took."""

from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from myquant.core import codes
from myquant.core.records import Command, Event
from myquant.journal.columns import REASONS
from myquant.journal.reader import JournalReader
from myquant.journal.record import BODY, COMMAND, HOLDS, INPUT, Origin
from myquant.journal.segment import Rows

PER_OCTAVE: Final = 128  # buckets between a time and twice that: a percentile is told within 0.3 %
FEW: Final = 1000  # of fewer values p99.9 is not known

_INPUT: Final = {name: BODY + place for place, name in enumerate((*Event._fields, *Origin._fields))}
_COMMAND: Final = {name: BODY + place for place, name in enumerate(Command._fields)}
_WITH_EQUITY: Final = (codes.POSITION_OPENED, codes.TRADE_CLOSED, codes.MARK)


class StageTimes(NamedTuple):
    """What `n` ticks took at a stage, ns; p99.9 None: too few for it."""

    n: int
    p50: float
    p99: float
    p99_9: float | None


class JournalTrade(NamedTuple):
    """An exit; fields as of `runs_read.RunTrade`, the instrument by its number."""

    instrument: int
    entry_ns: int
    exit_ns: int
    quantity: int
    entry_price: int
    exit_price: int
    net: int
    reason: str


class JournalContent(NamedTuple):
    """What was found. `time_ns` never goes back; `equity` in paise; `latency` by stage: decode, decide, order, total."""

    trades: list[JournalTrade]
    time_ns: NDArray[np.int64]
    equity: NDArray[np.int64]
    latency: dict[str, StageTimes]


def read_journal(folder: Path) -> JournalContent:
    """Read the sound records of a session's journal. Raises JournalError where there is none, OSError where it can't be read."""
    trades: list[JournalTrade] = []
    points: list[NDArray[np.int64]] = []
    stages = _Stages()
    for block in JournalReader(folder).blocks():
        decided = block[block[:, HOLDS] == COMMAND]
        stages.take(block, decided)
        kept = decided[np.isin(decided[:, _COMMAND["kind"]], _WITH_EQUITY)]
        if len(kept):
            points.append(kept[:, [_COMMAND["time_ns"], _COMMAND["equity"]]])
            trades += map(_trade, kept[kept[:, _COMMAND["kind"]] == codes.TRADE_CLOSED].tolist())
    rows = np.concatenate(points) if points else np.zeros((0, 2), np.int64)
    return JournalContent(trades, np.maximum.accumulate(rows[:, 0]), rows[:, 1].copy(), stages.times())


def _trade(row: list[int]) -> JournalTrade:
    closed = Command._make(row[BODY : BODY + len(Command._fields)])
    return JournalTrade(
        closed.instrument,
        closed.entry_time_ns,
        closed.time_ns,
        closed.quantity,
        closed.entry_price,
        closed.price,
        closed.net,
        REASONS[codes.TRADE_CLOSED].get(closed.reason, f"reason {closed.reason}"),
    )


class _Stages:
    """Counts what ticks took by stage. What one took stands in the input behind it, and its orders stand between them."""

    def __init__(self) -> None:
        self._counts: dict[str, NDArray[np.int64]] = {}
        self._last: Rows | None = None  # the last input of the block before
        self._submitted: NDArray[Any] = np.zeros(0, np.int64)  # inputs that led to an order

    def take(self, block: Rows, decided: Rows) -> None:
        """Take a block of records, with its commands."""
        given = block[block[:, HOLDS] == INPUT]
        orders = decided[decided[:, _COMMAND["kind"]] == codes.SUBMIT][:, _COMMAND["event_sequence"]]
        submitted = np.concatenate((self._submitted, orders))
        if not len(given):
            self._submitted = submitted
            return
        rows = given if self._last is None else np.concatenate((self._last, given))
        self._last = given[-1:].copy()
        self._submitted = submitted[submitted >= int(given[-1, _INPUT["sequence"]])]
        before, spent = rows[:-1], rows[1:, _INPUT["spent_ns"]]
        arrived, decoded = before[:, _INPUT["arrived_ns"]], before[:, _INPUT["decoded_ns"]]
        sequence = before[:, _INPUT["sequence"]]
        known = (before[:, _INPUT["kind"]] == codes.TICK) & (arrived > 0) & (spent > 0)
        known &= rows[1:, _INPUT["sequence"]] == sequence + 1
        decode = decoded - arrived
        is_decoded = known & (decoded > 0) & (decode >= 0) & (decode <= spent)
        led = np.isin(sequence, submitted)
        self._add("decode", decode[is_decoded])
        self._add("decide", (spent - decode)[is_decoded & ~led])
        self._add("order", (spent - decode)[is_decoded & led])
        self._add("total", spent[known])

    def _add(self, stage: str, times_ns: NDArray[np.int64]) -> None:
        if not len(times_ns):
            return
        places = (np.log2(np.maximum(times_ns, 1)) * PER_OCTAVE).round().astype(np.int64)
        found = np.bincount(places, minlength=64 * PER_OCTAVE)
        self._counts[stage] = found if stage not in self._counts else self._counts[stage] + found

    def times(self) -> dict[str, StageTimes]:
        """Return the percentiles of each stage."""
        return {stage: _times(counts) for stage, counts in self._counts.items()}


def _times(counts: NDArray[np.int64]) -> StageTimes:
    n, sums = int(counts.sum()), np.cumsum(counts)

    def percentile(percent: float) -> float:
        """Return the least value that so many percent do not exceed."""
        rank = max(int(np.ceil(percent / 100 * n)), 1)
        return float(2 ** (int(np.searchsorted(sums, rank)) / PER_OCTAVE))

    return StageTimes(n, percentile(50), percentile(99), percentile(99.9) if n >= FEW else None)
