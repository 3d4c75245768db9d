"""The rate budget: no second of the broker's clock, wherever it begins, holds more than its limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myquant.brokers.budget import SPARE_NS, Budget, Limit, Queue, Waiting

SECOND_NS = 10**9


@given(
    gaps=st.lists(st.integers(0, 300_000_000), min_size=20, max_size=60),
    shift=st.integers(0, SECOND_NS - 1),
    delays=st.lists(st.integers(0, SPARE_NS), min_size=60, max_size=60),
    urgent=st.lists(st.booleans(), min_size=60, max_size=60),
)
def test_no_calendar_second_of_the_broker_holds_more(
    gaps: list[int], shift: int, delays: list[int], urgent: list[bool]
) -> None:
    budget, now = Budget(2, [Limit(9, SECOND_NS, 2)], []), 0
    seconds: dict[int, list[bool]] = {}
    for number, gap in enumerate(gaps):
        now += gap
        if budget.free_ns(number % 2, urgent=urgent[number]) <= now:
            budget.note(number % 2, now)
            seconds.setdefault((now + delays[number] + shift) // SECOND_NS, []).append(urgent[number])
    assert seconds
    assert all(len(sent) <= 9 for sent in seconds.values())


def test_a_part_of_each_limit_is_for_the_urgent_ones() -> None:
    budget = Budget(1, [Limit(9, SECOND_NS, 2)], [])
    sent = []
    for urgent in [False] * 9 + [True] * 9:
        if budget.free_ns(0, urgent=urgent) <= 0:
            budget.note(0, 0)
            sent.append(urgent)
    assert sent == [False] * 7 + [True] * 2
    assert budget.free_ns(0, urgent=True) == SECOND_NS + SPARE_NS


def test_limits_of_one_kind_do_not_hold_up_another() -> None:
    budget = Budget(2, [], [Limit(2, 60 * SECOND_NS, 0)])
    budget.note(0, 0)
    budget.note(0, 0)
    assert budget.free_ns(0, urgent=True) > 0
    assert budget.free_ns(1, urgent=False) <= 0
    budget.hold(5)
    assert budget.free_ns(1, urgent=True) == 5


def test_a_limit_that_leaves_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="must leave something"):
        Budget(1, [Limit(2, 1, 2)], [])


def test_the_queue_gives_exits_first_and_gives_up_what_comes_too_late() -> None:
    budget, queue = Budget(1, [Limit(1, SECOND_NS, 0)], []), Queue[str](3)
    budget.note(0, 0)
    assert queue.put(Waiting("entry", 0, False, 500))
    assert queue.put(Waiting("exit", 0, True, 3 * SECOND_NS))
    assert queue.put(Waiting("later exit", 0, True, 3 * SECOND_NS))
    assert not queue.put(Waiting("one too many", 0, True, 9))
    assert queue.items() == ["exit", "later exit", "entry"]
    assert queue.take(1, budget) is None
    assert queue.wake_ns(budget) == 500
    assert queue.expired(2, budget) == ["entry"]  # there is no room before it gives up
    taken = queue.take(SECOND_NS + SPARE_NS, budget)
    assert taken is not None
    assert taken.item == "exit"
    assert queue.drop("later exit")
    assert not queue.drop("later exit")
    assert len(queue) == 0
