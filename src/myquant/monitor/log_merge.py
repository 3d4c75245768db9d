"""Lines of several logs as one, by time: a line of each is in memory, whatever their length."""

import heapq
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any, Final, NamedTuple

from myquant.errors import ConfigError
from myquant.monitor.log_reader import LogReader
from myquant.session.log import utc_text

LEVELS: Final = ("debug", "info", "warning", "error")
SECOND_NS: Final = 1_000_000_000
NO_LEVEL: Final = len(LEVELS)  # of a line that is none: it is always of interest
_AGO: Final = re.compile(r"(\d{1,9})(s|m|h|d)")
_UNIT_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
TIME_HELP: Final = "10m (s, m, h, d ago), 09:30, today, yesterday, 2026-11-23, or 2026-11-23T09:30:15"


class Line(NamedTuple):
    """A line. `time`: as the file has it, UTC; of one that is no JSON, that of the line before it, and `fields` is None."""

    time: str
    source: str
    raw: bytes
    fields: dict[str, Any] | None


@dataclass
class Wanted:
    """Which lines are wanted. Times: ns since the epoch; `levels`: from this one on; `pattern`: found in the line as it is."""

    since_ns: int = 0
    until_ns: int | None = None
    level: str = LEVELS[0]
    pattern: re.Pattern[str] | None = None
    damaged: Counter[str] = field(default_factory=Counter)  # lines that are no JSON, by source
    found: int = 0  # lines that were wanted

    def __post_init__(self) -> None:
        """Make of the times what lines are compared with."""
        self._since = utc_text(self.since_ns)
        self._until = "~" if self.until_ns is None else utc_text(self.until_ns)  # behind any digit
        self._level = LEVELS.index(self.level)

    def has(self, line: Line) -> bool:
        """Return whether a line is wanted; those that are no JSON are counted."""
        if line.fields is None:
            self.damaged[line.source] += 1
        level = NO_LEVEL
        if line.fields is not None and line.fields.get("level") in LEVELS:
            level = LEVELS.index(line.fields["level"])
        is_wanted = (
            level >= self._level
            and self._since <= line.time < self._until
            and (self.pattern is None or self.pattern.search(line.raw.decode("utf-8", "replace")) is not None)
        )
        self.found += is_wanted
        return is_wanted


def merged(readers: Iterable[LogReader], wanted: Wanted) -> Iterator[Line]:
    """Yield the wanted lines that are there, by time; asked again with the same readers, those that came since."""
    streams = (_lines_of(reader) for reader in readers)
    return (line for line in heapq.merge(*streams, key=lambda line: line.time) if wanted.has(line))


def _lines_of(reader: LogReader) -> Iterator[Line]:
    source, before = reader.folder.name, ""
    for raw in reader.lines():
        fields = fields_of(raw)
        before = before if fields is None else fields["time"]
        yield Line(before, source, raw, fields)


def fields_of(raw: bytes) -> dict[str, Any] | None:
    """Return the fields of a line; None: it is no JSON, or has no time, level and event."""
    try:
        fields = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(fields, dict) and all(isinstance(fields.get(name), str) for name in ("time", "level", "event"))
    return fields if whole else None


def pattern_of(text: str) -> re.Pattern[str]:
    """Return a regular expression; ConfigError where it is none."""
    try:
        return re.compile(text)
    except re.error as error:
        raise ConfigError(
            f"--grep {text!r}: no regular expression ({error}): put a \\ before a sign that is meant"
        ) from None


def time_of(option: str, text: str, zone: tzinfo, now_ns: int) -> int:
    """Return a time that a person has given, ns since the epoch; ConfigError where it is none.

    Without a date it is of today, without an offset in the zone.
    """
    now = datetime.fromtimestamp(now_ns // SECOND_NS, zone)
    if match := _AGO.fullmatch(text):
        return now_ns - int(match[1]) * _UNIT_S[match[2]] * SECOND_NS
    days = {"now": now, "today": _midnight(now.date(), zone), "yesterday": _midnight(now.date() - timedelta(1), zone)}
    if text in days:
        return now_ns if text == "now" else int(days[text].timestamp()) * SECOND_NS
    try:
        if re.fullmatch(r"\d\d:\d\d(:\d\d)?", text):
            found = datetime.combine(now.date(), time.fromisoformat(text), zone)
        else:
            found = datetime.fromisoformat(text)
            found = found if found.tzinfo is not None else found.replace(tzinfo=zone)
        return int(found.timestamp() * 1_000_000) * 1000
    except (ValueError, OverflowError):
        raise ConfigError(f"{option} {text!r}: no time: give {TIME_HELP}") from None


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone)
