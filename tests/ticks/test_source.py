"""Files as one source: their instruments, their order, what every batch has."""

import gzip
import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from myquant.errors import ConfigError, DataError
from myquant.ticks import source as source_module
from myquant.ticks.batch import NO_TIME, TickBatch
from myquant.ticks.source import TickSource, open_ticks, symbol_of

Make = Callable[[str, str | bytes], Path]
Read = Callable[..., TickBatch]
HEADER = "ts,price,qty\n"


def opened(*paths: Path | str, **options: Any) -> TickSource:
    return open_ticks(paths, **{"time_zone": "Asia/Kolkata", "symbol": "NIFTY", **options})


def symbols(*paths: Path, **options: Any) -> list[str]:
    return [name.symbol for name in opened(*paths, **options).instruments]


def rows(*times_and_prices: tuple[int, int]) -> str:
    return HEADER + "".join(f"{1_759_463_100 + time},{price},75\n" for time, price in times_and_prices)


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("nifty_option_2025-10-03.csv", "nifty_option"),
        ("nifty_option_2025-10-03.csv.gz", "nifty_option"),
        ("BANKNIFTY 20251003.parquet", "BANKNIFTY"),
        ("NIFTY.2025_10_03.csv.zst", "NIFTY"),
        ("NIFTY-03-10-2025.csv", "NIFTY"),
        ("NIFTY07OCT2524900CE.csv", "NIFTY07OCT2524900CE"),
        ("NIFTY07OCT2524900CE_2025-10-03.csv", "NIFTY07OCT2524900CE"),
        ("token_12345678.csv", "token_12345678"),
        ("2025-10-03.csv", ""),
        ("ticks", "ticks"),
    ],
)
def test_a_file_names_its_instrument(name: str, symbol: str) -> None:
    assert symbol_of(Path("folder") / name) == symbol


def test_one_file_is_the_symbol_that_is_asked_for(make: Make) -> None:
    source = opened(make("x_2025-10-03.csv", rows((0, 1))))
    assert (source.instruments, source.symbols_are_labels, source.has_symbols) == ((("NIFTY", None),), False, False)


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("NIFTY07OCT2524900CE.csv", "NIFTY07OCT2524900CE"),
        ("BANKNIFTY28OCT2556000CE_2025-10-03.csv", "BANKNIFTY28OCT2556000CE"),
        ("RELIANCE28OCT25FUT.csv", "RELIANCE28OCT25FUT"),
        ("BANKNIFTY 20251003.csv", "BANKNIFTY"),
        ("RELIANCE.csv", "NIFTY"),  # no index of the book: a word like any other
        ("banknifty.csv", "NIFTY"),
        ("2025-10-03.csv", "NIFTY"),
    ],
)
def test_one_file_named_after_a_contract_holds_it(make: Make, name: str, symbol: str) -> None:
    source = opened(make(name, rows((0, 1))))
    assert (source.instruments, source.symbols_are_labels) == (((symbol, None),), False)


@pytest.mark.parametrize(
    "name", ["NIFTY25O0724900CE.csv", "BANKNIFTY25NOV56000PE_2025-10-03.csv", "SENSEX2591684500CE.csv"]
)
def test_a_contract_in_another_form_is_refused(make: Make, name: str) -> None:
    path = make(name, rows((0, 1)))
    with pytest.raises(
        ConfigError, match="is not written as we write a contract; rename it, as in NIFTY07OCT2524900CE"
    ):
        opened(path)
    with pytest.raises(ConfigError, match="is not written as we write a contract"):
        opened(path, make("day.csv", rows((0, 1))))
    named = make(f"x_{name}", "timestamp,symbol,price,volume\n2025-10-03T09:15:00Z,NIFTY,1,1\n")
    assert symbols(named) == ["NIFTY"]


def test_names_of_which_only_some_are_contracts(make: Make) -> None:
    contract, other = make("NIFTY07OCT2524900CE.csv", rows((0, 1))), make("day.csv", rows((0, 1)))
    with pytest.raises(
        ConfigError, match=r"day\.csv is not named after a contract, but .*24900CE\.csv is: rename it after"
    ):
        opened(contract, other)
    assert symbols(make("RELIANCE.csv", rows((0, 1))), contract) == ["RELIANCE", "NIFTY07OCT2524900CE"]


def test_several_files_are_named_after_themselves(make: Make) -> None:
    days = [make(f"nifty_option_2025-10-0{day}.csv", rows((day, day))) for day in (6, 3)]
    assert symbols(*days) == ["nifty_option"]
    assert opened(*days).symbols_are_labels
    contracts = [make(f"NIFTY07OCT252{strike}CE.csv", rows((0, 1))) for strike in (4900, 5000)]
    assert symbols(*contracts) == ["NIFTY07OCT2524900CE", "NIFTY07OCT2525000CE"]
    assert not opened(*contracts).symbols_are_labels
    dates = [make(f"2025-10-0{day}.csv", rows((day, day))) for day in (6, 3)]
    assert symbols(*dates) == ["NIFTY"]


def test_files_merge_by_time_then_file_then_row(make: Make, read: Read) -> None:
    a = make("a.csv", rows((0, 1), (2, 2), (2, 3), (1, 4), (5, 5)))
    b = make("b.csv", rows((0, 11), (2, 12), (3, 13)) + "x,14,75\n")
    c = make("c.csv", "ts,price,qty,symbol\n1759463102,21,75,b\n1759463102,22,75,a\n")
    for batch_rows in (1, 2, 100):
        batch = read(a, b, c, batch_rows=batch_rows)
        assert (batch.price // 100).tolist() == [1, 11, 2, 3, 4, 12, 21, 22, 13, 14, 5]
        assert batch.instrument.tolist() == [0, 1, 0, 0, 0, 1, 1, 0, 1, 1, 0]
        assert [batch.where(row) for row in (0, 4, 9)] == [(str(a), 2), (str(a), 5), (str(b), 5)]


def test_a_file_sorted_by_symbol_is_put_in_order_of_time(make: Make, read: Read) -> None:
    text = "ts,price,qty,symbol\n" + "".join(
        f"{1_759_463_100 + time},{price},75,{symbol}\n" for symbol, price in (("A", 1), ("B", 2)) for time in range(3)
    )
    for batch_rows in (1, 4, 100):
        batch = read(make("a.csv", text), batch_rows=batch_rows)
        assert (batch.price // 100).tolist() == [1, 2] * 3
        assert [batch.where(row)[1] for row in range(6)] == [2, 5, 3, 6, 4, 7]


def test_every_batch_has_the_same_columns(make: Make, read: Read) -> None:
    a = make("a.csv", rows((0, 1), (5, 2)))
    b = make("b.csv", "ts,price,qty,bid,receive_ns\n1759463101,3,75,2.95,7\n")
    batch = read(a, b)
    assert batch.bid.tolist() == [0, 295, 0]
    assert batch.ask.tolist() == [0, 0, 0]
    assert batch.receive_ns.tolist() == [NO_TIME, 7, NO_TIME]
    assert batch.instrument.tolist() == [0, 1, 0]
    source = opened(a, b, batch_rows=1)
    assert {(len(part.bid), len(part.receive_ns), len(part.instrument)) for part in source.batches()} == {(1, 1, 1)}


def test_a_symbol_on_two_exchanges_in_two_files(make: Make) -> None:
    paths = [make(f"{name}.csv", f"ts,price,qty,symbol,exchange\n1,1,1,A,{name}\n") for name in ("NSE", "BSE")]
    with pytest.raises(DataError, match="A is on two exchanges, NSE and BSE"):
        _ = opened(*paths).instruments


def test_batches_can_be_had_again_and_left_early(make: Make) -> None:
    source = opened(make("a.csv", rows(*[(i, 1) for i in range(50)])), batch_rows=7)
    first = source.batches()
    assert len(next(first)) == 7
    del first
    for _ in range(2):
        parts = list(source.batches())
        assert [len(part) for part in parts] == [7] * 7 + [1]
        assert source.consumed_bytes == source.total_bytes > 0


def test_the_hash_is_that_of_the_bytes(make: Make) -> None:
    a, b = make("a.csv", rows((0, 1))), make("b.csv.gz", gzip.compress(rows((0, 1)).encode()))
    assert opened(a, b).input_hash == hashlib.sha256(a.read_bytes() + b.read_bytes()).hexdigest()
    assert opened(a, b).paths == (a, b)
    source = opened(a, b)
    first = source.batches()
    next(first)
    first.close()
    assert "input_hash" not in vars(source)
    list(source.batches())
    assert vars(source)["input_hash"] == opened(a, b).input_hash


def test_naive_times_are_local_ones_of_the_zone(make: Make, read: Read) -> None:
    path = make("a.csv", "ts,price,qty\n2025-10-03 09:15:00,1,1\n")
    times = [int(read(path, time_zone=zone).time_ns[0]) for zone in ("Asia/Kolkata", "UTC")]
    assert times[1] - times[0] == 19_800 * 10**9


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv.gz", rows((0, 1)), "its name says gzip, its content does not; rename it, or write it again"),
        ("a.parquet", rows((0, 1)), "its name says parquet, its content does not"),
        ("a.csv", b"PK\x03\x04rest", "a zip archive or a workbook; unpack it, or save the sheet as CSV"),
        ("a.csv", "", "the file is empty"),
    ],
)
def test_files_that_are_not_what_they_should_be(make: Make, name: str, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=f"{name}: {message}"):
        opened(make(name, content))


def test_the_content_decides_where_the_name_promises_nothing(make: Make, read: Read) -> None:
    packed = gzip.compress(rows((0, 1)).encode())
    assert len(read(make("a.csv", packed))) == len(read(make("a.txt", rows((0, 1))))) == 1


def test_bad_usage(make: Make) -> None:
    path = make("a.csv", rows((0, 1)))
    with pytest.raises(ConfigError, match="no file of ticks is named"):
        opened()
    with pytest.raises(DataError, match=r"a.csv: is named twice; its ticks would count twice"):
        opened(path, str(path))
    with pytest.raises(ConfigError, match="time zone 'Mars' is not known"):
        opened(path, time_zone="Mars")
    with pytest.raises(DataError, match=r"none.csv: no such file"):
        open_ticks("none.csv", time_zone="UTC", symbol="NIFTY")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(
    files=st.lists(
        st.lists(st.tuples(st.integers(0, 5), st.sampled_from("AB")), min_size=1, max_size=8), min_size=1, max_size=3
    ),
    batch_rows=st.integers(1, 4),
)
def test_merged_files_against_a_plain_sort(make: Make, files: list[list[tuple[int, str]]], batch_rows: int) -> None:
    expected, paths = [], []
    for place, content in enumerate(files):
        text, latest = "ts,price,qty,symbol\n", dict.fromkeys("AB", -1)
        for row, (time, symbol) in enumerate(content):
            latest[symbol] = max(latest[symbol], time)
            expected.append((latest[symbol], place, row, symbol))
            text += f"{1_759_463_100 + time},{place + 1}.{row + 10},75,{symbol}\n"
        paths.append(make(f"{place}.csv", text))
    source = opened(*paths, batch_rows=batch_rows)
    found = []
    for batch in source.batches():
        numbers = batch.instrument if len(batch.instrument) else np.zeros(len(batch), np.int64)
        found += [(price, source.instruments[who].symbol) for price, who in zip(batch.price, numbers, strict=True)]
    assert found == [(100 * (place + 1) + row + 10, symbol) for _, place, row, symbol in sorted(expected)]


def test_many_files_share_the_memory_of_one(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "MERGE_MIN_ROWS", 2)
    paths = [make(f"{name}.csv", rows(*[(i, 1) for i in range(20)])) for name in "abcd"]
    assert max(len(batch) for batch in opened(*paths, batch_rows=12).batches()) <= 12


def test_the_package_is_light_to_import() -> None:
    code = (
        "import sys, myquant.ticks; print(sorted({'numba', 'numpy', 'polars', 'pyarrow', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
