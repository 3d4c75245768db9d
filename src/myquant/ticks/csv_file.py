"""Reading ticks from CSV text, plain or compressed."""

import csv
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from myquant.errors import DataError
from myquant.ticks.batch import Ints, TickBatch
from myquant.ticks.byte_stream import ByteStream
from myquant.ticks.columns import Column, layout_of
from myquant.ticks.parse import Bytes, gather, parse_prices, parse_volumes, split_rows
from myquant.ticks.parse_time import parse_dates_and_clocks, parse_times
from myquant.ticks.rows import Labels, RowReader
from myquant.ticks.zone import utc_of

LINE_MAX_BYTES: Final = 1 << 16
BYTES_PER_ROW: Final = 32  # so many are read at once for each row of a batch; a usual row has 40
NEWLINE: Final = 10


class CsvFile:
    """One CSV file (see `source.TickFile`).

    The first line that is not blank is the header, a comma separates, double quotes may enclose a field, and a newline
    always ends a row. A row with too few or too many fields is read as one whose fields are all empty.
    """

    def __init__(self, path: Path, compression: str | None, zone: ZoneInfo) -> None:
        """Read the header; `compression` is gzip, zstd or None. Raises DataError."""
        self.name = str(path)
        self.path = path
        self.total_bytes = path.stat().st_size
        self.consumed_bytes = 0
        self._compression = compression
        self._zone = zone
        with ByteStream(path, compression) as stream:
            self._header = _read_header(stream, self.name)
        self.layout = layout_of(self._header.names, self.name)

    def batches(self, reader: RowReader, batch_rows: int) -> Generator[TickBatch, None, None]:
        """Yield the rows in order, at most `batch_rows` at a time. Raises DataError."""
        columns = self.layout.columns()
        slots = np.full(len(self._header.names), -1, np.int64)
        slots[[column.place for column in columns]] = np.arange(len(columns))
        starts, ends = (np.zeros((len(columns), batch_rows), np.int64) for _ in range(2))
        lines = np.zeros(batch_rows, np.int64)
        with ByteStream(self.path, self._compression) as stream:
            line = self._header.line + 1
            for block, begin, end in self._blocks(stream, batch_rows):
                at, rows = begin, batch_rows
                while rows == batch_rows:
                    rows, at, line = split_rows(block, at, end, line, slots, starts, ends, lines)
                    if rows:
                        fields = _TextFields(block, starts[:, :rows], ends[:, :rows], slots, self._zone)
                        yield reader.batch(fields, lines[:rows].copy())
                self.consumed_bytes = stream.consumed_bytes()

    def _blocks(self, stream: ByteStream, batch_rows: int) -> Iterator[tuple[Bytes, int, int]]:
        """Yield (block, begin, end) of whole lines, without the header; the block is used again for the next ones."""
        size = max(LINE_MAX_BYTES, batch_rows * BYTES_PER_ROW)
        block = np.empty(size + 1, np.uint8)
        begin, filled = self._header.end, 0
        while (filled := stream.fill(block[:size], filled)) == size:
            last_line = max(begin, size - LINE_MAX_BYTES)
            newlines = np.flatnonzero(block[last_line:size] == NEWLINE)
            if not len(newlines):
                raise DataError(
                    f"{self.name}: a line is longer than {LINE_MAX_BYTES:,} bytes; is this a file of ticks?"
                )
            end = last_line + int(newlines[-1]) + 1
            yield block, begin, end
            filled = size - end
            block[:filled] = block[end:size]
            begin = 0
        if filled > begin:
            block[filled] = NEWLINE  # the last line may have none; after one that has, this is a blank line
            yield block, begin, filled + 1


class _Header(NamedTuple):
    names: list[str]
    line: int
    end: int  # where the first row begins, bytes


def _read_header(stream: ByteStream, name: str) -> _Header:
    block = np.empty(LINE_MAX_BYTES, np.uint8)
    text = block[: stream.fill(block, 0)].tobytes()
    if b"\0" in text:
        raise DataError(f"{name}: a binary file, or text in UTF-16; expected CSV in UTF-8, or Parquet")
    end = 0
    for line, content in enumerate(text.split(b"\n"), start=1):
        end += len(content) + 1
        if not content.strip(b" \t\r\n\xef\xbb\xbf"):
            continue
        try:
            names = next(csv.reader([content.decode("utf-8-sig").strip()]))
        except (UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{name}:{line}: the header is no line of UTF-8; save the file as CSV in UTF-8") from error
        if not text[end:].strip():
            raise DataError(f"{name}: there is a header and nothing after it; expected rows")
        return _Header(names, line, end)
    raise DataError(f"{name}: the file has blank lines only; expected a header and rows")


class _TextFields:
    """The fields of some rows of text (see `rows.Fields`); `starts` and `ends` have the shape (columns, rows)."""

    def __init__(self, text: Bytes, starts: Ints, ends: Ints, slots: Ints, zone: ZoneInfo) -> None:
        """Take the fields of the file's column `c` from row `slots[c]` of `starts` and `ends`."""
        self._text = text
        self._starts = starts
        self._ends = ends
        self._slots = slots
        self._zone = zone

    def prices(self, column: Column) -> Ints:
        out = self._new()
        parse_prices(*self._fields(column), column.decimals, out)
        return out

    def volumes(self, column: Column) -> Ints:
        out = self._new()
        parse_volumes(*self._fields(column), out)
        return out

    def times(self, column: Column, clock: Column | None, unit_ns: Ints) -> Ints:
        out = self._new()
        naive = np.zeros(len(out), np.bool_)
        if clock is not None:
            parse_dates_and_clocks(*self._fields(column), *self._fields(clock), out, naive)
        else:
            parse_times(*self._fields(column), unit_ns, out, naive)
        return utc_of(out, naive, self._zone)

    def labels(self, column: Column) -> Labels:
        import pyarrow as pa  # noqa: PLC0415  (0.15 s, for files with a symbol or an exchange column only)

        text, starts, ends = self._fields(column)
        content = np.zeros(int((ends - starts).sum()), np.uint8)
        offsets = np.zeros(len(starts) + 1, np.int64)
        gather(text, starts, ends, content, offsets)
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(content)]
        array = pa.Array.from_buffers(pa.large_binary(), len(starts), buffers).dictionary_encode()
        codes = array.indices.cast(pa.int64()).to_numpy()
        return Labels(codes, [text.decode(errors="replace").strip() for text in array.dictionary.to_pylist()])

    def _new(self) -> Ints:
        return np.empty(self._starts.shape[1], np.int64)

    def _fields(self, column: Column) -> tuple[Bytes, Ints, Ints]:
        slot = self._slots[column.place]
        return self._text, self._starts[slot], self._ends[slot]
