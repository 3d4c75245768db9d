"""When a derivatives segment is open: hours by date, closed days, special sessions, and their instants."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from myquant.errors import ConfigError, DataError
from myquant.market.tables import on_day, rows

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)
_SATURDAY = 5
_REMEDY = 'set session.source = "config" and the hours of session'


@dataclass(frozen=True)
class Coverage:
    """The days of which the closed ones and the special sessions are known."""

    exchanges: list[str]
    valid_from: date
    valid_to: date
    source: str


@dataclass(frozen=True)
class Hours:
    """The regular hours, local time; `announced`: in force only from a day still ahead when the fact was read."""

    exchanges: list[str]
    open: time
    close: time
    expiring_index_close: time  # of index contracts on the day of their expiry
    announced: bool
    valid_from: date
    valid_to: date
    source: str


@dataclass(frozen=True)
class Holidays:
    """The weekdays of one span on which the exchanges are closed."""

    exchanges: list[str]
    dates: list[date]
    valid_from: date
    valid_to: date
    source: str


@dataclass(frozen=True)
class SpecialSession:
    """A session on a day that would else be closed; no hours where they are not known."""

    name: str
    exchanges: list[str]
    valid_from: date
    valid_to: date
    source: str
    open: time | None = None
    close: time | None = None


@dataclass(frozen=True)
class MarketSession:
    """Continuous trading of one day, exchange-local time; `name` is "regular" or that of the special session."""

    exchange: str
    day: date
    open: time
    close: time
    name: str
    announced: bool
    source: str


@dataclass(frozen=True)
class Calendar:
    """The calendar of the derivatives segments NFO (NSE) and BFO (BSE)."""

    coverage: tuple[Coverage, ...]
    hours: tuple[Hours, ...]
    holidays: tuple[Holidays, ...]
    specials: tuple[SpecialSession, ...]

    @staticmethod
    @cache
    def load() -> "Calendar":
        """Return the calendar of `data/calendar.toml`, read once."""
        return Calendar(
            rows("calendar", "coverage", Coverage),
            rows("calendar", "hours", Hours),
            rows("calendar", "holidays", Holidays),
            rows("calendar", "special", SpecialSession),
        )

    def session(
        self, exchange: str, day: date, *, expiry: date | None, underlying_is_index: bool = True
    ) -> MarketSession | None:
        """Return the hours of continuous trading on `day` of a contract with this expiry; None: closed.

        Without an expiry (a bare underlying) the hours are those of a contract that does not expire on the day.
        Raises DataError for an exchange, a day or a special session whose hours the calendar does not know.
        """
        special = self._special(exchange, day)
        if special is not None:
            return _special_session(special, exchange, day)
        if self._is_closed(exchange, day):
            return None
        hours = on_day((row for row in self.hours if exchange in row.exchanges), day)
        if hours is None:
            raise DataError(f"the calendar has no hours for {exchange} on {day}: {_REMEDY}")
        expires = underlying_is_index and expiry == day
        close = hours.expiring_index_close if expires else hours.close
        return MarketSession(exchange, day, hours.open, close, "regular", hours.announced, hours.source)

    def is_trading_day(self, exchange: str, day: date) -> bool:
        """Return whether the exchange opens on `day`, if only for a special session; DataError as in `session`."""
        return self._special(exchange, day) is not None or not self._is_closed(exchange, day)

    def next_trading_day(self, exchange: str, day: date) -> date:
        """Return the first trading day after `day`; DataError where that leaves the covered years."""
        return self._step(exchange, day, _DAY)

    def previous_trading_day(self, exchange: str, day: date) -> date:
        """Return the last trading day before `day`; DataError where that leaves the covered years."""
        return self._step(exchange, day, -_DAY)

    def _step(self, exchange: str, day: date, step: timedelta) -> date:
        day += step
        while not self.is_trading_day(exchange, day):
            day += step
        return day

    def _special(self, exchange: str, day: date) -> SpecialSession | None:
        self._require_covered(exchange, day)
        return on_day((row for row in self.specials if exchange in row.exchanges), day)

    def _is_closed(self, exchange: str, day: date) -> bool:
        closed = on_day((row for row in self.holidays if exchange in row.exchanges), day)
        return day.weekday() >= _SATURDAY or (closed is not None and day in closed.dates)

    def _require_covered(self, exchange: str, day: date) -> None:
        spans = [row for row in self.coverage if exchange in row.exchanges]
        if not spans:
            known = ", ".join(sorted({name for row in self.coverage for name in row.exchanges}))
            raise DataError(f"the calendar has no exchange {exchange} (it has {known}): {_REMEDY}")
        if on_day(spans, day) is None:
            first, last = min(row.valid_from for row in spans), max(row.valid_to for row in spans)
            raise DataError(f"the calendar of {exchange} covers {first} to {last}, not {day}: {_REMEDY}")


def _special_session(special: SpecialSession, exchange: str, day: date) -> MarketSession:
    if special.open is None or special.close is None:
        raise DataError(f"the hours of the {special.name} session of {exchange} on {day} are not known: {_REMEDY}")
    return MarketSession(
        exchange, day, special.open, special.close, special.name, announced=False, source=special.source
    )


@lru_cache(4096)
def session_ns(day: date, open_time: time, close_time: time, zone: str) -> tuple[int, int]:
    """Return the instants of a session's open and close, ns since the epoch, UTC.

    Raises ConfigError for an unknown time zone or a close that is not after the open.
    """
    if close_time <= open_time:
        raise ConfigError(f"the session of {day} closes at {close_time}, not after its open at {open_time}")
    instant = _clock(zone)
    return instant(day, open_time), instant(day, close_time)


@lru_cache(4096)
def day_bounds_ns(day: date, zone: str) -> tuple[int, int]:
    """Return the first instant of a local calendar day and that of the next, ns since the epoch, UTC.

    Raises ConfigError for an unknown time zone.
    """
    instant = _clock(zone)
    return instant(day, time()), instant(day + _DAY, time())


@lru_cache(64)
def _clock(zone: str) -> Callable[[date, time], int]:
    try:
        info = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(f"session.timezone = {zone!r} is not a known time zone, such as Asia/Kolkata") from error

    def instant(day: date, local: time) -> int:
        # A subtraction of aware times and a division of timedeltas are exact integers; timestamp() would be a float.
        since_epoch = datetime.combine(day, local, tzinfo=info) - _EPOCH
        return since_epoch // _MICROSECOND * 1000

    return instant
