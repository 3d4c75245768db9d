"""The log of a session, followed: lines are counted, errors kept. Read only, by name; a file that is renamed is read to its end."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from myquant.core import codes
from myquant.monitor.finding import plain
from myquant.monitor.view import NO_HALT, LogLine, SessionView
from myquant.session.log_files import FILE, earlier_files
from myquant.session.reconciliation import Kind
from myquant.session.telling import TOO_SMALL

PIECE_BYTES: Final = 1 << 18  # read at once: some hundredths of a second
LINE_BYTES_MAX: Final = 1 << 20  # a longer line is none
ERROR: Final = "error"
DAMAGED: Final = "damaged"  # lines that are no JSON, or of no level
LEVELS: Final = frozenset(("debug", "info", "warning", "error", "critical"))
HALTED: Final = codes.COMMAND_NAMES[codes.HALTED]
FEED: Final = "feed"
ORDER_CHANNEL: Final = "order channel"
# What the broker's books have, and why that halts entries. Of what was sold the journal has an input, which says it better.
DIFFERENCES: Final[Mapping[str, int]] = MappingProxyType(
    {
        Kind.FOREIGN_TRADE: codes.BY_FOREIGN_TRADE,
        Kind.LOST_ORDER: codes.BY_BOOKS,
        Kind.ORDER_DIFFERS: codes.BY_BOOKS,
        Kind.POSITION_DIFFERS: codes.BY_BOOKS,
        Kind.LOST_ENTRY: NO_HALT,
        Kind.ORPHAN: NO_HALT,
        Kind.STRANGE_ORDER: NO_HALT,
    }
)
_SIDES: Final[Mapping[str, tuple[str, str, str]]] = MappingProxyType(
    {
        Kind.FOREIGN_TRADE: ("bought", "sold", "traded"),
        Kind.ORPHAN: ("buy", "sell", ""),
        Kind.STRANGE_ORDER: ("buy", "sell", ""),
    }
)
WORDS_MAX: Final = 100
_HEAD: Final = frozenset(("time", "level", "event", "session"))
_SECOND_NS: Final = 1_000_000_000


class LogTail:
    """Takes the lines of a session's log into its view, as they come."""

    def __init__(self, view: SessionView) -> None:
        self._view = view
        self._path = view.folder / FILE
        self._file = -1
        self._inode = self._at = 0  # of the file that was closed
        self._rest = b""
        view.is_log_behind = True
        self._has_ended = False  # it was read to its end once: what comes now is new

    def look(self, limit: int = PIECE_BYTES) -> int:
        """Take what is there, up to so many bytes, and return how many; 0: it is read to its end. Raises OSError."""
        taken = self._look(limit)
        self._has_ended |= not taken
        self._view.is_log_behind = not self._has_ended
        return taken

    def close(self) -> None:
        """Close the file; the next look goes on where it was."""
        if self._file >= 0:
            self._at = os.lseek(self._file, 0, os.SEEK_CUR)
            os.close(self._file)
            self._file = -1

    def _look(self, limit: int) -> int:
        if self._file < 0 and not self._open():
            return 0
        piece = os.read(self._file, limit)
        if not piece and not self._is_renamed():
            return 0
        piece = piece or os.read(self._file, limit)  # what came before it was renamed
        if not piece:
            self.close()
            self._inode, self._rest = 0, b""
            return 1
        *lines, rest = (self._rest + piece).split(b"\n")
        self._rest = rest if len(rest) <= LINE_BYTES_MAX else b""
        for line in lines:
            self._take(line)
        return len(piece)

    def _open(self) -> bool:
        """Open the file that was read last, whatever its name is now, else the present one; False: there is none."""
        if self._inode and self._open_at(self._path):
            return True
        if self._inode and any(self._open_at(path) for path in reversed(earlier_files(self._path.parent))):
            return True
        self._inode, self._at, self._rest = 0, 0, b""  # it is packed, or cut: what was not read of it is lost
        return self._open_at(self._path)

    def _open_at(self, path: Path) -> bool:
        """Open a file at the place that was reached, where it is the one that was read; of none that was read, any is."""
        try:
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return False
        status = os.fstat(file)
        if self._inode and (status.st_ino != self._inode or status.st_size < self._at):
            os.close(file)
            return False
        os.lseek(file, self._at, os.SEEK_SET)
        self._file, self._inode = file, status.st_ino
        return True

    def _is_renamed(self) -> bool:
        """Return whether another file has the log's name now, or this one was cut."""
        status = os.fstat(self._file)
        try:
            is_same = os.path.samestat(status, self._path.stat())
        except FileNotFoundError:
            return False
        return not is_same or os.lseek(self._file, 0, os.SEEK_CUR) > status.st_size

    def _take(self, text: bytes) -> None:
        if not text:
            return
        line = parsed(text)
        if line is None:
            self._view.log_lines[DAMAGED] += 1
            return
        self._view.log_lines[line.level] += 1
        view, fields = self._view, line.fields
        if line.level == ERROR and line.event == HALTED:
            view.halt_lines += 1
        elif line.level == ERROR:
            view.last_error = line
        if line.event == TOO_SMALL:
            view.short_of_funds = line
        elif line.event == FEED and isinstance(fields.get("healthy"), bool):
            view.feed_reason = "" if fields["healthy"] else str(fields.get("reason", ""))
        elif line.event in DIFFERENCES:
            said = in_short(line) if line.event == Kind.FOREIGN_TRADE else f"{line.event}: {in_short(line)}"
            view.note_difference(line.wall_ns, DIFFERENCES[line.event], said)
        if line.event == ORDER_CHANNEL and isinstance(line.fields.get("up"), bool):
            self._take_order_channel(line, is_up=bool(line.fields["up"]))

    def _take_order_channel(self, line: LogLine, *, is_up: bool) -> None:
        """Take what a line says of the order channel, unless an earlier process wrote it."""
        view = self._view
        if view.process is None or line.wall_ns >= view.process.started_wall_ns:
            view.order_channel_up, view.order_channel_wall_ns = is_up, line.wall_ns


def in_short(line: LogLine) -> str:
    """Return what a line about the broker's books names: `bought 75 NIFTY07OCT2524900CE, buy 75 at 100.05 (order 77)`."""
    fields = line.fields
    quantity = fields.get("quantity")
    units = quantity if isinstance(quantity, int) else 0
    side = ""
    if line.event in _SIDES:
        bought, sold, neither = _SIDES[line.event]
        side, units = bought if units > 0 else sold if units < 0 else neither, abs(units)
    order = f"order {fields['order_id']}" if fields.get("order_id") else ""
    words = [order, side, f"{units:,}" if units else "", plain(str(fields.get("symbol") or fields.get("token") or ""))]
    said = plain(str(fields.get("words") or ""))[:WORDS_MAX]
    return ", ".join(filter(None, (" ".join(filter(None, words)), said)))


def parsed(text: bytes) -> LogLine | None:
    """Return a line of a log; None: it is none."""
    try:
        table: dict[str, Any] = json.loads(text)
        wall_ns = time_ns_of(str(table["time"]))
        level, event = str(table["level"]), str(table["event"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if level not in LEVELS:
        return None
    return LogLine(wall_ns, level, plain(event), {name: value for name, value in table.items() if name not in _HEAD})


def time_ns_of(text: str) -> int:
    """Return the time of a line, such as 2025-10-03T03:51:07.120400300Z, in ns since the epoch. Raises ValueError."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    second = datetime.fromisoformat(whole).replace(tzinfo=UTC)
    return int(second.timestamp()) * _SECOND_NS + int(fraction[:9].ljust(9, "0") or 0)
