"""Writing a journal: one process at a time, into mapped segments that were allocated ahead."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import numpy as np

from myquant.core.layout import dtype_of
from myquant.errors import JournalError
from myquant.journal.disk import DISK, Disk, discard, explained, let_go, sync_folder
from myquant.journal.lock import take_lock
from myquant.journal.reader import JournalReader
from myquant.journal.record import BODIES, BODY_WORDS, RECORD_BYTES
from myquant.journal.rows import BEFORE, KEY, RECORDS, append_rows, pad_rows
from myquant.journal.scan import TORN
from myquant.journal.segment import (
    DRAFT,
    FOLDER,
    HEADER_BYTES,
    Header,
    Rows,
    Segment,
    make_segment,
    open_segment,
    segment_name,
    segment_paths,
    sync_segment,
)

SLICE_RECORDS: Final = 2**15 // RECORD_BYTES  # made ready at once: 20 us; more would keep an input waiting
AHEAD_RECORDS: Final = 8192  # ready ahead of use: so many can still be stored after the disk has begun to refuse
_ZEROS: Final = memoryview(bytes((AHEAD_RECORDS + SLICE_RECORDS) * RECORD_BYTES))
_CURSOR_WORDS: Final = 4
_NO_WORDS: Final = np.zeros((1, BODY_WORDS), np.int64)


class _Open(NamedTuple):
    """A segment that can be written."""

    place: int  # from 1
    segment: Segment
    descriptor: int
    ready: int  # rows whose pages are at hand


class JournalWriter:
    """The one writer of a session's journal; made by `create` or `open`.

    A compiled caller appends by itself (`record.append`) at row `cursor[RECORDS] - cursor[BEFORE]` while `room()` is
    left, and raises `cursor[RECORDS]`. A record survives this process from its last store on, and a loss of power
    from the next `sync` on.

    Attributes:
        rows: the current segment's records as far as they are ready to be stored to, mapped: int64 (n, WORDS).
            `make_room` replaces it.
        cursor: int64 (4,): records of the whole journal so far; records before this segment; the checksums' key; a word
            for the caller's use. Always the same array.
        torn: what `open` found behind the last sound record and removed, in one line; "": nothing.
        aside: runs a call in another thread; None: nobody does. Rows that `reserve` makes ready are synced there, as blocks
            that are new to a file take a sync 1 to 4 ms, three times what it takes else (ext4 notes each of them), and an
            order would have to wait for that.
    """

    def __init__(self, folder: Path, current: _Open, lock: int, disk: Disk, records: int) -> None:
        self._folder = folder
        self._disk = disk
        self._lock = lock
        self._current = current
        self._reserved: _Open | None = None
        self._left: Rows | None = None  # what `make_room` left stays mapped till `reserve`: to unmap it takes 1 ms
        self._unsynced: list[Path] = []  # segments left behind that may not be on the disk yet
        self._synced = records
        self._failure = ""  # of a sync
        self._ready = current.ready
        self._refused: OSError | None = None  # why further rows could not be made ready
        self._is_closed = False
        self._bodies = {holds: np.zeros(1, dtype_of(body)) for holds, body in BODIES.items()}
        header = current.segment.header
        self.rows: Rows = current.segment.rows[: min(records + 1 - header.first + SLICE_RECORDS, current.ready)]
        self.cursor: Rows = np.zeros(_CURSOR_WORDS, np.int64)
        self.cursor[[RECORDS, BEFORE, KEY]] = records, header.first - 1, header.key
        self.torn = ""
        self.aside: Callable[[Callable[[], None]], object] | None = None
        pad_rows(self.rows[:0], self.cursor, _NO_WORDS)  # compiled by now, not when it is needed
        append_rows(self.rows[:0], self.cursor, 0, _NO_WORDS, 0, 0)

    @classmethod
    def create(cls, folder: Path, *, key: int, segment_records: int, disk: Disk = DISK) -> Self:
        """Begin the journal of a session in its folder, which is made where it is not there.

        `key`: any int64, drawn at random, so that records of another session are not taken for this one's. Raises
        JournalError where there is a journal already, where another process holds it, and where the disk refuses.
        """
        inside = folder / FOLDER
        for place in (folder, inside):
            with explained(place, "can't be made"):
                if not disk.is_folder(place):
                    disk.make_folder(place)
                sync_folder(disk, place.parent)
        lock = take_lock(folder, disk)
        try:
            _refuse_existing(folder, disk)
            _remove_drafts(inside, disk)
            path = inside / segment_name(1)
            make_segment(path, Header(segment_records, 1, key), disk)
            writer = cls(folder, _opened(path, 1, 0, disk), lock, disk, 0)
        except JournalError:
            let_go(disk, lock)
            raise
        return writer._with_reserve()

    @classmethod
    def open(cls, folder: Path, *, disk: Disk = DISK) -> Self:
        """Go on behind the last sound record of a journal; a torn one behind it is removed.

        Raises JournalError where there is no journal or another process holds it, where more than a torn record stands
        behind the sound ones (it names segment and record), and where the disk refuses.
        """
        segment_paths(folder, disk)  # before a lock is made in a folder of something else
        lock = take_lock(folder, disk)
        try:
            reader = JournalReader(folder, disk)
            end = reader.end()
            end.refuse_damage()
            _remove_drafts(folder / FOLDER, disk)
            index = min(end.last // reader.header.segment_records + 1, len(segment_paths(folder, disk)))
            path = folder / FOLDER / segment_name(index)
            used = end.last - (index - 1) * reader.header.segment_records
            current = _opened(path, index, used, disk)
        except JournalError:
            let_go(disk, lock)
            raise
        writer = cls(folder, current, lock, disk, end.last)
        writer._synced = -1  # what the last process left unsynced is not known
        writer._unsynced = [folder / FOLDER / segment_name(place) for place in range(1, index)]
        if end.what == TORN:
            writer.rows[writer.cursor[RECORDS] - writer.cursor[BEFORE]] = 0
            writer.torn = end.text
        return writer._with_reserve()

    def room(self) -> int:
        """Return how many records `rows` still takes."""
        return len(self.rows) - self._used()

    def rows_left(self) -> int:
        """Return how many records fit into what is allocated: the rest of this segment and the reserved one.

        While the disk refuses to write, only rows that are ready count.
        """
        if self._refused is not None:
            return self._ready - self._used()
        here = len(self._current.segment.rows) - self._used()
        return here + (len(self._reserved.segment.rows) if self._reserved else 0)

    def reserve(self) -> None:
        """Allocate the next segment if there is none: some milliseconds then, which no input should have to wait for.

        Raises JournalError when the disk refuses, or has refused to write since the last call; what is allocated stays of
        use, and the next call tries again.
        """
        self._refuse_closed()
        self._left = None
        refused, self._refused = self._refused, None
        again = (
            SLICE_RECORDS if refused is not None else 0
        )  # so that the disk is asked, however few rows were used since
        ready = self._ready
        self._make_ready(self._used() + AHEAD_RECORDS + again)
        if self._ready > ready:
            self._sync_aside(self._current)
        if self._reserved is None:
            self._reserved = self._next()
            self._sync_aside(self._reserved)
        refused = self._refused or refused
        if refused is not None:
            raise self._refusal(refused)

    def make_room(self) -> None:
        """Hand out the segment's next rows; at its end go on in the next one.

        Raises JournalError when none can be had, which changes nothing, and where this segment is as empty as the next.
        """
        self._refuse_closed()
        whole = self._current.segment.rows
        if len(self.rows) == len(whole):
            self._go_on()
            return
        if self._ready < len(self.rows) + AHEAD_RECORDS // 2:  # they are used up faster than `reserve` is called
            self._make_ready(self._ready + SLICE_RECORDS)
        end = min(len(self.rows) + SLICE_RECORDS, self._ready)
        if end == len(self.rows):
            raise self._refusal(self._refused)
        self.rows = whole[:end]

    def _go_on(self) -> None:
        """Go on in the next segment; what is left of this one is filled with paddings."""
        if self.room() == len(self.rows):
            raise JournalError(
                f"{self._current.segment.path}: its {self.room()} records are too few for one input and what it may lead to:"
                " raise journal.segment_mib"
            )
        if self._reserved is None:
            self._reserved = self._next()
        pad_rows(self.rows, self.cursor, _NO_WORDS)
        let_go(self._disk, self._current.descriptor)
        self._unsynced.append(self._current.segment.path)
        self._current, self._reserved = self._reserved, None
        self._ready = self._current.ready
        self._left, self.rows = self.rows, self._current.segment.rows[: min(SLICE_RECORDS, self._ready)]
        self.cursor[BEFORE] = self._current.segment.header.first - 1

    def append(self, holds: int, body: Any) -> None:
        """Append an `Input`, a `Command`, a `DayNote` or a `Note`. Raises JournalError when there is no room left."""
        if not isinstance(body, BODIES[holds]):
            raise TypeError(f"a record of kind {holds} takes a {BODIES[holds].__name__}, not {type(body).__name__}")
        record = self._bodies[holds]
        record[0] = body
        self.append_words(holds, record.view(np.int64).reshape(1, BODY_WORDS), 0, 1)

    def append_words(self, holds: int, words: Rows, begin: int, end: int) -> None:
        """Append rows `begin` to `end` of `words`, int64 (n, BODY_WORDS). Raises JournalError when there is no room."""
        while (begin := append_rows(self.rows, self.cursor, holds, words, begin, end)) < end:
            self.make_room()

    def sync(self) -> None:
        """Wait until all that was appended is on the disk.

        Raises JournalError when the disk fails, and from then on always: the kernel forgets what it could not write, so
        a later success would prove nothing.
        """
        self._refuse_closed()
        if self._failure:
            raise JournalError(self._failure)
        records = int(self.cursor[RECORDS])
        if records == self._synced:
            return
        try:
            for path in self._unsynced:
                sync_segment(path, self._disk)
            with explained(self._current.segment.path, "can't be synced"):
                self._disk.sync_data(self._current.descriptor)
        except JournalError as error:
            self._failure = str(error)
            raise
        self._synced = records
        self._unsynced.clear()

    def close(self) -> None:
        """Give the journal free; nothing is synced. The arrays that were handed out stay readable."""
        self.rows = self.rows[:0]
        self._is_closed = True
        for each in filter(None, (self._current, self._reserved)):
            let_go(self._disk, each.descriptor)
        let_go(self._disk, self._lock)

    def _next(self) -> _Open:
        """Return the segment behind the current one; it is made if it is not there."""
        index = self._current.place + 1
        path = self._folder / FOLDER / segment_name(index)
        header = self._current.segment.header
        if path in segment_paths(self._folder, self._disk):
            with explained(path, "can't be synced"):  # its name, when it was made, or by whoever died then
                sync_folder(self._disk, path.parent)
        else:
            make_segment(path, header._replace(first=header.first + header.segment_records), self._disk)
        return _opened(path, index, 0, self._disk)

    def _refuse_closed(self) -> None:
        if self._is_closed:
            raise JournalError(f"{self._folder}: this journal was closed: open it again")

    def _used(self) -> int:
        """Return how many rows of the current segment are records."""
        return int(self.cursor[RECORDS] - self.cursor[BEFORE])

    def _make_ready(self, end: int) -> None:
        """Have the pages of rows up to `end` at hand; note it where the disk refuses: stores there might end the process."""
        end = min(end, len(self._current.segment.rows))
        try:
            _write_zeros(self._current.descriptor, self._ready, end, self._disk)
        except OSError as error:
            self._refused = error
        else:
            self._ready = max(end, self._ready)

    def _sync_aside(self, opened: _Open) -> None:
        """Have a segment synced by another thread."""
        if self.aside is not None:
            self.aside(partial(self._sync_now, opened.segment.path))

    def _sync_now(self, path: Path) -> None:
        """Sync a segment over a descriptor of its own, as ours may be closed meanwhile.

        The kernel tells a failure to no descriptor that is opened later, so the next `sync` has to hear of it from here.
        """
        try:
            descriptor = self._disk.open_to_write(path)
        except OSError:
            return  # nothing was done: it is for the next `sync` to do
        try:
            with explained(path, "can't be synced"):
                self._disk.sync_data(descriptor)
        except JournalError as error:
            self._failure = self._failure or str(error)
        finally:
            let_go(self._disk, descriptor)

    def _refusal(self, error: OSError | None) -> JournalError:
        """Return the disk's refusal as it is told."""
        try:
            with explained(self._current.segment.path, "can't be written"):
                raise error or OSError("no reason was given")
        except JournalError as told:
            return told

    def _with_reserve(self) -> Self:
        """Reserve the next segment. A disk that refuses is told by the next `reserve` if there is room till then."""
        with suppress(JournalError):
            self.reserve()
        return self


def has_journal(folder: Path, disk: Disk = DISK) -> bool:
    """Return whether a session's journal has begun: then it is to be opened, else created. Raises JournalError."""
    with explained(folder, "can't be looked at"):
        begun = disk.is_folder(folder / FOLDER)
    return begun and bool(segment_paths(folder, disk))


def _opened(path: Path, place: int, used: int, disk: Disk) -> _Open:
    """Map a segment of which `used` rows are records, to be gone on with. Raises JournalError."""
    segment, descriptor = open_segment(path, disk, to_write=True)
    ready = min(used + AHEAD_RECORDS, len(segment.rows))
    try:
        with explained(path, "can't be written"):
            _write_zeros(descriptor, used, ready, disk)
    except JournalError:
        let_go(disk, descriptor)
        raise
    return _Open(place, segment, descriptor, ready)


def _write_zeros(descriptor: int, begin: int, end: int, disk: Disk) -> None:
    """Write zeros to rows `begin` to `end`, in which nothing stands, so that their pages are in memory.

    To write a page's zeros takes 1 us; to leave it to the first store 5 us, and milliseconds where the kernel reads ahead
    for that, as far as the device is set to (8 MiB on some).
    """
    if begin < end:
        disk.write(descriptor, _ZEROS[: (end - begin) * RECORD_BYTES], HEADER_BYTES + begin * RECORD_BYTES)


def _refuse_existing(folder: Path, disk: Disk) -> None:
    if segment_paths(folder, disk):
        raise JournalError(f"{folder}: holds a journal already: go on with it, or name a new folder")


def _remove_drafts(inside: Path, disk: Disk) -> None:
    """Remove what a killed process left of a segment in the making."""
    with explained(inside, "can't be listed"):
        drafts = [name for name in disk.names(inside) if name.endswith(DRAFT)]
    for name in drafts:
        discard(disk, inside / name)
