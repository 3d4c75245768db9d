"""What the lab lists: tokens, and the rows of the instrument master (OpenAPIScripMaster.json)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Final
from zlib import crc32

from myquant.market.contracts import Contract, Right

EXCHANGE_TYPES: Final = {"NSE": 1, "NFO": 2, "BSE": 3, "BFO": 4, "MCX": 5, "NCX": 7, "CDS": 13}
# Token and name of an index. The last three of NSE and the last two of BSE are the lab's own.
INDICES: Final = {
    "NIFTY": ("99926000", "Nifty 50", "NSE"),
    "BANKNIFTY": ("99926009", "Nifty Bank", "NSE"),
    "FINNIFTY": ("99926037", "Nifty Fin Service", "NSE"),
    "MIDCPNIFTY": ("99926901", "NIFTY MID SELECT", "NSE"),
    "NIFTYNXT50": ("99926902", "Nifty Next 50", "NSE"),
    "NIFTYFPI": ("99926903", "Nifty FPI 150", "NSE"),
    "SENSEX": ("99919000", "SENSEX", "BSE"),
    "BANKEX": ("99919901", "BANKEX", "BSE"),
    "SENSEX50": ("99919902", "SNSX50", "BSE"),
}
STOCKS: Final = (("3045", "SBIN"), ("2885", "RELIANCE"))  # listed beside, never ticking
FIRST_TOKEN: Final = 35_000
TOKENS: Final = 60_000
NEIGHBOURS: Final = 3  # strikes listed on each side of a contract's
STRIKE_STEP: Final = 50  # rupees
MONTHS: Final = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
INDEX: Final = "AMXIDX"
OPTION: Final = {True: "OPTIDX", False: "OPTSTK"}  # by: is the underlying an index?
FUTURE: Final = {True: "FUTIDX", False: "FUTSTK"}


@dataclass(frozen=True, slots=True)
class Listed:
    """One row of the master; strike in rupees."""

    token: str
    symbol: str
    name: str
    segment: str
    expiry: date | None = None
    strike: Decimal | None = None
    right: Right | None = None
    lot_size: int = 1
    tick_paise: int = 5
    kind: str = ""  # OPTIDX, FUTIDX, AMXIDX...; empty: a share

    @property
    def exchange_type(self) -> int:
        """The number of the segment on the feed."""
        return EXCHANGE_TYPES[self.segment]

    @property
    def is_index(self) -> bool:
        """Whether it is an index itself, which nobody can trade."""
        return self.kind == INDEX

    def row(self) -> dict[str, str]:
        """Return the row as the master has it: all texts, strike and tick size in paise."""
        return {
            "token": self.token,
            "symbol": self.symbol,
            "name": self.name,
            "expiry": "" if self.expiry is None else f"{_day_month(self.expiry)}{self.expiry.year}",
            "strike": f"{-1 if self.strike is None else self.strike * 100:.6f}",
            "lotsize": str(self.lot_size),
            "instrumenttype": self.kind,
            "exch_seg": self.segment,
            "tick_size": f"{self.tick_paise:.6f}",
        }


def listed(contracts: Sequence[Contract]) -> tuple[Listed, ...]:
    """List the contracts, in their order; a contract keeps its token wherever it is listed, unless two collide."""
    taken: set[str] = set()
    return tuple(_listed(known, taken) for known in contracts)


def indices_of(contracts: Sequence[Contract]) -> tuple[Listed, ...]:
    """List the indices under the contracts, or NIFTY where there is none."""
    names = dict.fromkeys(known.underlying for known in contracts if known.underlying in INDICES) or ("NIFTY",)
    return tuple(_index(name) for name in names)


def others(ticking: Sequence[Listed]) -> tuple[Listed, ...]:
    """List what stands beside: the other indices, some shares, futures, and the strikes around."""
    taken = {each.token for each in ticking}
    symbols = {each.symbol for each in ticking}
    beside = [_index(name) for name in INDICES]
    beside += [Listed(token, f"{name}-EQ", name, "NSE") for token, name in STOCKS]
    found = [each for each in beside if each.symbol not in symbols]
    for each in ticking:
        found += _around(each, taken, symbols)
    return tuple(found)


def master(everything: Iterable[Listed]) -> list[dict[str, str]]:
    """Return the instrument master."""
    return [each.row() for each in everything]


def _listed(known: Contract, taken: set[str]) -> Listed:
    symbol = known.symbol if known.expiry is not None else f"{known.symbol}-EQ"
    is_index = known.underlying in INDICES
    return Listed(
        token=_token(symbol, taken),
        symbol=symbol,
        name=known.underlying,
        segment=known.exchange,
        expiry=known.expiry,
        strike=known.strike,
        right=known.right,
        lot_size=known.lot_size,
        tick_paise=known.tick_size_paise,
        kind="" if known.right is None else (FUTURE if known.right == "FUT" else OPTION)[is_index],
    )


def _index(name: str) -> Listed:
    token, title, segment = INDICES[name]
    return Listed(token, title, name, segment, kind=INDEX, tick_paise=0)


def _around(each: Listed, taken: set[str], symbols: set[str]) -> list[Listed]:
    """List the neighbours of an option, and the future of its expiry."""
    if each.strike is None or each.expiry is None:
        return []
    head = f"{each.name}{_day_month(each.expiry)}{each.expiry:%y}"
    found = []
    rights: tuple[Right, ...] = ("CE", "PE")
    for steps in range(-NEIGHBOURS, NEIGHBOURS + 1):
        strike = each.strike + steps * STRIKE_STEP
        found += [replace(each, symbol=f"{head}{strike}{right}", strike=strike, right=right) for right in rights]
    is_index = each.kind == OPTION[True]
    found.append(replace(each, symbol=f"{head}FUT", strike=None, right="FUT", kind=FUTURE[is_index]))
    new = [one for one in found if one.symbol not in symbols and (one.strike is None or one.strike > 0)]
    symbols.update(one.symbol for one in new)
    return [replace(one, token=_token(one.symbol, taken)) for one in new]


def _token(symbol: str, taken: set[str]) -> str:
    number = crc32(symbol.encode()) % TOKENS
    while str(FIRST_TOKEN + number) in taken:
        number = (number + 1) % TOKENS
    token = str(FIRST_TOKEN + number)
    taken.add(token)
    return token


def _day_month(day: date) -> str:
    return f"{day.day:02d}{MONTHS[day.month - 1]}"
