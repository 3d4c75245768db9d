"""A search in logs, as a process of its own: an expression that never comes to an end holds up nobody else.

python -m myquant.dashboard.log_worker

Takes a request, a line of JSON, from stdin, and answers with a line of JSON: what there is; then, for each further line, what
came since. It ends when stdin does, or when nobody has asked for `IDLE_S`.
"""

import json
import os
import re
import resource
import select
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypedDict
from zoneinfo import ZoneInfo

from myquant.monitor.log_merge import Line, Wanted, merged
from myquant.monitor.log_reader import LogReader
from myquant.monitor.log_text import LineText, line_text, time_text
from myquant.session.log_files import FILE

IDLE_S: Final = 120.0
NICE: Final = 10
MEMORY_BYTES: Final = 2**31
TEXT_MAX: Final = 2_000  # characters of a line that are shown
RAW_MAX: Final = 16_384  # bytes of a line whose fields are given
TRACE_MAX: Final = 40  # lines of a traceback, the last ones
LOOK_LINES: Final = 256  # from one look at the clock to the next


class Request(TypedDict):
    """What is searched. Times: ns UTC; `text`: "" for all; `logs`: folders by their names; `most`: lines of an answer.

    `zone`: of the times that people are shown; "": lines are given as they are in the file, for programs.
    """

    logs: dict[str, str]
    since_ns: int
    until_ns: int | None
    level: str
    text: str
    is_pattern: bool
    most: int
    budget_s: float
    zone: str


class Found(TypedDict):
    """What was found: the last `most` lines, by time, and how many there are in all.

    `records`: without a zone, the lines' fields with their source; of one that is no JSON, or too long, its time and `raw`.
    `until`: where it took too long, the time up to which was searched; "": all was. `refused`: why nothing was searched.
    `damaged`: lines that are no JSON, by log; `unreadable`: what can't be read, or in part only.
    """

    lines: list[LineText]
    records: list[dict[str, Any]]
    total: int
    damaged: dict[str, int]
    unreadable: list[str]
    until: str
    refused: str


def pattern_of(text: str, *, is_pattern: bool) -> re.Pattern[str] | None:
    """Return what is looked for in lines, in small or capital letters; None: all are wanted. Raises ValueError, in words."""
    if not text:
        return None
    try:
        return re.compile(text if is_pattern else re.escape(text), re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"no regular expression ({error}): put a \\ before a sign that is meant") from None


class Search:
    """A search that goes on with what comes. Raises ValueError, in words, for an expression that is none."""

    def __init__(self, request: Request, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._request, self._clock_s = request, clock_s
        self._wanted = _Timed(
            since_ns=request["since_ns"],
            until_ns=request["until_ns"],
            level=request["level"],
            pattern=pattern_of(request["text"], is_pattern=request["is_pattern"]),
        )
        self._unreadable: list[str] = []
        self._readers = [
            LogReader(Path(folder), since_ns=request["since_ns"])
            for name, folder in request["logs"].items()
            if self._can_read(name, Path(folder))
        ]

    def look(self) -> Found:
        """Return what is there, then what came since. Once an answer has an `until`, nothing more is to be asked."""
        wanted, lines, until = self._wanted, deque[Line](maxlen=self._request["most"]), ""
        wanted.found, wanted.is_over = 0, self._deadline()
        wanted.damaged.clear()
        try:
            lines.extend(merged(self._readers, wanted))
        except _OutOfTimeError as error:
            until = error.time if self._zone is None else time_text(error.time, self._zone)
        except OSError as error:
            self._unreadable.append(f"{error.filename or 'a log'}: {error.strerror or error}")
            until = "a log that can't be read"
        torn = [f"{path}: torn, read in part" for reader in self._readers for path in reader.damaged]
        zone = self._zone
        return Found(
            lines=[] if zone is None else [_short(line_text(line, zone)) for line in lines],
            records=[_record(line) for line in lines] if zone is None else [],
            total=wanted.found,
            damaged=dict(wanted.damaged),
            unreadable=[*self._unreadable, *torn],
            until=until,
            refused="",
        )

    def close(self) -> None:
        """Let go of all logs."""
        for reader in self._readers:
            reader.close()

    @property
    def _zone(self) -> ZoneInfo | None:
        return ZoneInfo(self._request["zone"]) if self._request["zone"] else None

    def _deadline(self) -> Callable[[], bool]:
        end_s = self._clock_s() + self._request["budget_s"]
        return lambda: self._clock_s() >= end_s

    def _can_read(self, name: str, folder: Path) -> bool:
        log = folder / FILE
        if can := os.access(folder, os.R_OK | os.X_OK) and (not log.exists() or os.access(log, os.R_OK)):
            return can
        self._unreadable.append(f"{name}: can't be read by the pages' user")
        return False


class _OutOfTimeError(Exception):
    """The search has taken too long. `time`: of the line that was reached."""

    def __init__(self, time: str) -> None:
        super().__init__(time)
        self.time = time


@dataclass
class _Timed(Wanted):
    """What is wanted, for so long."""

    is_over: Callable[[], bool] = bool
    looked: int = 0

    def has(self, line: Line) -> bool:
        """Return whether a line is wanted. Raises _OutOfTimeError now and then, once the time is over."""
        self.looked += 1
        if self.looked % LOOK_LINES == 0 and self.is_over():
            raise _OutOfTimeError(line.time)
        return super().has(line)


def _short(line: LineText) -> LineText:
    rest = line.rest if len(line.rest) <= TEXT_MAX else f"{line.rest[:TEXT_MAX]}... ({len(line.rest):,} characters)"
    trace = tuple(each[:TEXT_MAX] for each in line.trace[-TRACE_MAX:])
    return line._replace(session=line.session[:TEXT_MAX], event=line.event[:TEXT_MAX], rest=rest, trace=trace)


def _record(line: Line) -> dict[str, Any]:
    if line.fields is None or len(line.raw) > RAW_MAX:
        return {"source": line.source, "time": line.time, "raw": line.raw[:RAW_MAX].decode("utf-8", "replace")}
    return {"source": line.source, **line.fields}


def refusal(why: str) -> Found:
    """Return the answer to what can't be searched."""
    return Found(lines=[], records=[], total=0, damaged={}, unreadable=[], until="", refused=why)


def main() -> None:
    """Serve stdin until it ends."""
    with suppress(OSError, ValueError):
        os.nice(NICE)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    search: Search | None = None
    stdin = os.fdopen(sys.stdin.fileno(), "rb", buffering=0, closefd=False)  # so that what waits is seen to wait
    while select.select([stdin], [], [], IDLE_S)[0] and (line := stdin.readline()):
        answer = refusal("it takes more memory than there is for it: narrow it")
        with suppress(MemoryError):
            try:
                search = search or Search(json.loads(line))
                answer = search.look()
            except ValueError as error:
                answer = refusal(str(error))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
