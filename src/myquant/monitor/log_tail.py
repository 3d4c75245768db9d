"""The log of a session, followed: lines are counted, errors kept. Read only, by name; a file that is renamed is read to its end."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from myquant.core import codes
from myquant.monitor.finding import plain
from myquant.monitor.view import NO_HALT, LogLine, SessionView
from myquant.session.log_files import FILE
from myquant.session.reconciliation import Kind
from myquant.session.telling import TOO_SMALL

PIECE_BYTES: Final = 1 << 20  # read at once
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
        self._rest = b""

    def look(self) -> bool:
        """Take what is there, up to `PIECE_BYTES`; return whether there may be more. Raises OSError."""
        if self._file < 0 and not self._open():
            return False
        piece = os.read(self._file, PIECE_BYTES)
        if not piece and not self._is_renamed():
            return False
        piece = piece or os.read(self._file, PIECE_BYTES)  # what came before it was renamed
        if not piece:
            self.close()
            self._rest = b""
            return True
        *lines, rest = (self._rest + piece).split(b"\n")
        self._rest = rest if len(rest) <= LINE_BYTES_MAX else b""
        for line in lines:
            self._take(line)
        return True

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _open(self) -> bool:
        with suppress(FileNotFoundError):
            self._file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            return True
        return False

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
        began_ns = (
            0 if view.process is None else view.process.started_wall_ns
        )  # a line of an earlier process says nothing
        if line.event == ORDER_CHANNEL and isinstance(fields.get("up"), bool) and line.wall_ns >= began_ns:
            view.order_channel_up, view.order_channel_wall_ns = bool(fields["up"]), line.wall_ns


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
