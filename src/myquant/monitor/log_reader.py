"""Reads a log as it is written: through its earlier files, packed or not, to `log.jsonl`, and on as that grows and is renamed.

A place in a log outlives renaming and packing: a file is known by its first line, which holds the nanosecond of its time.
Only whole lines are taken, and only a part of a file is in memory.
"""

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import IO, Final, NamedTuple, cast

from myquant.session.log_files import FILE, earlier_files

LINE_MAX: Final = 2**20  # bytes; what is longer comes in pieces
HEAD_BYTES: Final = 256  # of a first line that tell a file
TRIES: Final = 5


class LogPlace(NamedTuple):
    """Up to where a log was read: the file, by its first line, and the bytes of it (unpacked). Nothing yet: ("", 0)."""

    file: str
    at: int


BEGINNING: Final = LogPlace("", 0)


class LogReader:
    """Reads one log. Raises OSError where a file can't be read.

    Args:
        folder: where the log is; it may come later.
        place: from where.
        since_ns: files that were last written to before this are left out; ns since the epoch.

    Attributes:
        gaps: how often a file was gone before it was read to its end.
        damaged: packed files that could be read in part only.
    """

    def __init__(self, folder: Path, place: LogPlace = BEGINNING, since_ns: int = 0) -> None:
        self.folder = folder
        self.gaps = 0
        self.damaged: list[Path] = []
        self._since_ns = since_ns
        self._place = place
        self._file: IO[bytes] | None = None
        self._path = folder
        self._inode = 0
        self._grows = False  # the file is `log.jsonl`
        self._at = 0
        self._head = ""  # of the present file; "": no line of it was taken
        self._half = b""

    @property
    def place(self) -> LogPlace:
        """Behind the last line that was returned."""
        return self._place

    @property
    def unread_bytes(self) -> int:
        """Bytes on disk that are still to be read; of a packed file, all or nothing."""
        unread = 0
        for path in reversed(self._files()):
            with suppress(FileNotFoundError):
                status = path.stat()
                if status.st_ino == self._inode:
                    return unread + (0 if path.suffix == ".gz" else max(0, status.st_size - self._at))
                unread += status.st_size
        return unread

    def lines(self) -> Iterator[bytes]:
        """Yield the lines that are there, without their ends; asked again, those that came since."""
        while self._file is not None or self._begin():
            yield from self._rest()
            if self._grows and not self._is_renamed():
                return
            if self._grows:  # some may have been written between the last look and the renaming
                self._grows = False
                yield from self._rest()
            if not self._next():
                return

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _rest(self) -> Iterator[bytes]:
        """Yield what is left of the present file; half a line at its end is waited for, where it can still grow."""
        while piece := self._read():
            self._half += piece
            if self._half.endswith(b"\n") or len(self._half) >= LINE_MAX:
                yield from self._take_half()
        if self._half and not self._grows:
            yield from self._take_half()

    def _read(self) -> bytes:
        try:
            return b"" if self._file is None else self._file.readline(LINE_MAX)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            self.damaged.append(self._path)
            return b""

    def _take_half(self) -> Iterator[bytes]:
        line, self._half = self._half, b""
        self._head = self._head or _digest(line)
        self._at += len(line)
        self._place = LogPlace(self._head, self._at)
        if text := line.rstrip(b"\n"):
            yield text

    def _begin(self) -> bool:
        """Open the file of the place, or the first; False: there is none."""
        files = self._files()
        if self._place.file and files:
            for path in files:
                if _head_of(path) == self._place.file:
                    return self._open(path, self._place)
            self.gaps += 1
        wanted = [path for path in files if _written_ns(path) >= self._since_ns] or files[-1:]
        return bool(wanted) and self._open_first(wanted)

    def _next(self) -> bool:
        """Open the file behind the present one; False: there is none."""
        for _ in range(TRIES):
            files = self._files()
            heads = [_head_of(path) for path in files]
            known = self._place.file in heads  # else it is gone, and so is all before it
            after = files[heads.index(self._place.file) + 1 :] if known else files
            if after and not self._open_first(after):
                continue
            return bool(after)
        return False

    def _open_first(self, files: list[Path]) -> bool:
        """Open the first of some files; False: it, or what lies before it, is another by now."""
        if not self._open(files[0], BEGINNING):
            return False
        return files[0].name != FILE or (len(files) == 1 and not self._came_between())

    def _came_between(self) -> bool:
        """Return whether `log.jsonl` was begun since the files were listed: then one lies before it that was not seen."""
        heads = [_head_of(path) for path in self._files()[:-1]]
        return bool(self._place.file) and bool(heads) and heads[-1] != self._place.file

    def _open(self, path: Path, place: LogPlace) -> bool:
        try:
            file = _opened(path)
            file.seek(place.at)
        except FileNotFoundError:  # it was renamed or packed just now
            return False
        self.close()
        self._file, self._path = file, path
        self._inode = os.fstat(file.fileno()).st_ino
        self._grows = path.name == FILE
        self._head, self._at, self._half = place.file, place.at, b""
        return True

    def _is_renamed(self) -> bool:
        try:
            return (self.folder / FILE).stat().st_ino != self._inode
        except FileNotFoundError:
            return False

    def _files(self) -> list[Path]:
        try:
            files = earlier_files(self.folder)
        except (FileNotFoundError, NotADirectoryError):
            return []
        present = self.folder / FILE
        return [*files, present] if present.exists() else files


def _opened(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path) if path.suffix == ".gz" else path.open("rb"))


def _head_of(path: Path) -> str:
    """Return what tells a file; "": it is empty, gone or can't be read."""
    try:
        with _opened(path) as file:
            line = file.readline(LINE_MAX)
    except (OSError, EOFError, zlib.error):
        return ""
    return _digest(line) if line.endswith(b"\n") or path.name != FILE else ""


def _digest(line: bytes) -> str:
    return blake2b(line[:HEAD_BYTES], digest_size=12).hexdigest()


def _written_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
