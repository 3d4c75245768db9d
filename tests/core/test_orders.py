"""An order's life is one table, and no order comes back from its end."""

from itertools import product

import pytest

from core.jit import plain
from myquant.core import orders
from myquant.core.orders import HAPPENING_NAMES, IMPOSSIBLE, NEXT, STATE_NAMES, is_working, next_state

ENDED = {orders.FILLED, orders.REJECTED, orders.CANCELLED}

# What must not happen; everything else is in the table.
IMPOSSIBLE_PAIRS = {
    *((orders.IDLE, happening) for happening in HAPPENING_NAMES),  # nothing was sent
    (orders.WORKING, orders.ON_TIMEOUT),  # it was answered
    (orders.PARTIAL, orders.ON_TIMEOUT),
    (orders.PARTIAL, orders.ON_REJECT),  # it was accepted, or nothing had filled
    (orders.FILLED, orders.ON_REJECT),
    (orders.FILLED, orders.ON_PART_FILL),
    (orders.FILLED, orders.ON_CANCEL),
    (orders.REJECTED, orders.ON_PART_FILL),
    (orders.REJECTED, orders.ON_FULL_FILL),
    (orders.REJECTED, orders.ON_CANCEL),
    (orders.CANCELLED, orders.ON_PART_FILL),
    (orders.CANCELLED, orders.ON_FULL_FILL),
    (orders.CANCELLED, orders.ON_REJECT),
    *((state, orders.ON_TIMEOUT) for state in ENDED),
}


def after(state: int, happening: int) -> int:
    return int(plain(next_state)(state, happening))


def works(state: int) -> bool:
    return bool(plain(is_working)(state))


def test_every_pair_is_in_the_table_or_impossible() -> None:
    pairs = set(product(STATE_NAMES, HAPPENING_NAMES))
    assert set(NEXT) | IMPOSSIBLE_PAIRS == pairs
    assert not set(NEXT) & IMPOSSIBLE_PAIRS


@pytest.mark.parametrize("state", STATE_NAMES, ids=STATE_NAMES.get)
@pytest.mark.parametrize("happening", HAPPENING_NAMES, ids=HAPPENING_NAMES.get)
def test_the_compiled_table_is_the_one_that_people_read(state: int, happening: int) -> None:
    assert after(state, happening) == NEXT.get((state, happening), IMPOSSIBLE)


def test_an_order_that_has_ended_stays_as_it_is() -> None:
    assert {state for state in STATE_NAMES if not works(state)} == {orders.IDLE, *ENDED}
    for state, happening in product(ENDED, HAPPENING_NAMES):
        assert after(state, happening) in {state, IMPOSSIBLE}


def test_nothing_goes_back_to_sent_or_idle() -> None:
    assert not {orders.IDLE, orders.SENT} & set(NEXT.values())


def test_an_order_that_has_filled_in_part_never_forgets_it() -> None:
    assert {NEXT[pair] for pair in NEXT if pair[0] == orders.PARTIAL} == {
        orders.PARTIAL,
        orders.FILLED,
        orders.CANCELLED,
    }


def test_an_order_of_unknown_state_is_left_by_evidence_only() -> None:
    left_by = {happening for state, happening in NEXT if state == orders.UNKNOWN and NEXT[state, happening] != state}
    assert left_by == set(HAPPENING_NAMES) - {orders.ON_TIMEOUT}
    assert {pair for pair in NEXT if NEXT[pair] == orders.UNKNOWN} == {
        (orders.SENT, orders.ON_TIMEOUT),
        (orders.UNKNOWN, orders.ON_TIMEOUT),
    }
