"""The book of alerts on the disk: rows of text by kind and key in `alerts.sqlite`, written all or not at all.

What the monitor has in its memory is what counts while it runs. A disk that takes nothing delays no alert: what could not be
written is kept, and written with the next change.
"""

import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from myquant.errors import MyquantError
from myquant.monitor.folder import make_private

FILE: Final = "alerts.sqlite"
FOLDER_MODE: Final = 0o700
WAIT_S: Final = 0.25  # for another process that writes

# Kinds of rows.
ALERT: Final = "alert"  # by number
ACK: Final = "ack"  # likewise; written by `myquant alerts ack`, taken by the monitor
WAITING: Final = "waiting"  # by channel
READY: Final = "ready"  # by number: a message that the courier has to take
STATE: Final = "state"

_TABLE: Final = "create table if not exists book (kind text, key text, value text not null, primary key (kind, key))"
_PUT: Final = "insert or replace into book values (?, ?, ?)"
_TAKE: Final = "delete from book where kind = ? and key = ?"

Row = tuple[str, str]  # kind and key


class Book:
    """Rows of text.

    Attributes:
        trouble: since when (ns) it can't be written, and why; None: it can.
    """

    def __init__(self, folder: Path) -> None:
        self.trouble: tuple[int, str] | None = None
        self.path = folder / FILE
        self._unsaved: dict[Row, str | None] = {}
        self._base: sqlite3.Connection | None = None

    def rows(self, kind: str) -> dict[str, str]:
        """Return the rows of a kind by their keys. Raises MyquantError where the file can't be read."""
        try:
            return dict(self._connected().execute("select key, value from book where kind = ?", (kind,)))
        except (sqlite3.Error, OSError, ValueError) as error:
            self._close()
            raise MyquantError(f"{self.path}: can't be read ({error}): move it away") from error

    def write(self, changes: Mapping[Row, str | None], now_ns: int) -> bool:
        """Write rows, None taking one away: all of them, and what is left from before, or nothing. Return whether it did."""
        self._unsaved.update(changes)
        if not self._unsaved:
            return True
        try:
            base = self._connected()
            base.execute("begin immediate")
            base.executemany(
                _PUT, [(*row, storable(value)) for row, value in self._unsaved.items() if value is not None]
            )
            base.executemany(_TAKE, [row for row, value in self._unsaved.items() if value is None])
            base.execute("commit")
        except (sqlite3.Error, OSError, ValueError) as error:
            self._close()  # which rolls back
            since_ns = self.trouble[0] if self.trouble else now_ns
            self.trouble = since_ns, f"{self.path.name}: {error}"
            return False
        self._unsaved.clear()
        self.trouble = None
        return True

    def close(self) -> None:
        """Let go of the file."""
        self._close()

    def __enter__(self) -> Self:
        """Return the book, which is closed at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self._close()

    def _connected(self) -> sqlite3.Connection:
        if self._base is None:
            self.path.parent.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
            make_private(self.path)
            base = sqlite3.connect(self.path, timeout=WAIT_S, isolation_level=None)
            try:
                base.execute("pragma journal_mode = wal")
                base.execute("pragma synchronous = full")
                base.execute(_TABLE)
            except sqlite3.Error:
                base.close()
                raise
            self._base = base
        return self._base

    def _close(self) -> None:
        if self._base is not None:
            with suppress(sqlite3.Error):
                self._base.close()
            self._base = None


def storable(text: str) -> str:
    """Return a text that the file takes: half a character, as the name of a folder may have one, is none."""
    return text.encode("utf-8", "backslashreplace").decode()
