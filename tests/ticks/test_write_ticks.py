"""Written ticks, read back."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from myquant.errors import ConfigError, DataError
from myquant.ticks import write as write_module
from myquant.ticks.batch import COLUMNS, NO_TIME, InstrumentName, TickBatch, joined
from myquant.ticks.parse import MAX_PRICE
from myquant.ticks.source import TickSource, open_ticks
from myquant.ticks.write import SUFFIXES, Written, write_ticks

Make = Callable[[str, str | bytes], Path]
OPEN_NS = 1_759_463_100_000_000_000
NAMES = (InstrumentName("A", "NFO"), InstrumentName("B"))


def opened(path: Path) -> TickSource:
    return open_ticks(path, time_zone="Asia/Kolkata", symbol="NIFTY")


def whole(source: TickSource) -> TickBatch:
    return joined(list(source.batches()))


def assert_same(one: TickBatch, other: TickBatch) -> None:
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def sample(count: int, **columns: Any) -> TickBatch:
    steps = np.arange(count, dtype=np.int64)
    return TickBatch(
        time_ns=OPEN_NS + steps * 1_000_000_007 // 3, price=steps % 9 * 995 + 1, volume=steps % 4 * 75, **columns
    )


def test_a_first_row_without_a_time_is_left_out(tmp_path: Path) -> None:
    batch = TickBatch(time_ns=np.array([NO_TIME, 10**18]), price=np.array([100, 105]), volume=np.array([75, 75]))
    assert write_ticks(tmp_path / "a.csv", [batch], time_zone="UTC") == Written(1, {"unparsable_time": 1})


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_recorded_day_survives_every_format(real_day: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    assert write_ticks(path, opened(real_day), time_zone="Asia/Kolkata") == Written(34_086, {})
    assert_same(whole(opened(path)), whole(opened(real_day)))
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_optional_columns_survive(tmp_path: Path, suffix: str) -> None:
    receive_ns = np.array([OPEN_NS + 123_456_789, NO_TIME, OPEN_NS, 5, 7])
    steps = np.arange(5, dtype=np.int64)
    batch = sample(5, bid=steps * 100, ask=steps * 105, receive_ns=receive_ns, instrument=np.array([0, 1, 1, 0, 1]))
    path = tmp_path / f"out{suffix}"
    parts = [batch.take(slice(0, 2)), batch.take(slice(2, 5))]
    assert write_ticks(path, parts, time_zone="Asia/Kolkata", instruments=NAMES).rows == 5
    assert opened(path).instruments == NAMES
    assert_same(whole(opened(path)), batch)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(
    ticks=st.lists(
        st.tuples(st.integers(0, 2 * 10**18), st.integers(1, MAX_PRICE), st.integers(0, 10**15)), min_size=1
    ),
    suffix=st.sampled_from(list(SUFFIXES)),
)
def test_any_number_survives(tmp_path: Path, ticks: list[tuple[int, int, int]], suffix: str) -> None:
    time_ns, price, volume = (np.array(column, np.int64) for column in zip(*sorted(ticks), strict=True))
    batch = TickBatch(time_ns=time_ns, price=price, volume=volume)
    write_ticks(tmp_path / f"out{suffix}", [batch], time_zone="America/New_York")
    assert_same(whole(opened(tmp_path / f"out{suffix}")), batch)


def test_what_csv_looks_like(tmp_path: Path) -> None:
    batch = TickBatch(
        time_ns=np.array([OPEN_NS, OPEN_NS + 50_000_000]),
        price=np.array([29505, 7]),
        volume=np.array([75, 0]),
        bid=np.array([29500, 0]),
        ask=np.array([0, 110]),
    )
    write_ticks(tmp_path / "a.csv", [batch], time_zone="Asia/Kolkata", instruments=[InstrumentName("A,B")])
    assert (tmp_path / "a.csv").read_bytes().decode() == (
        "timestamp,price,volume,bid,ask,symbol\n"
        '2025-10-03 09:15:00+05:30,295.05,75,295.00,,"A,B"\n'
        '2025-10-03 09:15:00.050+05:30,0.07,0,,1.10,"A,B"\n'
    )


def test_the_parquet_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_module, "ROW_GROUP_ROWS", 40)
    write_ticks(tmp_path / "a.parquet", [sample(30)] * 1 + [sample(30).take(np.arange(29, 30))] * 30, time_zone="UTC")
    file = pq.ParquetFile(tmp_path / "a.parquet")
    types = {field.name: (str(field.type), field.nullable) for field in file.schema_arrow}
    assert types == {
        "timestamp": ("timestamp[ns, tz=UTC]", False),
        "price_paise": ("int64", False),
        "volume": ("int64", False),
    }
    groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
    assert [group.num_rows for group in groups] == [40, 20]
    chunks = [group.column(i) for group in groups for i in range(3)]
    assert {(chunk.compression, *sorted(chunk.encodings)) for chunk in chunks} == {
        ("LZ4", "DELTA_BINARY_PACKED", "RLE")
    }
    file.close()


def test_bad_rows_are_counted_and_not_written(make: Make, tmp_path: Path) -> None:
    text = "ts,price,qty\n1759463100,1,1\n1759463100,x,1\n1759463099,1,1\nx,1,1\n1759463101,0,1\n1759463101,2,-1\n1759463101,3,1\n"
    written = write_ticks(tmp_path / "b.csv", opened(make("a.csv", text)), time_zone="Asia/Kolkata")
    assert written == Written(
        2,
        {
            "unparsable_time": 1,
            "unparsable_price": 1,
            "non_positive_price": 1,
            "unparsable_volume": 1,
            "time_backwards": 1,
        },
    )
    assert whole(opened(tmp_path / "b.csv")).price.tolist() == [100, 300]


def test_a_source_keeps_its_symbols(make: Make, tmp_path: Path) -> None:
    one = make("one.csv", "ts,price,qty,symbol,exchange\n1759463100,1,1,A,NFO\n")
    two = make("two.csv", "ts,price,qty\n1759463101,2,1\n")
    out = tmp_path / "out.parquet"
    write_ticks(out, opened(one), time_zone="UTC")
    assert opened(out).instruments == (InstrumentName("A", "NFO"),)
    write_ticks(out, opened(two), time_zone="UTC")
    assert not opened(out).has_symbols
    write_ticks(out, open_ticks([one, two], time_zone="UTC", symbol="X"), time_zone="UTC")
    assert opened(out).instruments == (InstrumentName("A", "NFO"), InstrumentName("two"))


def test_a_file_can_be_written_onto_itself(make: Make) -> None:
    path = make("a.csv", "ts,price,qty\n1759463100,1,1\n")
    write_ticks(path, opened(path), time_zone="UTC")
    assert path.read_text() == "timestamp,price,volume\n2025-10-03 03:45:00+00:00,1.00,1\n"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_failure_leaves_the_old_file(tmp_path: Path, suffix: str) -> None:
    def broken() -> Iterator[TickBatch]:
        yield sample(5)
        raise DataError("in.csv: broken")

    path = tmp_path / f"a{suffix}"
    path.write_text("old")
    with pytest.raises(DataError, match="broken"):
        write_ticks(path, broken(), time_zone="UTC")
    with pytest.raises(DataError, match=r"a\..*: not written, as no tick is valid \(2 non_positive_price\)"):
        write_ticks(
            path,
            [TickBatch(time_ns=np.ones(2, np.int64), price=np.zeros(2, np.int64), volume=np.ones(2, np.int64))],
            time_zone="UTC",
        )
    with pytest.raises(DataError, match="there is none"):
        write_ticks(path, [], time_zone="UTC")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_paths_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"a.xlsx: unknown kind of file; end its name in .csv, .csv.gz, .csv.zst, .parquet"
    ):
        write_ticks(tmp_path / "a.xlsx", [sample(1)], time_zone="UTC")
    with pytest.raises(
        ConfigError, match=r"a.csv: can't be written \(No such file or directory\): choose another path"
    ):
        write_ticks(tmp_path / "none" / "a.csv", [sample(1)], time_zone="UTC")
    with pytest.raises(ConfigError, match="time zone 'Mars'"):
        write_ticks(tmp_path / "a.csv", [sample(1)], time_zone="Mars")
    with pytest.raises(ValueError, match="more instruments than were named"):
        write_ticks(tmp_path / "a.csv", [sample(2, instrument=np.array([0, 1]))], time_zone="UTC")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_ticks_give_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    for name in ("a", "b"):
        write_ticks(tmp_path / f"{name}{suffix}", [sample(100)], time_zone="UTC")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
