"""Lines of logs as people read them: the time in a zone, session, level, event and fields, and a traceback for itself."""

from datetime import datetime, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple

from myquant.monitor.log_merge import Line

HEAD: Final = ("time", "level", "event", "session")
TRACE: Final = "exception"
TRACE_MAX: Final = 200  # lines
NO_JSON: Final = "no JSON"  # stands for the level


class LineText(NamedTuple):
    """A line in parts, each without what moves a cursor. `trace`: the lines of a traceback, the last `TRACE_MAX`."""

    time: str
    session: str
    level: str
    event: str
    rest: str
    trace: tuple[str, ...] = ()


def line_text(line: Line, zone: tzinfo) -> LineText:
    """Return a line for people; of one that is no JSON, `rest` has it as it is, and its time is that of the line before it."""
    if line.fields is None:
        time = time_text(line.time, zone) if line.time else ""
        return LineText(time, plain(line.source), NO_JSON, "", plain(line.raw.decode("utf-8", "replace")))
    fields = line.fields
    rest = " ".join(f"{name}={value}" for name, value in fields.items() if name not in HEAD and name != TRACE)
    trace = str(fields[TRACE]).splitlines()[-TRACE_MAX:] if TRACE in fields else []
    return LineText(
        plain(time_text(line.time, zone)),
        plain(str(fields.get("session", line.source))),
        plain(fields["level"]),
        plain(fields["event"]),
        plain(rest),
        tuple(map(plain, trace)),
    )


def time_text(text: str, zone: tzinfo) -> str:
    """Return `2026-11-23 09:21:07.120 IST` of a time as the file has it; of another text, itself."""
    second, dot, rest = text.partition(".")
    head, name = _second(second, zone)
    return f"{head}.{rest[:3]} {name}" if dot and head else text


@lru_cache(maxsize=64)
def _second(text: str, zone: tzinfo) -> tuple[str, str]:
    """Return a second of UTC in a zone, and the zone's name; empty where it is none. Lines often come by the second."""
    try:
        local = datetime.fromisoformat(f"{text}+00:00").astimezone(zone)
    except (ValueError, OverflowError):
        return "", ""
    return f"{local:%Y-%m-%d %H:%M:%S}", f"{local:%Z}"


def plain(text: str) -> str:
    """Return a text with a space for each sign that can't be printed."""
    return text if text.isprintable() else "".join(sign if sign.isprintable() else " " for sign in text)
