"""What all pages share: who looks, the head with the ways to the others, the update after each look, and the theme."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from inspect import isawaitable
from pathlib import Path
from typing import Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import Request
from nicegui import ui

from myquant.config.loading import LoadedConfig
from myquant.dashboard.access import Identity, identity_of
from myquant.dashboard.components import Cell, LiveText, light
from myquant.dashboard.controls import Controls
from myquant.dashboard.crowd import refuse_crowd
from myquant.dashboard.door import Door
from myquant.dashboard.figures import clock
from myquant.dashboard.log_search import Searches
from myquant.dashboard.runs_watch import RunsWatch
from myquant.dashboard.themes import is_dark, shown_theme
from myquant.dashboard.traces import Traces
from myquant.dashboard.watch import NO_MONITOR, Watch
from myquant.monitor.finding import FAILED, OK, Finding
from myquant.monitor.health import verdict_of

LOGIN_OVER: Final = "You are logged out: log in again."
LOOKS_ONLY: Final = "Who may only look does nothing here: log in as an operator."
LATE_MS: Final = 4000.0  # besides some updates: where nothing came for so long, a page says that it is old
LATE_UPDATES: Final = 3
BEHIND_UPDATES: Final = 1.5  # an update that is so many spacings behind the one before does not wait for a look
PART_FAILED: Final = "a part of this page does not work: see the log of the pages"
NOT_LOOKED: Final = "not known yet"
FRAME: Final = "frame"  # what a page keeps its frame by
PAGES: Final = {
    "/": "Overview",
    "/alerts": "Alerts",
    "/logs": "Logs",
    "/runs": "Runs",
    "/evidence": "Evidence",
}
STYLE: Final = files("myquant.dashboard").joinpath("assets", "pages.css").read_text(encoding="utf-8")
SCRIPT: Final = files("myquant.dashboard").joinpath("assets", "pages.js").read_text(encoding="utf-8")

_log = logging.getLogger(__name__)

Part = Callable[[], Awaitable[None] | None]


@dataclass(frozen=True)
class Site:
    """What pages are made of.

    Attributes:
        loaded: the settings.
        directories: folders of runs.
        state: the monitor's state folder.
        watch: what is known of sessions.
        runs: the list of runs, and verdicts on sessions that have left.
        door: who may come in; what somebody does is logged there.
        controls: asks sessions for what somebody wants done.
        searches: in logs, of all who look.
        traces: of the sessions that somebody looks at.
    """

    loaded: LoadedConfig
    directories: Sequence[Path]
    state: Path
    watch: Watch
    runs: RunsWatch
    door: Door
    controls: Controls = field(default_factory=Controls)
    searches: Searches = field(default_factory=Searches)
    traces: Traces = field(default_factory=Traces)

    async def close(self) -> None:
        """Let go of all that is held, and end what works for those who looked."""
        self.watch.close()
        await self.searches.close()
        await asyncio.to_thread(self.traces.close)
        await asyncio.to_thread(self.controls.close)

    @property
    def zone(self) -> ZoneInfo:
        """The zone of all times that are shown."""
        return ZoneInfo(self.loaded.config.session.timezone)


@dataclass(frozen=True)
class Frame:
    """A page for one who looks. `each_update`: called once an update, as long as he does."""

    site: Site
    identity: Identity
    each_update: list[Callable[[], None]]
    failed: list[Part] = field(default_factory=list)  # parts with a defect

    @property
    def can_act(self) -> bool:
        """Whether he may acknowledge, test, halt, and the like."""
        return self.identity.can_act

    def why_not(self) -> str:
        """Return why nothing may be done from this page now: it may be older than his login; "": it may."""
        login = self.identity.login
        if login is not None and not self.site.door.logins.left_s(login):
            return LOGIN_OVER
        return "" if self.can_act else LOOKS_ONLY

    @property
    def who(self) -> str:
        """Who he is, for logs and people."""
        return self.identity.who

    def note_act(self, what: str, **fields: object) -> None:
        """Log what he did."""
        self.site.door.note_act(what, self.identity, **fields)

    @property
    def watch(self) -> Watch:
        """What is known of sessions."""
        return self.site.watch

    @property
    def zone(self) -> ZoneInfo:
        """The zone of all times that are shown."""
        return self.site.zone


def session_url(name: str) -> str:
    """Return where the page of a session is."""
    return f"/session/{quote(name)}"


@contextmanager
def page_frame(site: Site, request: Request, title: str) -> Iterator[Frame]:
    """Make a page: what is done inside fills it. Updates begin once it is left."""
    frame = Frame(site, identity_of(request.scope), [])
    refuse_crowd(frame.identity.login)
    ui.context.client.storage[FRAME] = frame
    ui.page_title(f"{title} - myquant")
    ui.add_css(STYLE)
    ui.add_body_html(f"<script>window.madeFor = '{shown_theme(request)}';\n{SCRIPT}</script>")
    ui.dark_mode(is_dark(request))
    ui.link("To the content", "#content").classes("skip")
    with ui.element("header").classes("head"):
        _head(frame, request)
    with ui.element("main").props('id=content tabindex="-1"').classes("content"):
        with ui.element("h1"):
            ui.label(title)
        yield frame
    _keep_updated(frame)


def _head(frame: Frame, request: Request) -> None:
    with ui.element("nav").props('aria-label="Pages"'):
        for path, name in PAGES.items():
            link = ui.link(name, path)
            if request.url.path == path:
                link.props("aria-current=page")
    told, looked, failed = (LiveText("span", name) for name in ("told", "looked", "failed"))
    late_ms = LATE_MS + LATE_UPDATES * 1000 * float(frame.site.loaded.config.dashboard.update_s)
    looked.element.props(f"id=looked data-late={late_ms:.0f}")  # the page's script hears by it that something comes
    with ui.element("div").classes("mine"):
        ui.label(f"{frame.identity.role}: {'may act' if frame.can_act else 'may look'}")
        ui.element("button").props('type=button id=theme aria-label="Light or dark"').classes("plain")
        form, button = ui.element("form"), ui.element("button").props("type=submit").classes("plain")
        button.move(form.props('method=post action="/logout"'))
        with button:
            ui.label("Log out")

    def show() -> None:
        watch = frame.watch
        failed.show(light(FAILED, PART_FAILED) if frame.failed else "")
        told.show(light(OK, "monitor at work") if watch.is_told else light(FAILED, NO_MONITOR))
        monitor = watch.monitor
        looked.show(looked_light(monitor.findings, watch.looked_ns, frame.zone, is_late=monitor.is_late()))

    frame.each_update.append(show)


def looked_light(findings: Sequence[Finding], looked_ns: int, zone: ZoneInfo, *, is_late: bool = False) -> Cell:
    """Return how all do, and when that was seen. Before the first look nothing is known, be nothing found.

    `is_late`: looks do not come in time, so what was seen may not be so any more.
    """
    if not looked_ns:
        return light("", NOT_LOOKED)
    as_of = f"as of {clock(looked_ns, zone)}"
    if is_late:
        return light(FAILED, f"LATE, looks do not come in time: {as_of}")
    verdict = verdict_of(findings)
    return light(verdict, f"{verdict}, {as_of}")


def update_parts(frame: Frame) -> None:
    """Update all parts of a page; one with a defect is noted in `failed`, and logged once."""
    for each in frame.each_update:
        try:
            each()
        except Exception as error:  # noqa: BLE001  (a defect in one part hides no other)
            _note_failed(frame, each, error)


def part_timer(spacing_s: float, part: Part, *, once: bool = False, immediate: bool = True) -> ui.timer:
    """Have a part of the page that is being made work by a timer, as `ui.timer` does; a defect in it is told like any other part's."""
    frame: Frame = ui.context.client.storage[FRAME]
    return ui.timer(spacing_s, lambda: work(frame, part), once=once, immediate=immediate)


async def work(frame: Frame, part: Part) -> None:
    """Have a part of a page work, by a timer; a defect is noted in `failed`, and logged once."""
    try:
        done = part()
        if isawaitable(done):
            await done
    except Exception as error:  # noqa: BLE001  (likewise)
        _note_failed(frame, part, error)


def _note_failed(frame: Frame, part: Part, error: Exception) -> None:
    if part not in frame.failed:
        frame.failed.append(part)
        _log.error("a part of a page failed", exc_info=error)


def _keep_updated(frame: Frame) -> None:
    """Update it now and after each look; where looks take long, ages and what a page reads by itself go on meanwhile."""
    spacing_s = float(frame.site.loaded.config.dashboard.update_s)
    updated_s = 0.0

    def update() -> None:
        nonlocal updated_s
        updated_s = time.monotonic()
        update_parts(frame)

    def update_if_late() -> None:
        if time.monotonic() - updated_s >= BEHIND_UPDATES * spacing_s:
            update()

    update()
    frame.watch.looked.subscribe(update)
    ui.timer(spacing_s, update_if_late, immediate=False)
