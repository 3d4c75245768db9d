"""Kinds of values: exact conversion, description, one-line text, and TOML that reads back."""

import tomllib
from datetime import date
from decimal import Decimal
from enum import IntEnum
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from annotated_types import Interval
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, PositiveInt

from myquant.config.kinds import SHOWN_MAX, Allowed, RefusedError, allowed, convert, is_kind, is_text, show, write


class Three(IntEnum):
    THREE = 3


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (15, Decimal, Decimal(15)),
        (15.1, Decimal, Decimal("15.1")),
        (0.1, Decimal, Decimal("0.1")),
        (np.float64(0.1), Decimal, Decimal("0.1")),
        (np.int64(3), int, 3),
        (np.int64(3), Decimal, Decimal(3)),
        (Three.THREE, int, 3),
        (Decimal("-0.0"), Decimal, Decimal(0)),
        (Decimal("0E-500"), Decimal, Decimal(0)),
        (Decimal("1.5"), float, 1.5),
        (2, float, 2.0),
        (2**63 - 1, int, 2**63 - 1),
        ([1, 2.5], tuple[Decimal, ...], (Decimal(1), Decimal("2.5"))),
        ((1, 2), list[float], [1.0, 2.0]),
        ([[1], [2, 3]], tuple[tuple[int, ...], ...], ((1,), (2, 3))),
        (7, Annotated[int, Field(gt=0)], 7),
        ("a", Literal["a", "b"], "a"),
        (True, bool, True),
        ("naïve ₹", str, "naïve ₹"),
    ],
)
def test_converts_exactly(value: object, kind: Any, expected: object) -> None:
    converted = convert(value, kind)
    assert converted == expected
    assert type(converted) is type(expected)
    assert str(converted) == str(expected)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, int),
        (True, Decimal),
        (False, float),
        ("1", int),
        ("1", Decimal),
        (1.0, int),
        (Decimal(1), int),
        (float("nan"), Decimal),
        (float("inf"), float),
        (Decimal("sNaN"), float),
        (2**63, int),
        (2**63, Decimal),
        (Decimal("1E+29"), Decimal),
        (Decimal("1E-29"), Decimal),
        (Decimal("1." + "1" * 28), Decimal),
        (None, Decimal),
        (1, bool),
        ("true", bool),
        (5, str),
        ("a\n", str),
        ("\udc80", str),
        pytest.param("x" * 4097, str, id="long text"),
        ("c", Literal["a", "b"]),
        (True, Literal[1, 2]),
        (1, tuple[int, ...]),
        ("12", tuple[int, ...]),
        ([1, "2"], tuple[int, ...]),
        pytest.param([1] * 1001, tuple[int, ...], id="long list"),
        ({}, list[int]),
        (date(2025, 10, 3), str),
    ],
)
def test_refuses_what_is_not_of_the_kind(value: object, kind: Any) -> None:
    with pytest.raises(RefusedError):
        convert(value, kind)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (int, "a whole number"),
        (Decimal, "a number"),
        (bool, "true or false"),
        (str, "text"),
        (PositiveInt, "a whole number above 0"),
        (Annotated[int, Field(ge=1, le=5)], "a whole number from 1 to 5"),
        (Annotated[int, Interval(ge=1, lt=5)], "a whole number at least 1 and below 5"),
        (Annotated[int, Field(le=5)], "a whole number at most 5"),
        (Annotated[int, Field(multiple_of=5)], "a whole number, a multiple of 5"),
        (
            Annotated[Decimal, Field(gt=0, lt=1, decimal_places=2)],
            "a number above 0 and below 1 with at most 2 decimals",
        ),
        (Annotated[str, Field(min_length=1)], "text of at least 1 characters"),
        (Annotated[str, Field(max_length=9, pattern="^a")], "text of 0 to 9 characters matching ^a"),
        (Annotated[str, Field(pattern="^a"), Allowed("an a")], "an a"),
        (Literal["a", 1], 'one of "a", 1'),
        (list[bool], "a list, each true or false"),
        (
            Annotated[tuple[PositiveInt, ...], Field(min_length=1, max_length=3)],
            "a list of 1 to 3 items, each a whole number above 0",
        ),
    ],
)
def test_describes_what_is_allowed(kind: Any, expected: str) -> None:
    assert allowed(kind) == expected


def test_knows_its_kinds() -> None:
    good = (int, float, Decimal, bool, str, Literal["a"], Literal[1], list[int], tuple[Literal["a"], ...], PositiveInt)
    assert all(map(is_kind, good))
    bad = (date, int | None, list, tuple, tuple[int, int], dict[str, int], Any, type(None), list[date], set[int])
    assert not any(map(is_kind, bad))
    assert [is_text(kind) for kind in (str, Literal["a", "b"], Literal["a", 1], int)] == [True, True, False, False]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, "true"),
        ("a", '"a"'),
        ("a\nb", r"'a\nb'"),
        (Decimal("1.50"), "1.50"),
        (1.5, "1.5"),
        (np.int64(5), "5"),
        (date(2025, 10, 3), "2025-10-03"),
        ([1, "a", [2]], '[1, "a", [...]]'),
        (list(range(11)), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...]"),
        ({"a": 1}, "a table"),
        (None, "a NoneType"),
    ],
)
def test_shows_in_one_line(value: object, expected: str) -> None:
    assert show(value) == expected


def test_shows_the_beginning_or_size_of_what_is_long() -> None:
    assert show(10**5000) == "an integer of 16610 bits"
    assert show("x" * 5000) == '"' + "x" * (SHOWN_MAX - 4) + "..."


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (15, "15"),
        (Decimal(15), "15.0"),
        (Decimal("15.00"), "15.0"),
        (Decimal("1.5E+1"), "15.0"),
        (Decimal("0.40"), "0.4"),
        (Decimal("1E-6"), "0.000001"),
        (1e-7, "0.0000001"),
        (15.0, "15.0"),
        (True, "true"),
        ('a"\\b', r'"a\"\\b"'),
        ((Decimal(1), Decimal("2.5")), "[1.0, 2.5]"),
        ([], "[]"),
    ],
)
def test_writes_one_text_for_one_value(value: object, expected: str) -> None:
    assert write(value) == expected


NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20)
SCALARS = st.one_of(st.booleans(), st.integers(-(2**63) + 1, 2**63 - 1), NUMBERS, st.text())


@given(st.one_of(SCALARS, st.lists(SCALARS, max_size=5)))
def test_what_is_written_reads_back(value: Any) -> None:
    kind = list[str] if isinstance(value, list) and all(isinstance(each, str) for each in value) else type(value)
    try:
        converted = convert(value, kind) if is_kind(kind) else None
    except RefusedError:
        return
    if converted is not None:
        again = tomllib.loads(f"value = {write(converted)}", parse_float=Decimal)["value"]
        assert convert(again, kind) == converted
        assert write(convert(again, kind)) == write(converted)
