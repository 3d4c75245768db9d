"""What the API says, as plain values: of the watch's monitor, the book of alerts, the logs and the folder of runs.

Prices and money: paise, where the name says so. Times: UTC as text. None: not known.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from myquant.config.loading import LoadedConfig
from myquant.dashboard.logs import LogFound, LogSearch, search_logs
from myquant.errors import ConfigError, MyquantError
from myquant.evidence.report import load
from myquant.monitor.alert import Alert
from myquant.monitor.alert_list import acknowledge, alerts_in, state_of
from myquant.monitor.channels import channel_names, read_channels
from myquant.monitor.health import HealthReport, health_of
from myquant.monitor.loop import Monitor
from myquant.monitor.recordings import Recordings
from myquant.monitor.service import clocks
from myquant.monitor.trial import try_channels
from myquant.monitor.view import InstrumentView, OrderView, SessionView
from myquant.results.index import list_runs
from myquant.results.text import date_time
from myquant.session.log import utc_text
from myquant.session.operator import is_running

MONITOR: Final = "monitor"  # its log's name
NO_CHANNEL: Final = "no channel is set: name one in alerts.critical, alerts.warning or alerts.info"


class Facts(Protocol):
    """What the API asks. Those that are not async and take long are called in a thread."""

    def health(self) -> Mapping[str, Any]:
        """Return how all sessions do."""

    def view(self, name: str) -> SessionView | None:
        """Return what is known of a session; None: there is none of that name."""

    def session(self, name: str) -> Mapping[str, Any] | None:
        """Return the same as plain values."""

    def alerts(self, *, every: bool) -> list[dict[str, Any]]:
        """Return the alerts that last, or all. Takes long; raises MyquantError."""

    def acknowledge(self, number: int, note: str) -> bool:
        """Say that somebody sees to an alert; False: no such alert lasts. Takes long; raises MyquantError."""

    async def test_alerts(self) -> list[dict[str, Any]]:
        """Send a message through each channel and return what became of it. Raises MyquantError where there is none."""

    def log_names(self) -> list[str]:
        """Return whose logs there are."""

    def search(self, names: Sequence[str], search: LogSearch) -> LogFound:
        """Return lines of some logs, of all where none is named. Takes long."""

    def runs(self, limit: int) -> dict[str, Any]:
        """Return the newest runs of each folder. Takes long."""


class MonitorFacts:
    """The facts of a watch.

    Args:
        monitor: of the watch.
        loaded: the configuration.
        folder: the monitor's own.
        environ: where the addresses of channels are.
        now: returns the wall clock and the monotonic one, ns.
    """

    def __init__(
        self,
        monitor: Monitor,
        loaded: LoadedConfig,
        folder: Path,
        environ: Mapping[str, str],
        now: Callable[[], tuple[int, int]] = clocks,
    ) -> None:
        self._monitor, self._folder, self._environ, self._now = monitor, folder, environ, now
        self._config = loaded.config
        self._recordings = Recordings(monitor.directories)

    def health(self) -> HealthReport:
        """Return how all sessions do."""
        return health_of(self._monitor, *self._now(), runs=True)

    def view(self, name: str) -> SessionView | None:
        """Return what is known of a session; None: there is none of that name."""
        return self._monitor.views.get(name)

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

    def log_names(self) -> list[str]:
        """Return whose logs there are."""
        return list(self._logs())

    def search(self, names: Sequence[str], search: LogSearch) -> LogFound:
        """Return lines of some logs, of all where none is named."""
        logs = self._logs()
        return search_logs([logs[name] for name in (names or logs)], search)

    def runs(self, limit: int) -> dict[str, Any]:
        """Return the newest runs of each folder; of one that can't be read why."""
        found: dict[str, Any] = {}
        for directory in self._monitor.directories:
            try:
                index = list_runs(directory, is_running, load, limit=limit)
            except MyquantError as error:
                found[str(directory)] = {"error": str(error), "total": None, "runs": []}
            else:
                found[str(directory)] = {"total": index.total, "runs": [asdict(each) for each in index.entries]}
        return {"folders": found}

    def _logs(self) -> dict[str, Path]:
        recordings = {each.name: each for each in self._recordings.folders()}
        sessions = {name: view.folder for name, view in tuple(self._monitor.views.items())}
        return {MONITOR: self._folder, **recordings, **sessions}


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
