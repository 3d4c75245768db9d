"""Which column of a file or frame means what, by its name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from myquant.errors import DataError

# The first name of each is the canonical one: it wins over the others. Names that end in _paise and _ns are integers of
# that unit.
ALIASES: Final[dict[str, tuple[str, ...]]] = {
    "exchange time": ("exchange_time", "exchange_timestamp"),
    "time": ("timestamp", "time", "datetime", "date_time", "ts", "ltt", "last_trade_time", "time_ns"),
    "date": ("date", "trade_date"),
    "price": ("price", "ltp", "last_price", "close", "last", "trade_price", "price_paise"),
    "volume": ("volume", "qty", "quantity", "ltq", "last_quantity", "vol", "last_traded_quantity", "size"),
    "symbol": ("symbol", "tradingsymbol", "trading_symbol", "instrument", "ticker"),
    "exchange": ("exchange",),
    "bid": ("bid", "bid_price", "best_bid", "best_bid_price", "bp1", "bid_paise"),
    "ask": ("ask", "ask_price", "best_ask", "best_ask_price", "ap1", "ask_paise"),
    "receive time": ("receive_time", "received_at", "recv_time", "local_time", "receive_ns"),
}


SEPARATORS: Final = (";", "\t", "|")  # of files that are CSV in name only


class Column(NamedTuple):
    """A column of a file: its place, its name there, and how its numbers count."""

    place: int
    name: str
    decimals: int = 2  # a price is in units of 10**-decimals: 2: in rupees, 0: in paise
    unit_ns: int = 0  # an epoch number counts these; 0: told by its magnitude


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The columns of a file by meaning; None: it has no such column."""

    time: Column  # the date alone where `clock` is there
    clock: Column | None
    price: Column
    volume: Column
    symbol: Column | None
    exchange: Column | None
    bid: Column | None
    ask: Column | None
    receive_time: Column | None

    def columns(self) -> list[Column]:
        """Return all columns there are, in a fixed order."""
        every = (self.time, self.clock, self.price, self.volume, self.symbol, self.exchange, self.bid, self.ask)
        return [column for column in (*every, self.receive_time) if column is not None]


def layout_of(names: Sequence[str], where: str) -> Layout:
    """Find the columns by their names, whatever their case and the space around them.

    Raises DataError, beginning with `where`, for a column that is missing, or that two names claim, or named twice.
    """
    folded = [name.strip().lower() for name in names]
    for name in folded:
        if name and folded.count(name) > 1:
            raise DataError(f"{where}: two columns are named {name!r}; rename or drop one of them")
    time, clock = _find_time(folded, where)
    return Layout(
        time=_required(time, "time", names, where),
        clock=clock,
        price=_required(_find("price", folded, where), "price", names, where),
        volume=_required(_find("volume", folded, where), "volume", names, where),
        symbol=_find("symbol", folded, where),
        exchange=_find("exchange", folded, where),
        bid=_find("bid", folded, where),
        ask=_find("ask", folded, where),
        receive_time=_find("receive time", folded, where),
    )


def has_time(names: Sequence[str]) -> bool:
    """Return whether any of the names can mean the time."""
    known = {*ALIASES["exchange time"], *ALIASES["time"], *ALIASES["date"]}
    return any(name.strip().lower() in known for name in names)


def _find(meaning: str, folded: list[str], where: str) -> Column | None:
    aliases = ALIASES[meaning]
    present = [name for name in folded if name in aliases]
    if len(present) > 1 and aliases[0] not in present:
        raise DataError(
            f"{where}: both {present[0]!r} and {present[1]!r} can be the {meaning}; drop one, or rename the right one to"
            f" {aliases[0]!r}"
        )
    if not present:
        return None
    name = aliases[0] if aliases[0] in present else present[0]
    decimals = 0 if name.endswith("_paise") else 2
    return Column(folded.index(name), name, decimals, unit_ns=int(name.endswith("_ns")))


def _find_time(folded: list[str], where: str) -> tuple[Column | None, Column | None]:
    """Return the column of the tick's time, and that of the time of day where the first is a date alone."""
    exchange_time = _find("exchange time", folded, where)
    if exchange_time is not None:
        return exchange_time, None
    date = _find("date", folded, where)
    others = [name for name in folded if name in ALIASES["time"]]
    if date is not None and others == ["time"]:
        return date, _find("time", folded, where)
    if date is not None and not others:
        return date, None  # some vendors call the whole time stamp "date"
    return _find("time", folded, where), None


def _required(column: Column | None, meaning: str, names: Sequence[str], where: str) -> Column:
    if column is not None:
        return column
    known = {alias for aliases in ALIASES.values() for alias in aliases}
    if any(_is_number(name) for name in names) and not any(name.strip().lower() in known for name in names):
        raise DataError(f"{where}: the first row is no header; put one above it, such as: timestamp,price,volume")
    found = ", ".join(name.strip() or "(no name)" for name in names[:20])
    remedy = f"name it one of: {', '.join(ALIASES[meaning])}"
    separator = next((each for each in SEPARATORS if len(names) == 1 and each in names[0]), None)
    if separator is not None:
        remedy = (
            f"the separator seems to be {separator!r}: save the file with commas between columns and points in numbers"
        )
    raise DataError(f"{where}: no column for the {meaning}; found: {found}; {remedy}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
