"""Where the monitor keeps what is its own, and the base there that holds its alerts: opened, and known again."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from myquant.session.at_broker import state_folder

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700
WAIT_S: Final = 0.25  # for another process that writes to a base, such as `myquant alerts ack`
_PARTS: Final = ("", "-wal", "-shm")  # what SQLite has open of a base
_PASSING: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL)

Mark = tuple[int, int] | None  # of a file: its disk and number there; None: there is none


def monitor_folder() -> Path:
    """Return the monitor's folder in `MYQUANT_STATE`, else in the user's folder of states; it need not be there."""
    return state_folder() / "monitor"


def make_private(path: Path) -> None:
    """Make an empty file that only its owner can read, where there is none. Raises OSError.

    One that is there is not opened: whoever closes a file gives up every lock that this process has on it, SQLite's too.
    Another process may then take itself for the last user of a database, and remove what is written to.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))


class Base:
    """A file of SQLite's: a connection to it, and which file that is.

    SQLite writes on into a file that was removed, and says nothing. Therefore each file is known by its number on the disk,
    which no other file gets as long as it is open.

    Args:
        path: of the file.
        table: what makes its tables where they are not there.
        connect: opens a file.

    Attributes:
        is_another: the open file is another one than was open before; whoever has written to it what it is to hold sets it back.
    """

    def __init__(self, path: Path, table: str, connect: Callable[..., sqlite3.Connection] = sqlite3.connect) -> None:
        self.path = path
        self.connection: sqlite3.Connection | None = None
        self.is_another = False
        self._table = table
        self._connect = connect
        self._marks: tuple[Mark, ...] = ()  # of what was opened last; of nothing before

    def open(self) -> sqlite3.Connection:
        """Open the file. Raises sqlite3.Error and OSError."""
        self.path.parent.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
        make_private(self.path)
        mark = _mark(self.path)  # before it is opened: one that is replaced meanwhile is lost at the next look
        connection = self._connect(self.path, timeout=WAIT_S, isolation_level=None)
        try:
            connection.execute("pragma journal_mode=wal")
            connection.execute("pragma synchronous=full")  # what was written outlives a power cut
            connection.executescript(self._table)
        except sqlite3.Error:
            connection.close()
            raise
        self.is_another |= bool(self._marks) and self._marks[0] != mark
        self._marks = (mark, *_marks(self.path)[1:])
        self.connection = connection
        return connection

    def is_lost(self) -> bool:
        """Return whether the open file was removed, or another one put into its place."""
        return self.connection is not None and _marks(self.path) != self._marks

    def undo(self, error: Exception) -> None:
        """Undo what could not be written. The file is closed, too, but where it only was full or in use: who opens it writes all.

        It may have been opened while nobody could write to it, be damaged, or another one by the next time.
        """
        if self.connection is None:
            return
        code = getattr(error, "sqlite_errorcode", None)
        is_passing = code is not None and code & 0xFF in _PASSING and not self.is_lost()
        if not is_passing:
            self.close()
        elif self.connection.in_transaction:
            with suppress(sqlite3.Error):
                self.connection.rollback()

    def close(self) -> None:
        """Let go of the file."""
        if self.connection is not None:
            with suppress(sqlite3.Error):
                self.connection.close()
            self.connection = None


def _marks(path: Path) -> tuple[Mark, ...]:
    return tuple(_mark(path.with_name(path.name + part)) for part in _PARTS)


def _mark(path: Path) -> Mark:
    """Return by what a file is known. Raises nothing: one that can't be looked at is as good as gone."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
