"""When the instruments of a session trade."""

from collections.abc import Callable, Sequence
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from myquant.config.schema import Config
from myquant.errors import DataError
from myquant.market.calendar import session_ns
from myquant.market.contracts import parse_symbol
from myquant.session.engine import Engine
from myquant.session.rules import session_hours
from myquant.ticks.batch import InstrumentName


class Hours(NamedTuple):
    """From the first open to the last close of one day, ns since the epoch."""

    open_ns: int
    close_ns: int


def hours_of(engine: Engine) -> Callable[[int], Hours | None]:
    """Return the function from a time to the hours of its calendar day; None: all markets are closed then, or not known."""
    on_day = trading_hours(engine.loaded.config, engine.names)
    return lambda time_ns: on_day(engine.date_of(time_ns))


def trading_hours(config: Config, names: Sequence[InstrumentName]) -> Callable[[date], Hours | None]:
    """Return the function from a day to the hours of these instruments; None as in `hours_of`."""

    @lru_cache(64)
    def on_day(on: date) -> Hours | None:
        found = []
        for name in names:
            parsed = parse_symbol(name.symbol)
            expiry = parsed.expiry if parsed else None
            try:
                hours = session_hours(config, name.exchange or config.instrument.exchange, expiry, on)
            except DataError:  # a day that the calendar does not cover has no hours to wait for
                continue
            if hours is not None:
                found.append(session_ns(on, *hours, config.session.timezone))
        return Hours(min(opens for opens, _ in found), max(closes for _, closes in found)) if found else None

    return on_day
