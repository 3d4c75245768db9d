"""Recording: ticks into a folder, a few seconds after they came, by one process at a time.

Ticks wait in blocks of memory. The block that is being filled is written again and again in place of its part file, so
that a kill costs only what came since; a full one is written for the last time and used anew. Where the disk takes
nothing, blocks wait, up to a bound; what comes then is dropped, counted, and told in `gaps.jsonl`.

No loop and no broker is in here: whoever has them calls `append` in one thread and `write` in that or another one.
"""

import json
import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from myquant.brokers.packets import calendar_day
from myquant.errors import JournalError, MyquantError
from myquant.journal.disk import FOLDER_MODE, Disk, discard, explained, let_go, read_whole, write_whole
from myquant.journal.record import BODY_WORDS, Input
from myquant.session.log import utc_text
from myquant.session.recorded_files import (
    chunks_of,
    day_file,
    days_of,
    last_inputs,
    merge,
    parts_of,
    table_of,
    through,
    write_part,
)
from myquant.session.recording_log import LOCK
from myquant.ticks.batch import InstrumentName

ROWS: Final = 1 << 15  # of a block
BLOCKS_MAX: Final = 32  # a million ticks, 180 MB
GAPS_MAX: Final = 10_000  # that wait to be written
GAPS: Final = "gaps.jsonl"
TIME_NS: Final = 3  # places in a row of words: exchange time...
RECEIVE_NS: Final = 4  # ...and wall clock

_PID_BYTES: Final = 11
_EPOCH: Final = date(1970, 1, 1)


class Gap(NamedTuple):
    """A time from which ticks may be missing; ns since the epoch."""

    begin_ns: int  # by the machine's clock
    end_ns: int
    exchange_begin_ns: int  # by the exchange's
    exchange_end_ns: int
    reason: str


@dataclass(eq=False)
class Block:
    """Some ticks: rows of words as a decoder makes them; they end in the parts of one number."""

    number: int
    names: tuple[InstrumentName, ...]
    rows: np.ndarray[Any, Any]
    count: int = 0
    written: int = 0


class Recording:
    """A folder that is recorded into; `close` gives it free.

    Attributes:
        ticks: how many came.
        dropped: how many of them had no room, as the disk took nothing.
        lost_gaps: how many gaps had no room.
    """

    def __init__(self, folder: Path, zone_offset_ns: int, disk: Disk, *, blocks_max: int = BLOCKS_MAX) -> None:
        """Take a folder, new or recorded into before, and bring what an earlier process left into order.

        `zone_offset_ns`: the exchange's local time less UTC. Raises JournalError where the folder can't be written or
        another process records into it, DataError where something in it can't be read.
        """
        self.folder = folder
        self.ticks = 0
        self.dropped = 0
        self.lost_gaps = 0
        self._zone_offset_ns, self._disk, self._blocks_max = zone_offset_ns, disk, blocks_max
        self._gaps: list[Gap] = []
        self._gaps_bytes = -1
        self._dropped_from: np.ndarray[Any, Any] | None = None
        self._dropped_to: np.ndarray[Any, Any] | None = None
        self._dropped_told = 0
        self._full: deque[Block] = deque()
        self._free: deque[np.ndarray[Any, Any]] = deque()
        with explained(folder, "can't be made"):
            folder.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
        self._lock = _take_lock(folder, disk)
        try:
            self._tidy()
            self.merge()
            numbers = [through(day_file(folder, on)) for on in days_of(folder)]
        except MyquantError:
            self.close()
            raise
        self._number = max(numbers, default=0)
        self._block = self._new_block(())

    def close(self) -> None:
        """Let another process have the folder."""
        let_go(self._disk, self._lock)

    def begin(self, names: Sequence[InstrumentName]) -> None:
        """Take ticks of these instruments from now on."""
        if self._block.count:
            self._full.append(self._block)
        self._block = self._new_block(tuple(names))

    def append(self, words: np.ndarray[Any, Any]) -> None:
        """Keep a tick: `words`, int64 of shape (1, 21), is the body of a journal's input."""
        self.ticks += 1
        block = self._block
        count = block.count
        if count == ROWS:
            if len(self._full) + 1 >= self._blocks_max:
                self._drop(words)
                return
            self._full.append(block)
            self._block = block = self._new_block(block.names)
            count = 0
        block.rows[count] = words[0]
        block.count = count + 1

    @property
    def waiting(self) -> int:
        """How many ticks are not on disk yet."""
        return sum(block.count - block.written for block in self._blocks())

    @property
    def part(self) -> int:
        """The number of the part that is being filled."""
        return self._block.number

    def write(self) -> JournalError | None:
        """Put all that waits on disk, ticks and gaps; return why that failed. It is tried again by the next call."""
        try:
            for block in self._blocks():
                self._write_block(block)
            self._note_dropped()
            self._write_gaps()
        except JournalError as error:
            return error
        return None

    def merge(self) -> None:
        """Bring the parts of all days into their files. Everything has to be on disk. Raises JournalError, DataError."""
        for on in days_of(self.folder):
            with explained(self.folder / f"{on}", "can't be brought into order"):
                merge(self.folder, on, self._disk)

    def finish(self) -> MyquantError | None:
        """Write everything and leave one file per day; return why that failed. No tick may come meanwhile."""
        error = self.write()
        if error is not None:
            return error
        self.begin(self._block.names)
        self._full.clear()
        try:
            self.merge()
        except MyquantError as failed:
            return failed
        return None

    def last_inputs(self, names: Sequence[InstrumentName]) -> dict[int, Input]:
        """Return the last tick on the last recorded day of each instrument, by its place in `names`, if there is one."""
        days = days_of(self.folder)
        if not days:
            return {}
        whole = day_file(self.folder, days[-1])
        files = [whole] if whole.exists() else []
        return last_inputs(
            [chunk for path in [*files, *parts_of(self.folder, days[-1])] for chunk in chunks_of(path)], names
        )

    def add_gap(self, gap: Gap) -> None:
        """Note a gap; the next `write` puts it into the sidecar."""
        if len(self._gaps) < GAPS_MAX:
            self._gaps.append(gap)
        else:
            self.lost_gaps += 1

    def _blocks(self) -> list[Block]:
        """Return what may have to be written, in order. The one that is being filled may become full meanwhile."""
        block = self._block
        return [each for each in self._full if each is not block] + [block]

    def _new_block(self, names: tuple[InstrumentName, ...]) -> Block:
        self._number += 1
        rows = self._free.popleft() if self._free else np.zeros((ROWS, BODY_WORDS), np.int64)
        return Block(self._number, names, rows)

    def _write_block(self, block: Block) -> None:
        count = block.count
        if count > block.written:
            rows = block.rows[:count]
            days = calendar_day(rows[:, TIME_NS], self._zone_offset_ns)  # type: ignore[arg-type]  # of arrays as well
            for day in np.unique(days).tolist():
                self._write_part(_EPOCH + timedelta(days=day), block, rows[days == day])
            block.written = count
        if self._full and self._full[0] is block and block.written == block.count:
            self._full.popleft()
            if len(self._free) < 1:
                self._free.append(block.rows)

    def _write_part(self, on: date, block: Block, rows: np.ndarray[Any, Any]) -> None:
        inside = self.folder / f"{on}"
        if not self._disk.is_folder(inside):
            with explained(inside, "can't be made"):
                self._disk.make_folder(inside)
        write_part(inside / f"part-{block.number:06}.parquet", table_of(rows, block.names), self._disk)

    def _drop(self, words: np.ndarray[Any, Any]) -> None:
        if self._dropped_from is None:
            self._dropped_from = words[0].copy()
        self._dropped_to = words[0].copy()
        self.dropped += 1

    def _note_dropped(self) -> None:
        """Make a gap of what was dropped, once there is room again."""
        first, last = self._dropped_from, self._dropped_to
        if first is not None and last is not None:
            count, self._dropped_told = self.dropped - self._dropped_told, self.dropped
            self._dropped_from = None
            begin, end = int(first[RECEIVE_NS]), int(last[RECEIVE_NS])
            reason = f"the disk took nothing: {count} ticks dropped"
            self.add_gap(Gap(begin, end, int(first[TIME_NS]), int(last[TIME_NS]), reason))

    def _write_gaps(self) -> None:
        gaps = list(self._gaps)
        if not gaps:
            return
        path = self.folder / GAPS
        with explained(path, "can't be written"):
            descriptor = self._disk.open_or_create(path)
            try:
                if self._gaps_bytes < 0:
                    self._gaps_bytes = self._disk.size(descriptor)
                content = b"".join(map(_line, gaps))
                write_whole(self._disk, descriptor, content, self._gaps_bytes)  # over what a failed attempt left
                self._gaps_bytes += len(content)
            finally:
                let_go(self._disk, descriptor)
        del self._gaps[: len(gaps)]

    def _tidy(self) -> None:
        """Remove drafts that a killed process left."""
        for draft in [*self.folder.glob(".*.draft"), *self.folder.glob("*/.*.draft")]:
            discard(self._disk, draft)


def _line(gap: Gap) -> bytes:
    names = ("from", "to", "exchange_from", "exchange_to")
    return json.dumps({**dict(zip(names, map(utc_text, gap[:-1]), strict=True)), "reason": gap.reason}).encode() + b"\n"


def _take_lock(folder: Path, disk: Disk) -> int:
    path = folder / LOCK
    with explained(path, "can't be locked"):
        descriptor = disk.open_or_create(path)
        try:
            disk.lock(descriptor)
            write_whole(disk, descriptor, f"{os.getpid():<{_PID_BYTES - 1}}\n".encode())
        except BlockingIOError:
            pid = read_whole(disk, descriptor, _PID_BYTES).decode("ascii", "replace").strip()
            let_go(disk, descriptor)
            raise JournalError(
                f"{folder}: process {pid} records into it: stop it first, or name another folder"
            ) from None
        except OSError:
            let_go(disk, descriptor)
            raise
    return descriptor
