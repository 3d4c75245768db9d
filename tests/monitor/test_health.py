"""What `myquant health` says of a session, and of the monitor itself."""

import asyncio
import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from monitor.made_views import MONO, NOON, SECOND, SYMBOL, held, loaded, view
from monitor.test_loop import Told, monitor_of
from myquant.cli.monitor import _lines
from myquant.errors import ConfigError
from myquant.monitor import service
from myquant.monitor.health import HealthReport, health_of
from myquant.monitor.judge import judge
from myquant.monitor.loop import NoManager
from myquant.monitor.state import open_state
from myquant.monitor.station import Station
from myquant.monitor.view import ProcessView, SessionView

GONE = ProcessView(4321, NOON - 3_600 * SECOND, is_alive=False, died_wall_ns=NOON)
STOPPED = ProcessView(4321, NOON - 3_600 * SECOND, is_stopped=True)


def report_of(folder: Path, seen: SessionView, *shortfalls: str) -> HealthReport:
    monitor = monitor_of(folder, Told())
    monitor.discovery.followed = cast("Any", {seen.name: SimpleNamespace(view=seen)})
    monitor.findings = judge(monitor.views, seen.config.config.monitor, NOON, MONO)
    monitor.shortfalls += shortfalls
    monitor.looks.last_mono_ns = monitor._mono_ns()
    return health_of(monitor, NOON, MONO, runs=True)


@pytest.mark.parametrize(
    ("facts", "state", "line", "known"),
    [
        ({}, "running", "monday: ok, running, heartbeat 0.0 s ago, feed healthy, ", (False, True)),
        ({"process": STOPPED}, "frozen", "monday: failed, frozen, heartbeat 0.0 s ago, P&L", (None, None)),
        (
            {"beat_mono_ns": MONO - 9 * SECOND},
            "frozen",
            "monday: failed, frozen, heartbeat 9.0 s ago, P&L",
            (None, None),
        ),
        ({"process": GONE}, "dead", "monday: failed, dead, P&L", (None, None)),
        ({"stopped_code": 0}, "left", "monday: ok, left, P&L", (None, None)),
    ],
)
def test_of_a_session_that_does_nothing_no_feed_is_said_to_be_healthy(
    tmp_path: Path, facts: dict[str, Any], state: str, line: str, known: tuple[bool | None, bool | None]
) -> None:
    report = report_of(tmp_path, view(order_channel_up=True, connections={1: True}, **facts))
    session = report["sessions"]["monday"]
    assert (session["state"], (session["feed"]["stale"], session["order_channel_up"])) == (state, known)
    assert bool(session["feed"]["connections"]) == (state == "running")
    assert _lines(report)[-1].startswith(line)


def test_units_are_grouped(tmp_path: Path) -> None:
    assert f"holds 1,125 {SYMBOL}" in _lines(report_of(tmp_path, view(instruments=held(1125))))[-1]


def test_a_monitor_that_tells_nobody_is_degraded(tmp_path: Path) -> None:
    report = report_of(tmp_path, view(), service.NO_CHANNEL)
    assert (report["verdict"], report["reasons"]) == ("degraded", [service.NO_CHANNEL])


def test_a_monitor_without_channels_says_so_as_an_error(tmp_path: Path) -> None:
    """It looks on: its alerts are in the log, and Prometheus may be the one who tells."""
    state = open_state(tmp_path / "monitor", NOON)

    class Ends(NoManager):
        def ready(self) -> None:
            signal_self()

    asyncio.run(service._Service(loaded(monitor__port=0), state, {}, "t" * 20).run([tmp_path], Ends()))
    state.close()
    lines = (tmp_path / "monitor" / "log.jsonl").read_text().splitlines()
    assert [line for line in lines if service.NO_CHANNEL in line and '"level":"error"' in line.replace(" ", "")]


def signal_self() -> None:
    """End the monitor of this process, as a service manager does."""
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(("environ", "refused"), [({}, True), ({"MYQUANT_ALERT_MAIL": "json://127.0.0.1:9"}, False)])
def test_channels_of_which_none_has_an_address_are_refused(
    tmp_path: Path, environ: dict[str, str], refused: bool
) -> None:
    config, parts = loaded(alerts__critical='["mail", "phone"]'), dict[str, Any](can_tell=lambda: True, folders=list)
    if not refused:
        Station(config, tmp_path, environ, Told(), **parts)
        return
    with pytest.raises(ConfigError, match=r"no alert could be delivered; channel mail: .*MYQUANT_ALERT_MAIL.*phone"):
        Station(config, tmp_path, environ, Told(), **parts)
