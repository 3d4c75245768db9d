"""Where rows came from, and batches cut and joined."""

import numpy as np

from myquant.ticks.batch import COLUMNS, TickBatch, joined


def batch(count: int, **columns: object) -> TickBatch:
    numbers = np.arange(count, dtype=np.int64)
    return TickBatch(time_ns=numbers, price=numbers + 100, volume=numbers + 200, **columns)  # type: ignore[arg-type]


def test_rows_are_numbered_from_one_unless_their_lines_are_known() -> None:
    assert batch(3).where(2) == ("ticks", 3)
    assert batch(3, lines=range(7, 10), names=("a.csv",)).where(2) == ("a.csv", 9)
    assert batch(2, lines=np.array([2, 5]), names=("a", "b"), files=np.array([0, 1])).where(1) == ("b", 5)


def test_take_keeps_where_rows_came_from() -> None:
    whole = batch(5, bid=np.arange(5) + 300)
    for rows in (slice(1, 3), np.array([1, 2])):
        part = whole.take(rows)
        assert (part.time_ns.tolist(), part.bid.tolist(), len(part.ask)) == ([1, 2], [301, 302], 0)
        assert part.where(0) == ("ticks", 2)
    assert whole.take(np.array([4, 0])).where(0) == ("ticks", 5)


def test_joined_rows_keep_their_files() -> None:
    whole = joined([batch(2, names=("a",)), batch(1, names=("b",)), batch(2, names=("a",), lines=range(3, 5))])
    assert [whole.where(row) for row in range(5)] == [("a", 1), ("a", 2), ("b", 1), ("a", 3), ("a", 4)]
    again = joined([whole.take(slice(2, 4)), batch(1, names=("c",))])
    assert [again.where(row) for row in range(3)] == [("b", 1), ("a", 3), ("c", 1)]
    assert again.price.tolist() == [100, 100, 100]
    assert all(getattr(again, name).dtype == np.int64 for name in COLUMNS)


def test_one_batch_joined_is_itself() -> None:
    one = batch(2)
    assert joined([one]) is one
