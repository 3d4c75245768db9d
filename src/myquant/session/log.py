"""The session's log: JSON lines in `log.jsonl`, and a short line for people on stderr.

    {"time": "2025-10-03T03:51:07.120400300Z", "level": "warning", "event": "feed stale", "session": "nifty", "silence_s": 3.1}

Nothing here ever raises for the disk's or the terminal's sake: what can't be written is counted, and told once it can.
Every text is redacted before it goes anywhere.
"""

import json
import math
import os
import select
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from myquant.errors import cannot_write
from myquant.session.log_file import LogFile
from myquant.session.log_files import FILE, MIB, Bounds

REMOVED: Final = "old log files removed"
TEXT_MAX: Final = 8000  # characters of a value
SHORT_MAX: Final = 1000  # characters of a line on stderr: a pipe that is ready takes 4,096 bytes
DEPTH_MAX: Final = 4
SECOND_NS: Final = 1_000_000_000
RESERVED: Final = frozenset(("time", "level", "event", "session"))
_NOT_SHOWN: Final = RESERVED | {"exception"}

Redact = Callable[[str], str]

_SECOND: Final = "%Y-%m-%dT%H:%M:%S"
_JSON: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


@dataclass
class Errors:
    """What was logged as an error since the log was opened: how many lines, and when (ns, UTC) and what the last one was."""

    count: int = 0
    time_ns: int = 0
    text: str = ""

    def note(self, time_ns: int, fields: Mapping[str, Any], redact: Redact) -> None:
        """Take a line: its event and fields."""
        self.count, self.time_ns, self.text = self.count + 1, time_ns, redact(_short_text(fields))[:SHORT_MAX]


class SessionLog(structlog.BoundLoggerBase):
    """What a session logs to; `bind(name=value)` returns one that adds fields to every line.

    `waits`: a call returns when its line is written.
    """

    waits: Final = True

    def debug(self, event: str, **fields: object) -> None:
        """Log what helps to find a defect: nothing, in 0.2 us, unless the log was opened for it."""
        if self._logger.is_debug:
            self._proxy_to_logger("write", event, level="debug", **_apart(fields))

    def info(self, event: str, **fields: object) -> None:
        """Log what is as it should be."""
        self._proxy_to_logger("write", event, level="info", **_apart(fields))

    def warning(self, event: str, **fields: object) -> None:
        """Log what a person should look at some time."""
        self._proxy_to_logger("write", event, level="warning", **_apart(fields))

    def error(self, event: str, **fields: object) -> None:
        """Log what a person should look at now; `exc_info=error` adds its traceback."""
        self._proxy_to_logger("write", event, level="error", **_apart(fields))

    def exception(self, event: str, **fields: object) -> None:
        """Log an error with the traceback of the exception that is being handled."""
        self.error(event, exc_info=True, **fields)

    @property
    def errors(self) -> Errors:
        """What was logged as an error."""
        errors: Errors = self._logger.errors
        return errors

    @property
    def is_debug(self) -> bool:
        """Whether what is logged for debugging is written."""
        return bool(self._logger.is_debug)

    def write_debug(self, wanted: bool) -> None:
        """Write, or no longer write, what is logged for debugging."""
        self._logger.is_debug = wanted

    @property
    def fill(self) -> float:
        """How full the way to the file is, 0 to 1: there is none that could fill."""
        return 0.0

    @property
    def lost(self) -> int:
        """How many lines did not get into the file since it was opened."""
        lost: int = self._logger.lost
        return lost

    @property
    def unshown(self) -> int:
        """How many lines stderr could not take at once; they are in the file."""
        unshown: int = self._logger.unshown
        return unshown

    def look(self) -> None:
        """See to it that lines get written: nobody else has to."""

    def follow(self) -> bool:
        """Go on in the file that has the log's name, where the open one was removed or renamed; return whether that was so."""
        followed: bool = self._logger.follow()
        return followed

    def close(self) -> None:
        """Close the file; what is logged after that goes to stderr only."""
        self._logger.close()


def open_log(
    folder: Path,
    redact: Redact,
    *,
    session: str,
    clock: Callable[[], int],
    bounds: Bounds,
    zone: tzinfo = UTC,
    stderr: TextIO | None = None,
    debug: bool = False,
    process: str = "",
    write: Callable[[int, bytes], int] = os.write,
    on_new: Callable[[], object] | None = None,
) -> SessionLog:
    """Open the log in a session's folder, behind what it holds already.

    Args:
        folder: of the session.
        redact: takes a text and returns it without secrets; it is given every text and every number.
        session: its name.
        clock: returns the time, ns since the epoch (UTC).
        bounds: how far its files may grow (`log_files.bounds_of`).
        zone: in which people read the time on stderr, and in which a day begins.
        stderr: where the lines for people go; that of the process when None.
        debug: whether what is logged for debugging is written.
        process: what it is, where it is not the session itself: each line says so.
        write: `os.write`, or a simulator's.
        on_new: called when a new file was begun.

    Raises MyquantError where the file can't be opened.
    """
    try:
        file = LogFile(folder, bounds, zone, write, on_new)
    except OSError as error:
        raise cannot_write(folder / FILE, error, "take a folder of your own") from error
    sink = _Sink(file, sys.stderr if stderr is None else stderr, is_debug=debug)
    own = {"session": session, "process": process} if process else {"session": session}

    @lru_cache(maxsize=1)
    def texts_of(second: int) -> tuple[str, str]:
        """Return a second as the file has it and as people read it: 25 us, and lines often come by the second."""
        return f"{datetime.fromtimestamp(second, UTC):{_SECOND}}", f"{datetime.fromtimestamp(second, zone):%H:%M:%S}"

    def rendered(_logger: WrappedLogger, _method: str, fields: EventDict) -> Any:
        time_ns = clock()
        if fields["level"] == "error":
            sink.errors.note(time_ns, fields, redact)
        second, rest_ns = divmod(time_ns, SECOND_NS)
        utc, local = texts_of(second)
        head = {"time": f"{utc}.{rest_ns:09d}Z", "level": fields["level"], "event": fields["event"], **own}
        short = f"{local} {_short_line(fields)}\n"
        return (time_ns, head, {**head, **fields, **head}, short), {}

    processors: list[Processor] = [_redacted_by(redact), rendered]
    log: SessionLog = structlog.wrap_logger(sink, processors, wrapper_class=SessionLog, context_class=dict).bind()
    return log


def _redacted_by(redact: Redact) -> Processor:
    """Return what takes the secrets out of a line's fields."""

    def redacted(logger: WrappedLogger, method: str, fields: EventDict) -> EventDict:
        if "exc_info" in fields:
            fields = structlog.processors.format_exc_info(logger, method, fields)
        if _is_plain(fields) and redact(whole := "\n".join(map(str, (*fields, *fields.values())))) == whole:
            return fields
        names = {name: name if name in RESERVED else str(_clean(name, redact)) for name in fields}
        return {names[name]: _clean(value, redact) for name, value in fields.items()}

    return redacted


def utc_text(time_ns: int) -> str:
    """Return a time as `2025-10-03T03:51:07.120400300Z`."""
    seconds, rest_ns = divmod(time_ns, SECOND_NS)
    return f"{datetime.fromtimestamp(seconds, UTC):{_SECOND}}.{rest_ns:09d}Z"


def _apart(fields: Mapping[str, object]) -> dict[str, Any]:
    """Return the fields; one that is named as one of the log's own gets an underscore."""
    if RESERVED.isdisjoint(fields):
        return {**fields}
    return {f"{name}_" if name in RESERVED else name: value for name, value in fields.items()}


def _is_plain(fields: Mapping[str, object]) -> bool:
    """Return whether all values are short texts and numbers as they are: then one look finds any secret, in a third of the time."""
    for value in fields.values():
        kind = type(value)
        if kind is str:
            if len(value) > SHORT_MAX:  # type: ignore[arg-type]
                return False
        elif kind is not int and not (kind is float and math.isfinite(value)):  # type: ignore[arg-type]
            return False
    return True


def _clean(value: object, redact: Redact, depth: int = 0) -> Any:
    """Return a value as JSON holds it, all its texts redacted; a number that is a secret as a whole becomes a text.

    One that only has the digits of a secret among its own, as any amount may have those of a PIN, stays a number.

    Cut after redacting: half a secret would not be recognised.
    """
    if value is None or isinstance(value, bool):
        return value
    if depth < DEPTH_MAX and isinstance(value, Mapping):
        return {str(_clean(name, redact)): _clean(part, redact, depth + 1) for name, part in value.items()}
    if depth < DEPTH_MAX and isinstance(value, list | tuple | set | frozenset):
        return [_clean(part, redact, depth + 1) for part in value]
    text = str(value)
    clean = redact(text)
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return value if clean == text or any(map(str.isdigit, clean)) else clean
    return clean if len(clean) <= TEXT_MAX else f"{clean[:TEXT_MAX]}... ({len(clean):,} characters)"


def _json_line(fields: Mapping[str, Any]) -> bytes:
    return _JSON.encode(fields).encode(errors="backslashreplace") + b"\n"


def _short_line(fields: Mapping[str, Any]) -> str:
    """Return the line for people; the traceback is in the file."""
    return f"{fields['level']}: {_short_text(fields)}"[:SHORT_MAX]


def _short_text(fields: Mapping[str, Any]) -> str:
    """Return event and fields in one line of printable characters."""
    parts = [f"{name}={value}" for name, value in fields.items() if name not in _NOT_SHOWN]
    text = " ".join([str(fields["event"]), *parts])
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else " " for letter in text)
    return text


class _Sink:
    """The file and the terminal."""

    def __init__(self, file: LogFile, stderr: TextIO, *, is_debug: bool) -> None:
        self.is_debug = is_debug
        self.errors = Errors()
        self.lost = 0
        self.unshown = 0
        self._untold = 0
        self._file = file
        self._stderr = stderr
        self._poll = _poll_of(stderr)

    def write(self, time_ns: int, head: Mapping[str, Any], fields: Mapping[str, Any], short: str) -> None:
        """Append a line to the file, before it how many were lost, if any were; write its short form on stderr."""
        lines = _json_line(fields)
        if self._untold:
            lines = _json_line({**head, "level": "error", "event": "log lines lost", "count": self._untold}) + lines
        if self._file.append(time_ns, lines):
            self._untold = 0
        else:
            self.lost += 1
            self._untold += 1
        if (removed := self._file.removed) is not None:
            self._file.removed = None
            told = {"files": removed.files, "mib": round(removed.size_bytes / MIB, 2)}
            self._file.append(time_ns, _json_line({**head, "level": "info", "event": REMOVED, **told}))
        if not self._show(short):
            self.unshown += 1

    def follow(self) -> bool:
        return self._file.follow()

    def close(self) -> None:
        self._file.close()

    def _show(self, short: str) -> bool:
        """Write on stderr, unless it would have to wait: a terminal that was stopped must not stop the session."""
        try:
            if self._poll is None or self._poll.poll(0):
                self._stderr.write(short)
                self._stderr.flush()
                return True
        except (OSError, ValueError):  # a broken pipe; ValueError: it is closed
            return False
        return False


def _poll_of(stream: TextIO) -> "select.poll | None":
    """Return what tells whether a stream takes a line at once; None for one in memory, which always does."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):
        return None
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return poll
