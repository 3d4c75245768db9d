"""As many ticks as are asked for: one trading day after the other, from files, generated, or from arrays."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import date
from itertools import cycle
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np

from myquant.errors import ConfigError, DataError
from myquant.lab.market_day import (
    DAY_NS,
    DEFAULT_DAY,
    DEFAULT_SYMBOL,
    IST_NS,
    MarketDay,
    days_of_files,
    generated_day,
    market_day,
    segment_of,
    session_of,
)
from myquant.market.calendar import Calendar
from myquant.market.contracts import Contract
from myquant.ticks.batch import InstrumentName, Ints

TICKS_MAX: Final = 2_000_000  # some 0.5 GB of rows
NEEDED: Final = ("time_ns", "price", "volume")  # arrays of an .npz file...
OPTIONAL: Final = ("bid", "ask", "instrument")  # ...and those that are 0 where there are none

Hours = list[tuple[Any, ...] | None]


@dataclass(frozen=True, slots=True)
class DaySource:
    """Where the ticks of one or more days come from: `files`, or `arrays`, or, with neither, a generator.

    Args:
        files: CSV or Parquet; all their days are taken in their order, or the one that `day` says.
        arrays: an .npz file of one day: `time_ns` (since the epoch), `price` (paise), `volume` and, if it has them, `bid`,
            `ask` and `instrument` (index into `symbols`), int64, shape (n,).
        symbols: the contracts, default NIFTY07OCT2524900CE; of files that name none, the one contract.
        day: the first day to generate, default 2025-10-03.
        seed: of generated ticks.
        ticks: there are at least so many. More than the source has are made on the trading days that follow, by generating
            them, or by the days of the source once more.

    Raises ConfigError for values that can't be.
    """

    files: tuple[str, ...] = ()
    arrays: str | None = None
    symbols: tuple[str, ...] = ()
    day: date | None = None
    seed: int = 1
    ticks: int = 1

    def __post_init__(self) -> None:
        """Refuse what no source has."""
        if not 1 <= self.ticks <= TICKS_MAX:
            raise ConfigError(f"ticks = {self.ticks}: must be from 1 to {TICKS_MAX:,}")
        if self.seed < 0:
            raise ConfigError(f"seed = {self.seed}: must be at least 0")
        if self.files and self.arrays:
            raise ConfigError("files and arrays: give one of them")
        if self.files and len(self.symbols) > 1:
            raise ConfigError(f"symbols = {', '.join(self.symbols)}: files hold one contract each; name at most one")
        if self.arrays and self.day is not None:
            raise ConfigError("day: the arrays' own times say it; leave it out")

    def days(self) -> list[MarketDay]:
        """Return the days, in rising order. Raises DataError and ConfigError as `market_day` does."""
        if self.files:
            symbol = self.symbols[0] if self.symbols else None
            return _repeated(days_of_files(self.files, symbol=symbol, day=self.day), self.ticks)
        symbols = self.symbols or (DEFAULT_SYMBOL,)
        if self.arrays is not None:
            return _repeated([_day_of_arrays(self.arrays, symbols)], self.ticks)
        return generated_days(symbols, day=self.day or DEFAULT_DAY, seed=self.seed, ticks=self.ticks)

    def values(self) -> dict[str, Any]:
        """Return what it was made with, for JSON."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return found | {"day": None if self.day is None else self.day.isoformat()}

    @classmethod
    def of(cls, values: dict[str, Any]) -> "DaySource":
        """Return the source that `values` told of. Raises ConfigError for what is no such thing."""
        unknown = values.keys() - {field.name for field in fields(cls)}
        if unknown:
            raise ConfigError(f"{', '.join(sorted(unknown))}: a source of ticks has no such value")
        for name, value in values.items():
            if not _KINDS[name](value):
                raise ConfigError(f"{name} = {value!r}: is not what a source of ticks has there")
        found: dict[str, Any] = {name: tuple(each) if isinstance(each, list) else each for name, each in values.items()}
        if found.get("day") is not None:
            try:
                found["day"] = date.fromisoformat(found["day"])
            except ValueError as error:
                raise ConfigError(f"day = {found['day']!r}: must be a date, as 2025-10-03") from error
        return cls(**found)


def generated_days(
    symbols: Sequence[str] = (DEFAULT_SYMBOL,), *, day: date = DEFAULT_DAY, seed: int = 1, ticks: int = 1
) -> list[MarketDay]:
    """Generate trading days, from `day` on, till there are so many ticks; prices carry on from one day to the next.

    Raises DataError for a first day without trading, and where the contracts do not live as long.
    """
    days = [generated_day(symbols, day=day, seed=seed)]
    while (have := sum(map(len, days))) < ticks:
        on = _next_day(days[-1], have, ticks)
        days.append(generated_day(symbols, day=on, seed=seed, after=days[-1]))
    return days


def _repeated(days: list[MarketDay], ticks: int) -> list[MarketDay]:
    """Repeat days on the trading days that follow, at the same hours, till there are so many ticks."""
    found = list(days)
    for each in cycle(days):
        have = sum(map(len, found))
        if have >= ticks:
            break
        on = _next_day(found[-1], have, ticks)
        names = [InstrumentName(known.symbol, known.exchange) for known in each.contracts]
        time_ns = each.time_ns + (on - each.day).days * DAY_NS
        columns = (each.price, each.volume, each.bid, each.ask, each.instrument)
        found.append(market_day(on, names, time_ns, *columns))
    return found


def _next_day(latest: MarketDay, have: int, wanted: int) -> date:
    """Return the next trading day on which all contracts trade, at the same hours; DataError where there is none."""
    contracts, day = latest.contracts, latest.day
    hours = _hours(contracts, day)
    if None in hours:
        raise DataError(
            f"{day} is no trading day: its {have:,} ticks can't be repeated to make {wanted:,}; ask for fewer"
        )
    while True:
        try:
            day = Calendar.load().next_trading_day(segment_of(contracts[0]), day)
        except DataError as error:
            raise DataError(f"{have:,} ticks of the {wanted:,} asked for: {error}") from error
        for known in contracts:
            if known.expiry is not None and day > known.expiry:
                raise DataError(
                    f"{have:,} ticks of the {wanted:,} asked for: {known.symbol} expires before {day}; ask for fewer, begin "
                    f"on an earlier day, or take a contract that expires later"
                )
        if _hours(contracts, day) == hours:
            return day


def _hours(contracts: Sequence[Contract], day: date) -> Hours:
    """Return each contract's hours; None: closed, or not known."""
    found: Hours = []
    for known in contracts:
        try:
            session = session_of(known, day)
        except DataError:  # a special session whose hours were not announced
            session = None
        found.append(None if session is None else (session.open, session.close))
    return found


def _day_of_arrays(path: str, symbols: Sequence[str]) -> MarketDay:
    """Return the one day of an .npz file. Raises DataError where it is none, or holds what no exchange sends."""
    try:
        with Path(path).open("rb") as content, np.load(content, allow_pickle=False) as file:
            arrays = {name: file[name] for name in (*NEEDED, *OPTIONAL) if name in file.files}
    except (OSError, EOFError, ValueError, TypeError, BadZipFile) as error:  # TypeError: a single array
        raise DataError(f"{path}: can't be read as an .npz file ({error}); write it with numpy.savez") from error
    missing = [name for name in NEEDED if name not in arrays]
    if missing:
        raise DataError(f"{path}: has no array {', '.join(missing)}; it needs {', '.join(NEEDED)}")
    count = arrays["time_ns"].size
    for name in OPTIONAL:
        arrays.setdefault(name, np.zeros(count, np.int64))
    for name, array in arrays.items():
        if array.dtype != np.int64 or array.shape != (count,):
            raise DataError(
                f"{path}: {name} is {array.dtype} of shape {array.shape}; must be int64 of shape ({count},)"
            )
    return market_day(
        _day_of(path, arrays, len(symbols)),
        [InstrumentName(symbol) for symbol in symbols],
        *(arrays[name] for name in (*NEEDED, *OPTIONAL)),
    )


def _day_of(path: str, arrays: dict[str, Ints], instruments: int) -> date:
    """Return the day of checked arrays."""
    wrong = (arrays["price"] <= 0) | (arrays["volume"] < 0) | (arrays["time_ns"] <= 0)
    wrong |= (arrays["instrument"] < 0) | (arrays["instrument"] >= instruments)
    if wrong.any() or not len(wrong):
        raise DataError(
            f"{path}: {int(wrong.sum())} of {len(wrong)} rows are no tick of the {instruments} symbols named"
        )
    numbers = np.unique((arrays["time_ns"] + IST_NS) // DAY_NS)
    if len(numbers) > 1:
        raise DataError(f"{path}: holds {len(numbers)} days; must be one")
    return date.fromordinal(date(1970, 1, 1).toordinal() + int(numbers[0]))


def _is_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(each, str) and each for each in value)


def _is_text_or_none(value: Any) -> bool:
    return value is None or (isinstance(value, str) and bool(value))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_KINDS: Final[dict[str, Callable[[Any], bool]]] = {
    "files": _is_texts,
    "arrays": _is_text_or_none,
    "symbols": _is_texts,
    "day": _is_text_or_none,
    "seed": _is_count,
    "ticks": _is_count,
}
