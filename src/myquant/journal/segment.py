"""Segment files: a header page, then records. `<session>/journal/000001.seg`, `000002.seg`...

    bytes 0-7     magic
    8-47          int64, little-endian: format, bytes of a record, records of a segment, number of the first record, key
    48-4063       zeros
    4064-4095     BLAKE2b of the 4,064 bytes before

A segment gets its name when it is whole, allocated and synced, so a `.seg` file that is short or has no sound header was
damaged. Its length never changes.
"""

import mmap
import struct
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from myquant.errors import JournalError
from myquant.journal.disk import Disk, discard, explained, let_go, put_file, read_whole, write_whole
from myquant.journal.record import FORMAT, RECORD_BYTES, WORDS

Rows: TypeAlias = NDArray[np.int64]

FOLDER: Final = "journal"
SUFFIX: Final = ".seg"
DRAFT: Final = ".new"
HEADER_BYTES: Final = 4096
_MAGIC: Final = b"MYQJRNL\n"
_FIELDS: Final = struct.Struct("<8s5q")
_HASH_BYTES: Final = 32
_ANOTHER_VERSION: Final = "use the version of myquant that wrote it"
_RESTORE: Final = "restore the file from a copy, or start a new session"


class SegmentDamageError(JournalError):
    """A segment file that is not what was once written, or not of this journal; `reason` alone says why."""

    def __init__(self, path: Path, reason: str, remedy: str = _RESTORE) -> None:
        super().__init__(f"{path}: {reason}: {remedy}")
        self.path = path
        self.reason = reason


class Header(NamedTuple):
    """What a segment says of itself."""

    segment_records: int
    first: int  # number of its first record
    key: int  # of the checksums: its session's own

    @property
    def file_bytes(self) -> int:
        """The length of the file."""
        return HEADER_BYTES + self.segment_records * RECORD_BYTES


def segment_name(index: int) -> str:
    """Return the file's name of segment `index`, from 1."""
    return f"{index:06d}{SUFFIX}"


def segment_paths(folder: Path, disk: Disk) -> list[Path]:
    """Return the segment files of a session's folder in order. Raises JournalError where there is no journal."""
    inside = folder / FOLDER
    with explained(inside, "can't be listed"):
        if not disk.is_folder(inside):
            raise JournalError(f"{folder}: is not the folder of a session (it has no {FOLDER}/): name one that has")
        return [inside / name for name in disk.names(inside) if name.endswith(SUFFIX)]


def header_page(header: Header) -> bytes:
    """Return the first page of a segment."""
    fields = _FIELDS.pack(_MAGIC, FORMAT, RECORD_BYTES, header.segment_records, header.first, header.key)
    page = fields.ljust(HEADER_BYTES - _HASH_BYTES, b"\0")
    return page + _page_hash(page)


def parse_header(page: bytes, path: Path) -> Header:
    """Return what the first page of a segment says. Raises SegmentDamageError for one of no use, and says why."""
    if len(page) < HEADER_BYTES:
        raise SegmentDamageError(path, f"is cut short ({len(page)} bytes, not even its header)")
    magic, version, record_bytes, *rest = _FIELDS.unpack_from(page)
    if magic != _MAGIC:
        raise SegmentDamageError(path, "is no segment of a journal, or its header is damaged")
    if _page_hash(page[:-_HASH_BYTES]) != page[-_HASH_BYTES:]:
        raise SegmentDamageError(path, "its header is damaged")
    if version != FORMAT or record_bytes != RECORD_BYTES:
        raise SegmentDamageError(path, f"is of format {version}, this version reads {FORMAT}", _ANOTHER_VERSION)
    return Header(*rest)


def _page_hash(page: bytes) -> bytes:
    return blake2b(page, digest_size=_HASH_BYTES).digest()


class Segment(NamedTuple):
    """A mapped segment."""

    path: Path
    header: Header
    rows: Rows  # the whole records of the file, mapped: (segment_records, WORDS), fewer in a file cut short
    file_bytes: int


def open_segment(path: Path, disk: Disk, *, to_write: bool) -> tuple[Segment, int]:
    """Map a segment and return it with its open descriptor, which the caller closes. Raises JournalError."""
    with explained(path, "can't be opened"):
        descriptor = disk.open_to_write(path) if to_write else disk.open_to_read(path)
    try:
        with explained(path, "can't be read"):
            header = parse_header(read_whole(disk, descriptor, HEADER_BYTES), path)
            size = disk.size(descriptor)
            mapped = disk.map_to_write(descriptor, size) if to_write else disk.map_to_read(descriptor, size)
    except JournalError:
        let_go(disk, descriptor)
        raise
    return Segment(path, header, _records(mapped, size, header), size), descriptor


def read_segment(path: Path, disk: Disk) -> Segment:
    """Map a segment for reading. Raises JournalError."""
    segment, descriptor = open_segment(path, disk, to_write=False)
    let_go(disk, descriptor)
    return segment


def make_segment(path: Path, header: Header, disk: Disk, records: bytes = b"") -> None:
    """Make a segment with all its blocks and its first records, durably; all of it or nothing. Raises JournalError.

    If that fails at the very end it is there, and the folder that names it has to be synced once more.
    """
    draft = path.with_name(path.name + DRAFT)
    discard(disk, draft)  # of one that died while making it
    with explained(path, "can't be made"):
        descriptor = disk.create(draft)
        try:
            disk.allocate(descriptor, header.file_bytes)
            write_whole(disk, descriptor, header_page(header) + records)
            disk.sync(descriptor)
            put_file(disk, path, draft)
        except OSError:
            discard(disk, draft)
            raise
        finally:
            let_go(disk, descriptor)


def sync_segment(path: Path, disk: Disk) -> None:
    """Wait until a segment that is not open is on the disk. Raises JournalError."""
    with explained(path, "can't be synced"):
        descriptor = disk.open_to_write(path)
        try:
            disk.sync_data(descriptor)
        finally:
            let_go(disk, descriptor)


def _records(mapped: mmap.mmap, size: int, header: Header) -> NDArray[Any]:
    count = min(header.segment_records, (size - HEADER_BYTES) // RECORD_BYTES)
    return np.frombuffer(mapped, np.int64, count * WORDS, HEADER_BYTES).reshape(count, WORDS)
