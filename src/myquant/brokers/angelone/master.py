"""Angel One's instrument master: every contract of the day with its token, lot and price step."""

import difflib
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit

from myquant.brokers.addresses import is_loopback
from myquant.brokers.angelone.answers import BROKER_NAME
from myquant.brokers.angelone.settings import EXCHANGE_TYPES, INDICES
from myquant.brokers.http import Http, NoAnswerError, unreachable
from myquant.brokers.port import BrokerInstrument, Remedy, RequestError
from myquant.errors import ConfigError, DataError, MyquantError, cannot_write
from myquant.market.contracts import ParsedSymbol, contract, parse_symbol

BYTES_MAX: Final = 256 * 2**20
TIMEOUT_S: Final = 120.0
NEAR_MAX: Final = 3
DERIVATIVES: Final = ("NFO", "BFO", "MCX", "NCX", "CDS")
CASH: Final = ("NSE", "BSE")
INDEX: Final = "AMXIDX"

_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_EXPIRY: Final = re.compile(r"(\d{2})([A-Z]{3})(\d{4})", re.ASCII)
_FIELDS: Final = ("token", "symbol", "name", "expiry", "strike", "lotsize", "instrumenttype", "exch_seg", "tick_size")
_NAMES_IN_FILE: Final = re.compile(r"instruments-[0-9a-f]{12}-\d{4}-\d{2}-\d{2}\.json", re.ASCII)

Row = dict[str, str]


async def find(http: Http, url: str, day: date, folder: Path | None, symbols: Sequence[str]) -> "Picked":
    """Return the instruments of our symbols; a kept master that lacks one is fetched again, once.

    Raises as `load` and `InstrumentMaster.pick` do.
    """
    master = await load(http, url, day, folder)
    if master.is_kept:
        try:
            return master.pick(symbols)
        except (ConfigError, DataError):  # it may have been kept before the broker made that of the day
            master = await fetch(http, url, day, folder)
    return master.pick(symbols)


async def load(http: Http, url: str, day: date, folder: Path | None) -> "InstrumentMaster":
    """Return the master of `day`: the one kept in `folder` (None: none is kept), else fetched and kept.

    That of a service on this machine is never kept: another one may stand there in a minute.
    Raises RequestError where it can't be had, DataError where it is no master.
    """
    if is_loopback(urlsplit(url).hostname or ""):
        folder = None
    if folder is not None and (kept := _kept(_path(folder, url, day), url, day)) is not None:
        return kept
    return await fetch(http, url, day, folder)


async def fetch(http: Http, url: str, day: date, folder: Path | None) -> "InstrumentMaster":
    """Return the master, fetched anew, and keep it; see `load`."""
    try:
        reply = await http.patiently(
            lambda: http.once("GET", url, {"Accept": "application/json"}, bytes_max=BYTES_MAX, timeout_s=TIMEOUT_S)
        )
    except NoAnswerError as error:
        said = unreachable(url, "angelone.master_url", error)
        raise RequestError(BROKER_NAME, "instrument master", said, Remedy.RETRY) from None
    if reply.status != 200:
        raise RequestError(BROKER_NAME, "instrument master", reply.said(http.redactor), Remedy.RETRY)
    master = InstrumentMaster(_rows(reply.body, url), day, url)
    if folder is not None:
        try:
            _keep(_path(folder, url, day), reply.body)
        except MyquantError as error:
            master.not_kept = str(error)
    return master


@dataclass(frozen=True)
class Picked:
    """The instruments asked for, in order; the indices under them, each once; what to tell a person."""

    instruments: tuple[BrokerInstrument, ...]
    indices: tuple[BrokerInstrument, ...]
    notes: tuple[str, ...]


NOTHING: Final = Picked((), (), ())


class InstrumentMaster:
    """The rows of one day's master. `where` names it in errors.

    Attributes:
        is_kept: whether it is the file's, not the broker's of this moment.
        not_kept: why it could not be kept, empty: it could, or need not. It costs another download, and no more.
        odd_rows: rows that lack a field or hold something other than texts; they are not listed.
    """

    def __init__(self, rows: Sequence[Any], day: date, where: str, *, is_kept: bool = False) -> None:
        self.day = day
        self.is_kept = is_kept
        self.not_kept = ""
        self._where = where
        self._rows: list[Row] = [row for row in rows if _is_row(row)]
        self.odd_rows = len(rows) - len(self._rows)
        self._by_symbol: dict[str, list[Row]] = {}
        for row in self._rows:
            self._by_symbol.setdefault(row["symbol"], []).append(row)

    def __len__(self) -> int:
        return len(self._rows)

    def pick(self, symbols: Iterable[str]) -> Picked:
        """Return the instruments of our symbols, with the indices under them and where master and contract book differ.

        The master's lot and tick size are those that hold. Raises ConfigError for a symbol that is not in the master, or in
        two segments of it; DataError for a row that contradicts itself.
        """
        instruments = tuple(self.instrument(symbol) for symbol in symbols)
        underlyings = dict.fromkeys(_parsed(each.symbol).underlying for each in instruments)
        indices = {index.token: index for index in map(self.index_of, underlyings)}
        notes = [f"{BROKER_NAME}'s master has {self.odd_rows} rows that can't be read"] if self.odd_rows else []
        notes += [self.not_kept] if self.not_kept else []
        notes += [note for each in instruments for note in self._differences(each)]
        return Picked(instruments, tuple(indices.values()), tuple(notes))

    def instrument(self, symbol: str) -> BrokerInstrument:
        """Return the instrument of one of our symbols; a bare name is the index, else the share, of that name."""
        parsed = _parsed(symbol)
        if parsed.expiry is None:
            found = self._index_rows(symbol) or self._of(f"{symbol}-EQ", CASH) or self._of(symbol, CASH)
        else:
            found = self._of(symbol, DERIVATIVES)
        if not found:
            raise ConfigError(f"{symbol} is not in {BROKER_NAME}'s instrument master of {self.day}{self._near(parsed)}")
        if len({row["exch_seg"] for row in found}) > 1 and found[0]["exch_seg"] not in CASH:
            segments = ", ".join(sorted({row["exch_seg"] for row in found}))
            raise ConfigError(f"{symbol} is in several segments of {BROKER_NAME}'s master ({segments}): leave it out")
        return self._read(symbol, parsed, found[0])

    def index_of(self, underlying: str) -> BrokerInstrument:
        """Return the index whose ticks show that a connection lives: the underlying's, or NIFTY where it has none."""
        rows = self._index_rows(underlying)
        if rows:
            return self._read(underlying, ParsedSymbol(underlying), rows[0])
        name = underlying if underlying in INDICES else "NIFTY"
        segment, token = INDICES[name]
        return BrokerInstrument(name, segment, token, EXCHANGE_TYPES[segment], 1, 0, broker_symbol=name)

    def _index_rows(self, name: str) -> list[Row]:
        return [row for row in self._rows if row["instrumenttype"] == INDEX and row["name"] == name]

    def _of(self, symbol: str, segments: Sequence[str]) -> list[Row]:
        rows = self._by_symbol.get(symbol, ())
        return [row for segment in segments for row in rows if row["exch_seg"] == segment]

    def _near(self, parsed: ParsedSymbol) -> str:
        """Return a question that names the symbols nearest to one that is missing; those of its underlying first."""
        same = [
            row["symbol"] for row in self._rows if row["name"] == parsed.underlying and row["instrumenttype"] != INDEX
        ]
        among = same or list({row["name"] for row in self._rows})
        wanted = _text(parsed) if same else parsed.underlying
        near = difflib.get_close_matches(wanted, among, NEAR_MAX, cutoff=0.5)
        return f": did you mean {', '.join(near)}?" if near else f": nothing of {parsed.underlying} is listed"

    def _read(self, symbol: str, parsed: ParsedSymbol, row: Row) -> BrokerInstrument:
        where = f"{self._where}: {row['symbol']} (token {row['token']})"
        if row["exch_seg"] not in EXCHANGE_TYPES:
            raise DataError(f"{where}: unknown segment {row['exch_seg']!r}: report it")
        expiry = _expiry(row["expiry"], where)
        strike = None if parsed.strike is None else _whole(row["strike"], "strike", where)
        wanted = None if parsed.strike is None else int(parsed.strike * 100)
        if parsed.expiry != expiry or strike != wanted:
            raise DataError(
                f"{where}: says expiry {row['expiry'] or 'none'}, strike {row['strike']}, which is not {symbol}: report it"
            )
        if not (row["token"].isascii() and row["token"].isdigit()):
            raise DataError(f"{where}: a token must be digits: report it")
        lot = _whole(row["lotsize"], "lotsize", where)
        if lot < 1:
            raise DataError(f"{where}: lotsize {row['lotsize']}: must be above 0: report it")
        return BrokerInstrument(
            symbol=symbol,
            segment=row["exch_seg"],
            token=row["token"],
            exchange_type=EXCHANGE_TYPES[row["exch_seg"]],
            lot_size=lot,
            tick_size_paise=_whole(row["tick_size"], "tick_size", where),
            expiry=expiry,
            strike_paise=strike,
            right=parsed.right,
            broker_symbol=row["symbol"],
        )

    def _differences(self, listed: BrokerInstrument) -> list[str]:
        """Return a line for each difference between an option's row and the contract book; the master's value holds."""
        if listed.strike_paise is None:
            return []
        try:
            known = contract(listed.symbol, self.day)
        except (ConfigError, DataError):
            return [f"{listed.symbol}: not in the contract book on {self.day}; lot and tick size are the master's"]
        pairs = (
            ("lot size", listed.lot_size, known.lot_size),
            ("tick size in paise", listed.tick_size_paise, known.tick_size_paise),
        )
        return [
            f"{listed.symbol}: {what} is {master} in {BROKER_NAME}'s master, {book} in the contract book: the master's is used"
            for what, master, book in pairs
            if master != book
        ]


def _parsed(symbol: str) -> ParsedSymbol:
    parsed = parse_symbol(symbol)
    if parsed is None:
        raise ConfigError(f"{symbol!r} is no symbol: write a contract as in NIFTY07OCT2524900CE")
    return parsed


def _text(parsed: ParsedSymbol) -> str:
    day = cast("date", parsed.expiry)
    head = f"{parsed.underlying}{day.day:02d}{_MONTHS[day.month - 1]}{day:%y}" if parsed.expiry else parsed.underlying
    return f"{head}{parsed.strike or ''}{parsed.right or ''}"


def _expiry(text: str, where: str) -> date | None:
    if not text:
        return None
    parts = _EXPIRY.fullmatch(text)
    day, month, year = parts.groups() if parts else ("", "", "")
    try:
        return date(int(year), _MONTHS.index(month) + 1, int(day))
    except ValueError:
        raise DataError(f"{where}: expiry {text!r}: must be as in 25NOV2026: report it") from None


def _whole(text: str, name: str, where: str) -> int:
    try:
        value = Decimal(text)
        whole = int(value)
    except (ArithmeticError, ValueError):
        raise DataError(f"{where}: {name} {text!r}: must be a number: report it") from None
    if value != whole:
        raise DataError(f"{where}: {name} {text!r}: must be a whole number: report it")
    return whole


def _rows(body: bytes, where: str) -> list[Any]:
    try:
        rows: Any = json.loads(body)
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise DataError(f"{where}: is no JSON: fetch the instrument master again") from None
    if not isinstance(rows, list) or not rows:
        raise DataError(f"{where}: is no list of instruments: fetch the instrument master again")
    return rows


def _is_row(row: Any) -> bool:
    return isinstance(row, dict) and all(isinstance(row.get(name), str) for name in _FIELDS)


def _path(folder: Path, url: str, day: date) -> Path:
    return folder / f"instruments-{hashlib.sha256(url.encode()).hexdigest()[:12]}-{day}.json"


def _kept(path: Path, url: str, day: date) -> InstrumentMaster | None:
    """Return the master that was kept; None: there is none, or it is damaged."""
    try:
        return InstrumentMaster(_rows(path.read_bytes(), url), day, url, is_kept=True)
    except (OSError, DataError):
        return None


def _keep(path: Path, body: bytes) -> None:
    """Write the day's file, the whole of it or nothing, and delete those of other days."""
    draft = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
        Path(draft).replace(path)
        for other in path.parent.iterdir():
            if _NAMES_IN_FILE.fullmatch(other.name) and not other.name.endswith(path.name[-15:]):
                other.unlink(missing_ok=True)
    except OSError as error:
        if draft:
            Path(draft).unlink(missing_ok=True)
        raise cannot_write(path, error, "set MYQUANT_CACHE to a folder of your own") from error
