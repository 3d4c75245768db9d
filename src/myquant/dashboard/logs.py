"""The search over all logs: lines of sessions, recorders, the monitor and the pages, by time."""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from myquant.monitor.log_merge import LEVELS, Wanted, merged
from myquant.monitor.log_reader import LogReader

LIMIT_MAX: Final = 5000
TEXT_MAX: Final = 200
RAW_MAX: Final = 8000  # characters of a line that is shown
BYTES_MAX: Final = 1 << 28  # of the logs that one search reads
SEARCHED_MAX: Final = 64  # logs of one search


class LogSearch(NamedTuple):
    """What is looked for. Times: ns since the epoch; `level`: from this one on; `text`: in the line as it is, small or capital."""

    since_ns: int = 0
    until_ns: int | None = None
    level: str = LEVELS[0]
    text: str = ""
    limit: int = 500


class LogFound(NamedTuple):
    """Lines by time, each its source and fields, or `raw` of one that is no JSON; and whether there are more, which are older."""

    lines: list[dict[str, Any]]
    is_cut: bool  # there are more, which are older
    unread: list[str]  # logs that could not be read, or were too many


def search_logs(folders: Iterable[Path], search: LogSearch) -> LogFound:
    """Return the last lines of some logs that are wanted. Takes a second for each 50 MB or so: it belongs into a thread."""
    wanted = Wanted(search.since_ns, search.until_ns, search.level, _literal(search.text))
    chosen = list(folders)
    readers, unread, size = [], [folder.name for folder in chosen[SEARCHED_MAX:]], 0
    for folder in chosen[:SEARCHED_MAX]:
        reader = _Reader(folder, since_ns=search.since_ns)
        size += _bytes_of(reader)
        if size > BYTES_MAX:
            unread.append(folder.name)
        else:
            readers.append(reader)
    try:
        found = deque(merged(readers, wanted), search.limit)
    finally:
        for reader in readers:
            reader.close()
    lines = [_shown(line.source, line.time, line.raw, line.fields) for line in found]
    unread += [reader.folder.name for reader in readers if reader.damaged or reader.has_failed]
    return LogFound(lines, wanted.found > len(lines), unread)


class _Reader(LogReader):
    """A log of several: one that can't be read keeps nobody from the others."""

    has_failed = False

    def lines(self) -> Iterator[bytes]:
        try:
            yield from super().lines()
        except OSError:
            self.has_failed = True


def _bytes_of(reader: LogReader) -> int:
    try:
        return reader.unread_bytes
    except OSError:
        return 0


def _shown(source: str, time: str, raw: bytes, fields: dict[str, Any] | None) -> dict[str, Any]:
    if fields is None:
        return {"source": source, "time": time, "raw": raw[:RAW_MAX].decode("utf-8", "replace")}
    return {"source": source, **fields}


def _literal(text: str) -> re.Pattern[str] | None:
    """Return what finds a text as it is: a pattern of a stranger's could take for ever."""
    return re.compile(re.escape(text), re.IGNORECASE) if text else None
