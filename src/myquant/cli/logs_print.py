"""Lines of logs on a terminal."""

from datetime import tzinfo
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from myquant.monitor.log_merge import Line

COLOURS: Final = {"debug": "2", "warning": "33", "error": "1;31"}  # of the terminal, by level
RESET: Final = "\x1b[0m"


class LinePrinter:
    """Makes the text of lines. `is_coloured`: for a terminal."""

    def __init__(self, zone: tzinfo, *, is_coloured: bool) -> None:
        self._zone = zone
        self._is_coloured = is_coloured

    def text(self, line: "Line") -> str:
        """Return a line for people, without its end; a traceback below; one that is no JSON as it is."""
        from myquant.monitor.log_text import NO_JSON, line_text

        parts = line_text(line, self._zone)
        if line.fields is None:
            return f"{parts.session} ({NO_JSON}) {parts.rest}"
        text = f"{parts.time} {parts.session} {parts.level}: {parts.event} {parts.rest}".rstrip()
        colour = COLOURS.get(parts.level, "") if self._is_coloured else ""
        shown = f"\x1b[{colour}m{text}{RESET}" if colour else text
        return shown + "".join(f"\n    {each}" for each in parts.trace)
