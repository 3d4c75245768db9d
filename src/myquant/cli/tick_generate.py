"""Generating files of ticks: which days, at which hours, with which lots."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, time, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from myquant.cli.progress import progress_bar
from myquant.cli.tick_files import refuse_existing
from myquant.config.schema import Config
from myquant.market.calendar import Calendar
from myquant.market.contracts import Contract, contract, parse_symbol, underlyings
from myquant.results.text import counted
from myquant.ticks.batch import EMPTY, InstrumentName, TickBatch
from myquant.ticks.generate import GeneratedDay, Hours, generate_day, profile_named
from myquant.ticks.write import write_ticks

SATURDAY = 5


class Wish(NamedTuple):
    """What to generate; without symbols one instrument, that of the configuration, and no symbol column."""

    days: int
    first_day: date
    seed: int
    profile: str
    symbols: tuple[str, ...]
    quotes: bool


def generate_file(target: Path, wish: Wish, config: Config, *, force: bool) -> None:
    """Write generated ticks and print how many they are. Raises ConfigError, or DataError for days no table covers."""
    refuse_existing(target, force=force)
    names = [InstrumentName(symbol) for symbol in wish.symbols]
    with progress_bar(target.name, wish.days) as tell:

        def batches() -> Iterator[TickBatch]:
            for number, batch in enumerate(_batches(wish, config), start=1):
                yield batch
                tell(number)

        written = write_ticks(target, batches(), time_zone=config.session.timezone, instruments=names)
    print(
        f"{target}: {counted(written.rows, 'tick')} of {counted(wish.days, 'day')}, profile {wish.profile}, seed {wish.seed}"
    )


def contract_of(config: Config, symbol: str, day: date) -> Contract:
    """Return the contract that a symbol names on a day; errors as `market.contracts.contract`."""
    parsed = parse_symbol(symbol)
    in_book = parsed is not None and parsed.underlying in underlyings()
    settings = config.instrument
    exchange = None if in_book else settings.exchange
    return contract(symbol, day, lot_size=settings.lot_size, tick_size=settings.tick_size, exchange=exchange)


def _batches(wish: Wish, config: Config) -> Iterator[TickBatch]:
    """Yield one trading day after the other, the instruments merged by time."""
    symbols = wish.symbols or (config.instrument.symbol,)
    streams = [_days(wish, config, symbol, wish.seed + place) for place, symbol in enumerate(symbols)]
    for days in zip(*streams, strict=True):
        yield _merged(days, quotes=wish.quotes)


def _days(wish: Wish, config: Config, symbol: str, seed: int) -> Iterator[GeneratedDay]:
    """Yield an instrument's trading days, each carrying on the price of the last one."""
    profile, close = profile_named(wish.profile), None
    day, left = wish.first_day, wish.days
    while left:
        known = contract_of(config, symbol, day)
        hours = _hours(config, known, day)
        if hours is not None:
            ticks = generate_day(
                replace(profile, tick_paise=known.tick_size_paise, lot_size=known.lot_size),
                day=day,
                seed=seed,
                hours=hours,
                previous_close_paise=close,
                quotes=wish.quotes,
            )
            close, left = int(ticks.price[-1]), left - 1
            yield ticks
        day += timedelta(days=1)


def _hours(config: Config, known: Contract, day: date) -> Hours | None:
    """Return a day's hours of continuous trading, None when the market is closed."""
    settings = config.session
    zone = ZoneInfo(settings.timezone)
    if settings.source == "config":
        opens, closes = time(settings.start_hour, settings.start_min), time(settings.end_hour, settings.end_min)
        return Hours(opens, closes, zone) if day.weekday() < SATURDAY else None
    session = Calendar.load().session(known.exchange, day, expiry=known.expiry)
    return None if session is None else Hours(session.open, session.close, zone)


def _merged(days: Sequence[GeneratedDay], *, quotes: bool) -> TickBatch:
    """Join the instruments' ticks of one day by time."""
    columns = [np.concatenate(parts) for parts in zip(*days, strict=True)]
    instrument = np.repeat(np.arange(len(days)), [len(day.price) for day in days])
    order = np.argsort(columns[0], kind="stable")
    time_ns, price, volume, bid, ask = (column[order] for column in columns)
    return TickBatch(
        time_ns=time_ns,
        price=price,
        volume=volume,
        bid=bid if quotes else EMPTY,
        ask=ask if quotes else EMPTY,
        instrument=instrument[order] if len(days) > 1 else EMPTY,
    )
