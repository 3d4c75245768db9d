"""Frames of polars and pandas as sources."""

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from myquant.errors import ConfigError, DataError
from myquant.ticks.batch import NO_TIME, PRICE_NOT_FINITE, PRICE_UNPARSABLE, TickBatch, joined
from myquant.ticks.frame import source_from_frame

OPEN = datetime(2025, 10, 3, 9, 15)  # noqa: DTZ001  (naive times are what is tested)
OPEN_NS = 1_759_463_100_000_000_000
COLUMNS = {"timestamp": [OPEN, None], "ltp": [295.105, None], "qty": [75, 150]}


def read(frame: Any, **options: Any) -> TickBatch:
    return joined(list(source_from_frame(frame, time_zone="Asia/Kolkata", symbol="NIFTY", **options).batches()))


def assert_is_the_sample(batch: TickBatch) -> None:
    assert batch.time_ns.tolist() == [OPEN_NS, NO_TIME]
    assert batch.price.tolist() == [29511, PRICE_UNPARSABLE]
    assert batch.volume.tolist() == [75, 150]
    assert batch.where(1) == ("the frame", 2)
    assert all(column.flags.writeable for column in (batch.time_ns, batch.price, batch.volume))


@pytest.mark.parametrize(
    "frame",
    [
        pl.DataFrame(COLUMNS),
        pl.DataFrame({**COLUMNS, "timestamp": ["2025-10-03 09:15:00", "x"], "ltp": ["295.105", "x"]}),
        pl.DataFrame(COLUMNS).with_columns(pl.col("timestamp").dt.replace_time_zone("Asia/Kolkata"), other=pl.lit([1])),
        pl.concat([pl.DataFrame(COLUMNS)[:1], pl.DataFrame(COLUMNS)[1:]], rechunk=False),
        pd.DataFrame(COLUMNS),
        pd.DataFrame({**COLUMNS, "other": [{}, 1]}).astype({"timestamp": "datetime64[ns]"}),
        pd.DataFrame({**COLUMNS, "timestamp": ["2025-10-03 09:15:00+05:30", None]}),
        pd.DataFrame(COLUMNS).set_index("timestamp"),
        pd.DataFrame(COLUMNS).set_index("timestamp").rename_axis(None).tz_localize("Asia/Kolkata"),
        pd.DataFrame(COLUMNS).set_index("timestamp").rename_axis("when"),
        pd.DataFrame(COLUMNS).set_index(pd.Index([7, 7])),
    ],
)
def test_frames_of_every_sort(frame: Any) -> None:
    assert_is_the_sample(read(frame))


def test_a_frame_is_not_changed() -> None:
    frame = pl.DataFrame({"time_ns": [1, 2], "price_paise": [5, 6], "volume": [-1, 3]})
    batch = read(frame)
    for column in (batch.time_ns, batch.price, batch.volume):
        column[:] = 99
    assert frame.rows() == [(1, 5, -1), (2, 6, 3)]


def test_instruments_and_small_batches() -> None:
    frame = pl.DataFrame(
        {
            "ts": range(1, 8),
            "price": [1.0] * 7,
            "qty": [1] * 7,
            "symbol": pl.Series(list("BABABAC"), dtype=pl.Categorical),
        }
    ).rename({"ts": "time_ns"})
    source = source_from_frame(frame, time_zone="UTC", symbol="NIFTY", batch_rows=3)
    assert [name.symbol for name in source.instruments] == list("BAC")
    assert joined(list(source.batches())).instrument.tolist() == [0, 1, 0, 1, 0, 1, 2]
    assert source.consumed_bytes == source.total_bytes > 0
    assert source.paths == ()


def test_the_hash_is_that_of_the_ticks() -> None:
    frame = pl.DataFrame(COLUMNS)
    hashes = [
        source_from_frame(each, time_zone=zone, symbol="NIFTY").input_hash
        for each, zone in ((frame, "Asia/Kolkata"), (frame[:1].vstack(frame[1:]), "Asia/Kolkata"), (frame, "UTC"))
    ]
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_float_that_is_not_finite() -> None:
    frame = pl.DataFrame({"time_ns": [1, 2], "price": [float("nan"), float("inf")], "volume": [1, 1]})
    assert read(frame).price.tolist() == [PRICE_NOT_FINITE] * 2
    assert read(frame.to_pandas()).price.tolist() == [PRICE_UNPARSABLE, PRICE_NOT_FINITE]  # pandas' NaN: missing


@pytest.mark.parametrize(
    ("frame", "error", "message"),
    [
        (pl.DataFrame({"timestamp": [1], "price": [1]}), DataError, "the frame: no column for the volume"),
        (pd.DataFrame({"price": [1.0], "volume": [1]}), DataError, "the frame: no column for the time"),
        (pl.DataFrame(COLUMNS)[:0], DataError, "the frame: there are columns and no rows"),
        (pd.DataFrame({"ts": [1], "price": [{}], "qty": [1]}), DataError, "the frame: column 'price' holds struct"),
        (
            pd.DataFrame({"ts": [1, 2], "price": [1.0, "x"], "qty": [1, 1]}),
            DataError,
            "the frame: .*give each column one type",
        ),
        (
            pl.DataFrame(COLUMNS).lazy(),
            ConfigError,
            "ticks: expected a path, a list of paths, a polars or a pandas DataFrame, got LazyFrame",
        ),
        (np.zeros(3), ConfigError, "got ndarray"),
    ],
)
def test_what_is_no_frame_of_ticks(frame: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        read(frame)
