"""What all pages share: who looks, the head with the ways to the others, the update once a second, and the theme."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
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
from myquant.dashboard.runs_watch import RunsWatch
from myquant.dashboard.watch import NO_MONITOR, Watch
from myquant.monitor.finding import FAILED, OK, Finding
from myquant.monitor.health import verdict_of

THEME: Final = "myquant_theme"  # a cookie that the page itself sets: "light", "dark", else as the system has it
NOT_LOOKED: Final = "not known yet"
THEMES: Final = {"light": False, "dark": True}
PAGES: Final = {
    "/": "Overview",
    "/alerts": "Alerts",
    "/logs": "Logs",
    "/runs": "Runs",
    "/evidence": "Evidence",
}
STYLE: Final = files("myquant.dashboard").joinpath("assets", "pages.css").read_text(encoding="utf-8")
SCRIPT: Final = files("myquant.dashboard").joinpath("assets", "pages.js").read_text(encoding="utf-8")


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
    """

    loaded: LoadedConfig
    directories: Sequence[Path]
    state: Path
    watch: Watch
    runs: RunsWatch
    door: Door
    controls: Controls = field(default_factory=Controls)

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

    @property
    def can_act(self) -> bool:
        """Whether he may acknowledge, test, halt, and the like."""
        return self.identity.can_act

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
    ui.page_title(f"{title} - myquant")
    ui.add_css(STYLE)
    ui.add_body_html(f"<script>{SCRIPT}</script>")
    ui.dark_mode(THEMES.get(request.cookies.get(THEME, "")))
    ui.link("To the content", "#content").classes("skip")
    with ui.element("header").classes("head"):
        _head(frame, request)
    with ui.element("main").props('id=content tabindex="-1"').classes("content"):
        with ui.element("h1"):
            ui.label(title)
        yield frame
    _update(frame)
    ui.timer(float(site.loaded.config.dashboard.update_s), lambda: _update(frame), immediate=False)


def _head(frame: Frame, request: Request) -> None:
    with ui.element("nav").props('aria-label="Pages"'):
        for path, name in PAGES.items():
            link = ui.link(name, path)
            if request.url.path == path:
                link.props("aria-current=page")
    told, looked = LiveText("span", "told"), LiveText("span", "looked")
    with ui.element("div").classes("mine"):
        ui.label(f"{frame.identity.role}: {'may act' if frame.can_act else 'may look'}")
        ui.element("button").props('type=button id=theme aria-label="Light or dark"').classes("plain")
        form, button = ui.element("form"), ui.element("button").props("type=submit").classes("plain")
        button.move(form.props('method=post action="/logout"'))
        with button:
            ui.label("Log out")

    def show() -> None:
        watch = frame.watch
        told.show(light(OK, "monitor at work") if watch.is_told else light(FAILED, NO_MONITOR))
        looked.show(looked_light(watch.monitor.findings, watch.looked_ns, frame.zone))

    frame.each_update.append(show)


def looked_light(findings: Sequence[Finding], looked_ns: int, zone: ZoneInfo) -> Cell:
    """Return how all do, and when that was seen; before the first look nothing is known, be nothing found."""
    if not looked_ns:
        return light("", NOT_LOOKED)
    verdict = verdict_of(findings)
    return light(verdict, f"{verdict}, as of {clock(looked_ns, zone)}")


def _update(frame: Frame) -> None:
    for update in frame.each_update:
        update()
