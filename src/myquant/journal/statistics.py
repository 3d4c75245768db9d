"""How much a journal holds."""

from collections import Counter
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from myquant.core.codes import COMMAND_NAMES, EVENT_NAMES, QUOTE, TICK
from myquant.journal.disk import DISK, Disk
from myquant.journal.reader import JournalReader, commands, inputs, notes
from myquant.journal.record import HOLDS, HOLDS_NAMES, NOTE_NAMES, RECORD_BYTES
from myquant.journal.scan import End
from myquant.journal.segment import Rows, segment_paths
from myquant.journal.snapshot import snapshot_paths

SECOND_NS: Final = 1_000_000_000
# Other inputs have the machine's time till the first packet comes, and the exchange may play a day of the past.
TOLD_BY_THE_EXCHANGE: Final = (TICK, QUOTE)


class Statistics(NamedTuple):
    """Counts of the sound records; a kind that this version does not know counts under its number."""

    end: End
    records: dict[str, int]
    inputs: dict[str, int]
    commands: dict[str, int]
    notes: dict[str, int]
    first_ns: int  # exchange time of the first and the last tick or quote; 0: there was none
    last_ns: int
    first_arrived_ns: int  # the machine's clock, of the first and the last input; 0: there was none
    last_arrived_ns: int
    records_per_s: float | None  # by the machine's clock, from the first to the last input
    record_bytes: int
    segments: int
    snapshots: int


def statistics(folder: Path, disk: Disk = DISK) -> Statistics:
    """Return the statistics of a session's journal. Raises JournalError where it can't be read."""
    reader = JournalReader(folder, disk)
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("records", "inputs", "commands", "notes")}
    times, arrivals = _Span(), _Span()
    last = 0
    for block in reader.blocks():
        last += len(block)
        came = inputs(block)["body"]["event"]
        _count(counts["records"], block[:, HOLDS], HOLDS_NAMES)
        _count(counts["inputs"], came["kind"], EVENT_NAMES)
        _count(counts["commands"], commands(block)["body"]["kind"], COMMAND_NAMES)
        _count(counts["notes"], notes(block)["body"]["kind"], NOTE_NAMES)
        times.see(came["time_ns"][np.isin(came["kind"], TOLD_BY_THE_EXCHANGE)])
        arrivals.see(came["receive_ns"])
    span_ns = arrivals.last - arrivals.first
    return Statistics(
        end=reader.end(last),
        **{name: dict(counter) for name, counter in counts.items()},
        first_ns=times.first,
        last_ns=times.last,
        first_arrived_ns=arrivals.first,
        last_arrived_ns=arrivals.last,
        records_per_s=last * SECOND_NS / span_ns if span_ns > 0 else None,
        record_bytes=last * RECORD_BYTES,
        segments=len(segment_paths(folder, disk)),
        snapshots=len(snapshot_paths(folder, disk)),
    )


class _Span:
    """The first and the last of the times that are known."""

    first = 0
    last = 0

    def see(self, time_ns: Rows) -> None:
        known = time_ns[time_ns > 0]
        if len(known):
            self.first = self.first or int(known[0])
            self.last = int(known[-1])


def _count(counter: Counter[str], values: Any, names: dict[int, str]) -> None:
    for value, count in zip(*np.unique(values, return_counts=True), strict=True):
        counter[names.get(int(value), str(value))] += int(count)
