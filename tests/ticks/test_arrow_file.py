"""Parquet files to batches."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from myquant.errors import DataError
from myquant.ticks.batch import COLUMNS, InstrumentName, joined
from myquant.ticks.source import TickSource, open_ticks


class Sample(NamedTuple):
    csv: Path
    parquet: Path


def opened(path: Path, **options: Any) -> TickSource:
    return open_ticks(path, **{"time_zone": "Asia/Kolkata", "symbol": "NIFTY", **options})


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    """Return the same 500 rows as CSV and as Parquet, in row groups of 70."""
    rows = [(1_759_463_100 + i // 3, f"{i % 50 + 1}.{i % 20 * 5:02}", 75 * (i % 9), "ABC"[i % 3]) for i in range(500)]
    csv = tmp_path / "a.csv"
    csv.write_text("timestamp,price,volume,symbol\n" + "".join(f"{t},{p},{v},{s}\n" for t, p, v, s in rows))
    times, prices, volumes, symbols = zip(*rows, strict=True)
    table = pa.table(
        {
            "Other": [{"x": 1}] * 500,
            "Timestamp": pa.array(times).cast(pa.timestamp("s", "UTC")),
            "LTP": [float(price) for price in prices],
            "symbol": symbols,
            "qty": volumes,
        }
    )
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=70)
    return Sample(csv, tmp_path / "a.parquet")


@pytest.mark.parametrize("batch_rows", [1, 64, 10_000])
def test_parquet_gives_what_csv_gives(sample: Sample, batch_rows: int) -> None:
    one, other = (opened(path, batch_rows=batch_rows) for path in sample)
    assert one.instruments == other.instruments == tuple(InstrumentName(symbol) for symbol in "ABC")
    from_csv, from_parquet = (joined(list(source.batches())) for source in (one, other))
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(from_csv, name), getattr(from_parquet, name), err_msg=name)
    assert [from_parquet.where(row) for row in (0, 499)] == [(str(sample.parquet), 1), (str(sample.parquet), 500)]
    assert other.consumed_bytes == other.total_bytes == sample.parquet.stat().st_size


@pytest.mark.parametrize("keep", [8, 200])
def test_a_broken_file(sample: Sample, keep: int) -> None:
    sample.parquet.write_bytes(sample.parquet.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"a.parquet: cannot be read \(.*\); check that it is whole"):
        opened(sample.parquet)


def test_a_file_broken_inside(sample: Sample) -> None:
    content = bytearray(sample.parquet.read_bytes())
    content[4:2000] = b"\xff" * 1996
    sample.parquet.write_bytes(content)
    with pytest.raises(DataError, match=r"a.parquet: cannot be read"):
        list(opened(sample.parquet).batches())


def test_names_and_symbols_that_are_no_text(sample: Sample) -> None:
    table = pa.table({"Timestamp": [1], "price": [1], "qty": [1]})
    pq.write_table(table, sample.parquet, store_schema=False)
    sample.parquet.write_bytes(sample.parquet.read_bytes().replace(b"Timestamp", b"Time\xfftamp"))
    with pytest.raises(DataError, match=r"a.parquet: cannot be read \(.*can\'t decode byte 0xff"):
        opened(sample.parquet)
    table = pa.table({"ts": [1, 2], "price": [1, 1], "qty": [1, 1], "symbol": ["A", "BBBB"]})
    pq.write_table(table, sample.parquet, compression="none", store_schema=False)
    sample.parquet.write_bytes(sample.parquet.read_bytes().replace(b"BBBB", b"BB\xffB"))
    assert [name.symbol for name in opened(sample.parquet).instruments] == ["A", "BB\ufffdB"]


def test_columns_without_rows(tmp_path: Path) -> None:
    table = pa.table(
        {"timestamp": pa.array([], pa.int64()), "price": pa.array([], pa.float64()), "volume": pa.array([], pa.int64())}
    )
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a.parquet: there are columns and no rows"):
        opened(tmp_path / "a.parquet")


def test_a_missing_column(tmp_path: Path) -> None:
    pq.write_table(pa.table({"timestamp": [1], "volume": [1]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a.parquet: no column for the price; found: timestamp, volume"):
        opened(tmp_path / "a.parquet")
