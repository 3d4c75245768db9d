"""Where a setting of `[dashboard]` shows: where pages are served, and who may do what there."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

from laws.driver import settings
from laws.watching import Silent
from monitor.made_views import view
from myquant.cli.monitor import monitor
from myquant.config.watching import DashboardSettings
from myquant.dashboard.access import HOUR_S, Identity, Role
from myquant.dashboard.answers import RefusedError
from myquant.dashboard.api import Order, perform
from myquant.dashboard.asked import Asked
from myquant.dashboard.controls import Controls
from myquant.dashboard.door import Door
from myquant.dashboard.opening import listen, open_for
from myquant.dashboard.runs_watch import RunsWatch
from myquant.dashboard.watch import Watch
from myquant.errors import ConfigError, MyquantError

Values = Mapping[str, Any]


class NoKeyring:
    def why_not(self) -> str:
        return ""

    def get_password(self, service: str, name: str) -> str | None:
        return None if service and name else ""


def of(values: Values) -> DashboardSettings:
    return settings(values).config.dashboard


def begun(values: Values) -> bool:
    """Return whether `myquant monitor` begins the pages."""
    assignments = [f"{name}={str(value).lower()}" for name, value in values.items()]
    with patch("myquant.monitor.service.run_monitor") as run:
        monitor(directories=[Path()], assignments=assignments)
    *_, command = run.call_args.args
    return bool(command)


def looks_s(values: Values) -> float:
    """Return how often the pages look at sessions."""
    watch = Watch(settings(values), [], Path("nowhere"), Silent())
    return float(watch.monitor.settings.look_s)


def makes_verdicts(values: Values) -> bool:
    """Return whether verdicts on sessions that have left are made unasked."""
    watch = RunsWatch(settings(values), [], Path("nowhere"), dict, Silent())
    return watch.verdicts.is_automatic


def served_at(values: Values) -> str:
    """Return where pages would be served."""
    try:
        with listen(of(values)) as listening:
            host, port = listening.getsockname()[:2]
    except MyquantError as error:
        return str(error).partition(":")[0]
    return f"{host} {'any' if of(values).port == 0 else port}"


def opened(values: Values) -> str:
    """Return why nothing is served; "": it is."""
    try:
        open_for(of(values), {}, NoKeyring())
    except ConfigError as error:
        return str(error)
    return ""


def named(values: Values) -> bool:
    """Return whether a browser may call this machine desk.example.com."""
    asked = Asked("GET", "/", "http", "10.0.0.1", 9465, {"host": "desk.example.com"}, ())
    return asked.is_for(of(values).host, of(values).names)


def entered_by(password: str) -> Callable[[Values], Role | None]:
    """Return a probe of who comes in by a password."""

    def probe(values: Values) -> Role | None:
        return asyncio.run(Door(of(values), "token", Silent()).try_password(password, "10.0.0.1")).role

    return probe


def login_hours(values: Values) -> float:
    """Return how long a login lasts, hours."""
    return Door(of(values), "token", Silent()).logins.login_s / HOUR_S


def asked_of_a_session(values: Values) -> int:
    """Return how often a session is asked when an operator halts it."""
    asked: list[str] = []

    def ask(_folder: object, request: str, _reason: str) -> dict[str, str]:
        asked.append(request)
        return {"message": "done"}

    controls, session = Controls(ask=ask), view()
    order = Order(confirm=controls.preview(session, "halt").token)
    identity = Identity(Role.OPERATOR, "link", "10.0.0.1")
    with suppress(RefusedError):
        asyncio.run(perform(controls, Door(of(values), "token", Silent()), identity, session, "halt", order))
    return len(asked)
