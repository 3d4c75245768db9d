"""The market day that a lab plays: the ticks of some contracts, from files or generated, and the day's hours."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from myquant.errors import ConfigError, DataError
from myquant.market.calendar import Calendar, MarketSession, day_bounds_ns, session_ns
from myquant.market.contracts import Contract, ParsedSymbol, contract, parse_symbol, underlyings
from myquant.ticks.batch import InstrumentName, Ints
from myquant.ticks.generate import LIQUID, SECOND_NS, DayProfile, Hours, generate_day

ZONE: Final = "Asia/Kolkata"
IST_NS: Final = 19_800 * SECOND_NS  # ahead of UTC
DAY_NS: Final = 86_400 * SECOND_NS
DEFAULT_DAY: Final = date(2025, 10, 3)
DEFAULT_SYMBOL: Final = "NIFTY07OCT2524900CE"
STOCK_TICK_PAISE: Final = 5  # of what the contract book does not know
AFTER_CLOSE_S: Final = 120  # for so long the indices go on


@dataclass(frozen=True, slots=True, eq=False)
class MarketDay:
    """Ticks in the order in which they are sent; columns int64, shape (n,).

    `bid` and `ask` are 0 where the source has none; `instrument` is an index into `contracts`. The indices tick to
    `until_ns`. `left_out` counts the rows that could not be read, which no exchange could have sent.
    """

    day: date
    contracts: tuple[Contract, ...]
    time_ns: Ints
    price: Ints
    volume: Ints
    bid: Ints
    ask: Ints
    instrument: Ints
    until_ns: int
    left_out: int = 0

    def __len__(self) -> int:
        """Return the number of ticks."""
        return len(self.time_ns)


def day_of_files(paths: Sequence[str | Path], *, symbol: str | None = None, day: date | None = None) -> MarketDay:
    """Read one day of tick files, CSV or Parquet; `symbol` names the contract of a file that does not name one.

    Raises DataError where there is no such day, or several and none was asked for; ConfigError for ticks of a bare index.
    """
    names, read = _read(paths, symbol)
    return read.on(_one_day(names, read.days(), day))


def days_of_files(
    paths: Sequence[str | Path], *, symbol: str | None = None, day: date | None = None
) -> list[MarketDay]:
    """Read all days of tick files, or the one asked for, in their order; errors as those of `day_of_files`."""
    names, read = _read(paths, symbol)
    chosen = read.days() if day is None else [_one_day(names, read.days(), day)]
    return [read.on(each) for each in chosen]


def generated_day(
    symbols: Sequence[str] = (DEFAULT_SYMBOL,),
    *,
    day: date = DEFAULT_DAY,
    seed: int = 1,
    profile: DayProfile = LIQUID,
    after: MarketDay | None = None,
) -> MarketDay:
    """Generate one trading day, with quotes; `after`: a day of the same symbols, whose prices it carries on.

    Raises DataError for a day on which the market is closed.
    """
    names = [InstrumentName(symbol) for symbol in dict.fromkeys(symbols)]
    days = []
    for place, name in enumerate(names):
        known = _contract(name, day)
        session = session_of(known, day)
        if session is None:
            raise DataError(f"{day}: the market is closed; name a trading day")
        close = None if after is None else int(after.price[after.instrument == place][-1])
        fitted = replace(profile, tick_paise=known.tick_size_paise, lot_size=known.lot_size)
        hours = Hours(session.open, session.close, ZoneInfo(ZONE))
        days.append(
            generate_day(fitted, day=day, seed=seed + place, hours=hours, previous_close_paise=close, quotes=True)
        )
    columns = [np.concatenate(column) for column in zip(*days, strict=True)]
    instrument = np.repeat(np.arange(len(days)), [len(each.price) for each in days])
    order = np.argsort(columns[0], kind="stable")
    return market_day(day, names, *(column[order] for column in (*columns, instrument)))


def market_day(
    day: date,
    names: Sequence[InstrumentName],
    time_ns: Ints,
    price: Ints,
    volume: Ints,
    bid: Ints,
    ask: Ints,
    instrument: Ints,
    *,
    left_out: int = 0,
) -> MarketDay:
    """Return the day of these ticks: contracts from the contract book, hours from the calendar. Errors as theirs.

    On a day that the calendar says is closed, the indices go on after the last tick.
    """
    contracts = tuple(_contract(name, day) for name in names)
    last_ns = int(time_ns.max())
    for known in contracts:
        session = session_of(known, day)
        if session is not None:
            last_ns = max(last_ns, session_ns(day, session.open, session.close, ZONE)[1])
    until_ns = last_ns + AFTER_CLOSE_S * SECOND_NS
    return MarketDay(day, contracts, time_ns, price, volume, bid, ask, instrument, until_ns, left_out)


def session_of(known: Contract, day: date) -> MarketSession | None:
    """Return the hours of a contract on a day; None: its market is closed. DataError as `Calendar.session`."""
    return Calendar.load().session(segment_of(known), day, expiry=known.expiry)


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """The usable ticks of some files, in the order of their columns in `MarketDay`."""

    instruments: tuple[InstrumentName, ...]
    columns: tuple[Ints, ...]
    left_out: int

    def days(self) -> list[date]:
        numbers = np.unique((self.columns[0] + IST_NS) // DAY_NS)
        return [date(1970, 1, 1) + timedelta(days=int(number)) for number in numbers]

    def on(self, day: date) -> MarketDay:
        begin, end = day_bounds_ns(day, ZONE)
        of_day = (self.columns[0] >= begin) & (self.columns[0] < end)
        return market_day(day, self.instruments, *(column[of_day] for column in self.columns), left_out=self.left_out)


def _read(paths: Sequence[str | Path], symbol: str | None) -> tuple[str, _Read]:
    """Return what the files are called in messages, and their ticks, of which there is at least one."""
    from myquant.ticks.source import open_ticks  # noqa: PLC0415  (slow to import, and a generated day needs none of it)

    source = open_ticks(paths, time_zone=ZONE, symbol=symbol or "NIFTY")
    parts, left_out = [], 0
    for batch in source.batches():
        usable = (batch.time_ns > 0) & (batch.price > 0) & (batch.volume >= 0)
        left_out += int((~usable).sum())
        columns = (batch.time_ns, batch.price, batch.volume, batch.bid, batch.ask, batch.instrument)
        zeros = np.zeros(len(batch), np.int64)
        parts.append([(column if len(column) else zeros)[usable] for column in columns])
    names = ", ".join(map(str, paths))
    if not sum(len(part[0]) for part in parts):
        raise DataError(f"{names}: no row is a usable tick; see myquant ticks check")
    whole = tuple(np.concatenate(column) for column in zip(*parts, strict=True))
    return names, _Read(source.instruments, whole, left_out)


def _one_day(names: str, days: list[date], wanted: date | None) -> date:
    if wanted is None and len(days) > 1:
        raise DataError(f"{names}: {len(days)} days, {days[0]} to {days[-1]}; choose one with --date")
    if wanted is not None and wanted not in days:
        raise DataError(f"{names}: no usable tick of {wanted} ({days[0]} to {days[-1]}); choose another --date")
    return wanted or days[0]


def _contract(name: InstrumentName, day: date) -> Contract:
    parsed = parse_symbol(name.symbol) or ParsedSymbol(name.symbol)
    if parsed.underlying in underlyings():
        if parsed.expiry is None:
            raise ConfigError(
                f"ticks of {name.symbol} name no contract: name it, with --symbol {DEFAULT_SYMBOL} of the lab,"
                f" elsewhere with --set instrument.symbol={DEFAULT_SYMBOL}"
            )
        return contract(name.symbol, day, exchange=name.exchange)
    segment = name.exchange or ("NSE" if parsed.expiry is None else "NFO")
    return Contract(
        symbol=name.symbol,
        underlying=parsed.underlying,
        expiry=parsed.expiry,
        strike=parsed.strike,
        right=parsed.right,
        exchange=segment,
        lot_size=1,
        tick_size_paise=STOCK_TICK_PAISE,
        freeze_quantity=None,
    )


def segment_of(known: Contract) -> str:
    """Return the derivatives segment whose calendar a contract keeps."""
    return "BFO" if known.exchange in {"BSE", "BFO"} else "NFO"
