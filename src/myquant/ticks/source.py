"""Sources of ticks: one or more files, or a frame, as one stream of batches."""

import hashlib
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from threading import Event
from typing import Final, NamedTuple, Protocol
from zoneinfo import ZoneInfo

import numpy as np

from myquant.errors import ConfigError, DataError
from myquant.market.contracts import parse_symbol, underlyings
from myquant.ticks.batch import COLUMNS, EMPTY, NO_TIME, InstrumentName, Ints, TickBatch
from myquant.ticks.byte_stream import kind_of, unreadable
from myquant.ticks.columns import Layout
from myquant.ticks.csv_file import CsvFile
from myquant.ticks.merge import Keyed, Keys, in_key_order, merged
from myquant.ticks.read_ahead import read_ahead
from myquant.ticks.rows import RowReader
from myquant.ticks.zone import zone_of

BATCH_ROWS: Final = 1 << 19
MERGE_MIN_ROWS: Final = 1 << 13
COMPRESSIONS: Final = {".gz": "gzip", ".zst": "zstd"}
# A date at the end of a file's name, with what separates it: nifty_option_2025-10-03, BANKNIFTY 20251003.
NAME_DATE: Final = re.compile(
    r"(^|[ _.-])(\d{4}([-_]?)(0[1-9]|1[0-2])\3([0-2]\d|3[01])|[0-3]\d-(0[1-9]|1[0-2])-\d{4})$"
)

# A contract as some brokers write it: NIFTY25O0724900CE, NIFTY25NOV26100PE.
SHORT_FORM: Final = re.compile(r"[A-Z&-]+\d{2}[A-Z\d]*\d(CE|PE)", re.ASCII)


class TickFile(Protocol):
    """A file, or a table in memory, that yields batches, each time from its beginning."""

    consumed_bytes: int  # by the reading that runs

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def path(self) -> Path | None:
        """Where it is; None: in memory."""

    @property
    def total_bytes(self) -> int:
        """Its size."""

    @property
    def layout(self) -> Layout:
        """Its columns."""

    def batches(self, reader: RowReader, batch_rows: int) -> Generator[TickBatch, None, None]:
        """Yield the rows through a fresh reader, at least one and at most `batch_rows` at a time."""


class _Survey(NamedTuple):
    """What has to be known of a file before its ticks are used."""

    instruments: tuple[InstrumentName, ...]  # in order of first appearance
    in_order: bool  # by key (see `merge`)


class TickSource:
    """One stream of ticks; `batches` may be called again and again.

    Several files are merged. A file whose instruments are not in one order of time is sorted in memory, any other one is
    streamed; a file with a symbol column is read twice, as the instruments have to be known first.
    """

    def __init__(
        self,
        files: Sequence[TickFile],
        symbols: Sequence[str],
        *,
        batch_rows: int = BATCH_ROWS,
        symbols_are_labels: bool = False,
    ) -> None:
        """Join files; `symbols[i]` names the instrument of file i where the file has no symbol column.

        `symbols_are_labels` says that `symbols` are names of files only, and no trading symbols.
        """
        self.paths = tuple(file.path for file in files if file.path is not None)
        self.total_bytes = sum(file.total_bytes for file in files)
        self.has_symbols = any(file.layout.symbol is not None for file in files)
        self.symbols_are_labels = symbols_are_labels and not self.has_symbols
        self._files = tuple(files)
        self._symbols = tuple(symbols)
        self._batch_rows = batch_rows
        self._has_quotes = any(file.layout.bid is not None or file.layout.ask is not None for file in files)
        self._has_receive_time = any(file.layout.receive_time is not None for file in files)

    @property
    def consumed_bytes(self) -> int:
        """How many of `total_bytes` were read by now, for a progress bar; reading is some batches ahead."""
        return sum(file.consumed_bytes for file in self._files)

    @cached_property
    def instruments(self) -> tuple[InstrumentName, ...]:
        """The instruments, in order of the files and of their first appearance there. Raises DataError."""
        exchanges: dict[str, str | None] = {}
        for symbol, exchange in (name for survey in self._surveys for name in survey.instruments):
            known = exchanges.setdefault(symbol, exchange)
            if known and exchange and known != exchange:
                raise DataError(f"{symbol} is on two exchanges, {known} and {exchange}; give them two symbols")
            exchanges[symbol] = known or exchange
        return tuple(InstrumentName(symbol, exchange) for symbol, exchange in exchanges.items())

    @cached_property
    def input_hash(self) -> str:
        """The SHA-256 of the files' bytes, one file after the other (of a frame: of its ticks), in hex digits."""
        return self._hash(Event())

    def _hash(self, stop: Event) -> str:
        digest = hashlib.sha256()
        for file in self._files:
            for block in _blocks_of(file):
                digest.update(block)
                if stop.is_set():
                    break
        return digest.hexdigest()

    def batches(self) -> Generator[TickBatch, None, None]:
        """Yield all rows in order, made ahead by a thread while the last batch is worked on. Raises DataError.

        Another thread takes the hash of the files meanwhile.
        """
        stop, are_files = Event(), len(self.paths) == len(self._files)
        with ThreadPoolExecutor(1, thread_name_prefix="input-hash") as thread:
            hashing = thread.submit(self._hash, stop) if are_files and "input_hash" not in vars(self) else None
            try:
                yield from read_ahead(self._batches())
                if hashing is not None:
                    self.input_hash = hashing.result()
            finally:  # whoever stops early does not wait for the rest of a large file
                stop.set()

    def _batches(self) -> Generator[TickBatch, None, None]:
        for file in self._files:
            file.consumed_bytes = 0
        if len(self._files) == 1 and self._surveys[0].in_order:
            reader = RowReader(self._files[0].name, self._files[0].layout)
            for batch in self._files[0].batches(reader, self._batch_rows):
                yield self._uniform(batch, 0)
        else:
            rows = min(self._batch_rows, max(MERGE_MIN_ROWS, self._batch_rows // len(self._files)))
            yield from merged([self._keyed(place, rows) for place in range(len(self._files))])

    def _keyed(self, place: int, batch_rows: int) -> Iterator[Keyed]:
        file, keys = self._files[place], Keys()
        batches = file.batches(RowReader(file.name, file.layout), batch_rows)
        parts = (Keyed(self._uniform(batch, place), keys.of(batch)) for batch in batches)
        return parts if self._surveys[place].in_order else in_key_order(parts, batch_rows)

    def _uniform(self, batch: TickBatch, place: int) -> TickBatch:
        """Give a file's rows the source's numbers of instruments, and every batch the same optional columns."""
        count = len(batch)
        instrument, bid, ask, receive_ns = EMPTY, batch.bid, batch.ask, batch.receive_ns
        if len(self.instruments) > 1:
            local = batch.instrument if len(batch.instrument) else np.zeros(count, np.int64)
            instrument = self._numbers[place][local]
        if self._has_quotes and not len(bid):
            bid, ask = np.zeros(count, np.int64), np.zeros(count, np.int64)
        if self._has_receive_time and not len(receive_ns):
            receive_ns = np.full(count, NO_TIME, np.int64)
        return replace(batch, instrument=instrument, bid=bid, ask=ask, receive_ns=receive_ns)

    @cached_property
    def _numbers(self) -> list[Ints]:
        """For each file, the source's numbers of its instruments."""
        symbols = [name.symbol for name in self.instruments]
        return [
            np.array([symbols.index(name.symbol) for name in survey.instruments], np.int64) for survey in self._surveys
        ]

    @cached_property
    def _surveys(self) -> tuple[_Survey, ...]:
        return tuple(
            _survey(file, symbol, self._batch_rows) for file, symbol in zip(self._files, self._symbols, strict=True)
        )


def open_ticks(
    paths: str | Path | Iterable[str | Path],
    *,
    time_zone: str,
    symbol: str,
    batch_rows: int = BATCH_ROWS,
) -> TickSource:
    """Open CSV (plain, gzip, zstd) and Parquet files as one source, told apart by their first bytes.

    Times without an offset are local ones of `time_zone`. A file without a symbol column holds the instrument that it is
    named after, without a date at the end of the name: files that differ in the date alone are days of one instrument. A
    single file that is not named after a contract holds `symbol`. Raises DataError for a file that can't be used,
    ConfigError for an unknown zone, and where some names are contracts and others are not.
    """
    zone = zone_of(time_zone)
    names = [Path(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    if not names:
        raise ConfigError("no file of ticks is named; name at least one")
    for name in names:
        if sum(other.absolute() == name.absolute() for other in names) > 1:
            raise DataError(f"{name}: is named twice; its ticks would count twice")
    files = [_open(name, zone) for name in names]
    symbols = [symbol_of(name) or symbol for name in names]
    for name, file, each in zip(names, files, symbols, strict=True):
        if file.layout.symbol is None and SHORT_FORM.fullmatch(each) and parse_symbol(each) is None:
            raise ConfigError(
                f"{name}: {each} is not written as we write a contract; rename it, as in NIFTY07OCT2524900CE"
            )
    if len(files) == 1:
        return TickSource(files, symbols if is_contract(symbols[0]) else [symbol], batch_rows=batch_rows)
    odd = [name for name, each in zip(names, symbols, strict=True) if parse_symbol(each) is None]
    plain = [file for file in files if file.layout.symbol is None]
    contracts = [name for name, each in zip(names, symbols, strict=True) if is_contract(each)]
    if odd and contracts and len(plain) == len(files):
        raise ConfigError(
            f"{odd[0]} is not named after a contract, but {contracts[0]} is: rename it after the contract that it holds"
            f" (NIFTY07OCT2524900CE{''.join(odd[0].suffixes)}), or run each file by itself"
        )
    return TickSource(files, symbols, batch_rows=batch_rows, symbols_are_labels=len(odd) == len(names))


def symbol_of(path: Path) -> str:
    """Return the name of a file without its suffixes and without a date at its end; empty: it is a date only."""
    return NAME_DATE.sub("", _stem(path))


def is_contract(name: str) -> bool:
    """Return whether a name is a trading symbol with an expiry, or an index of the contract book."""
    parsed = parse_symbol(name)
    return parsed is not None and (parsed.expiry is not None or parsed.underlying in underlyings())


def _stem(path: Path) -> str:
    return Path(path.stem).stem if path.suffix.lower() in COMPRESSIONS else path.stem


def _open(path: Path, zone: ZoneInfo) -> TickFile:
    found = kind_of(path)
    promised = {**COMPRESSIONS, ".parquet": "parquet"}.get(path.suffix.lower(), found)
    if found == "zip":
        raise DataError(f"{path}: a zip archive or a workbook; unpack it, or save the sheet as CSV")
    if found != promised:
        raise DataError(f"{path}: its name says {promised}, its content does not; rename it, or write it again")
    if found == "parquet":
        from myquant.ticks.arrow_file import ParquetFile  # noqa: PLC0415  (Arrow's import takes 0.15 s)

        return ParquetFile(path, zone)
    return CsvFile(path, found, zone)


def _survey(file: TickFile, symbol: str, batch_rows: int) -> _Survey:
    if file.layout.symbol is None and file.layout.exchange is None:
        return _Survey((InstrumentName(symbol),), in_order=True)
    reader, keys = RowReader(file.name, file.layout), Keys()
    batches = file.batches(reader, batch_rows)
    for batch in batches:
        keys.of(batch)
        if file.layout.symbol is None:
            batches.close()  # the first rows name the exchange
            return _Survey((InstrumentName(symbol, reader.exchanges[0]),), in_order=True)
    if not reader.symbols:
        raise DataError(f"{file.name}: no row has a symbol; fill the column, or drop it")
    names = zip(reader.symbols, reader.exchanges, strict=True)
    return _Survey(tuple(InstrumentName(*name) for name in names), keys.in_order)


def _blocks_of(file: TickFile) -> Iterator[bytes]:
    if file.path is None:
        reader = RowReader(file.name, file.layout)
        for batch in file.batches(reader, BATCH_ROWS):
            yield np.stack([getattr(batch, name) for name in COLUMNS if len(getattr(batch, name))], axis=1).tobytes()
        yield "\n".join(reader.symbols).encode()
        return
    try:
        with file.path.open("rb") as content:
            while block := content.read(1 << 20):
                yield block
    except OSError as error:
        raise unreadable(file.path, error) from error
