"""The page of logs: a search over all processes, and what comes meanwhile."""

import asyncio
import time
from collections import deque
from typing import Final

from fastapi import Request
from nicegui import ui

from myquant.dashboard.components import Cell, LiveText, heading
from myquant.dashboard.forms import check_field, check_fields, choice_field, query_form, text_field
from myquant.dashboard.frame import Frame, Site, page_frame, part_timer
from myquant.dashboard.log_html import lines_html
from myquant.dashboard.log_query import COUNTS, LogQuery, query_of
from myquant.dashboard.log_search import LINES_MAX, TOO_MANY, OpenSearch, Searches, request_of
from myquant.dashboard.log_sources import MOST, Source, chosen_of, sources_in
from myquant.dashboard.log_worker import Found
from myquant.errors import ConfigError
from myquant.monitor.log_merge import LEVELS, TIME_HELP
from myquant.results.text import counted, listed

TICKED_MAX: Final = 60  # logs that can be ticked; others by the address


def register(site: Site) -> None:
    """Serve the page."""

    @ui.page("/logs")
    async def logs(request: Request) -> None:
        problem, query = "", LogQuery()
        try:
            query = query_of(request.query_params)
            query.times(site.zone, time.time_ns())
        except ConfigError as error:
            problem = str(error)
        sources = await asyncio.to_thread(sources_in, site.directories, site.state.parent)
        with page_frame(site, request, "Logs") as frame:
            _form(query, sources)
            _Results(frame, site.searches, query, sources, problem)


def _form(query: LogQuery, sources: list[Source]) -> None:
    with query_form("/logs", "Search in logs", "Search"):
        text_field("since", "From", query.since, hint="all")
        text_field("until", "To", query.until, hint="now")
        choice_field("level", "Level, and above", {level: level for level in LEVELS}, query.level)
        text_field("text", "Text", query.text)
        check_field("regex", "is a regular expression", is_checked=query.is_pattern)
        choice_field("most", "Lines", {each: each for each in COUNTS}, str(query.most))
        order = "newest" if query.is_newest_first else "oldest"
        choice_field("order", "First", {"newest": "the newest", "oldest": "the oldest"}, order)
        check_field("follow", "follow what comes", is_checked=query.follows)
        named = [each.name for each in sources if each.name in query.names]
        others = [each.name for each in sources if each.name not in query.names]
        check_fields("of", "Processes", [*named, *others[:TICKED_MAX]], named)
        ui.label(f"Times: {TIME_HELP}.").classes("wide is-quiet")


class _Results:
    """What was found, and what comes."""

    def __init__(self, frame: Frame, searches: Searches, query: LogQuery, sources: list[Source], problem: str) -> None:
        self._frame, self._searches, self._query, self._sources = frame, searches, query, sources
        heading("Lines")
        self._said = LiveText("p", "said")
        self._said.element.props("role=status aria-live=polite")
        self._told = LiveText("p", "told")
        self._lines = ui.element("div").classes("log").props('tabindex=0 role=region aria-label="Lines of logs"')
        self._chunks: deque[tuple[ui.html, int]] = deque()
        self._shown = self._total = 0
        self._search: OpenSearch | None = None
        self._damaged: dict[str, int] = {}
        if problem:
            self._said.show(Cell(problem, style="failed"))
            return
        self._said.show("searching ...")
        ui.context.client.on_delete(self._close)
        part_timer(0.01, self._begin, once=True)

    async def _begin(self) -> None:
        query = self._query
        since_ns, until_ns = query.times(self._frame.zone, time.time_ns())
        chosen = chosen_of(self._sources, query.names, since_ns)
        request = request_of(
            {each.name: each.folder for each in chosen[:MOST]},
            since_ns=since_ns,
            until_ns=until_ns,
            level=query.level,
            text=query.text,
            is_pattern=query.is_pattern,
            most=query.most,
            zone=self._frame.zone.key,
        )
        self._search = self._searches.begin(request)
        if self._search is None:
            self._said.show(Cell(TOO_MANY, style="failed"))
            return
        found = await self._search.look()
        self._take(found)
        if not query.follows or found["refused"] or found["until"]:
            self._say(found, chosen)
            await self._close()
            return
        self._say(found, chosen)
        part_timer(float(self._frame.site.loaded.config.dashboard.update_s), self._follow, immediate=False)

    async def _follow(self) -> None:
        search = self._search
        if search is None:
            return
        found = await search.look()
        if found["total"] or found["refused"] or found["until"]:
            self._take(found)
            self._say(found, [])
        if found["refused"] or found["until"]:
            await self._close()

    def _take(self, found: Found) -> None:
        """Show lines beside those that are there; of too many, the newest stay."""
        self._total += found["total"]
        for name, count in found["damaged"].items():
            self._damaged[name] = self._damaged.get(name, 0) + count
        lines = found["lines"]
        if not lines:
            return
        with self._lines:
            chunk = ui.html(lines_html(lines[::-1] if self._query.is_newest_first else lines), sanitize=False)
        if self._query.is_newest_first:
            chunk.move(target_index=0)
        self._chunks.append((chunk, len(lines)))
        self._shown += len(lines)
        while self._shown > LINES_MAX and len(self._chunks) > 1:
            oldest, count = self._chunks.popleft()
            oldest.delete()
            self._shown -= count

    def _say(self, found: Found, chosen: list[Source]) -> None:
        is_open = self._query.follows and not found["refused"] and not found["until"]
        text = found["refused"] or said_of(self._total, self._shown, found["until"], follows=is_open)
        self._said.show(Cell(text, style="failed" if found["refused"] else "degraded" if found["until"] else ""))
        troubles = troubles_of(self._damaged, found["unreadable"], len(chosen))
        self._told.show(Cell(troubles, style="degraded" if troubles else ""))

    async def _close(self) -> None:
        search, self._search = self._search, None
        if search is not None:
            await search.close()


def said_of(total: int, shown: int, until: str, *, follows: bool) -> str:
    """Return in words how much was found, and how much of it is shown."""
    said = counted(total, "line") if total else "no line is wanted by these fields"
    if total > shown:
        said += f", of which the last {shown:,} are shown: narrow the search, or ask for more lines"
    if until:
        said += f"; cut short, as it took too long: searched up to {until}. Narrow it"
    return f"{said}; what comes is added" if follows else said


def troubles_of(damaged: dict[str, int], unreadable: list[str], logs: int) -> str:
    """Return in words what could not be read; "": all could. `logs`: how many were asked for."""
    said = [f"{name}: {counted(count, 'line')} are no JSON" for name, count in sorted(damaged.items())]
    said += unreadable
    text = listed(said, 5)
    if logs > MOST:
        text += f"{'; ' if text else ''}{logs:,} logs are asked for: the {MOST} that were last written to are searched"
    return text
