"""Fields of text to integers, against exact decimals."""

import re
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myquant.core.money import RATE_SCALE
from myquant.ticks.batch import PRICE_NOT_FINITE, PRICE_UNPARSABLE, VOLUME_UNPARSABLE, Ints
from myquant.ticks.parse import MAX_PRICE, MAX_WHOLE, Bytes, gather, parse_prices, parse_volumes, split_rows


def fields(*texts: str) -> tuple[Bytes, Ints, Ints]:
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([len(text) for text in encoded], dtype=np.int64)
    starts = np.concatenate([[0], ends[:-1]]).astype(np.int64)
    return np.frombuffer(b"".join(encoded), np.uint8).copy(), starts, ends


def price_of(text: str, decimals: int = 2) -> int:
    out = np.zeros(1, np.int64)
    parse_prices(*fields(text), decimals, out)
    return int(out[0])


def volume_of(text: str) -> int:
    out = np.zeros(1, np.int64)
    parse_volumes(*fields(text), out)
    return int(out[0])


@pytest.mark.parametrize(
    ("text", "paise"),
    [
        ("295.1", 29510),
        ("295.105", 29511),  # half up, where the nearest float lies below the half
        ("295.1049999999999999999999", 29510),
        ("1.005", 101),
        ("0.005", 1),
        ("0.0049", 0),
        ("+7", 700),
        (".5", 50),
        ("5.", 500),
        ("2.951e2", 29510),
        ("29510E-2", 29510),
        ("0", 0),
        ("-0.0", 0),
        ("-12.5", 0),
        ("1e-400", 0),
        ("0e999999999", 0),
        ("100000000", MAX_PRICE),
        ("100000000.004", MAX_PRICE),
        ("100000000.01", PRICE_UNPARSABLE),
        ("10000000000000.01", PRICE_UNPARSABLE),
        ("1e400", PRICE_UNPARSABLE),
        ("nan", PRICE_NOT_FINITE),
        ("-NaN", PRICE_NOT_FINITE),
        ("inf", PRICE_NOT_FINITE),
        ("-Infinity", PRICE_NOT_FINITE),
        ("infinit", PRICE_UNPARSABLE),
        ("", PRICE_UNPARSABLE),
        ("-", PRICE_UNPARSABLE),
        (".", PRICE_UNPARSABLE),
        ("e5", PRICE_UNPARSABLE),
        ("1e", PRICE_UNPARSABLE),
        ("1.2.3", PRICE_UNPARSABLE),
        ("1,295.10", PRICE_UNPARSABLE),
        ("1_295", PRICE_UNPARSABLE),
        ("₹295", PRICE_UNPARSABLE),
        ("295 10", PRICE_UNPARSABLE),
        ("null", PRICE_UNPARSABLE),
        ("0x10", PRICE_UNPARSABLE),
    ],
)
def test_price_in_rupees(text: str, paise: int) -> None:
    assert price_of(text) == paise


@given(st.decimals(min_value=0, max_value=10**9, allow_nan=False, places=None))
def test_price_is_the_exact_decimal_half_up(price: Decimal) -> None:
    expected = (
        int((price * 100).to_integral_value(ROUND_HALF_UP))
        if price * 100 < MAX_PRICE + Decimal("0.5")
        else PRICE_UNPARSABLE
    )
    assert price_of(str(price)) == expected
    assert price_of(f"{price:e}") == expected


@given(st.text("0123456789+-.eE, _naif₹", max_size=9))
def test_what_is_no_plain_number_is_no_price(text: str) -> None:
    is_number = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", text, re.IGNORECASE | re.ASCII)
    if is_number is None:
        assert price_of(text) in {PRICE_UNPARSABLE, PRICE_NOT_FINITE}
        assert volume_of(text) == VOLUME_UNPARSABLE
    else:
        paise = (Decimal(text) * 100).to_integral_value(ROUND_HALF_UP)
        assert price_of(text) == (max(0, paise) if paise <= MAX_PRICE else PRICE_UNPARSABLE)


def test_the_largest_price_times_any_rate_stays_inside_64_bits() -> None:
    assert MAX_PRICE * RATE_SCALE < 2**63


def test_price_in_paise() -> None:
    assert [price_of(text, 0) for text in ("29510", "29510.0", "29510.5", "-1", "x")] == [29510, 29510, 29511, 0, -1]


@pytest.mark.parametrize(
    ("text", "units"),
    [("75", 75), ("75.0", 75), ("7.5e1", 75), ("1e3", 1000), ("0", 0), ("-0", 0), ("0.000", 0), ("+5", 5)]
    + [(str(MAX_WHOLE), MAX_WHOLE), ("75.00000000000000000000000000", 75)]
    + [
        (text, VOLUME_UNPARSABLE)
        for text in ("", "-1", "75.5", "75.00000000000000000000000001", "nan", "inf", "many", "1 000", "1e16", "7.5e0")
    ],
)
def test_volume(text: str, units: int) -> None:
    assert volume_of(text) == units


def split(text: str, *, slots: tuple[int, ...] = (0, 1), capacity: int = 9, begin: int = 0) -> tuple[object, ...]:
    block = np.frombuffer(text.encode(), np.uint8).copy()
    starts, ends = (np.full((max(slots) + 1, capacity), -9, np.int64) for _ in range(2))
    lines = np.zeros(capacity, np.int64)
    rows, at, line = split_rows(block, begin, len(block), 2, np.array(slots), starts, ends, lines)
    texts = [[text.encode()[a:b].decode() for a, b in zip(starts[:, i], ends[:, i], strict=True)] for i in range(rows)]
    return texts, lines[:rows].tolist(), (at, line)


@pytest.mark.parametrize(
    ("text", "rows", "lines"),
    [
        ("a,b\nc,d\n", [["a", "b"], ["c", "d"]], [2, 3]),
        ("a,b\r\n\r\nc,d\r\n", [["a", "b"], ["c", "d"]], [2, 4]),
        ("\n\n \t \na,b\n", [["a", "b"]], [5]),
        (" a ,\tb \n", [["a", "b"]], [2]),
        ("a\na,b,c\n,\n", [["", ""], ["", ""], ["", ""]], [2, 3, 4]),
        ('"a,1","b"\n', [["a,1", "b"]], [2]),
        ('"a""1", "b" \r\n', [['a""1', "b"]], [2]),
        ('"a,b\nc,d\n', [["", ""], ["c", "d"]], [2, 3]),
        ('"a"x,b\n', [["", ""]], [2]),
        ('a"x,b\n', [['a"x', "b"]], [2]),
        ('"",\n""\n', [["", ""]], [2]),
    ],
)
def test_rows_and_their_lines(text: str, rows: list[list[str]], lines: list[int]) -> None:
    assert split(text)[:2] == (rows, lines)


def test_an_incomplete_line_is_left_for_later() -> None:
    assert split("a,b\nc,d")[2] == (4, 3)
    assert split('a,b\n"c')[2] == (4, 3)
    assert split("a,b\nc,d\ne,f\n", capacity=2)[2] == (8, 4)


def test_only_the_wanted_columns_are_taken() -> None:
    assert split("a,b,c\n", slots=(1, -1, 0))[0] == [["c", "a"]]


def test_gather() -> None:
    text, starts, ends = fields("one", "", "three")
    out, offsets = np.zeros(8, np.uint8), np.zeros(4, np.int64)
    gather(text, starts, ends, out, offsets)
    assert (out.tobytes(), offsets.tolist()) == (b"onethree", [0, 3, 3, 8])
