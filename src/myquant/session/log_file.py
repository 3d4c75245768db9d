"""The file that a log is appended to: whole lines, never half a one, in a new file once one is full or its day is over."""

import fcntl
import os
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Final

from myquant.session.log_files import FILE, FILE_MODE, Bounds, Removed, next_name, remove_old

SECOND_NS: Final = 1_000_000_000
HEAD_BYTES: Final = 64
TRIES: Final = 5
_TIME: Final = re.compile(rb'\{"time": "(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)')


class LogFile:
    """`log.jsonl` in a folder. Several processes may append; each goes on in the file that another has begun.

    Args:
        zone: in which a day begins.
        write: `os.write`, or a simulator's.
        on_new: called when a new file was begun.

    Attributes:
        removed: what had to go for the bounds and is still to be told; None: nothing.
    """

    def __init__(
        self,
        folder: Path,
        bounds: Bounds,
        zone: tzinfo,
        write: Callable[[int, bytes], int],
        on_new: Callable[[], object] | None = None,
    ) -> None:
        self.removed: Removed | None = None
        self._folder = folder
        self._path = folder / FILE
        self._bounds = bounds
        self._zone = zone
        self._write = write
        self._on_new = on_new
        self._file = -1
        self._size = 0
        self._day, self._day_ends_ns = "", 0
        self._open(self._path)

    def append(self, time_ns: int, lines: bytes) -> bool:
        """Append lines that arose at a time; False: they are lost."""
        if self._file < 0:
            return False
        try:
            self._make_room(time_ns, len(lines))
            if not self._size:
                self._begin_day(time_ns)
            written = self._write(self._file, lines)
        except OSError:
            return False
        if written < len(lines):  # the disk is full: no half line stays
            with suppress(OSError):
                self._take_back(written)
            return False
        self._size += written
        return True

    def follow(self) -> bool:
        """Go on in the file that has the log's name, made where there is none; return whether it is another than before.

        Where none can be opened the one before goes on.
        """
        if self._file < 0 or self._is_there():
            return False
        before = self._file
        try:
            self._open(self._path)
        except OSError:
            return False
        os.close(before)
        return True

    def close(self) -> None:
        """Close the file; what comes after that is lost."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _take_back(self, written: int) -> None:
        """Cut off what was just written, unless another process has appended behind it."""
        end = os.lseek(self._file, 0, os.SEEK_CUR)
        if os.fstat(self._file).st_size == end:
            os.ftruncate(self._file, end - written)

    def _make_room(self, time_ns: int, lines_bytes: int) -> None:
        """Begin a new file where this one is done, unless another process has begun one meanwhile: then go on in that.

        Where none can be begun, one that is only of yesterday goes on; one that is full takes nothing more (OSError).
        """
        if self._is_done(time_ns, lines_bytes) and self._is_renamed():
            full = self._file
            self._open(self._path)
            os.close(full)
        if self._is_done(time_ns, lines_bytes):
            try:
                self._rotate()
            except OSError:
                if self._is_full(lines_bytes):
                    raise

    def _is_done(self, time_ns: int, lines_bytes: int) -> bool:
        return self._is_full(lines_bytes) or (self._size > 0 and time_ns >= self._day_ends_ns and self._bounds.is_daily)

    def _is_full(self, lines_bytes: int) -> bool:
        return self._size > 0 and self._size + lines_bytes > self._bounds.file_bytes

    def _is_renamed(self) -> bool:
        """Return whether the file with the log's name is another than this one."""
        try:
            return not os.path.samestat(os.fstat(self._file), self._path.stat())
        except FileNotFoundError:
            return False

    def _is_there(self) -> bool:
        """Return whether the open file is the one with the log's name."""
        try:
            return os.path.samestat(os.fstat(self._file), self._path.stat())
        except OSError:
            return False

    def _rotate(self) -> None:
        """Begin a new file. It is opened first: where that fails the old one is as it was."""
        fresh = self._path.with_name(f"{FILE}.new")
        fresh.unlink(missing_ok=True)
        kept = next_name(self._folder, self._day)
        full = self._file
        self._open(fresh)
        os.close(full)
        if self._path.exists():
            self._path.replace(kept)
        fresh.replace(self._path)
        with suppress(OSError):
            found = remove_old(self._folder, self._bounds)
            if found.files:
                before = self.removed or Removed(0, 0)
                self.removed = Removed(before.files + found.files, before.size_bytes + found.size_bytes)
        if self._on_new is not None:
            self._on_new()

    def _open(self, path: Path) -> None:
        self._file = _opened(path)
        self._size = os.fstat(self._file).st_size
        if self._size:
            self._begin_day(self._first_ns())
            if os.pread(self._file, 1, self._size - 1) != b"\n":  # a process was killed while it wrote
                self._size += self._write(self._file, b"\n")

    def _first_ns(self) -> int:
        """Return the time of the first line, to the second; where it has none, that of the last change."""
        match = _TIME.match(os.pread(self._file, HEAD_BYTES, 0))
        if match is not None:
            with suppress(ValueError):
                return int(datetime.fromisoformat(match[1].decode()).replace(tzinfo=UTC).timestamp()) * SECOND_NS
        return os.fstat(self._file).st_mtime_ns

    def _begin_day(self, time_ns: int) -> None:
        """Note which day the file is of, and when that ends."""
        day = datetime.fromtimestamp(time_ns // SECOND_NS, self._zone).date()
        midnight = datetime.combine(day + timedelta(days=1), time(), self._zone)
        self._day, self._day_ends_ns = day.isoformat(), int(midnight.timestamp()) * SECOND_NS


def _opened(path: Path) -> int:
    """Open a file to append to, and hold a shared lock: nobody packs it meanwhile."""
    for _ in range(TRIES):
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, FILE_MODE)
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:  # it was renamed just now, and is being packed
            os.close(file)
            continue
        except OSError:  # a file system without locks: then no packer gets one either
            return file
        if os.fstat(file).st_nlink:
            return file
        os.close(file)
    raise BlockingIOError(11, "it is being packed", str(path))
