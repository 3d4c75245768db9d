"""Items made ahead by a thread."""

from collections.abc import Generator

import pytest

from myquant.ticks.read_ahead import read_ahead


def counting(stop: int, made: list[int], error: Exception | None = None) -> Generator[int, None, None]:
    try:
        for i in range(stop):
            made.append(i)
            yield i
        if error is not None:
            raise error
    finally:
        made.append(-1)


def test_all_items_in_order() -> None:
    assert list(read_ahead(counting(20, []))) == list(range(20))
    assert list(read_ahead(counting(0, []))) == []


def test_no_more_is_made_ahead_than_asked_for() -> None:
    made: list[int] = []
    source = counting(20, made)
    items = read_ahead(source, depth=3)
    assert next(items) == 0
    items.close()
    assert made == [0, 1, 2, 3, -1]


def test_an_error_comes_after_the_items_before_it() -> None:
    items = read_ahead(counting(3, [], ValueError("broken")))
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="broken"):
        next(items)
