"""The instruments of one file."""

from collections.abc import Callable
from pathlib import Path

import pytest

from myquant.errors import DataError
from myquant.ticks.batch import InstrumentName, TickBatch, joined
from myquant.ticks.source import TickSource, open_ticks

Make = Callable[[str, str | bytes], Path]
HEADER = "ts,price,qty,symbol,exchange\n"


def source_of(path: Path, batch_rows: int = 1000) -> TickSource:
    return open_ticks(path, time_zone="Asia/Kolkata", symbol="NIFTY", batch_rows=batch_rows)


def read(path: Path, batch_rows: int = 1000) -> TickBatch:
    return joined(list(source_of(path, batch_rows).batches()))


@pytest.mark.parametrize("batch_rows", [1, 2, 1000])
def test_instruments_count_in_order_of_first_appearance(make: Make, batch_rows: int) -> None:
    path = make(
        "a.csv",
        HEADER + "1759463100,1,1, B ,\n1759463100,2,1,A,BFO\n1759463101,3,1,B,NFO\n1759463101,4,1,C,\n"
        "1759463102,5,1,A,BFO\n",
    )
    assert source_of(path).instruments == (
        InstrumentName("B", "NFO"),
        InstrumentName("A", "BFO"),
        InstrumentName("C"),
    )
    batch = read(path, batch_rows)
    assert batch.instrument.tolist() == [0, 1, 0, 2, 1]
    assert batch.price.tolist() == [100, 200, 300, 400, 500]


@pytest.mark.parametrize("batch_rows", [1, 3, 1000])
def test_a_row_without_a_symbol_is_bad_and_stays_with_the_row_before(make: Make, batch_rows: int) -> None:
    path = make(
        "a.csv",
        HEADER + "1759463100,1,1,,\n1759463100,2,1,A,\n1759463101,3,1,B,\n1759463101,4,1\n1759463102,5,1,  ,\n"
        "1759463102,6,1,A,\n",
    )
    batch = read(path, batch_rows)
    assert batch.instrument.tolist() == [0, 0, 1, 1, 1, 0]
    assert (batch.price > 0).tolist() == [False, True, True, False, False, True]
    assert (batch.time_ns > 0).tolist() == (batch.price > 0).tolist()


def test_one_instrument_needs_no_numbers(make: Make) -> None:
    path = make("a.csv", HEADER + "1759463100,1,1,A,NFO\n1759463100,2,1,A,NFO\n")
    assert source_of(path).instruments == (InstrumentName("A", "NFO"),)
    assert len(read(path).instrument) == 0


def test_an_exchange_without_a_symbol(make: Make) -> None:
    path = make("a.csv", "ts,price,qty,exchange\n1759463100,1,1,\n1759463100,2,1,NFO\n")
    assert source_of(path).instruments == (InstrumentName("NIFTY", "NFO"),)
    assert len(read(path)) == 2


def test_two_exchanges_of_one_symbol(make: Make) -> None:
    rows = "1759463100,1,1,A,NSE\n1759463100,2,1,A,BSE\n"
    with pytest.raises(DataError, match=r"a.csv: A is on two exchanges, NSE and BSE; give them two symbols"):
        read(make("a.csv", HEADER + rows))
    with pytest.raises(DataError, match="the instrument is on two exchanges"):
        read(make("a.csv", "ts,price,qty,exchange\n1759463100,1,1,NSE\n1759463100,1,1,BSE\n"))


def test_a_symbol_column_that_is_empty(make: Make) -> None:
    with pytest.raises(DataError, match=r"a.csv: no row has a symbol; fill the column, or drop it"):
        read(make("a.csv", HEADER + "1759463100,1,1,,\n"))


def test_symbols_are_bytes_of_any_kind(make: Make) -> None:
    path = make(
        "a.csv", HEADER.encode() + b'1759463100,1,1,\xff,\n1759463100,1,1,"M&M,X",\n1759463100,1,1,\xe2\x82\xb9,\n'
    )
    assert [name.symbol for name in source_of(path).instruments] == ["\ufffd", "M&M,X", "₹"]
