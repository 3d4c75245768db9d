"""Copies of a strategy's functions: what they do when they are compiled."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import njit

from myquant.strategies.copies import compiled_copies, plain_copies
from myquant.strategies.source import imported
from strategies.texts import write

TEXT = """\
from typing import NamedTuple

from myquant.core import indicators
from myquant.indicators import rolling_mean, wilder
import levels

LIMIT = 3.0


class Inner(NamedTuple):
    level: float = 1
    place: int = 2


class Group:
    FACTOR = 2.0

    def times(x):
        return Group.FACTOR * x


def mean(memory, n, value, period):
    return rolling_mean(memory, 0, n, value, period)


def put(memory, place):
    memory[place] = 1.0
    return memory[place]


def made(x):
    return Inner(x), Inner(place=x), Inner(level=2, place=3)


def called(x):
    return Group.times(x) + levels.above(x) + indicators.ema(x, LIMIT, 3) + LIMIT + wilder(x, 1, x, 1)


def divided(x):
    return 1.0 / x
"""
LEVELS = "def above(x):\n    return deeper(x)\ndef deeper(x):\n    return x + 100.0\n"


@pytest.fixture
def copies(tmp_path: Path) -> tuple[Any, Any, Any]:
    """The module of the text, and its plain and its compiled copies."""
    write(tmp_path, LEVELS, "levels.py")
    with imported(write(tmp_path, TEXT)) as source:
        return source.module, plain_copies(source), compiled_copies(source, "copies_of_a_test")


def compiled_call(function: Any, *arguments: Any) -> Any:
    """Call what only compiled code can call."""

    def call(*given: Any) -> Any:
        return function(*given)

    return njit(call)(*arguments)


def test_a_place_outside_an_array_is_an_error_and_not_a_crash(copies: tuple[Any, Any, Any]) -> None:
    module, _, compiled = copies
    assert compiled_call(compiled.function(module.put), np.zeros(3), 2) == 1.0
    for place in (3, 100, -4, 10**9):
        with pytest.raises(IndexError):
            compiled_call(compiled.function(module.put), np.zeros(3), place)


def test_an_indicator_does_not_leave_its_window_either(copies: tuple[Any, Any, Any]) -> None:
    module, _, compiled = copies
    assert compiled_call(compiled.function(module.mean), np.full(3, 3.0), 3, 6.0, 3) == 4.0
    with pytest.raises(IndexError):
        compiled_call(compiled.function(module.mean), np.zeros(3), 4, 6.0, 4)


def test_a_named_tuple_takes_an_int_for_a_float(copies: tuple[Any, Any, Any]) -> None:
    module, _, compiled = copies
    found = compiled_call(compiled.function(module.made), 5)
    assert found == ((5.0, 2), (1.0, 5), (2.0, 3))
    assert [type(each.level) for each in found] == [float] * 3
    assert type(found[0]) is module.Inner


def test_both_copies_call_what_the_original_names(copies: tuple[Any, Any, Any]) -> None:
    module, plain, compiled = copies
    expected = 2.0 * 4 + 104.0 + (4 + 0.5 * (3 - 4)) + 3.0 + 8.0
    assert plain.function(module.called)(4.0) == expected
    assert compiled_call(compiled.function(module.called), 4.0) == expected


def test_a_division_by_zero_gives_infinity(copies: tuple[Any, Any, Any]) -> None:
    module, _, compiled = copies
    assert compiled_call(compiled.function(module.divided), 0.0) == np.inf


def test_the_originals_stay_as_they_were(copies: tuple[Any, Any, Any]) -> None:
    module, _, compiled = copies
    before = dict(vars(module))
    compiled.function(module.called)
    assert vars(module) == before
    assert module.put([0.0], 0) == 1.0
