"""Ticks and decisions as CSV files that grow while a session runs: `ticks.csv` and `decisions.csv` in its folder.

Times are ISO 8601 with the session's offset, rupees have two decimals, a cell is empty where there is nothing to say. The
journal is what counts: each start writes both files anew from it, so a row that a killed process had not written, or a full
disk had not taken, is there again.
"""

import csv
import io
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from myquant.core import codes
from myquant.core.records import Command
from myquant.errors import cannot_write
from myquant.journal.columns import REASONS, SIDES
from myquant.results.units import SECOND_NS, iso_time
from myquant.session.later import Later, at_once
from myquant.session.needs import Log
from myquant.session.tick_row import Earlier, TickRow

TICKS: Final = "ticks.csv"
DECISIONS: Final = "decisions.csv"
TICK_COLUMNS: Final = ("timestamp", "symbol", "price", "volume", "bid", "ask")
DECISION_COLUMNS: Final = ("kind", "symbol", "side", "quantity", "price", "reason", "order_id", "time", "input")
WRITTEN: Final = frozenset(
    (codes.SUBMIT, codes.CANCEL, codes.POSITION_OPENED, codes.TRADE_CLOSED, codes.DENIED, codes.HALTED)
)
BATCH_ROWS: Final = 16
RING_ROWS: Final = 2 * BATCH_ROWS  # the second batch is room while the first waits for its time

Write = Callable[[int, bytes], int]


class RowText:
    """Rows as lines of CSV. `symbols`: by the number of the instrument."""

    def __init__(self, symbols: Sequence[str], zone: ZoneInfo) -> None:
        self._symbols = [_cell(symbol) for symbol in symbols]

        @lru_cache(maxsize=1)
        def second_of(second: int) -> tuple[str, str]:
            """Return what stands before and behind a second's decimals: rows often come by the second."""
            text = iso_time(second * SECOND_NS, zone)
            return text[:19], text[19:]

        self._second_of = second_of

    def tick(self, row: TickRow) -> str:
        """Return the line of a tick."""
        _, who, _, time_ns, _, price, volume, bid, ask = row
        return (
            f"{self._time(time_ns)},{self._symbols[who]},{_rupees(price)},{volume},"
            f"{_rupees(bid) if bid else ''},{_rupees(ask) if ask else ''}\n"
        )

    def decision(self, command: Command) -> str:
        """Return the line of a decision. KeyError: a code that has no name."""
        kind, who = command.kind, command.instrument
        reason = REASONS[kind][command.reason] if kind in REASONS else ""
        price = _rupees(command.price) if command.price else ""
        return (
            f"{codes.COMMAND_NAMES[kind]},{self._symbols[who] if who >= 0 else ''},{SIDES[command.side]},"
            f"{command.quantity or ''},{price},{reason},{command.order_id or ''},"
            f"{self._time(command.time_ns)},{command.event_sequence}\n"
        )

    def _time(self, time_ns: int) -> str:
        second, rest_ns = divmod(time_ns, SECOND_NS)
        before, behind = self._second_of(second)
        if not rest_ns:
            return before + behind
        millisecond, rest = divmod(rest_ns, 10**6)
        if not rest:
            return f"{before}.{millisecond:03d}{behind}"
        return f"{before}.{rest_ns:09d}".removesuffix("000") + behind


def _cell(text: str) -> str:
    """Return a text as a cell: quoted where it has to be."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([text])
    return line.getvalue()


def _rupees(paise: int) -> str:
    return f"{paise / 100:.2f}"  # exact: a double holds the hundredths of any price that there is


class CsvFile:
    """A file that is written anew, row by row. The disk's trouble is counted, told once each time, and stops nothing.

    Attributes:
        lost: rows that the disk did not take.

    Raises MyquantError where the file can't be made.
    """

    def __init__(self, path: Path, columns: Sequence[str], log: Log, write: Write = os.write) -> None:
        self.lost = 0
        self._name = path.name
        self._log = log
        self._write = write
        self._size = 0
        self._untold = 0  # rows lost since it was last said how many
        self._is_torn = False  # half a line may stand behind the whole ones
        self._head = ",".join(columns) + "\n"
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        except OSError as error:
            raise cannot_write(path, error, 'move it away, or set pipeline.results = "off"') from error
        self.append("", 0)

    def append(self, lines: str, rows: int) -> None:
        """Append whole lines; they are with the system when this returns, and none of them where one does not fit.

        After `close` they are only counted as lost.
        """
        if self._file < 0:
            self.lost += rows
            return
        content = (self._head + lines).encode()
        try:
            self._mend()
            written = self._write(self._file, content)
        except OSError as error:
            self._lose(rows, error.strerror or str(error))
            return
        if written < len(content):
            self._is_torn = True
            with suppress(OSError):  # then it is tried again before the next lines, which are lost until it is done
                self._mend()
            self._lose(rows, "the disk is full")
            return
        self._size += written
        self._head = ""
        if self._untold:
            self._log.warning("rows are written again", file=self._name, lost=self._untold)
            self._untold = 0

    def _mend(self) -> None:
        """Cut off half a line, lest the next one be glued to it."""
        if self._is_torn:
            os.ftruncate(self._file, self._size)
            self._is_torn = False

    def _lose(self, rows: int, why: str) -> None:
        is_new = not self._untold
        self.lost += rows
        self._untold += rows
        if is_new:
            self._log.error("rows can't be written; the journal has them", file=self._name, error=why)

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            if self._untold:
                self._log.warning("rows are missing; the next start writes them", file=self._name, lost=self._untold)
            os.close(self._file)
            self._file = -1


class Rows(Protocol):
    """Writes rows into a file, in one way or another."""

    def add(self, rows: Sequence[Any]) -> None:
        """Take the rows of one event."""

    def flush(self) -> None:
        """Write what waits."""

    def put_off(self, later: Later) -> None:
        """Let what can wait be done by `later`."""


class DirectRows:
    """Formats and writes each event's rows at once."""

    def __init__(self, file: CsvFile, text: Callable[[Any], str]) -> None:
        self._file, self._text = file, text

    def add(self, rows: Sequence[Any]) -> None:
        """Write the rows of one event."""
        self._file.append("".join(map(self._text, rows)), len(rows))

    def flush(self) -> None:
        """Write what waits: nothing does."""

    def put_off(self, later: Later) -> None:
        """Let what can wait be done by `later`: nothing can."""


class BufferedRows:
    """Keeps rows in a ring, and formats and writes them in batches, in their order.

    A batch is written when `later` calls, at once without one. Where the ring is full before that, its oldest batch is
    written at once and counted in `overflows`.
    """

    def __init__(self, file: CsvFile, text: Callable[[Any], str]) -> None:
        self.overflows = 0
        self._file, self._text = file, text
        self._later: Later = at_once
        self._ring: list[Any] = [None] * RING_ROWS
        self._begin = self._count = 0

    def add(self, rows: Sequence[Any]) -> None:
        """Keep the rows of one event."""
        for row in rows:
            if self._count == RING_ROWS:
                self.overflows += 1
                self._put(BATCH_ROWS)
            self._ring[(self._begin + self._count) % RING_ROWS] = row
            self._count += 1
            if self._count == BATCH_ROWS:
                self._later(self._put_batch)

    def flush(self) -> None:
        """Write what waits."""
        while self._count:
            self._put(min(self._count, BATCH_ROWS))

    def put_off(self, later: Later) -> None:
        """Let batches be written by `later`."""
        self._later = later

    def _put_batch(self) -> None:
        if self._count >= BATCH_ROWS:
            self._put(BATCH_ROWS)
            if self._count >= BATCH_ROWS:
                self._later(self._put_batch)

    def _put(self, count: int) -> None:
        places = [place % RING_ROWS for place in range(self._begin, self._begin + count)]
        lines = "".join([self._text(self._ring[place]) for place in places])
        self._begin = (self._begin + count) % RING_ROWS
        self._count -= count
        self._file.append(lines, count)


VARIANTS: Final[dict[str, Callable[[CsvFile, Callable[[Any], str]], Rows]]] = {
    "direct": DirectRows,
    "buffered": BufferedRows,
}


class Results:
    """Both files of a session.

    Args:
        variant: `"direct"` or `"buffered"`: the same bytes.
        write: `os.write`, or a simulator's.

    Raises MyquantError where a file can't be made.
    """

    def __init__(
        self,
        folder: Path,
        variant: str,
        text: RowText,
        log: Log,
        *,
        write: Write = os.write,
    ) -> None:
        self._files = [
            CsvFile(folder / name, columns, log, write)
            for name, columns in ((TICKS, TICK_COLUMNS), (DECISIONS, DECISION_COLUMNS))
        ]
        self._text = text
        rows_of, (ticks, decisions) = VARIANTS[variant], self._files
        self.ticks, self.decisions = rows_of(ticks, text.tick), rows_of(decisions, text.decision)

    @property
    def lost(self) -> int:
        """Rows that the disk did not take."""
        return sum(file.lost for file in self._files)

    def recall(self, earlier: Earlier) -> None:
        """Write what the journal holds already, before anything else is taken."""
        lines = list(map(self._text.tick, earlier.ticks))
        decided = [each for each in map(Command._make, earlier.commands) if each.kind in WRITTEN]
        ticks, decisions = self._files
        ticks.append("".join(lines), len(lines))
        decisions.append("".join(map(self._text.decision, decided)), len(decided))

    def take(self, row: TickRow) -> None:
        """Take a tick."""
        self.ticks.add((row,))

    def decide(self, commands: Sequence[Command]) -> None:
        """Take the new commands of one event; those that are no decisions are left out."""
        found = [command for command in commands if command.kind in WRITTEN]
        if found:
            self.decisions.add(found)

    def put_off(self, later: Later) -> None:
        """Let batches be written by `later`; `at_once` again writes what waits."""
        for rows in (self.ticks, self.decisions):
            rows.put_off(later)
        if later is at_once:
            self.flush()

    def flush(self) -> None:
        """Write what waits; once a second."""
        self.ticks.flush()
        self.decisions.flush()

    def close(self) -> None:
        """Write what waits, and close the files."""
        self.flush()
        for file in self._files:
            file.close()
