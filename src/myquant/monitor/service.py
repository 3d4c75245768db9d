"""The monitor as a process: its folder, its log, its server, its looks and what runs beside them, until a signal ends it."""

import asyncio
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from myquant.brokers.secrets import Redactor
from myquant.config.loading import LoadedConfig
from myquant.execution.scan import prepare
from myquant.monitor.expected import Expected
from myquant.monitor.faults import Around, Memory
from myquant.monitor.finding import Finding
from myquant.monitor.folder import monitor_folder
from myquant.monitor.folder_watch import FolderWatch
from myquant.monitor.judge import judge
from myquant.monitor.loop import Manager, Monitor
from myquant.monitor.pages import Pages
from myquant.monitor.recordings import Recordings
from myquant.monitor.server import MonitorServer, is_wide, monitor_token
from myquant.monitor.state import FolderTakenError, MonitorCard, MonitorState, open_state
from myquant.monitor.station import Station
from myquant.monitor.view import News
from myquant.session.log import open_log
from myquant.session.log_files import bounds_of

NAME = "monitor"
NO_CHANNEL = (
    "no alert channel is set, so nobody is told when something happens: alerts are in the log and `myquant alerts list` "
    "only; set alerts.critical"
)


def clocks() -> tuple[int, int]:
    """Return the machine's clock and its monotonic one, ns."""
    return time.time_ns(), time.monotonic_ns()


def run_monitor(
    loaded: LoadedConfig,
    directories: Sequence[Path],
    environ: Mapping[str, str],
    manager: Manager,
    pages: Sequence[str] = (),
) -> None:
    """Watch until SIGTERM or SIGINT. Raises MyquantError where it can't begin, or another monitor has taken the folder.

    `pages`: the command that serves the pages, begun once the monitor listens and ended with it; empty: there are none.
    """
    token = monitor_token(environ)
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2
    )  # two files a session
    state = open_state(monitor_folder(), time.time_ns())
    try:
        prepare()  # else the first look would wait for it, and be late
        asyncio.run(_Service(loaded, state, environ, token, pages).run(directories, manager))
    finally:
        state.close()


class _Service:
    """A monitor at work in its folder."""

    def __init__(
        self,
        loaded: LoadedConfig,
        state: MonitorState,
        environ: Mapping[str, str],
        token: str,
        pages: Sequence[str] = (),
    ) -> None:
        self._loaded, self._state, self._environ, self._token = loaded, state, environ, token
        self._redactor = Redactor([token])
        config = loaded.config
        self._log = open_log(
            state.folder,
            self._hidden,
            session=NAME,
            clock=time.time_ns,
            bounds=bounds_of(config.logs),
            process=NAME,
            zone=ZoneInfo(config.session.timezone),
        )

        self._pages = Pages(pages, self._log, hide=self._hidden, show=_show_person) if pages else None

    def _hidden(self, text: str) -> str:
        return self._redactor.text(text)

    async def run(self, directories: Sequence[Path], manager: Manager) -> None:
        """Watch some folders of runs until a signal ends it. Raises FolderTakenError where another monitor has the folder."""
        loaded, log, state = self._loaded, self._log, self._state
        settings, recordings = loaded.config.monitor, Recordings(directories)
        end = asyncio.Event()
        watch = FolderWatch(state, log, log.follow, end.set)
        try:
            station = Station(
                loaded,
                state.folder,
                self._environ,
                log,
                can_tell=lambda: monitor.can_tell,
                folders=lambda: [
                    state.folder,
                    *recordings.folders(),
                    *(view.folder for view in monitor.views.values()),
                ],
                watch=watch,
                pages=self._pages,
            )
            self._redactor.keep(*station.secrets)
            monitor = Monitor(directories, settings, judge=station.judge, alerting=station.tell, log=log, state=state)
            server = MonitorServer(monitor, settings, self._token, clocks, station.counts, station.unready)
            await self._serve(monitor, station, server, manager, end)
            if watch.taken:
                raise FolderTakenError(watch.taken)
        finally:
            log.close()

    async def _serve(
        self, monitor: Monitor, station: Station, server: MonitorServer, manager: Manager, end: asyncio.Event
    ) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end.set)
        try:
            await server.start()
            host = monitor.settings.host
            self._state.show(MonitorCard(host, server.port, os.getpid(), self._token))
            folders = [str(each) for each in monitor.directories]
            self._log.info("watching", folders=folders, host=host, port=server.port, channels=station.channels)
            if not station.channels:
                self._log.error(NO_CHANNEL)
                monitor.shortfalls.append(NO_CHANNEL)
            if is_wide(host):
                self._log.warning(
                    "others than this machine can reach the monitor: its answers are not encrypted", host=host
                )
            station.start()
            await monitor.run(end, manager)
            self._log.info("left", looks=monitor.looks.count)
        finally:
            await server.close()
            await station.aclose()
            monitor.close()


def _show_person(line: str) -> None:
    """Show a line at the terminal, where a person sits; one that would have to wait is let go."""
    if sys.stderr.isatty() and select.select([], [sys.stderr], [], 0)[1]:
        with suppress(OSError):
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()


def look_once(loaded: LoadedConfig, directories: Sequence[Path]) -> Monitor:
    """Look at all sessions, to the end of their journals, and keep nothing."""
    judged = partial(judge, memory=Memory(), around=Around(expected=Expected(loaded.config)))
    monitor = Monitor(directories, loaded.config.monitor, judge=judged, alerting=_tell_nobody, log=_Silent())
    asyncio.run(_look_to_the_end(monitor))
    return monitor


def _tell_nobody(_findings: Sequence[Finding], _news: Sequence[News]) -> None:
    """Take findings and news, and tell nobody of them."""


async def _look_to_the_end(monitor: Monitor) -> None:
    await monitor.look()
    await monitor.look()  # who died is known once his last words were read
    while any(each.has_more for each in monitor.discovery.followed.values()):
        await monitor.look()


class _Silent:
    """A log of a single look: what is found is its answer."""

    def info(self, event: str, **fields: object) -> None:
        """Say nothing."""

    def warning(self, event: str, **fields: object) -> None:
        """Say nothing."""

    def error(self, event: str, **fields: object) -> None:
        """Say nothing."""
