"""What a session's journal says for a comparison, in one pass: its trades, its equity, and what ticks took."""

from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from myquant.core import codes
from myquant.core.records import Command
from myquant.dashboard.series import latency_line
from myquant.dashboard.trace import Trace, empty_trace
from myquant.journal.columns import REASONS
from myquant.journal.reader import JournalReader
from myquant.journal.record import BODY, COMMAND, HOLDS

STAGES_COMPARED: Final = ("decode", "decide", "order", "total")  # the way from the exchange is not the run's

_COMMAND: Final = {name: BODY + place for place, name in enumerate(Command._fields)}
_WITH_EQUITY: Final = (codes.POSITION_OPENED, codes.TRADE_CLOSED, codes.MARK)


class StageTimes(NamedTuple):
    """What `n` ticks took at a stage, ns, within 0.8 %; None: too few for it."""

    n: int
    p50: float | None
    p99: float | None
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
    """Read the sound records of a session's journal. Raises MyquantError where there is none, OSError where it can't be read."""
    trades: list[JournalTrade] = []
    points: list[NDArray[np.int64]] = []
    trace = empty_trace(folder)
    for block in JournalReader(folder).blocks():
        trace.take(block)
        decided = block[block[:, HOLDS] == COMMAND]
        kept = decided[np.isin(decided[:, _COMMAND["kind"]], _WITH_EQUITY)]
        if len(kept):
            points.append(kept[:, [_COMMAND["time_ns"], _COMMAND["equity"]]])
            trades += map(_trade, kept[kept[:, _COMMAND["kind"]] == codes.TRADE_CLOSED].tolist())
    rows = np.concatenate(points) if points else np.zeros((0, 2), np.int64)
    return JournalContent(trades, np.maximum.accumulate(rows[:, 0]), rows[:, 1].copy(), _times(trace))


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


def _times(trace: Trace) -> dict[str, StageTimes]:
    """Return the percentiles of each stage over all that was recorded."""
    found = {stage: latency_line(trace, stage, trace.minutes(), most=1) for stage in STAGES_COMPARED}
    return {stage: StageTimes(*line[0][2:]) for stage, line in found.items() if line}
