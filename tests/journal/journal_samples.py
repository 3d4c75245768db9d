"""Small journals for the tests of the room, and their contents."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from myquant.core import codes
from myquant.core.records import Charges, Command, Day, Event
from myquant.journal import record
from myquant.journal.disk import Disk
from myquant.journal.reader import JournalReader
from myquant.journal.record import BODY_WORDS, DayNote, Input, Note, Origin
from myquant.journal.scan import End
from myquant.journal.segment import FOLDER, HEADER_BYTES, Rows, segment_name
from myquant.journal.writer import JournalWriter

KEY = -6_148_914_691_236_517_205
OPENS_NS = 1_759_463_100_000_000_000  # 2025-10-03 03:45 UTC


class QuickDisk(Disk):
    """A disk that is never waited for."""

    def sync(self, descriptor: int) -> None:
        assert descriptor >= 0

    def sync_data(self, descriptor: int) -> None:
        assert descriptor >= 0


QUICK = QuickDisk()


def create(folder: Path, *, segment_records: int = 5, disk: Disk = QUICK) -> JournalWriter:
    return JournalWriter.create(folder, key=KEY, segment_records=segment_records, disk=disk)


def note(code: int, kind: int = record.BEAT, *values: int) -> Note:
    padded = (*values, *[0] * (record.NOTE_VALUES - len(values)))
    return Note(kind, code, -1, OPENS_NS + code, code, padded)  # type: ignore[arg-type]


def tick(sequence: int, price: int = 12_345) -> Input:
    time_ns = OPENS_NS + sequence * 1_000_000_000
    event = Event(codes.TICK, 0, sequence, time_ns, time_ns + 250_000_000, price, 75, price - 5, price + 5, 0, 0, 0, 0)
    return Input(event, Origin(11, 12, 750, time_ns, 7, 1, 0, 0))


def event(sequence: int, kind: int, code: int = 0) -> Input:
    happened = Event(kind, -1, sequence, OPENS_NS, OPENS_NS, 0, 0, 0, 0, 0, 0, 0, code)
    return Input(happened, Origin(*[0] * 8))


def command(sequence: int, kind: int = codes.MARK, **fields: int) -> Command:
    return Command(*[0] * BODY_WORDS)._replace(sequence=sequence, kind=kind, time_ns=OPENS_NS, **fields)


def day() -> DayNote:
    charges = Charges(2_000, 0, 35_030, 1_000, 100_000, 3_000, 18_000_000, False, False)
    hours = (OPENS_NS, OPENS_NS + 1, OPENS_NS + 2, OPENS_NS + 3, OPENS_NS + 4)
    return DayNote(0, 0, 0, Day(*hours, 75, 5, 1, 1_800, charges))


def write_notes(writer: JournalWriter, first: int, last: int) -> None:
    """Append notes whose codes are their records' numbers."""
    for number in range(first, last + 1):
        writer.append(record.NOTE, note(number))


def notes_written(folder: Path, last: int, *, segment_records: int = 5) -> None:
    """Make a journal of `last` notes."""
    writer = create(folder, segment_records=segment_records)
    write_notes(writer, 1, last)
    writer.close()


def words(count: int, seed: int = 1) -> NDArray[np.int64]:
    """Return `count` bodies of any words."""
    return np.random.default_rng(seed).integers(-(2**63), 2**63 - 1, (count, BODY_WORDS))


def segment(folder: Path, index: int = 1) -> Path:
    return folder / FOLDER / segment_name(index)


def record_at(row: int) -> int:
    """Return where a row of a segment begins in its file."""
    return HEADER_BYTES + row * record.RECORD_BYTES


def flip(path: Path, at: int, mask: int = 0x10) -> None:
    """Change bits of one byte of a file."""
    with path.open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ mask]))


def read_all(folder: Path) -> tuple[Rows, End]:
    """Return copies of all sound records, and what stands behind them."""
    reader = JournalReader(folder)
    blocks = [*reader.blocks()]
    rows = np.concatenate(blocks) if blocks else np.zeros((0, record.WORDS), np.int64)
    return rows, reader.end(len(rows))


def codes_of(rows: Rows) -> list[int]:
    """Return the codes of records that all hold notes."""
    assert (rows[:, record.HOLDS] == record.NOTE).all()
    return rows[:, record.BODY + 1].tolist()  # type: ignore[no-any-return]
