"""Reading ticks from Parquet files and from Arrow tables (which frames become)."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

from myquant.errors import DataError
from myquant.ticks.arrow_fields import ArrowFields
from myquant.ticks.batch import TickBatch
from myquant.ticks.byte_stream import unreadable
from myquant.ticks.columns import layout_of
from myquant.ticks.rows import RowReader

READ_BYTES: Final = 1 << 20  # read column chunks in pieces: a row group may be as large as the file


class ParquetFile:
    """One Parquet file (see `source.TickFile`)."""

    def __init__(self, path: Path, zone: ZoneInfo) -> None:
        """Read the file's schema. Raises DataError."""
        self.name = str(path)
        self.path = path
        self.total_bytes = path.stat().st_size
        self.consumed_bytes = 0
        self._zone = zone
        with _reading(path), self._open() as file:
            self._names: list[str] = file.schema_arrow.names
            self._rows: int = file.metadata.num_rows
        if not self._rows:
            raise DataError(f"{path}: there are columns and no rows; expected ticks")
        self.layout = layout_of(self._names, self.name)

    def batches(self, reader: RowReader, batch_rows: int) -> Generator[TickBatch, None, None]:
        """Yield the rows in order, at most `batch_rows` at a time. Raises DataError."""
        wanted = [self._names[column.place] for column in self.layout.columns()]
        row = 1
        with _reading(self.path), self._open() as file:
            for part in file.iter_batches(batch_rows, columns=wanted, use_threads=False):
                lines = range(row, row + part.num_rows)
                row = lines.stop
                self.consumed_bytes = self.total_bytes * (row - 1) // self._rows
                if part.num_rows:
                    yield reader.batch(ArrowFields(part, self._zone, self.name, ours=True), lines)

    def _open(self) -> Any:
        return pq.ParquetFile(self.path, buffer_size=READ_BYTES)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what Arrow raises for a file that it can't read into a DataError."""
    try:
        yield
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        raise unreadable(path, error) from error


class TableFile:
    """An Arrow table in memory (see `source.TickFile`)."""

    path = None

    def __init__(self, table: pa.Table, zone: ZoneInfo, name: str) -> None:
        """Take a table that `name` stands for in messages. Raises DataError."""
        self.name = name
        self.total_bytes = int(table.nbytes)
        self.consumed_bytes = 0
        self._table = table
        self._zone = zone
        self.layout = layout_of(table.schema.names, name)
        if not table.num_rows:
            raise DataError(f"{name}: there are columns and no rows; expected ticks")

    def batches(self, reader: RowReader, batch_rows: int) -> Generator[TickBatch, None, None]:
        """Yield the rows in order, at most `batch_rows` at a time. Raises DataError."""
        row = 1
        for part in self._table.to_batches(max_chunksize=batch_rows):
            lines = range(row, row + part.num_rows)
            row = lines.stop
            self.consumed_bytes = self.total_bytes * (row - 1) // self._table.num_rows
            if part.num_rows:
                yield reader.batch(ArrowFields(part, self._zone, self.name), lines)
