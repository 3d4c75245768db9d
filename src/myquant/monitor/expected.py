"""Which sessions must have begun by a time of the day (`monitor.expect`, `monitor.expect_by`)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from fnmatch import fnmatchcase
from typing import Final
from zoneinfo import ZoneInfo

from myquant.config.schema import Config
from myquant.errors import DataError
from myquant.market.calendar import Calendar, day_bounds_ns, session_ns
from myquant.monitor.view import SessionView

ANY: Final = "*"
_LAST: Final = time(23, 59, 59, 999_999)


@dataclass(frozen=True)
class Expected:
    """Tells which sessions are missing, by the calendar of `instrument.exchange` and the zone of the settings."""

    config: Config

    def missing(self, views: Mapping[str, SessionView], now_ns: int) -> Iterator[tuple[str, str, int]]:
        """Yield name or pattern, why and since when (ns) of each session that must have begun today and has not."""
        settings, zone = self.config.monitor, self.config.session.timezone
        if not settings.expect_by:
            return
        today = datetime.fromtimestamp(now_ns // 10**9, ZoneInfo(zone)).date()
        by_ns = session_ns(today, time.fromisoformat(settings.expect_by), _LAST, zone)[0]
        if now_ns < by_ns:
            return
        note = self._is_day(today)
        if note is None:
            return
        began_ns = day_bounds_ns(today, zone)[0]
        for pattern in settings.expect or (ANY,):
            if not any(
                fnmatchcase(view.folder.name, pattern) and _has_begun(view, began_ns) for view in views.values()
            ):
                yield pattern, note, by_ns

    def _is_day(self, today: date) -> str | None:
        """Return None on a day without trading; else "", or a remark where the calendar does not know."""
        if self.config.session.source == "config":
            return ""
        try:
            return "" if Calendar.load().is_trading_day(self.config.instrument.exchange, today) else None
        except DataError as error:
            return f" (is it a trading day? {error})"


def _has_begun(view: SessionView, began_ns: int) -> bool:
    """Whether a session runs, or had a process today."""
    process = view.process
    return view.runs or (process is not None and process.started_wall_ns >= began_ns)
