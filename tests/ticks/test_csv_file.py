"""CSV files to batches: small tables of text, and the borders of blocks and batches."""

from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from myquant.errors import DataError
from myquant.ticks import csv_file
from myquant.ticks.batch import NO_TIME, PRICE_NOT_FINITE, PRICE_UNPARSABLE, VOLUME_UNPARSABLE, TickBatch
from myquant.ticks.csv_file import CsvFile
from myquant.ticks.rows import RowReader

Make = Callable[[str, str | bytes], Path]
Read = Callable[..., TickBatch]
OPEN_NS = 1_759_463_100_000_000_000  # 2025-10-03 09:15 in India
SECOND_NS = 10**9


def rows(batch: TickBatch) -> list[tuple[int, int, int]]:
    """Return (seconds since the open, price, volume) of each row; no time: -1."""
    times = [-1 if time_ns == NO_TIME else (time_ns - OPEN_NS) // SECOND_NS for time_ns in batch.time_ns.tolist()]
    return list(zip(times, batch.price.tolist(), batch.volume.tolist(), strict=True))


def test_the_plain_case(make: Make, read: Read) -> None:
    text = "timestamp,price,volume\n2025-10-03 09:15:00+05:30,295.1,75\n2025-10-03 09:15:01,280.05,150\n"
    batch = read(make("a.csv", text))
    assert rows(batch) == [(0, 29510, 75), (1, 28005, 150)]
    assert [len(column) for column in (batch.bid, batch.ask, batch.receive_ns, batch.instrument)] == [0] * 4
    for column in (batch.time_ns, batch.price, batch.volume):
        assert column.dtype == np.int64
        assert column.flags.c_contiguous
        assert column.flags.writeable


@pytest.mark.parametrize(
    "text",
    [
        "timestamp,price,volume\r\n2025-10-03 09:15:00,295.1,75\r\n2025-10-03 09:15:01,280.05,150",
        "\ufefftimestamp,price,volume\n2025-10-03 09:15:00,295.1,75\n2025-10-03 09:15:01,280.05,150\n\n",
        'volume,"Price",x,timestamp\n75,"295.10",?,"2025-10-03 09:15:00"\n150, 280.05 ,,2025-10-03T03:45:01Z\n',
        "\n\nts,ltp,qty\n\n1759463100,295.1,75.0\n  \n1759463101,280.05,150\n",
        "date,time,ltp,qty\n2025-10-03,09:15:00,295.1,75\n03-10-2025,09:15:01.0,280.05,150\n",
        "time_ns,price_paise,volume\n1759463100000000000,29510,75\n1759463101000000000,28005,150\n",
        "timestamp,exchange_time,price,volume\nx,1759463100000,295.1,75\n,1759463101000,280.05,150\n",
    ],
)
def test_other_ways_to_write_the_same(make: Make, read: Read, text: str) -> None:
    assert rows(read(make("a.csv", text))) == [(0, 29510, 75), (1, 28005, 150)]


def test_bad_rows_stay_in_their_places(make: Make, read: Read) -> None:
    text = """timestamp,price,volume
2025-10-03 09:15:00,295.1,75

2025-10-03 09:15:01,abc,75
soon,295.1,75
2025-10-03 09:15:02,nan,75
2025-10-03 09:15:03,-5,75
2025-10-03 09:15:04,295.1,1.5
2025-10-03 09:15:05,295.1
2025-10-03 09:15:06,295.1,75,
"2025-10-03 09:15:07,295.1,75
2025-10-03 09:15:08,"1,295.1",75
,,
2025-10-03 09:15:09,295.1,75
"""
    batch = read(make("a.csv", text))
    nothing = (-1, PRICE_UNPARSABLE, VOLUME_UNPARSABLE)
    assert rows(batch) == [
        (0, 29510, 75),
        (1, PRICE_UNPARSABLE, 75),
        (-1, 29510, 75),
        (2, PRICE_NOT_FINITE, 75),
        (3, 0, 75),
        (4, 29510, VOLUME_UNPARSABLE),
        nothing,
        nothing,
        nothing,
        (8, PRICE_UNPARSABLE, 75),
        nothing,
        (9, 29510, 75),
    ]
    assert [batch.where(row)[1] for row in range(len(batch))] == [2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]


def test_quotes_and_receive_times(make: Make, read: Read) -> None:
    text = "ts,price,qty,bid,ask_paise,receive_time\n1759463100,5,1,4.95,505,1759463100123\n1759463101,5,1,,x,\n"
    batch = read(make("a.csv", text))
    assert (batch.bid.tolist(), batch.ask.tolist()) == ([495, 0], [505, 0])
    assert batch.receive_ns.tolist() == [OPEN_NS + 123 * 10**6, NO_TIME]
    one_side = read(make("b.csv", "ts,price,qty,ask\n1759463100,5,1,5.05\n"))
    assert (one_side.bid.tolist(), one_side.ask.tolist()) == ([0], [505])


@pytest.mark.parametrize("line_max", [256, 333, 1000, 4096])
@pytest.mark.parametrize("batch_rows", [1, 2, 7, 1000])
def test_borders_of_blocks_and_batches_leave_no_trace(
    make: Make, monkeypatch: pytest.MonkeyPatch, line_max: int, batch_rows: int
) -> None:
    lines = [f"{1759463100 + i},{i % 89}.{i % 7}5,{'7' * (i % 11 + 1)}" + "\r\n" * (i % 5 == 0) for i in range(200)]
    path = make("a.csv", "timestamp,price,volume\n" + "\n".join(lines))
    monkeypatch.setattr(csv_file, "LINE_MAX_BYTES", line_max)
    file = CsvFile(path, None, ZoneInfo("Asia/Kolkata"))
    batches = list(file.batches(RowReader(file.name, file.layout), batch_rows))
    assert max(len(batch) for batch in batches) <= batch_rows
    found = [(row, batch.where(i)[1]) for batch in batches for i, row in enumerate(rows(batch))]
    assert [row for row, _ in found] == [
        (i, i % 89 * 100 + i % 7 * 10 + 5, int("7" * (i % 11 + 1))) for i in range(200)
    ]
    assert [line for _, line in found] == [2 + i + (i + 4) // 5 for i in range(200)]
    assert file.consumed_bytes == file.total_bytes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("timestamp,price,volume", "there is a header and nothing after it"),
        ("timestamp,price,volume\n\n \r\n", "there is a header and nothing after it"),
        ("\n\n", "the file has blank lines only"),
        (b"\x7fELF\x01\x00\x02", "a binary file, or text in UTF-16; expected CSV in UTF-8, or Parquet"),
        ("timestamp,price,volume\n1,2,3".encode("utf-16"), "a binary file, or text in UTF-16"),
        (b"timestamp,pr\xefs,volume\n1,2,3\n", "the header is no line of UTF-8"),
        ("timestamp,price\rvolume\n1,2,3\n", "the header is no line of UTF-8"),
        ("1759463100,295.1,75\n1759463101,295.1,75\n", "the first row is no header"),
        ("timestamp\tprice\tvolume\n1\t2\t3\n", "no column for the time"),
    ],
)
def test_files_that_are_no_ticks(make: Make, read: Read, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=rf"a\.csv(:1)?: {message}"):
        read(make("a.csv", content))


def test_a_line_without_end_is_no_row(make: Make, read: Read) -> None:
    path = make("a.csv", "timestamp,price,volume\n" + "1759463100,295.1,75\n" * 10_000 + "7" * 400_000)
    with pytest.raises(DataError, match="a line is longer than 65,536 bytes; is this a file of ticks"):
        read(path, batch_rows=1000)


def test_the_recorded_day(real_day: Path, read: Read) -> None:
    batch = read(real_day)
    assert len(batch) == 34_086
    assert rows(batch)[0] == (-300, 29510, 75)
    assert batch.where(34_085)[1] == 34_087
    assert batch.price.min() > 0
    assert batch.volume.min() > 0
    assert (np.diff(batch.time_ns) >= 0).all()
