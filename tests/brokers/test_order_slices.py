"""The ledger of slices: each fact told once, totals that never go down, an end that stays, whatever the order of messages."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.order_stage import KEY, new_order, row_of
from myquant.brokers.port import Books, Funds, OrderAnswer, order_tag
from myquant.brokers.slices import Kind, Ledger, sizes
from myquant.core import codes, orders

ENDS = (orders.FILLED, orders.REJECTED, orders.CANCELLED)


def kinds(answers: list[OrderAnswer]) -> list[int]:
    return [answer.kind for answer in answers]


@pytest.mark.parametrize(
    ("quantity", "freeze", "lot", "expected"),
    [
        (65, 0, 65, [65]),
        (1755, 1800, 65, [1755]),
        (1820, 1800, 65, [1755, 65]),
        (3510, 1800, 65, [1755, 1755]),
        (130, 50, 65, [130]),
    ],
)
def test_slices_are_whole_lots_within_the_freeze_quantity(
    quantity: int, freeze: int, lot: int, expected: list[int]
) -> None:
    assert sizes(quantity, freeze, lot) == expected


def test_an_order_is_acknowledged_when_all_its_slices_are() -> None:
    ledger = Ledger(KEY)
    first, second = ledger.open(new_order(quantity=195))
    assert (first.quantity, second.quantity) == (130, 65)
    assert ledger.accept(first, "a") == []
    assert kinds(ledger.accept(second, "b")) == [codes.ORDER_ACK]
    assert ledger.accept(second, "b") == []
    assert ledger.find("", "b") is ledger.find(order_tag(KEY, 1, 1).lower(), "") is second
    assert ledger.find(order_tag(KEY, 2, 0), "x") is None


def test_a_refused_slice_leaves_the_rest_and_ends_with_it() -> None:
    ledger = Ledger(KEY)
    first, second = ledger.open(new_order(quantity=195))
    assert ledger.refuse(second, codes.BY_VENUE, "margin") == []
    assert kinds(ledger.accept(first, "a")) == [codes.ORDER_ACK]
    answers = ledger.see(first, row_of(broker_id="a", state=orders.FILLED, filled=130, value=1_300_000))
    assert [answer[:4] for answer in answers] == [
        (codes.FILL, 1, 130, 1_300_000),
        (codes.CANCELLED, 1, 130, 1_300_000),
    ]
    assert answers[1].words == "margin"


@pytest.mark.parametrize(
    ("one", "other", "code"),
    [
        (codes.NOT_SENT, codes.NOT_SENT, codes.NOT_SENT),
        (codes.NOT_FOUND, codes.BY_VENUE, codes.BY_VENUE),
        (codes.NOT_SENT, codes.NOT_FOUND, codes.NOT_SENT),
    ],
)
def test_an_order_of_which_nothing_was_taken_is_rejected_once(one: int, other: int, code: int) -> None:
    ledger = Ledger(KEY)
    first, second = ledger.open(new_order(quantity=195))
    assert ledger.refuse(first, one, "") == []
    (answer,) = ledger.refuse(second, other, "why")
    assert answer == OrderAnswer(codes.ORDER_REJECT, 1, 0, 0, code, "why")
    assert ledger.refuse(second, codes.BY_VENUE, "again") == []
    assert not ledger.at_work


def test_an_id_is_never_sent_twice() -> None:
    ledger = Ledger(KEY)
    ledger.open(new_order())
    with pytest.raises(ValueError, match="order 1 was sent before"):
        ledger.open(new_order())


def test_a_request_is_answered_once_whatever_its_slices_say() -> None:
    ledger = Ledger(KEY)
    first, second = ledger.open(new_order(quantity=195))
    ledger.accept(first, "a")
    ledger.accept(second, "b")
    ask = ledger.ask(1, Kind.MODIFY, 10_100, 0)
    assert ask is not None
    assert ledger.asked(ask, first, taken=True) == []
    assert kinds(ledger.asked(ask, second, taken=True)) == [codes.MODIFIED]
    assert ledger.asked(ask, second, taken=False) == []
    ask, later = ledger.ask(1, Kind.MODIFY, 10_200, 0), ledger.ask(1, Kind.MODIFY, 10_300, 0)
    assert ask is not None
    assert later is not None
    assert ledger.asked(ask, first, taken=True) + ledger.asked(ask, second, taken=True) == []
    assert ledger.see(first, row_of(broker_id="a", limit=10_300)) == []
    assert kinds(ledger.asked(later, second, taken=False, words="no")) == [codes.CHANGE_REJECT]


@pytest.mark.parametrize(("taken", "told"), [(True, codes.MODIFIED), (False, codes.CHANGE_REJECT)])
def test_a_modification_is_told_without_the_slices_that_nothing_can_be_asked_of_yet(taken: bool, told: int) -> None:
    ledger = Ledger(KEY)
    first, second = ledger.open(new_order(quantity=195))
    ledger.accept(first, "a")
    ask = ledger.ask(1, Kind.MODIFY, 10_100, 0)
    assert ask is not None
    assert ask.waiting == {1}
    assert kinds(ledger.asked(ask, first, taken=taken)) == [told]
    assert kinds(ledger.accept(second, "b")) == [codes.ORDER_ACK]
    ask.waiting.discard(1)
    assert ledger.asked(ask, second, taken=True) == []
    assert not ledger.orders[1].asks


def test_a_modification_of_slices_of_which_none_is_known_is_not_told() -> None:
    ledger = Ledger(KEY)
    first, _ = ledger.open(new_order(quantity=195))
    assert ledger.ask(1, Kind.MODIFY, 10_100, 0) is not None
    assert ledger.refuse(first, codes.NOT_FOUND, "") == []


def test_a_cancellation_is_told_by_the_order_s_end_alone() -> None:
    ledger = Ledger(KEY)
    (piece,) = ledger.open(new_order())
    ledger.accept(piece, "a")
    ask = ledger.ask(1, Kind.CANCEL)
    assert ask is not None
    assert ledger.asked(ask, piece, taken=True) == []
    assert kinds(ledger.see(piece, row_of(broker_id="a", state=orders.CANCELLED))) == [codes.CANCELLED]
    assert ledger.ask(1, Kind.CANCEL) is None


def test_only_what_was_sent_long_before_a_look_is_missing_from_it() -> None:
    ledger = Ledger(KEY)
    (sent,) = ledger.open(new_order(1))
    (late,) = ledger.open(new_order(2))
    ledger.open(new_order(3))  # never written
    (there,) = ledger.open(new_order(4))
    sent.sent_ns, late.sent_ns, there.sent_ns = 100, 101, 50
    books = Books((row_of(there.tag.lower()),), (), (), Funds(0, 0), 1100)
    assert ledger.missing(books, 1000) == [sent]


def test_a_state_that_is_not_known_ends_nothing_but_its_fills_count() -> None:
    ledger = Ledger(KEY)
    (piece,) = ledger.open(new_order(quantity=130))
    answers = ledger.see(piece, row_of(state=orders.UNKNOWN, filled=65, value=650))
    assert kinds(answers) == [codes.ORDER_ACK, codes.FILL]
    assert 1 in ledger.at_work


@st.composite
def lives(draw: st.DrawFn) -> tuple[list[int], list[tuple[int, Any]], list[tuple[int, int, int]]]:
    """Give the sizes of an order's slices, their messages (slice, row) shuffled and doubled, and how each slice ended."""
    parts = draw(st.sampled_from([[65], [130], [130, 65], [130, 130, 65]]))
    messages: list[tuple[int, Any]] = []
    finals = []
    for part, size in enumerate(parts):
        end = draw(st.sampled_from(ENDS))
        most = size if end == orders.FILLED else (0 if end == orders.REJECTED else size - 65)
        steps = sorted(draw(st.sets(st.integers(1, max(most, 1)), max_size=4))) if most else []
        steps = sorted({*steps, most} - {0})
        value = 0
        snapshots = [(orders.WORKING, 0, 0)]
        for before, filled in zip([0, *steps], steps, strict=False):
            value += (filled - before) * draw(st.integers(9_000, 11_000))
            snapshots.append((orders.PARTIAL, filled, value))
        snapshots.append((end, most, value))
        finals.append((end, most, value))
        messages += [(part, snapshot) for snapshot in snapshots for _ in range(draw(st.integers(1, 2)))]
    return parts, draw(st.permutations(messages)), finals


@given(life=lives())
def test_messages_in_any_order_tell_the_same_end_once(life: Any) -> None:
    parts, messages, finals = life
    ledger = Ledger(KEY)
    pieces = ledger.open(new_order(quantity=sum(parts)))
    answers: list[OrderAnswer] = []
    for part, (state, filled, value) in messages:
        answers += ledger.see(pieces[part], row_of(broker_id=f"b{part}", state=state, filled=filled, value=value))
    fills = [(answer.filled, answer.value) for answer in answers if answer.kind == codes.FILL]
    assert fills == sorted(set(fills))
    total = sum(filled for _, filled, _ in finals)
    ended = [answer for answer in answers if answer.kind in {codes.CANCELLED, codes.ORDER_REJECT}]
    assert not ledger.at_work
    assert (fills[-1] if fills else (0, 0)) == (total, sum(value for *_, value in finals))
    assert len(ended) == (total < sum(parts))
    if ended:
        assert ended[0] is answers[-1]
        assert (ended[0].kind == codes.ORDER_REJECT) == all(end == orders.REJECTED for end, *_ in finals)
    assert sum(answer.kind == codes.ORDER_ACK for answer in answers) <= 1
