"""The book of alerts on the disk: rows of text by kind and key in `alerts.sqlite`, written all or not at all.

What the monitor has in its memory is what counts while it runs. A disk that takes nothing delays no alert: what could not be
written is kept, and written with the next change.
"""

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from myquant.errors import MyquantError
from myquant.monitor.folder import Base

FILE: Final = "alerts.sqlite"

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

    All but `ACK` are in memory, too: a file that was removed or replaced, or is damaged and moved away, is written anew as a whole.

    Attributes:
        trouble: since when (ns) it can't be written, and why; None: it can.
    """

    def __init__(self, folder: Path) -> None:
        self.trouble: tuple[int, str] | None = None
        self.path = folder / FILE
        self._rows: dict[Row, str] = {}
        self._unsaved: dict[Row, str | None] = {}
        self._file = Base(self.path, _TABLE)
        self._is_retired = False
        self._was_open = False

    def rows(self, kind: str) -> dict[str, str]:
        """Return the rows of a kind by their keys. Raises MyquantError where the file can't be read."""
        if self._is_retired:
            return {}
        try:
            base = self._connected()
            found = dict(base.execute("select key, value from book where kind = ?", (kind,)))
            if self._file.is_another:  # what is in it is not of this book
                return {}
        except (sqlite3.Error, OSError, ValueError) as error:
            self._file.undo(error)
            remedy = (
                "make room on its disk" if "full" in str(error) else "look at its disk; move it away if it is damaged"
            )
            raise MyquantError(f"{self.path}: can't be read ({error}): {remedy}") from error
        if kind != ACK:
            self._rows.update({(kind, key): value for key, value in found.items()})
        return found

    def write(self, changes: Mapping[Row, str | None], now_ns: int) -> bool:
        """Write rows, None taking one away: all of them, and what is left from before, or nothing. Return whether it did."""
        for row, value in changes.items():
            self._unsaved[row] = text = value if value is None else storable(value)
            if text is None:
                self._rows.pop(row, None)
            elif row[0] != ACK:
                self._rows[row] = text
        return self.save(now_ns) if self._unsaved else True

    def save(self, now_ns: int) -> bool:
        """Write what could not be written before; return whether it could."""
        if self._is_retired:
            return True
        try:
            base = self._connected()
            base.execute("begin immediate")
            if self._file.is_another:
                base.execute("delete from book")
            base.executemany(_PUT, [(*row, value) for row, value in self._unsaved.items() if value is not None])
            base.executemany(_TAKE, [row for row, value in self._unsaved.items() if value is None])
            base.execute("commit")
        except (sqlite3.Error, OSError, ValueError) as error:
            self._file.undo(error)
            since_ns = self.trouble[0] if self.trouble else now_ns
            self.trouble = since_ns, f"{self.path.name}: {error}"
            return False
        self._unsaved.clear()
        self._file.is_another = False
        self.trouble = None
        return True

    def is_lost(self) -> bool:
        """Return whether the file that is written to was removed, or another one put into its place."""
        return self._file.is_lost()

    def retire(self) -> None:
        """Write nothing any more: the file is another monitor's."""
        self._is_retired = True
        self.close()

    def close(self) -> None:
        """Let go of the file; the next `write` opens the one that is there then."""
        self._file.close()

    def __enter__(self) -> Self:
        """Return the book, which is closed at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def _connected(self) -> sqlite3.Connection:
        """Return the open file; one that is opened again is to get all that is in memory, as it may be another now."""
        if self._file.connection is not None:
            return self._file.connection
        base = self._file.open()
        if self._was_open:
            self._unsaved = {**self._rows, **self._unsaved}
        self._was_open = True
        return base


def storable(text: str) -> str:
    """Return a text that the file takes: half a character, as the name of a folder may have one, is none."""
    return text.encode("utf-8", "backslashreplace").decode()
