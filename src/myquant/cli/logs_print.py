"""Lines of logs as people read them: the time in a zone, session, level, event and fields; a traceback below."""

from datetime import datetime, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from myquant.monitor.log_merge import Line

HEAD: Final = ("time", "level", "event", "session")
TRACE: Final = "exception"
COLOURS: Final = {"debug": "2", "warning": "33", "error": "1;31"}  # of the terminal, by level
RESET: Final = "\x1b[0m"
TRACE_MAX: Final = 200  # lines


class LinePrinter:
    """Makes the text of lines. `is_coloured`: for a terminal."""

    def __init__(self, zone: tzinfo, *, is_coloured: bool) -> None:
        self._zone = zone
        self._is_coloured = is_coloured

    def text(self, line: "Line") -> str:
        """Return a line for people, without its end; one that is no JSON as it is, without what moves a cursor."""
        if line.fields is None:
            return _plain(f"{line.source} (no JSON) {line.raw.decode('utf-8', 'replace')}")
        fields = line.fields
        level = fields["level"]
        rest = " ".join(f"{name}={value}" for name, value in fields.items() if name not in HEAD and name != TRACE)
        session = fields.get("session", line.source)
        text = _plain(f"{self._time(line.time)} {session} {level}: {fields['event']} {rest}".rstrip())
        colour = COLOURS.get(level, "") if self._is_coloured else ""
        shown = f"\x1b[{colour}m{text}{RESET}" if colour else text
        if TRACE in fields:
            trace = str(fields[TRACE]).splitlines()
            shown += "".join(f"\n    {_plain(each)}" for each in trace[-TRACE_MAX:])
        return shown

    def _time(self, text: str) -> str:
        """Return `2026-11-23 09:21:07.120 IST` of a time as the file has it."""
        second, dot, rest = text.partition(".")
        head, name = _second(second, self._zone)
        return f"{head}.{rest[:3]} {name}" if dot and head else text


@lru_cache(maxsize=64)
def _second(text: str, zone: tzinfo) -> tuple[str, str]:
    """Return a second of UTC in a zone, and the zone's name; empty where it is none. Lines often come by the second."""
    try:
        local = datetime.fromisoformat(f"{text}+00:00").astimezone(zone)
    except (ValueError, OverflowError):
        return "", ""
    return f"{local:%Y-%m-%d %H:%M:%S}", f"{local:%Z}"


def _plain(text: str) -> str:
    return text if text.isprintable() else "".join(sign if sign.isprintable() else " " for sign in text)
