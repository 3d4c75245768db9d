"""The contract book: what a trading symbol means, and its lot, price step and freeze quantity on a day."""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache, lru_cache
from typing import Final, Literal

from myquant.errors import ConfigError, DataError
from myquant.market.tables import on_day, rows

Right = Literal["CE", "PE", "FUT"]

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DATED = re.compile(
    r"(?P<underlying>[A-Z][A-Z0-9&-]*?)(?P<day>\d{2})(?P<month>[A-Z]{3})(?P<year>\d{2})"
    r"(?:(?P<strike>\d+(?:\.\d+)?)(?P<right>CE|PE)|FUT)",
    re.ASCII,
)
_BARE = re.compile(r"[A-Z][A-Z&-]*\d{0,3}", re.ASCII)


@dataclass(frozen=True)
class ParsedSymbol:
    """A trading symbol taken apart; a bare underlying has no expiry, strike (index points) or right."""

    underlying: str
    expiry: date | None = None
    strike: Decimal | None = None
    right: Right | None = None


@dataclass(frozen=True)
class Contract:
    """What the engine needs of a contract on one day. `freeze_quantity`: largest order, units; None: none is known."""

    symbol: str
    underlying: str
    expiry: date | None
    strike: Decimal | None
    right: Right | None
    exchange: str
    lot_size: int
    tick_size_paise: int
    freeze_quantity: int | None


@dataclass(frozen=True)
class Underlying:
    """An index that the book knows, and the segment that trades its derivatives."""

    name: str
    exchange: str
    valid_from: date
    valid_to: date
    source: str


@dataclass(frozen=True)
class OptionTick:
    """The price step of the index options of some segments."""

    exchanges: list[str]
    tick_size_paise: int
    valid_from: date
    valid_to: date
    source: str


@dataclass(frozen=True)
class Lot:
    """The lot of the contracts that expire in one window, while they trade in another."""

    underlying: str
    lot_size: int
    expiry_from: date
    expiry_to: date
    valid_from: date
    valid_to: date
    source: str


@dataclass(frozen=True)
class Freeze:
    """The largest single order in an underlying's contracts, units."""

    underlying: str
    freeze_quantity: int
    valid_from: date
    valid_to: date
    source: str


STRIKE_MIN: Final = 1000  # rupees; no index of the book has ever stood so low
_FORM = "a contract is written with day, month, year and strike, as in NIFTY07OCT2524900CE"


@cache
def underlyings() -> dict[str, Underlying]:
    """Return the indices of the book by name."""
    return {row.name: row for row in rows("contracts", "underlying", Underlying)}


@cache
def option_ticks() -> tuple[OptionTick, ...]:
    """Return the price steps of the book."""
    return rows("contracts", "option_tick", OptionTick)


@cache
def lots() -> tuple[Lot, ...]:
    """Return the lots of the book."""
    return rows("contracts", "lot", Lot)


@cache
def freezes() -> tuple[Freeze, ...]:
    """Return the freeze quantities of the book."""
    return rows("freeze", "freeze", Freeze)


@lru_cache(1024)
def parse_symbol(symbol: str) -> ParsedSymbol | None:
    """Take apart `NIFTY07OCT2524900CE`, `NIFTY28OCT25FUT` or a bare `NIFTY`; None where it is none of these."""
    parts = _DATED.fullmatch(symbol)
    if parts is None:
        return ParsedSymbol(symbol) if _BARE.fullmatch(symbol) else None
    if parts["month"] not in _MONTHS:
        return None
    try:
        expiry = date(2000 + int(parts["year"]), _MONTHS.index(parts["month"]) + 1, int(parts["day"]))
    except ValueError:
        return None
    if parts["strike"] is None:
        return ParsedSymbol(parts["underlying"], expiry, None, "FUT")
    # NIFTY25OCT25000CE, NIFTY25NOV26100CE: a year, a month and a strike, a form that is not ours.
    if Decimal(parts["strike"]) < (STRIKE_MIN if parts["underlying"] in underlyings() else 1):
        return None
    right: Right = "CE" if parts["right"] == "CE" else "PE"
    return ParsedSymbol(parts["underlying"], expiry, Decimal(parts["strike"]), right)


@lru_cache(4096)
def contract(
    symbol: str, day: date, *, lot_size: int = 0, tick_size: Decimal = Decimal(0), exchange: str | None = None
) -> Contract:
    """Return the contract that `symbol` names when traded on `day`.

    A lot size (units) or tick size (rupees) other than 0 goes before the book's and serves what the book does not know.
    A bare underlying stands for its options: it has the lot of the nearest contract and the price step of an option.
    Raises DataError where the book has no fact for the day, and for a contract that has expired; ConfigError where the
    exchange given is not the contract's, or the lot is above the freeze quantity.
    """
    parsed = parse_symbol(symbol) or ParsedSymbol(symbol)
    if parsed.expiry is not None and day > parsed.expiry:
        raise DataError(
            f"{symbol} expired on {parsed.expiry}, it cannot trade on {day}: check instrument.symbol, or the file's name "
            f"({_FORM})"
        )
    known = underlyings().get(parsed.underlying)
    lot = lot_size or _lot_size(symbol, parsed, day)
    freeze = on_day((row for row in freezes() if row.underlying == parsed.underlying), day)
    if freeze is not None and lot > freeze.freeze_quantity:
        raise ConfigError(
            f"instrument.lot_size = {lot} is above {parsed.underlying}'s freeze quantity on {day}, "
            f"{freeze.freeze_quantity}: no order could hold one lot"
        )
    return Contract(
        symbol=symbol,
        underlying=parsed.underlying,
        expiry=parsed.expiry,
        strike=parsed.strike,
        right=parsed.right,
        exchange=_exchange(symbol, known, exchange),
        lot_size=lot,
        tick_size_paise=_paise(tick_size) or _option_tick(symbol, parsed, known, day),
        freeze_quantity=freeze.freeze_quantity if freeze else None,
    )


def _exchange(symbol: str, known: Underlying | None, given: str | None) -> str:
    if known is None:
        if given is None:
            raise DataError(f"the contract book does not know where {symbol} trades: set instrument.exchange")
        return given
    if given not in {None, known.exchange}:
        raise ConfigError(
            f'{symbol} trades on {known.exchange}, not {given}: set instrument.exchange = "{known.exchange}"'
        )
    return known.exchange


def _lot_size(symbol: str, parsed: ParsedSymbol, day: date) -> int:
    of_underlying = [row for row in lots() if row.underlying == parsed.underlying]
    if not of_underlying:
        names = ", ".join(underlyings())
        raise DataError(
            f"the contract book does not know {symbol}{_in_capitals(symbol)} (it has {names}; {_FORM}): set instrument.lot_size"
        )
    trading = [row for row in of_underlying if row.valid_from <= day <= row.valid_to]
    if parsed.expiry is None:
        listed = min((row for row in trading if row.expiry_to >= day), key=lambda row: row.expiry_from, default=None)
    else:
        expiry = parsed.expiry
        listed = next((row for row in trading if row.expiry_from <= expiry <= row.expiry_to), None)
    if listed is None:
        raise DataError(f"the contract book has no lot size for {symbol} traded on {day}: set instrument.lot_size")
    return listed.lot_size


def _in_capitals(symbol: str) -> str:
    """Return the question whether a symbol in capitals was meant; nothing where the book does not know that either."""
    capitals = symbol.upper()
    parsed = parse_symbol(capitals)
    known = capitals != symbol and parsed is not None and parsed.underlying in underlyings()
    return f", did you mean {capitals}?" if known else ""


def _option_tick(symbol: str, parsed: ParsedSymbol, known: Underlying | None, day: date) -> int:
    if known is None:
        raise DataError(f"the contract book has no tick size for {symbol}: set instrument.tick_size")
    if parsed.right == "FUT":
        raise DataError(f"the tick size of {symbol} follows the level of its index: set instrument.tick_size")
    step = on_day((row for row in option_ticks() if known.exchange in row.exchanges), day)
    if step is None:
        raise DataError(f"the contract book has no tick size for {symbol} traded on {day}: set instrument.tick_size")
    return step.tick_size_paise


def _paise(tick_size: Decimal) -> int:
    paise = tick_size * 100
    if paise != int(paise):
        raise ConfigError(f"instrument.tick_size = {tick_size} is not a whole number of paise")
    return int(paise)
