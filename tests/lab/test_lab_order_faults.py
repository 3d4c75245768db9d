"""The faults of the order side, one by one, and what each leaves behind."""

import json
from dataclasses import replace
from typing import Any

import pytest

from lab.order_desk import LOT, SYMBOL, TOKEN, Desk, change, wanted
from myquant.core import codes
from myquant.lab.angelone.envelope import TOO_OFTEN, USER
from myquant.lab.angelone.faults import Faults, parse_faults
from myquant.lab.angelone.order_service import CUT, ORDER, Terms
from myquant.lab.angelone.orders import BROKER, CANCELLED, COMPLETE, OPEN, PHONE, REJECTED

REQUEST_FAULTS = ["order_timeout", "order_late", "order_lost", "ack_lost", "order_429", "order_5xx", "order_garbage"]


def desk_with(*texts: str, seed: int = 1, participation: float = 1.0) -> Desk:
    terms = Terms(cash_paise=10**12, participation=participation)
    desk = Desk(terms, parse_faults(texts, seed))
    desk.market(20_000)
    return desk


def sent(desk: Desk, seconds: float = 1.0, tag: str = "") -> list[tuple[int, bytes]]:
    replies = desk.send("POST", f"{ORDER}/placeOrder", wanted("BUY", LOT, "201.00", ordertag=tag))
    desk.wait(seconds)
    return replies


def states(desk: Desk) -> list[str]:
    return [order.state for order in desk.service.book.orders]


@pytest.mark.parametrize(
    ("fault", "status", "is_done"),
    [
        ("order_timeout=1", None, True),
        ("order_lost=1", None, False),
        ("ack_lost=1", CUT, True),
        ("order_429=1", 429, False),
        ("order_5xx=1,taken:1", 5, True),
        ("order_5xx=1,taken:0", 5, False),
        ("order_garbage=1", 200, True),
    ],
)
def test_a_request_is_done_or_not_and_answered_or_not(fault: str, status: int | None, is_done: bool) -> None:
    desk = desk_with(fault)
    replies = sent(desk, 60.0)
    assert states(desk) == [COMPLETE] * is_done
    assert desk.service.counts[fault.partition("=")[0]] == 1
    if status is None:
        assert replies == []
        return
    ((found, body),) = replies
    assert found == status or found in range(status * 100, status * 100 + 5)
    if status == 429:
        assert body == TOO_OFTEN.encode()
    if status == 200:
        with pytest.raises(json.JSONDecodeError):
            json.loads(body)


def test_a_late_request_is_done_within_its_seconds_and_never_answered() -> None:
    desk = desk_with("order_late=1,seconds:30")
    replies = sent(desk, 0.0)
    for _ in range(2):
        desk.wait(0.01)
        assert states(desk) == []
    desk.wait(30.0)
    assert (states(desk), replies) == ([COMPLETE], [])
    began_ns = desk.service.book.orders[0].timeline[0][0]
    assert desk.now_ns - 30_000_000_000 < began_ns < desk.now_ns


@pytest.mark.parametrize("name", REQUEST_FAULTS)
def test_modifications_and_cancellations_have_faults_too(name: str) -> None:
    desk = desk_with(f"{name}=0")
    order = desk.place("BUY", LOT, "199.00")
    fault: Any = replace(getattr(desk.service._chance.faults, name), share=1.0)
    desk.service._chance.faults = desk.service._faults = replace(Faults(), **{name: fault})
    desk.send("POST", f"{ORDER}/modifyOrder", change(order, "198.00"))
    desk.wait(60.0)
    desk.send("POST", f"{ORDER}/cancelOrder", {"variety": "NORMAL", "orderid": order.order_id})
    desk.wait(60.0)
    assert desk.service.counts[name] == 2
    if name in {"order_lost", "order_429"}:
        assert (order.limit, order.state) == (19_900, OPEN)
    elif name != "order_5xx":
        assert (order.limit, order.state) == (19_800, CANCELLED)


def test_a_late_rejection_follows_success() -> None:
    desk = desk_with("reject_late=1")
    order = desk.place("BUY", LOT, "201.00")
    assert (order.state, order.filled) == (REJECTED, 0)
    assert desk.words(order) == [("AB09", "open pending"), ("AB03", "rejected")]


def test_after_a_partial_fill_the_book_alone_tells() -> None:
    desk = desk_with("fill_then_silence=1")
    order = desk.place("BUY", 3 * LOT, "201.00")
    desk.market(20_000)
    assert (order.state, [trade.quantity for trade in order.trades]) == (COMPLETE, [LOT, 2 * LOT])
    seen = [frame["orderData"]["filledshares"] for frame in desk.updates]
    assert seen == ["0", "0", "75"]
    assert desk.data("getOrderBook")[0]["status"] == "complete"
    single = desk.place("BUY", LOT, "201.00")
    assert (single.state, desk.words(single)[-1]) == (COMPLETE, ("AB01", "open"))


def test_updates_come_twice_late_and_out_of_order() -> None:
    twice = desk_with("update_duplicate=1")
    order = twice.place("BUY", LOT, "201.00")
    assert [code for code, _ in twice.words(order)] == ["AB09", "AB09", "AB01", "AB01", "AB05", "AB05"]

    mixed = desk_with("update_reorder=0.5", seed=4)
    orders = [mixed.place("BUY", LOT, "201.00") for _ in range(20)]
    mixed.wait(2.0)
    told = [[code for code, _ in mixed.words(order)] for order in orders]
    assert all(sorted(each) == ["AB01", "AB05", "AB09"] for each in told)
    assert 3 < sum(each != ["AB09", "AB01", "AB05"] for each in told) < 20

    late = desk_with("update_delay=1,seconds:5")
    order = late.place("BUY", LOT, "201.00")
    assert (order.state, len(late.updates)) == (COMPLETE, len(late.words(order)))
    assert len(late.updates) < 3
    late.wait(5.0)
    assert len(late.updates) == 3


def test_a_look_at_a_book_fails_and_an_order_does_not() -> None:
    desk = desk_with("book_5xx=1")
    for path in (f"{ORDER}/getOrderBook", f"{ORDER}/getTradeBook", f"{ORDER}/getPosition", f"{USER}/getRMS"):
        replies = desk.send("GET", path)
        desk.wait(1.0)
        assert replies[0][0] in {500, 502, 503, 504}
    assert desk.place("BUY", LOT, "201.00").state == COMPLETE


def test_the_broker_squares_off_after_some_fills() -> None:
    desk = desk_with("square_off=2")
    desk.place("BUY", LOT, "201.00", ordertag="A")
    stop = desk.place("SELL", LOT, "180.00", "190.00", ordertag="B")
    assert desk.service.book.held(TOKEN) == LOT
    desk.place("BUY", LOT, "201.00", ordertag="C")
    assert desk.service.book.held(TOKEN) == 0
    assert stop.state == CANCELLED
    last = desk.service.book.orders[-1]
    assert (last.wanted.by, last.side, last.filled, last.tag) == (BROKER, codes.SELL, 2 * LOT, "")
    assert desk.updates[-1]["orderData"]["ordertype"] == "MARKET"
    assert desk.service.counts["square_off"] == 1


@pytest.mark.parametrize(("lots", "left"), [(-1, 1), (-5, 0), (2, 4)])
def test_the_user_trades_from_the_phone(lots: int, left: int) -> None:
    desk = desk_with(f"manual_trade=1,lots:{lots}")
    desk.place("BUY", 2 * LOT, "201.00", ordertag="A")
    assert desk.service.book.held(TOKEN) == left * LOT
    phone = desk.service.book.orders[-1]
    assert (phone.wanted.by, phone.tag, phone.wanted.tradable.listed.symbol) == (PHONE, "", SYMBOL)
    assert [trade["fillsize"] for trade in desk.data("getTradeBook")] == [str(2 * LOT), str(abs(left - 2) * LOT)]
    assert desk.service.book.positions[TOKEN, "INTRADAY"].lowest == 0


def test_the_phone_does_nothing_without_a_market_or_a_position() -> None:
    desk = Desk()
    assert not desk.service.manual_trade(TOKEN, LOT)
    desk.market(20_000)
    assert not desk.service.manual_trade(TOKEN, -LOT)
    assert desk.service.manual_trade(TOKEN, LOT)


def test_the_same_seed_befalls_the_same_requests() -> None:
    def run(seed: int, *texts: str) -> list[int]:
        desk = desk_with(*texts, seed=seed)
        return [number for number in range(60) if not sent(desk, tag=str(number))]

    one = run(1, "order_timeout=0.2")
    assert 3 < len(one) < 30
    assert run(1, "order_timeout=0.2") == one != run(2, "order_timeout=0.2")
    assert set(run(1, "order_timeout=0.2", "order_lost=0.2")) > set(one)


def test_under_all_faults_each_request_is_done_once_at_most_and_as_it_was_answered() -> None:
    texts = [f"{name}=0.05" for name in REQUEST_FAULTS] + ["reject_late=0.05", "fill_then_silence=0.05"]
    texts += ["update_duplicate=0.1", "update_reorder=0.1", "update_delay=0.1", "book_5xx=0.1"]
    desk = desk_with(*texts, seed=9)
    replies = {}
    for number in range(400):
        replies[f"T{number}"] = sent(desk, 0.2, f"T{number}")
        desk.service.take_price(TOKEN, 20_000, 19_995, 20_005, 10_000)
    desk.wait(60.0)
    made = [order.tag for order in desk.service.book.orders]
    assert len(made) == len(set(made))
    answered = {tag: each[0] for tag, each in replies.items() if each}
    assert {tag for tag, (status, _) in answered.items() if status in {200, CUT}} <= set(made)
    assert not {tag for tag, (status, _) in answered.items() if status == 429} & set(made)
    silent = set(replies) - set(answered)
    assert 0 < len(silent & set(made)) < len(silent)
    assert all(desk.service.counts[name] > 3 for name in REQUEST_FAULTS)
    held = sum(order.filled for order in desk.service.book.orders)
    assert desk.service.book.held(TOKEN) == held > 200 * LOT
    assert all(order.state in {COMPLETE, REJECTED} for order in desk.service.book.orders)
