"""Recorded ticks as Parquet files: the parts that grow while ticks come, and a day's file that they end in.

    ticks/2025-10-03/part-000017.parquet   ticks as they came
    ticks/2025-10-03.parquet               the whole day, by exchange time; its metadata says up to which part it holds

Both have the columns of `ticks.write`, and what else the feed said of a tick. Every file is whole or not there: it is
written under another name first.
"""

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from myquant.core import codes
from myquant.core.layout import dtype_of
from myquant.core.records import Event
from myquant.errors import DataError
from myquant.journal.disk import Disk, discard, explained, let_go, put_file, write_whole
from myquant.journal.record import Input, Origin
from myquant.ticks.batch import InstrumentName

ROW_GROUP_ROWS: Final = 1 << 17
WRITE_BYTES: Final = 1 << 20
PART: Final = re.compile(r"part-(\d{6,})\.parquet", re.ASCII)
THROUGH: Final = b"myquant.parts"  # metadata of a day's file: the last part that is in it

_INSTANT: Final = pa.timestamp("ns", "UTC")
_TEXT: Final = pa.dictionary(pa.int32(), pa.string())
SCHEMA: Final = pa.schema(
    [
        pa.field("timestamp", _INSTANT, nullable=False),  # exchange time
        pa.field("price_paise", pa.int64(), nullable=False),
        pa.field("volume", pa.int64(), nullable=False),
        pa.field("bid_paise", pa.int64(), nullable=False),  # 0: none
        pa.field("ask_paise", pa.int64(), nullable=False),
        pa.field("receive_time", _INSTANT, nullable=False),
        pa.field("symbol", _TEXT, nullable=False),
        pa.field("exchange", _TEXT, nullable=False),
        pa.field("total_volume", pa.int64(), nullable=False),  # of the day, as the broker counts
        pa.field("traded_time", _INSTANT),  # time of the last trade; null: not said
        pa.field("open_interest", pa.int64(), nullable=False),
        pa.field("packet", pa.int64(), nullable=False),  # the broker's sequence number
    ]
)
_TEXTS: Final = ("symbol", "exchange")


class Chunk(NamedTuple):
    """A row group of a file."""

    path: Path
    group: int
    first_ns: int  # its earliest exchange time


def table_of(words: np.ndarray[Any, Any], names: Sequence[InstrumentName]) -> Any:
    """Return ticks as a table of `SCHEMA`: `words`, int64 of shape (n, 21), are bodies of journal inputs."""
    event, origin = (np.ascontiguousarray(words).view(dtype_of(Input))[:, 0][part] for part in ("event", "origin"))
    plain = {
        "price_paise": event["price"],
        "volume": event["volume"],
        "bid_paise": event["bid"],
        "ask_paise": event["ask"],
        **{name: origin[name] for name in ("total_volume", "open_interest", "packet")},
    }
    traded_ns = np.ascontiguousarray(origin["traded_ns"])
    columns = {name: pa.array(np.ascontiguousarray(values)) for name, values in plain.items()}
    columns["timestamp"] = pa.array(np.ascontiguousarray(event["time_ns"])).cast(_INSTANT)
    columns["receive_time"] = pa.array(np.ascontiguousarray(event["receive_ns"])).cast(_INSTANT)
    columns["traded_time"] = pa.array(traded_ns, mask=traded_ns == 0).cast(_INSTANT)
    who = pa.array(event["instrument"].astype(np.int32))
    for name in _TEXTS:
        texts = pa.array([getattr(each, name) or "" for each in names], pa.string())
        columns[name] = pa.DictionaryArray.from_arrays(who, texts)
    return pa.table([columns[field.name] for field in SCHEMA], schema=SCHEMA)


def write_part(path: Path, table: Any, disk: Disk) -> None:
    """Write a part in place of what it was before. Raises JournalError."""
    with writing(path, disk) as open_writer:
        writer = open_writer({})
        writer.write_table(table)
        writer.close()


@contextmanager
def writing(path: Path, disk: Disk) -> Iterator[Callable[[dict[bytes, bytes]], Any]]:
    """Open a draft; the function given takes the file's metadata and returns Arrow's writer. In the end it gets its name.

    Raises JournalError; then what was there before is there still.
    """
    draft = path.with_name(f".{path.name}.draft")
    with explained(path, "can't be written"):
        discard(disk, draft)
        descriptor = disk.create(draft)
        file = _Draft(descriptor, disk)
        try:
            yield lambda metadata: _writer(file, metadata)
            file.put()
            disk.sync(descriptor)
            put_file(disk, path, draft)
        finally:
            file.is_given_up = True
            let_go(disk, descriptor)
            discard(disk, draft)


def _writer(file: "_Draft", metadata: dict[bytes, bytes]) -> Any:
    return pq.ParquetWriter(
        file,
        SCHEMA.with_metadata(metadata),
        compression="lz4",
        use_dictionary=list(_TEXTS),
        column_encoding={field.name: "DELTA_BINARY_PACKED" for field in SCHEMA if field.name not in _TEXTS},
    )


class _Draft(io.RawIOBase):
    """A file as Arrow wants it, behind the seam of the disk; its many small pieces are written as a few large ones.

    Closing it does nothing: Arrow's writer ends its file even when it is thrown away after an error.
    """

    def __init__(self, descriptor: int, disk: Disk) -> None:
        self.is_given_up = False  # nothing more may be written
        self._descriptor, self._disk = descriptor, disk
        self._pieces = bytearray()
        self._offset = 0  # of the first piece

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._offset + len(self._pieces)

    def write(self, content: Any) -> int:
        before = len(self._pieces)
        self._pieces += memoryview(content).cast("B")
        taken = len(self._pieces) - before
        if len(self._pieces) >= WRITE_BYTES:
            self.put()
        return taken

    def put(self) -> None:
        """Write what has not been written."""
        pieces, self._pieces = self._pieces, bytearray()
        self._offset += len(pieces)
        if not self.is_given_up:
            write_whole(self._disk, self._descriptor, bytes(pieces), self._offset - len(pieces))


@contextmanager
def _reading(path: Path) -> Iterator[Any]:
    """Open a file of this module's. Raises DataError for one that can't be read."""
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: can't be read ({error}): move it elsewhere, then start again") from error


def part_number(name: str) -> int | None:
    """Return the number of a part by its file's name; None: it is none."""
    found = PART.fullmatch(name)
    return int(found[1]) if found else None


def parts_of(folder: Path, on: date) -> list[Path]:
    """Return the parts of a day, in order."""
    found = [
        (number, path) for path in (folder / f"{on}").glob("part-*") if (number := part_number(path.name)) is not None
    ]
    return [path for _, path in sorted(found)]


def day_file(folder: Path, on: date) -> Path:
    """Return the path of a whole day's ticks."""
    return folder / f"{on}.parquet"


def through(path: Path) -> int:
    """Return the number of the last part that a day's file holds; 0 where there is no such file.

    Raises DataError for a file that is not of this module's.
    """
    if not path.exists():
        return 0
    with _reading(path) as file:
        metadata = file.schema_arrow.metadata or {}
        if THROUGH not in metadata or not file.schema_arrow.equals(SCHEMA):
            raise DataError(
                f"{path}: is no recording of this version: move it elsewhere, or record into another folder"
            )
        return int(metadata[THROUGH])


def days_of(folder: Path) -> list[date]:
    """Return the days that there is something of, in order."""
    names = {path.name.removesuffix(".parquet") for path in folder.iterdir() if path.suffix in ("", ".parquet")}
    return sorted(date.fromisoformat(name) for name in names if re.fullmatch(r"\d{4}-\d{2}-\d{2}", name, re.ASCII))


def merge(folder: Path, on: date, disk: Disk) -> None:
    """Bring all parts of a day into its file, by exchange time, ticks of one time as they came; the parts then go.

    Killed at any point and done again, it loses nothing and takes nothing twice. Holds some row groups in memory. Raises
    JournalError where it can't be written, DataError where something can't be read.
    """
    path, parts = day_file(folder, on), parts_of(folder, on)
    done = through(path)
    new = [part for part in parts if (part_number(part.name) or 0) > done]
    if new:
        last = part_number(new[-1].name)
        with writing(path, disk) as open_writer:
            writer = open_writer({THROUGH: b"%d" % (last or 0)})
            files = [path, *new] if path.exists() else new
            for table in _sorted([chunk for file in files for chunk in chunks_of(file)]):
                writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
            writer.close()
    for part in parts:
        discard(disk, part)
    inside = folder / f"{on}"
    if inside.is_dir() and not any(inside.iterdir()):
        inside.rmdir()


def chunks_of(path: Path) -> list[Chunk]:
    """Return the row groups of a file. Raises DataError."""
    with _reading(path) as file:
        place = file.schema_arrow.names.index("timestamp")
        groups = range(file.metadata.num_row_groups)
        return [Chunk(path, group, _first_ns(file, group, place)) for group in groups]


def _first_ns(file: Any, group: int, place: int) -> int:
    column = file.metadata.row_group(group).column(place)
    if column.statistics is not None and column.statistics.has_min_max:
        return int(column.statistics.min_raw)
    times = file.read_row_group(group, columns=["timestamp"])["timestamp"]
    return int(pc.min(times.cast(pa.int64())).as_py())


def _sorted(chunks: Sequence[Chunk]) -> Iterator[Any]:
    """Yield the rows of chunks by time, in tables of about a row group. What waits is what later chunks may precede."""
    later = np.minimum.accumulate([chunk.first_ns for chunk in chunks][::-1])[::-1]
    waiting, ready, ready_rows = SCHEMA.empty_table(), [], 0
    for place, chunk in enumerate(chunks):
        waiting = _joined([waiting, read_chunk(chunk)])
        times = waiting["timestamp"].cast(pa.int64()).to_numpy()
        order = np.argsort(times, kind="stable")
        if (order[1:] < order[:-1]).any():
            waiting = waiting.take(pa.array(order))
        rows = len(times)
        if place + 1 < len(chunks):
            rows = int(np.searchsorted(times[order], later[place + 1], side="right"))
        ready.append(waiting.slice(0, rows))
        ready_rows += rows
        waiting = waiting.slice(rows)
        if ready_rows >= ROW_GROUP_ROWS or place + 1 == len(chunks):
            yield _joined(ready)
            ready, ready_rows = [], 0


def _joined(tables: list[Any]) -> Any:
    return pa.concat_tables(tables).unify_dictionaries().combine_chunks()


def read_chunk(chunk: Chunk) -> Any:
    """Return a row group as a table. Raises DataError."""
    with _reading(chunk.path) as file:
        return file.read_row_group(chunk.group)


def last_inputs(chunks: Sequence[Chunk], names: Sequence[InstrumentName]) -> dict[int, Input]:
    """Return the last tick of each instrument, by its place in `names`, as the journal's input that it was.

    `chunks` are in order of time. Raises DataError.
    """
    missing = {each.symbol: number for number, each in enumerate(names)}
    found: dict[int, Input] = {}
    for chunk in reversed(chunks):
        if not missing:
            break
        table = read_chunk(chunk)
        symbols = table["symbol"].combine_chunks()
        codes_of = np.asarray(symbols.indices)
        for code, symbol in enumerate(symbols.dictionary.to_pylist()):
            rows = np.flatnonzero(codes_of == code)
            if symbol in missing and len(rows):
                number = missing.pop(symbol)
                found[number] = _input(table.slice(int(rows[-1]), 1), number)
    return found


def _input(row: Any, number: int) -> Input:
    values = {name: row[name].cast(pa.int64())[0].as_py() for name in row.column_names if name not in _TEXTS}
    event = Event(
        kind=codes.TICK,
        instrument=number,
        sequence=0,
        time_ns=values["timestamp"],
        receive_ns=values["receive_time"],
        price=values["price_paise"],
        volume=values["volume"],
        bid=values["bid_paise"],
        ask=values["ask_paise"],
        order_id=0,
        quantity=0,
        value=0,
        code=0,
    )
    total_volume, traded_ns = values["total_volume"], values["traded_time"] or 0
    return Input(event, Origin(0, 0, total_volume, traded_ns, values["packet"], 0, values["open_interest"], 0))
