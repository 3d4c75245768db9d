"""Writing ticks: CSV (plain, gzip, zstd) and the Parquet layout that reads fastest.

Parquet: timestamp (nanoseconds, UTC), price_paise and volume (int64), and where the ticks have them bid_paise, ask_paise,
receive_time, symbol and exchange. Numbers are delta-encoded, without nulls, and LZ4-compressed: this decodes about twice as
fast as Arrow's defaults do and is half their size.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from myquant.core.codes import ACCEPTED, BEFORE_ALL, NO_TIME, REJECTION_NAMES
from myquant.errors import ConfigError, DataError, cannot_write
from myquant.ticks.batch import InstrumentName, Ints, TickBatch, joined
from myquant.ticks.guarded import guard_ticks
from myquant.ticks.source import TickSource
from myquant.ticks.zone import zone_of

ROW_GROUP_ROWS: Final = 1 << 20
SUFFIXES: Final = {".csv": None, ".csv.gz": "gzip", ".csv.zst": "zstd", ".parquet": None}


class Written(NamedTuple):
    """How many rows a file got, and how many were not written, by reason."""

    rows: int
    rejected: dict[str, int]


def write_ticks(
    path: str | Path,
    ticks: TickSource | Iterable[TickBatch],
    *,
    time_zone: str,
    instruments: Sequence[InstrumentName] = (),
) -> Written:
    """Write the ticks that the guard accepts into a file of the kind that its suffix names, all of it or nothing.

    Times in CSV carry the offset of `time_zone`. A symbol column is written where a source has one or several
    instruments, of bare batches where `instruments` are given. Raises ConfigError for a path that can't be written, and
    DataError when no tick is left.
    """
    path = Path(path)
    suffix = next((suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)), None)
    if suffix is None:
        raise ConfigError(f"{path}: unknown kind of file; end its name in {', '.join(SUFFIXES)}")
    zone_of(time_zone)
    names = tuple(instruments)
    if isinstance(ticks, TickSource):
        names = ticks.instruments if ticks.has_symbols or len(ticks.instruments) > 1 else ()
        ticks = ticks.batches()
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            writer = _Parquet(file, names) if suffix == ".parquet" else _Csv(file, SUFFIXES[suffix], names, time_zone)
            written = _write(ticks, max(1, len(names)), writer)
            writer.close()
        if not written.rows:
            reasons = ", ".join(f"{count} {name}" for name, count in written.rejected.items())
            raise DataError(f"{path}: not written, as no tick is valid ({reasons or 'there is none'})")
        draft.replace(path)
    except OSError as error:
        raise cannot_write(path, error, "choose another path") from error
    finally:
        draft.unlink(missing_ok=True)
    return written


def _write(ticks: Iterable[TickBatch], instruments: int, writer: "_Csv | _Parquet") -> Written:
    counts = np.zeros(max(REJECTION_NAMES) + 1, np.int64)
    last_ns = np.full(instruments, BEFORE_ALL, np.int64)
    for batch in ticks:
        if batch.instrument.max(initial=0) >= instruments:
            raise ValueError("the batches have more instruments than were named")
        reasons = np.empty(len(batch), np.int64)
        guard_ticks(batch.time_ns, batch.price, batch.volume, batch.instrument, last_ns, reasons)
        counts += np.bincount(reasons, minlength=len(counts))
        accepted = np.flatnonzero(reasons == ACCEPTED)
        if len(accepted):
            writer.write(batch if len(accepted) == len(batch) else batch.take(accepted))
    rejected = {name: int(counts[reason]) for reason, name in REJECTION_NAMES.items() if counts[reason]}
    return Written(int(counts[ACCEPTED]), rejected)


class _Parquet:
    """Collects batches into row groups."""

    def __init__(self, file: BinaryIO, names: Sequence[InstrumentName]) -> None:
        self._file = file
        self._names = names
        self._parts: list[TickBatch] = []
        self._writer: Any = None

    def write(self, batch: TickBatch) -> None:
        self._parts.append(batch)
        if sum(len(part) for part in self._parts) >= ROW_GROUP_ROWS:
            self._write_group()

    def close(self) -> None:
        if self._parts:
            self._write_group()
        if self._writer is not None:
            self._writer.close()

    def _write_group(self) -> None:
        table = _table(joined(self._parts), self._names)
        self._parts = []
        if self._writer is None:
            integers = [field.name for field in table.schema if not pa.types.is_dictionary(field.type)]
            self._writer = pq.ParquetWriter(
                self._file,
                table.schema,
                compression="lz4",
                use_dictionary=[name for name in table.schema.names if name not in integers],
                column_encoding=dict.fromkeys(integers, "DELTA_BINARY_PACKED"),
            )
        self._writer.write_table(table, row_group_size=ROW_GROUP_ROWS)


def _table(batch: TickBatch, names: Sequence[InstrumentName]) -> pa.Table:
    instant = pa.timestamp("ns", "UTC")
    columns = [
        ("timestamp", pa.array(batch.time_ns).cast(instant)),
        ("price_paise", pa.array(batch.price)),
        ("volume", pa.array(batch.volume)),
    ]
    if len(batch.bid):
        columns += [("bid_paise", pa.array(batch.bid)), ("ask_paise", pa.array(batch.ask))]
    if len(batch.receive_ns):
        columns.append(("receive_time", pa.array(batch.receive_ns, mask=batch.receive_ns == NO_TIME).cast(instant)))
    for name, texts in _texts(names).items():
        codes = pa.array(_instruments(batch).astype(np.int32))
        columns.append((name, pa.DictionaryArray.from_arrays(codes, pa.array(texts, pa.string()))))
    fields = [pa.field(name, array.type, nullable=name == "receive_time") for name, array in columns]
    return pa.table([array for _, array in columns], schema=pa.schema(fields))


class _Csv:
    """Writes rows of text, with exact decimals."""

    def __init__(self, file: BinaryIO, compression: str | None, names: Sequence[InstrumentName], zone: str) -> None:
        self._compressed = None if compression is None else pa.CompressedOutputStream(file, compression)
        self._out = self._compressed or file
        self._names = names
        self._zone = zone
        self._is_first = True

    def write(self, batch: TickBatch) -> None:
        columns = {
            "timestamp": self._local(batch.time_ns),
            "price": _rupees(batch.price),
            "volume": pl.Series(batch.volume),
        }
        if len(batch.bid):
            columns |= {"bid": _rupees(batch.bid), "ask": _rupees(batch.ask)}
        if len(batch.receive_ns):
            columns["receive_time"] = self._local(batch.receive_ns)
        for name, texts in _texts(self._names).items():
            columns[name] = pl.Series(texts, dtype=pl.String).gather(_instruments(batch))
        text = pl.DataFrame(columns).write_csv(include_header=self._is_first)
        self._out.write(text.encode())
        self._is_first = False

    def close(self) -> None:
        if self._compressed is not None:
            self._compressed.close()

    def _local(self, time_ns: Ints) -> pl.Series:
        times = pl.Series(time_ns).cast(pl.Datetime("ns", "UTC")).dt.convert_time_zone(self._zone)
        return times.dt.to_string("%Y-%m-%d %H:%M:%S%.f%:z").set(pl.Series(time_ns == NO_TIME), None)


def _rupees(paise: Ints) -> pl.Series:
    """Write paise as rupees with two decimals; nothing for 0, which is a missing quote."""
    value = pl.col("paise")
    text = pl.format("{}.{}", value // 100, (value % 100).cast(pl.String).str.zfill(2))
    return pl.DataFrame({"paise": paise}).select(pl.when(value > 0).then(text)).to_series()


def _texts(names: Sequence[InstrumentName]) -> dict[str, list[str]]:
    """Return the columns that say which instrument a row is of, each with its text per instrument."""
    texts: dict[str, list[str]] = {"symbol": [name.symbol for name in names]} if names else {}
    if any(name.exchange for name in names):
        texts["exchange"] = [name.exchange or "" for name in names]
    return texts


def _instruments(batch: TickBatch) -> Ints:
    return batch.instrument if len(batch.instrument) else np.zeros(len(batch), np.int64)
