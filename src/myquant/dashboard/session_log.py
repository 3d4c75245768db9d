"""The events of one session's log on its page: the newest, by level and by what is in them."""

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from nicegui import run, ui

from myquant.dashboard.components import ROWS_SHOWN, Cell, LiveTable, Row
from myquant.dashboard.frame import part_timer
from myquant.monitor.finding import plain
from myquant.monitor.log_merge import LEVELS, fields_of
from myquant.monitor.log_reader import LogReader

LINES_KEPT: Final = 5000  # of the log's end are searched
LINES_SHOWN: Final = 100
HEAD: Final = ("time", "level", "event")
STYLES: Final = {"warning": "warning", "error": "failed"}
COLUMNS: Final = ("Time", "Level", "Event", "What")


class Event(NamedTuple):
    """A line that is shown."""

    number: int  # of the line, by which it is known again
    level: str
    cells: tuple[str, str, str, str]


class LogEnd:
    """The end of a session's log, read on by each `read`."""

    def __init__(self, folder: Path) -> None:
        self._reader = LogReader(folder)
        self._lines: deque[tuple[int, bytes]] = deque(maxlen=LINES_KEPT)
        self._count = 0

    def read(self) -> int:
        """Take what is new; return how many lines there were so far. Raises OSError."""
        for line in self._reader.lines():
            self._lines.append((self._count, line))
            self._count += 1
        return self._count

    def close(self) -> None:
        """Close its file."""
        self._reader.close()

    def newest(self, level: str, text: str, zone: ZoneInfo) -> list[Event]:
        """Return the newest LINES_SHOWN lines, newest first: of a level or a worse one, with a text somewhere in them."""
        return list(_chosen(reversed(self._lines), LEVELS.index(level), text.casefold(), zone))


def _chosen(lines: Iterable[tuple[int, bytes]], least: int, text: str, zone: ZoneInfo) -> Iterable[Event]:
    count = 0
    for number, raw in lines:
        if text and text not in raw.decode("utf-8", "replace").casefold():
            continue
        fields = fields_of(raw)
        level = "" if fields is None else str(fields["level"])
        if level in LEVELS and LEVELS.index(level) < least:
            continue
        if fields is None:
            cells = ("", "no line of a log", "", plain(raw.decode("utf-8", "replace")))
        else:
            rest = ", ".join(f"{name} {value}" for name, value in fields.items() if name not in HEAD)
            cells = (_time(str(fields["time"]), zone), level, plain(str(fields["event"])), plain(rest))
        yield Event(number, level, cells)
        count += 1
        if count == LINES_SHOWN:
            return


def _time(text: str, zone: ZoneInfo) -> str:
    try:
        return f"{datetime.fromisoformat(text).astimezone(zone):%Y-%m-%d %H:%M:%S.%f %Z}"
    except ValueError:
        return plain(text)


class LogPart:
    """The part of a page with the events, its two filters above."""

    def __init__(self, folder: Path, zone: ZoneInfo, update_s: float) -> None:
        self._end, self._zone = LogEnd(folder), zone
        self._shown: tuple[int, str, str] | None = None
        self._is_reading = False
        with ui.element("div").classes("actions"):
            self._level = ui.select(list(LEVELS), value="info", label="Level, and worse").style("min-width: 10rem")
            self._text = ui.input("With this text").props("clearable debounce=300")
        with ui.element("div").classes("cards").style("max-height: 28rem; overflow-y: auto"):
            self._table = LiveTable(
                COLUMNS, "Events of the log, newest first", "No event is like that.", most=ROWS_SHOWN
            )
        part_timer(update_s, self._update)
        ui.context.client.on_delete(self._end.close)

    async def _update(self) -> None:
        """Read on beside the pages' loop, and show what is new or wanted now."""
        if self._is_reading:
            return
        self._is_reading = True
        try:
            count = await run.io_bound(self._end.read)
        except OSError:
            return  # the findings say what is wrong with it
        finally:
            self._is_reading = False
        level, text = str(self._level.value), str(self._text.value or "")
        if count is not None and self._shown != (count, level, text):
            self._shown = (count, level, text)
            self._table.show(list(map(_row, self._end.newest(level, text, self._zone))))


def _row(event: Event) -> Row:
    time, level, name, rest = event.cells
    return str(event.number), (time, Cell(level, style=STYLES.get(event.level, "")), name, rest)
