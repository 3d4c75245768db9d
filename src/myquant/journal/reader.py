"""Reading a journal, of a session that has ended or of one that goes on in another process; no lock is needed.

A record counts once its checksum and its number fit, so one that is being written is not there yet.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from myquant.errors import JournalError
from myquant.journal.disk import DISK, Disk
from myquant.journal.record import COMMAND, DAY, HOLDS, INPUT, NOTE, record_dtype
from myquant.journal.rows import sound_until
from myquant.journal.scan import DAMAGE, NOTHING, End, find_end, refuse_misplaced
from myquant.journal.segment import FOLDER, Rows, Segment, SegmentDamageError, read_segment, segment_name, segment_paths

BLOCK_RECORDS: Final = 1 << 14  # 3 MB: stays in the processor's cache while it is looked at


class JournalReader:
    """The sound records of a journal, in order. Those up to number `known` are taken for sound: they were looked at just now.

    Attributes:
        header: of the first segment.
        next: the number of the record that `poll` looks for.

    Raises JournalError where there is no journal, or its first segment can't be used.
    """

    def __init__(self, folder: Path, disk: Disk = DISK, *, known: int = 0) -> None:
        self._folder = folder
        self._disk = disk
        self._known = known
        if not segment_paths(folder, disk):
            raise JournalError(f"{folder}: its journal has no segment: the session was never started; start it again")
        self._index, self._segment = 1, read_segment(self._path(1), disk)
        self.header = self._segment.header
        refuse_misplaced(self.header, self._path(1), 1, self.header)
        self.next = 1

    def read(self, first: int, limit: int = BLOCK_RECORDS) -> Rows:
        """Return up to `limit` sound records from number `first` on, all of one segment: int64 (n, WORDS), not copied.

        None where record `first` is not there (yet), is damaged or in a segment that can't be used; `end` says which.
        """
        index = self._index_of(first)
        if index != self._index:
            try:
                segment = self._open(index)
            except SegmentDamageError:
                segment = None
            if segment is None:
                return np.zeros((0, self._segment.rows.shape[1]), np.int64)
            self._index, self._segment = index, segment
        header, rows = self._segment.header, self._segment.rows
        at = first - header.first
        end = min(at + limit, len(rows))
        unknown = min(max(at, self._known + 1 - header.first), end)
        return rows[at : sound_until(rows, unknown, end, header.first, header.key)]

    def blocks(self, first: int = 1) -> Iterator[Rows]:
        """Yield the sound records from number `first` on in blocks of `read`, to the first that is not sound."""
        while len(block := self.read(first)):
            yield block
            first += len(block)

    def poll(self) -> Rows:
        """Return a block of the records that came since the last call; of no rows when there is none."""
        block = self.read(self.next)
        self.next += len(block)
        return block

    def follow(self, pause: Callable[[], None]) -> Iterator[Rows]:
        """Yield blocks for ever; `pause` is called whenever there is nothing new."""
        while True:
            block = self.poll()
            if len(block):
                yield block
            else:
                pause()

    def end(self, known: int = 0) -> End:
        """Return where the sound records end and what stands behind them; those up to `known` are taken for sound."""
        while True:
            last = known + sum(map(len, self.blocks(known + 1)))
            end = self._what_is_behind(last)
            if not len(self.read(last + 1)):  # else a writer went on meanwhile, and took what we saw for damage
                return end
            known = last

    def _what_is_behind(self, last: int) -> End:
        index = self._index_of(last + 1)
        paths = segment_paths(self._folder, self._disk)
        due = [self._path(place) for place in range(1, len(paths) + 1)]
        path = self._path(index)
        if paths != due:
            return End(last, DAMAGE, path, f"{min(set(due) - set(paths)).name} is missing")
        try:
            segments = [self._open(place) for place in range(index, len(paths) + 1)]
        except SegmentDamageError as error:
            return End(last, DAMAGE, path, f"{error.path.name} {error.reason}")
        there = [segment for segment in segments if segment is not None]
        return find_end(there, last + 1 - there[0].header.first) if there else End(last, NOTHING, path, "")

    def _index_of(self, number: int) -> int:
        return (number - 1) // self.header.segment_records + 1

    def _path(self, index: int) -> Path:
        return self._folder / FOLDER / segment_name(index)

    def _open(self, index: int) -> Segment | None:
        """Return segment `index`, None if it is not there. Raises JournalError; SegmentDamageError for a damaged one."""
        path = self._path(index)
        if path not in segment_paths(self._folder, self._disk):
            return None
        segment = read_segment(path, self._disk)
        refuse_misplaced(segment.header, path, index, self.header)
        return segment


def of_kind(block: Rows, holds: int) -> NDArray[Any]:
    """Return the records of a block that hold one kind, as `record.record_dtype(holds)`; copied unless all do."""
    chosen = block[:, HOLDS] == holds
    rows = block if chosen.all() else block[chosen]
    return rows.view(record_dtype(holds)).reshape(len(rows))


def inputs(block: Rows) -> NDArray[Any]:
    """Return the records of a block that hold an `Input`."""
    return of_kind(block, INPUT)


def commands(block: Rows) -> NDArray[Any]:
    """Return the records of a block that hold a `Command`."""
    return of_kind(block, COMMAND)


def days(block: Rows) -> NDArray[Any]:
    """Return the records of a block that hold a `DayNote`."""
    return of_kind(block, DAY)


def notes(block: Rows) -> NDArray[Any]:
    """Return the records of a block that hold a `Note`."""
    return of_kind(block, NOTE)
