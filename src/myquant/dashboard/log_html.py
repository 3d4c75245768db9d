"""Lines of logs as a page has them. Whatever a line holds, it is text there."""

from collections.abc import Iterable
from html import escape
from typing import Final

from myquant.monitor.log_text import LineText

STYLES: Final = {"error": "failed", "critical": "failed", "warning": "degraded", "debug": "quiet"}


def lines_html(lines: Iterable[LineText]) -> str:
    """Return lines as HTML, each a `div`; nothing of them is markup."""
    return "".join(map(_line_html, lines))


def _line_html(line: LineText) -> str:
    style = f" is-{STYLES[line.level]}" if line.level in STYLES else ""
    trace = "\n".join(line.trace)
    more = f"<pre>{escape(trace)}</pre>" if trace else ""
    return (
        f'<div class="line"><time>{escape(line.time)}</time> <b>{escape(line.session)}</b>'
        f' <span class="level{style}">{escape(line.level)}</span>'
        f" <span><strong>{escape(line.event)}</strong> {escape(line.rest)}</span>{more}</div>"
    )
