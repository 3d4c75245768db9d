"""The disk itself, and the words for what fails on it."""

import errno
import os
from pathlib import Path

import pytest

from journal.journal_samples import KEY, QuickDisk, codes_of, read_all, write_notes
from myquant.errors import JournalError
from myquant.journal.disk import DISK, explained, read_whole, write_whole
from myquant.journal.writer import JournalWriter


def test_the_real_disk_takes_a_journal(tmp_path: Path) -> None:
    writer = JournalWriter.create(tmp_path / "s", key=KEY, segment_records=5)
    write_notes(writer, 1, 12)
    writer.sync()
    writer.close()
    writer = JournalWriter.open(tmp_path / "s")
    write_notes(writer, 13, 13)
    writer.sync()
    writer.close()
    assert codes_of(read_all(tmp_path / "s")[0]) == [*range(1, 14)]


class Sip(QuickDisk):
    """A disk that reads and writes a few bytes at a time, and in the end none."""

    room = 10

    def write(self, descriptor: int, content: bytes | memoryview, offset: int) -> int:
        taken = super().write(descriptor, content[: min(3, self.room)], offset)
        self.room -= taken
        return taken

    def read(self, descriptor: int, count: int, offset: int) -> bytes:
        return super().read(descriptor, min(count, 4), offset)


def test_all_is_written_and_read_however_many_calls_it_takes(tmp_path: Path) -> None:
    descriptor = DISK.create(tmp_path / "file")
    write_whole(Sip(), descriptor, b"0123456789")
    assert read_whole(Sip(), descriptor, 99) == b"0123456789"
    assert read_whole(Sip(), descriptor, 7) == b"0123456"
    with pytest.raises(OSError, match="No space left on device"):
        write_whole(Sip(), descriptor, b"0123456789A")
    DISK.close(descriptor)


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(errno.ENOSPC, "free the disk"), (errno.EIO, "the disk fails"), (errno.EBADF, "see to the disk, then run again")],
)
def test_an_error_names_the_file_the_reason_and_the_remedy(number: int, remedy: str) -> None:
    with pytest.raises(JournalError) as caught, explained(Path("s/x.seg"), "can't be made"):
        raise OSError(number, os.strerror(number))
    assert str(caught.value).startswith(f"s/x.seg: can't be made ({os.strerror(number)}): {remedy}")
