"""A journal as a table for others: Parquet, or CSV, of one kind of record."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from myquant.errors import ConfigError, cannot_write
from myquant.journal.columns import Columns, empty, table
from myquant.journal.disk import DISK, Disk
from myquant.journal.reader import JournalReader
from myquant.journal.scan import End

SUFFIXES: Final = (".parquet", ".csv")
ROW_GROUP_ROWS: Final = 1 << 17


class Exported(NamedTuple):
    """What was written, and how the journal ends."""

    rows: int
    end: End


def export(folder: Path, target: Path, kind: str, disk: Disk = DISK) -> Exported:
    """Write the sound records of one kind (a name as of `columns.table`) into a file of the kind that its suffix names; all or nothing.

    Raises ConfigError for another suffix or a path that can't be written, JournalError for a journal that can't be read.
    """
    suffix = target.suffix.lower()
    if suffix not in SUFFIXES:
        raise ConfigError(f"{target}: unknown kind of file; end its name in {' or '.join(SUFFIXES)}")
    reader = JournalReader(folder, disk)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    schema = _table(empty(kind)).schema
    count = last = 0
    try:
        try:
            with pq.ParquetWriter(draft, schema) if suffix == ".parquet" else pc.CSVWriter(draft, schema) as writer:
                for rows, tables in _groups(reader, kind):
                    group = pa.concat_tables(tables)
                    writer.write_table(group)
                    count, last = count + len(group), last + rows
            end = reader.end(last)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(target, error, "choose another path") from error
    return Exported(count, end)


def _groups(reader: JournalReader, kind: str) -> Iterator[tuple[int, list[Any]]]:
    """Yield the tables of enough blocks for a row group, and the number of records that they were made from."""
    rows, tables = 0, []
    for block in reader.blocks():
        tables.append(_table(table(block, kind)))
        rows += len(block)
        if rows >= ROW_GROUP_ROWS:
            yield rows, tables
            rows, tables = 0, []
    if tables:
        yield rows, tables


def _table(made: Columns) -> Any:
    arrays = {}
    for name, values in made.items():
        if values.dtype.kind == "M":
            arrays[name] = pa.array(values).cast(pa.timestamp("ns")).cast(pa.timestamp("ns", "UTC"))
        else:
            arrays[name] = pa.array(values, pa.string() if values.dtype.kind == "O" else pa.int64())
    return pa.table(arrays)
