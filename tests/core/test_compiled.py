"""`_replace` of named tuples in compiled code is that of plain Python, or does not compile."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from numba import TypingError

from core.jit import jitted
from myquant.core.compiled import direct, entry_point


class Bar(NamedTuple):
    """Fields of several types."""

    number: int
    mean: float
    shut: bool


class Pair(NamedTuple):
    """Fields of one type, which Numba holds as another kind of tuple."""

    low: int
    high: int


BAR, PAIR = Bar(3, 1.5, False), Pair(1, 2)


def several(bar: Any) -> Any:
    return bar._replace(shut=True, number=bar.number + 1)


def every(bar: Any) -> Any:
    return bar._replace(shut=True, mean=0.5, number=1)


def chained(bar: Any) -> Any:
    return bar._replace(number=9)._replace(mean=bar.mean * bar.number)


def widened(bar: Any) -> Any:
    return bar._replace(mean=bar.shut)  # a bool fits a float without loss


@pytest.mark.parametrize("change", [several, every, chained, widened])
def test_compiled_replaces_as_python_does(change: Any) -> None:
    assert jitted(change)(BAR) == change(BAR)


def swapped(pair: Any) -> Any:
    return pair._replace(low=pair.high, high=pair.low)


def raised(pair: Any) -> Any:
    return pair._replace(high=7)


@pytest.mark.parametrize("change", [swapped, raised])
def test_tuples_of_one_type(change: Any) -> None:
    assert jitted(change)(PAIR) == change(PAIR)
    assert jitted(change)(PAIR)._fields == Pair._fields


def unknown(bar: Any) -> Any:
    return bar._replace(high=1)


def lossy(bar: Any) -> Any:
    return bar._replace(number=bar.mean)


def lossy_among_others(bar: Any) -> Any:
    return bar._replace(shut=True, number=0.5)


def number_for_a_flag(bar: Any) -> Any:
    return bar._replace(shut=bar.number)


def positional(bar: Any) -> Any:
    return bar._replace(1)


def nothing(bar: Any) -> Any:
    return bar._replace()


@pytest.mark.parametrize("change", [unknown, lossy, lossy_among_others, number_for_a_flag, positional, nothing])
def test_what_is_unknown_or_would_lose_something_does_not_compile(change: Any) -> None:
    with pytest.raises(TypingError):
        jitted(change)(BAR)


def test_the_direct_call_is_the_function_past_its_dispatcher() -> None:
    @entry_point
    def doubled(values: np.ndarray[Any, Any], by: int) -> int:
        values *= 2
        return by + 1

    values = np.arange(3)
    fast = direct(doubled, values, 1)
    assert fast(values, 5) == 6
    assert values.tolist() == [0, 2, 4]
    assert doubled(values, 1) == 2
    assert values.tolist() == [0, 4, 8]
