"""The monitor as a process: its folder, its log, its server and its looks, until a signal ends it."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from myquant.brokers.secrets import Redactor
from myquant.config.loading import LoadedConfig
from myquant.monitor.finding import Finding
from myquant.monitor.loop import Alerting, Judge, Manager, Monitor
from myquant.monitor.metrics import AlertCounts
from myquant.monitor.server import MonitorServer, is_wide, monitor_token
from myquant.monitor.state import MonitorCard, MonitorState, monitor_folder, open_state
from myquant.monitor.view import News
from myquant.session.log import SessionLog, open_log

NAME = "monitor"


def clocks() -> tuple[int, int]:
    """Return the machine's clock and its monotonic one, ns."""
    return time.time_ns(), time.monotonic_ns()


def tell_nobody(_findings: Sequence[Finding], _news: Sequence[News]) -> None:
    """Take findings and news, and tell nobody of them."""


def run_monitor(
    loaded: LoadedConfig,
    directories: Sequence[Path],
    environ: Mapping[str, str],
    *,
    judge: Judge,
    alerting: Alerting = tell_nobody,
    alert_counts: Callable[[], AlertCounts] = AlertCounts,
    manager: Manager | None = None,
) -> None:
    """Watch until SIGTERM or SIGINT. Raises MyquantError where it can't begin."""
    token = monitor_token(environ)
    state = open_state(monitor_folder(), time.time_ns())
    try:
        redactor = Redactor([token])
        zone = ZoneInfo(loaded.config.session.timezone)
        log = open_log(state.folder, redactor.text, session=NAME, clock=time.time_ns, zone=zone)
        try:
            settings = loaded.config.monitor
            monitor = Monitor(directories, settings, judge=judge, alerting=alerting, log=log, state=state)
            server = MonitorServer(monitor, settings, token, clocks, alert_counts)
            asyncio.run(_serve(monitor, server, state, log, token, manager))
        finally:
            log.close()
    finally:
        state.close()


async def _serve(
    monitor: Monitor, server: MonitorServer, state: MonitorState, log: SessionLog, token: str, manager: Manager | None
) -> None:
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    try:
        await server.start()
        host = monitor.settings.host
        state.show(MonitorCard(host, server.port, os.getpid(), token))
        log.info("watching", folders=[str(each) for each in monitor.directories], host=host, port=server.port)
        if is_wide(host):
            log.warning("others than this machine can reach the monitor: its answers are not encrypted", host=host)
        await monitor.run(end, manager)
        log.info("left", looks=monitor.looks.count)
    finally:
        await server.close()
        monitor.close()


def look_once(loaded: LoadedConfig, directories: Sequence[Path], *, judge: Judge) -> Monitor:
    """Look at all sessions, to the end of their journals, and keep nothing."""
    monitor = Monitor(directories, loaded.config.monitor, judge=judge, alerting=tell_nobody, log=_Silent())
    asyncio.run(_look_to_the_end(monitor))
    return monitor


async def _look_to_the_end(monitor: Monitor) -> None:
    await monitor.look()
    await monitor.look()  # who died is known once his last words were read
    while any(view.unread_since_ns is not None for view in monitor.views.values()):
        await monitor.look()


class _Silent:
    """A log of a single look: what is found is its answer."""

    def info(self, event: str, **fields: object) -> None:
        """Say nothing."""

    def warning(self, event: str, **fields: object) -> None:
        """Say nothing."""

    def error(self, event: str, **fields: object) -> None:
        """Say nothing."""
