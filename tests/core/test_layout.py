"""From one named tuple: its dtype, and compiled functions that load and store it."""

from typing import Any, NamedTuple

import numpy as np
import pytest

from core.jit import jitted
from myquant.core.layout import dtype_of, is_record, record_access
from myquant.core.records import Account, Command, Day, Event, Instrument, Rules


class Leg(NamedTuple):
    price: int
    weight: float


class Basket(NamedTuple):
    number: int
    ratio: float
    live: bool
    legs: Leg
    ladder: tuple[int, int, int]
    shares: tuple[float, float]


BASKET = Basket(7, 0.25, True, Leg(2**62, -1.5), (1, -2, 3), (0.5, 1e300))

access = record_access(Basket)
load, store, peek = access.load, access.store, access.peek


@jitted
def copy(source: Any, target: Any) -> None:
    store(target, load(source))


@jitted
def flip(record: Any) -> None:
    basket = load(record)
    store(record, basket._replace(live=not basket.live, ratio=2 * basket.ratio))


@jitted
def peeked(record: Any) -> tuple[int, bool, int]:
    seen = peek(record)
    return seen.number, seen.live != 0, seen.legs.price


def test_the_dtype_has_the_fields_in_order_eight_bytes_each() -> None:
    dtype = dtype_of(Basket)
    assert dtype.names == Basket._fields
    assert dtype["legs"] == np.dtype([("price", "<i8"), ("weight", "<f8")])
    assert dtype["ladder"] == np.dtype(("<i8", (3,)))
    assert dtype["live"] == np.dtype("<i8")
    assert dtype.itemsize == 8 * 10


def test_a_record_is_loaded_and_stored_without_loss() -> None:
    records = np.zeros(2, access.dtype)
    records[0] = BASKET
    copy(records[0], records[1])
    assert records[0].tobytes() == records[1].tobytes()
    found = records[1]
    assert [found[name] for name in ("number", "ratio", "live")] == [7, 0.25, 1]
    assert found["legs"].item() == BASKET.legs
    assert (tuple(found["ladder"]), tuple(found["shares"])) == (BASKET.ladder, BASKET.shares)
    flip(records[1])
    assert (records[1]["live"], records[1]["ratio"]) == (0, 0.5)


def test_a_peek_reads_the_record_itself() -> None:
    records = np.zeros(1, access.dtype)
    records[0] = BASKET
    assert peeked(records[0]) == (7, True, 2**62)


def test_plain_python_peeks_at_the_tuple() -> None:
    assert record_access(Leg).peek is not record_access(Leg).load
    assert is_record(Leg)
    assert not is_record(tuple)


@pytest.mark.parametrize("record", [Account, Command, Day, Event, Instrument, Rules])
def test_the_records_of_the_core_have_no_padding(record: type) -> None:
    dtype = dtype_of(record)
    assert dtype.itemsize % 8 == 0
    assert dtype.names is not None
    assert sum(dtype[name].itemsize for name in dtype.names) == dtype.itemsize


class Text(NamedTuple):
    name: str


class Mixed(NamedTuple):
    pair: tuple[int, float]


class Listed(NamedTuple):
    prices: list[int]


class Texts(NamedTuple):
    pair: tuple[str, str]


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (Text, "Text.name: .* is none of int, float, bool, tuple, named tuple"),
        (Listed, "Listed.prices: .* is none of"),
        (Mixed, "Mixed.pair: a tuple holds n times int or n times float"),
        (Texts, "Texts.pair: a tuple holds"),
    ],
)
def test_a_field_that_has_no_place_in_a_record_is_named(record: type, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        dtype_of(record)
