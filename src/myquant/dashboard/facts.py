"""What the API says, as plain values: of the watch's monitor, the book of alerts, the logs and the folder of runs.

Prices and money: paise, where the name says so. Times: UTC as text. None: not known.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from myquant.config.loading import LoadedConfig
from myquant.dashboard.answers import RefusedError
from myquant.dashboard.log_search import TOO_MANY, Searches, request_of
from myquant.dashboard.log_sources import MOST, chosen_of, sources_in
from myquant.dashboard.runs_watch import RunsWatch
from myquant.errors import ConfigError, MyquantError
from myquant.monitor.alert import Alert
from myquant.monitor.alert_list import acknowledge, alerts_in, state_of
from myquant.monitor.channels import channel_names, read_channels
from myquant.monitor.health import HealthReport, health_of
from myquant.monitor.log_merge import LEVELS
from myquant.monitor.loop import Monitor
from myquant.monitor.service import clocks
from myquant.monitor.trial import try_channels
from myquant.monitor.view import InstrumentView, OrderView, SessionView
from myquant.results.text import date_time
from myquant.session.archive import is_session
from myquant.session.log import utc_text

NO_CHANNEL: Final = "no channel is set: name one in alerts.critical, alerts.warning or alerts.info"


class LogSearch(NamedTuple):
    """What is looked for. Times: ns since the epoch; `level`: from this one on; `text`: in the line as it is, small or capital."""

    since_ns: int = 0
    until_ns: int | None = None
    level: str = LEVELS[0]
    text: str = ""
    limit: int = 500


class LogFound(NamedTuple):
    """Lines by time, each its source and fields, or `raw` of one that is no JSON or too long; the last ones of `total`.

    `until`: where it took too long, the time up to which was searched, UTC. `unread`: what can't be read, or in part only.
    """

    lines: list[dict[str, Any]]
    total: int
    until: str | None
    unread: list[str]


class Facts(Protocol):
    """What the API asks. Those that are not async and take long are called in a thread."""

    def health(self) -> Mapping[str, Any]:
        """Return how all sessions do."""

    def view(self, name: str) -> SessionView | None:
        """Return what is known of a session; None: there is none of that name."""

    def session(self, name: str) -> Mapping[str, Any] | None:
        """Return the same as plain values."""

    def folder(self, name: str) -> Path | None:
        """Return the folder of a session, be it one that left long ago; None: there is none of that name."""

    def alerts(self, *, every: bool) -> list[dict[str, Any]]:
        """Return the alerts that last, or all. Takes long; raises MyquantError."""

    def acknowledge(self, number: int, note: str) -> bool:
        """Say that somebody sees to an alert; False: no such alert lasts. Takes long; raises MyquantError."""

    async def test_alerts(self) -> list[dict[str, Any]]:
        """Send a message through each channel and return what became of it. Raises MyquantError where there is none."""

    async def search(self, names: Sequence[str], search: LogSearch) -> LogFound | None:
        """Return lines of some logs, of all where none is named; None: there is no log of one of the names.

        Raises RefusedError where too many search, MyquantError where it took too long.
        """

    def runs(self, limit: int) -> dict[str, Any]:
        """Return the newest runs, and how many there are."""


class MonitorFacts:
    """The facts of a watch.

    Args:
        monitor: of the watch.
        loaded: the configuration.
        folder: the monitor's own.
        environ: where the addresses of channels are.
        runs: the list of runs.
        searches: in logs, of all who look.
        now: returns the wall clock and the monotonic one, ns.
    """

    def __init__(
        self,
        monitor: Monitor,
        loaded: LoadedConfig,
        folder: Path,
        environ: Mapping[str, str],
        runs: RunsWatch,
        searches: Searches,
        now: Callable[[], tuple[int, int]] = clocks,
    ) -> None:
        self._monitor, self._folder, self._environ, self._now = monitor, folder, environ, now
        self._config = loaded.config
        self._runs, self._searches = runs, searches

    def health(self) -> HealthReport:
        """Return how all sessions do."""
        return health_of(self._monitor, *self._now(), runs=True)

    def view(self, name: str) -> SessionView | None:
        """Return what is known of a session; None: there is none of that name."""
        return self._monitor.views.get(name)

    def folder(self, name: str) -> Path | None:
        """Return the folder of a session, be it one that left long ago; None: there is none of that name."""
        view, row = self.view(name), self._runs.book.find(name)
        if view is not None:
            return view.folder
        return row.folder if row is not None and is_session(row.folder) else None

    def session(self, name: str) -> dict[str, Any] | None:
        """Return the same as plain values."""
        view = self.view(name)
        if view is None:
            return None
        return {
            **self.health()["sessions"][name],
            "name": name,
            "strategy": view.strategy,
            "symbols": list(view.symbols),
            "instruments": [_instrument(each) for each in view.instruments],
            "orders": [_order(view, each) for each in view.orders.values()],
            "denied": dict(view.denied),
            "order_ends": dict(view.order_ends),
            "net_pnl_paise": view.net_pnl,
            "charges_paise": view.charges,
            "replay": view.replay or None,
        }

    def alerts(self, *, every: bool) -> list[dict[str, Any]]:
        """Return the alerts that last, or all. Raises MyquantError."""
        return [_alert(each) for each in alerts_in(self._folder).alerts if every or each.resolved_ns is None]

    def acknowledge(self, number: int, note: str) -> bool:
        """Say that somebody sees to an alert; False: no such alert lasts. Raises MyquantError."""
        return bool(acknowledge(self._folder, [number], note, time.time_ns()))

    async def test_alerts(self) -> list[dict[str, Any]]:
        """Send a message through each channel and return what became of it. Raises MyquantError where there is none."""
        settings = self._config.alerts
        names = channel_names(settings)
        if not names:
            raise ConfigError(NO_CHANNEL)
        now_text = date_time(time.time_ns(), ZoneInfo(self._config.session.timezone))
        channels = read_channels(tuple(names), self._environ)
        trials = await try_channels(channels, settings, "info", self._environ, now_text)
        return [
            {
                "channel": each.channel,
                "delivered": each.answer.delivered,
                "said": each.answer.said,
                "remedy": each.remedy,
                "took_s": round(each.took_s, 3),
            }
            for each in trials
        ]

    async def search(self, names: Sequence[str], search: LogSearch) -> LogFound | None:
        """Return lines of some logs, of all where none is named; None: there is no log of one of the names."""
        sources = await asyncio.to_thread(sources_in, self._monitor.directories, self._folder.parent)
        if not {each.name for each in sources}.issuperset(names):
            return None
        chosen = chosen_of(sources, names, search.since_ns)
        request = request_of(
            {each.name: each.folder for each in chosen[:MOST]},
            since_ns=search.since_ns,
            until_ns=search.until_ns,
            level=search.level,
            text=search.text,
            is_pattern=False,
            most=search.limit,
            zone="",
        )
        opened = self._searches.begin(request)
        if opened is None:
            raise RefusedError(HTTPStatus.TOO_MANY_REQUESTS, TOO_MANY)
        try:
            found = await opened.look()
        finally:
            await opened.close()
        if found["refused"]:
            raise MyquantError(found["refused"])
        unread = [*found["unreadable"], *(f"{each.name}: too many logs are asked for" for each in chosen[MOST:])]
        return LogFound(found["records"], found["total"], found["until"] or None, unread)

    def runs(self, limit: int) -> dict[str, Any]:
        """Return the newest runs, how many there are, and as of when; None: the folders were not read yet."""
        self._runs.note_look()
        book, read_ns = self._runs.book, self._runs.refreshed_ns
        return {
            "as_of": utc_text(read_ns) if read_ns else None,
            "total": len(book.rows) if read_ns else None,
            "runs": [{"key": row.key, **asdict(row.entry)} for row in book.rows[:limit]],
            "problems": list(book.problems),
        }


def _instrument(each: InstrumentView) -> dict[str, Any]:
    return {
        "symbol": each.symbol,
        "ticks": each.ticks,
        "last_price_paise": each.last_price,
        "quantity": each.quantity,
        "entry_price_paise": each.entry_price,
        "last_tick": None if each.last_time_ns is None else utc_text(each.last_time_ns),
        "opened": None if each.opened_wall_ns is None else utc_text(each.opened_wall_ns),
    }


def _order(view: SessionView, each: OrderView) -> dict[str, Any]:
    return {
        "order_id": each.order_id,
        "symbol": view.symbol_of(each.instrument),
        "side": "buy" if each.is_buy else "sell",
        "quantity": each.quantity,
        "filled": each.filled,
        "price_paise": each.price,
        "trigger_paise": each.trigger or None,
        "reason": each.reason or None,
        "state": each.state,
        "sent": utc_text(each.sent_wall_ns) if each.sent_wall_ns else None,
        "ended": None if each.ended_wall_ns is None else utc_text(each.ended_wall_ns),
    }


def _alert(each: Alert) -> dict[str, Any]:
    times = {"since": each.since_ns, "ended": each.ended_ns, "acknowledged": each.acknowledged_ns, "told": each.told_ns}
    return {
        "number": each.number,
        "state": state_of(each),
        "rule": each.rule,
        "session": each.session or None,
        "subject": each.subject or None,
        "severity": each.severity,
        "text": each.text,
        "remedy": each.remedy,
        **{name: None if time_ns is None else utc_text(time_ns) for name, time_ns in times.items()},
        "comebacks": each.comebacks,
        "told_channels": each.told,
        "note": each.note or None,
    }
