"""Column names to meanings."""

import pytest

from myquant.errors import DataError
from myquant.ticks.columns import Column, has_time, layout_of


def meanings(*names: str) -> dict[str, str]:
    layout = layout_of(names, "f.csv")
    found = {meaning: getattr(layout, meaning) for meaning in layout.__slots__}
    assert all(column.name == names[column.place].strip().lower() for column in found.values() if column is not None)
    return {meaning: column.name for meaning, column in found.items() if column is not None}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("timestamp", "price", "volume"), {"time": "timestamp", "price": "price", "volume": "volume"}),
        ((" LTP", "Qty ", "DateTime"), {"time": "datetime", "price": "ltp", "volume": "qty"}),
        (("ltt", "close", "size"), {"time": "ltt", "price": "close", "volume": "size"}),
        (("date", "time", "ltp", "vol"), {"time": "date", "clock": "time", "price": "ltp", "volume": "vol"}),
        (
            ("trade_date", "time", "ltp", "vol"),
            {"time": "trade_date", "clock": "time", "price": "ltp", "volume": "vol"},
        ),
        (("date", "close", "volume"), {"time": "date", "price": "close", "volume": "volume"}),
        (("date", "timestamp", "last", "ltq"), {"time": "timestamp", "price": "last", "volume": "ltq"}),
        (("timestamp", "time", "price", "volume"), {"time": "timestamp", "price": "price", "volume": "volume"}),
        (
            ("timestamp", "exchange_timestamp", "price", "qty"),
            {"time": "exchange_timestamp", "price": "price", "volume": "qty"},
        ),
        (("ts", "close", "price", "ltp", "volume"), {"time": "ts", "price": "price", "volume": "volume"}),
    ],
)
def test_aliases(names: tuple[str, ...], expected: dict[str, str]) -> None:
    assert meanings(*names) == expected


def test_optional_columns() -> None:
    found = meanings("ts", "price", "qty", "tradingsymbol", "exchange", "bp1", "best_ask", "received_at", "oi", "")
    optional = {"symbol": "tradingsymbol", "exchange": "exchange", "bid": "bp1", "ask": "best_ask"}
    assert found == {"time": "ts", "price": "price", "volume": "qty", **optional, "receive_time": "received_at"}


def test_names_that_carry_a_unit() -> None:
    layout = layout_of(["time_ns", "price_paise", "volume", "bid_paise", "ask", "receive_ns"], "f.csv")
    assert layout.time == Column(0, "time_ns", unit_ns=1)
    assert layout.price == Column(1, "price_paise", decimals=0)
    assert layout.bid == Column(3, "bid_paise", decimals=0)
    assert layout.ask == Column(4, "ask", decimals=2)
    assert layout.receive_time == Column(5, "receive_ns", unit_ns=1)
    assert layout.volume.unit_ns == 0


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            "ts,last,close,volume",
            "both 'last' and 'close' can be the price; drop one, or rename the right one to 'price'",
        ),
        ("ts,datetime,price,volume", "both 'ts' and 'datetime' can be the time"),
        ("date,time,ltt,price,volume", "both 'time' and 'ltt' can be the time"),
        ("ts,price,ltq,vol", "both 'ltq' and 'vol' can be the volume"),
        ("ts,Price,price ,volume", "two columns are named 'price'"),
        ("ts,price,volume,x,X", "two columns are named 'x'"),
        ("when,price,volume", "no column for the time; found: when, price, volume; name it one of: timestamp, time, "),
        ("ts,,volume", r"no column for the price; found: ts, \(no name\), volume; name it one of: price, ltp"),
        ("ts,price", "no column for the volume"),
        ("ts;price;volume", "no column for the time; found: ts;price;volume"),
        ("2025-10-03 09:15:00,295.1,75", "the first row is no header; put one above it"),
    ],
)
def test_columns_that_are_missing_or_doubtful(names: str, message: str) -> None:
    with pytest.raises(DataError, match=f"^f.csv: {message}"):
        layout_of(names.split(","), "f.csv")


def test_whether_any_name_can_be_the_time() -> None:
    assert has_time(["x", " Date"])
    assert not has_time(["x", "dates"])
