"""The pages as a process: what looks, what is served and to whom, until a signal ends it."""

import asyncio
import gc
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from fastapi import FastAPI
from nicegui import ui

from myquant.brokers.secrets import Redactor
from myquant.config.loading import LoadedConfig
from myquant.config.watching import HIDDEN
from myquant.dashboard import (
    pages_alerts,
    pages_compare,
    pages_evidence,
    pages_execution,
    pages_logs,
    pages_overview,
    pages_run,
    pages_runs,
    pages_session,
)
from myquant.dashboard.access import Role
from myquant.dashboard.api import make_app
from myquant.dashboard.card import CardHolder, DashboardCard
from myquant.dashboard.door import Door
from myquant.dashboard.facts import MonitorFacts
from myquant.dashboard.frame import Site
from myquant.dashboard.guard import ENTER, Guard
from myquant.dashboard.login import login_router
from myquant.dashboard.opening import Opening, listen, open_for, server_config
from myquant.dashboard.runs_watch import RunsWatch
from myquant.dashboard.serving import Server
from myquant.dashboard.sockets import hold_to_their_own
from myquant.dashboard.watch import Watch
from myquant.execution.scan import prepare
from myquant.monitor.folder import monitor_folder
from myquant.monitor.loop import Log
from myquant.session.log import SessionLog, open_log
from myquant.session.log_files import bounds_of

NAME: Final = "dashboard"  # of the process, in its log; its folder is beside that of the monitor
PAGES: Final = (
    pages_overview,
    pages_session,
    pages_alerts,
    pages_logs,
    pages_runs,
    pages_run,
    pages_compare,
    pages_evidence,
    pages_execution,
)
MORE_LINKS: Final = "`myquant dashboard link`"
RECONNECT_S: Final = 10.0  # a browser that is not heard for less keeps its page, and the dialog that is open on it
FAVICON: Final = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'>"
    "<path d='M3 26 12 12l7 8L29 5' fill='none' stroke='#0b4f9e' stroke-width='4'/></svg>"
)


def run_dashboard(
    loaded: LoadedConfig,
    directories: Sequence[Path],
    environ: Mapping[str, str],
    say: Callable[[str], None],
    *,
    is_read: bool = True,
) -> None:
    """Serve the pages until SIGTERM or SIGINT. `say`: tells who sits there where they are, and how to come in.

    `is_read`: a person reads what it says, so it may say a link; else nobody would see it, but whoever finds it in a log.

    Raises ConfigError for settings that can't be followed, MyquantError where it can't listen or another process serves the pages.
    """
    settings = loaded.config.dashboard
    opening = open_for(settings, environ)
    state = monitor_folder()
    with CardHolder(state) as holder:
        log = _open_log(loaded, state.parent / NAME, opening.token)
        try:
            prepare()  # else the first look would wait for it, and no page be served meanwhile
            listening = listen(settings)
            host, port = listening.getsockname()[:2]
            card = DashboardCard(host, port, os.getpid(), opening.token, settings.tls_certificate)
            door = Door(settings, opening.token, log)
            served = make_site(loaded, directories, state, door, log, environ, url=card.url)

            def give_up() -> None:
                log.warning("left, though something was under way")
                log.close()
                holder.close()

            server = Server(server_config(Guard(served, door), opening), give_up)
            gc.collect()
            gc.freeze()  # what is loaded stays: looking through it for garbage would take 0.2 s again and again
            holder.show(card)
            _greet(opening, card, door, log, say, is_read=is_read)
            try:
                server.run(sockets=[listening])
            finally:
                server.close()
            log.info("left")
        finally:
            log.close()


def make_site(
    loaded: LoadedConfig,
    directories: Sequence[Path],
    state: Path,
    door: Door,
    log: Log,
    environ: Mapping[str, str],
    *,
    url: str,
) -> FastAPI:
    """Return all that is served, API, login and pages; the guard has to stand before it. `state`: the monitor's folder."""
    watch = Watch(loaded, directories, state, log)
    runs = RunsWatch(loaded, directories, state, lambda: watch.views, log)
    site = Site(loaded, directories, state, watch, runs, door)
    watch.looked.subscribe(lambda: site.traces.forget(watch.monotonic_ns()))
    app = make_app(
        door, MonitorFacts(watch.monitor, loaded, state, environ, runs, site.searches), site.controls, lambda: url
    )
    app.include_router(login_router(door))
    app.router.lifespan_context = _looking(site)
    for page in PAGES:
        page.register(site)
    hold_to_their_own()
    ui.run_with(
        app,
        title="myquant",
        language="en-GB",
        tailwind=False,
        show_welcome_message=False,
        favicon=FAVICON,
        reconnect_timeout=RECONNECT_S,
    )
    return app


def _looking(site: Site) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Return what is done as long as pages are served."""

    @asynccontextmanager
    async def looking(_: FastAPI) -> AsyncIterator[None]:
        end = asyncio.Event()
        tasks = [asyncio.create_task(work(end)) for work in (site.watch.run, site.runs.run)]
        yield
        end.set()
        await asyncio.gather(*tasks)
        await site.close()

    return looking


def _open_log(loaded: LoadedConfig, folder: Path, token: str) -> SessionLog:
    redactor = Redactor([token, *(each for name in HIDDEN if (each := str(loaded.values[name])))])
    folder.mkdir(0o700, parents=True, exist_ok=True)
    return open_log(
        folder,
        redactor.text,
        session=NAME,
        clock=time.time_ns,
        bounds=bounds_of(loaded.config.logs),
        process=NAME,
        zone=ZoneInfo(loaded.config.session.timezone),
    )


def _greet(
    opening: Opening, card: DashboardCard, door: Door, log: SessionLog, say: Callable[[str], None], *, is_read: bool
) -> None:
    for each in opening.warnings:
        log.warning(each, host=card.host)
    log.info("serving", host=card.host, port=card.port)
    say(f"dashboard: {card.url}")
    if door.has_passwords:
        say(f"dashboard: log in there with the password, or by a link: {MORE_LINKS}")
    elif is_read:
        say(f"dashboard, open this to come in (once, within ten minutes; more: {MORE_LINKS}):")
        say(f"  {card.url}{ENTER}?key={door.links.make(Role.OPERATOR)}")
    else:
        say(f"dashboard: a link that lets a browser in: {MORE_LINKS}")
