"""Angel One's order port on a wire of memory: what is written, what is told, and what is left to the books."""

import asyncio
import json
from typing import Any

import pytest

from brokers.order_stage import (
    KEY,
    OPTION,
    Stage,
    book_row,
    failure,
    new_order,
    play,
    rate_error,
    row_of,
    success,
)
from myquant.brokers.angelone.settings import ORDER_BOOK, POSITIONS, TRADE_BOOK
from myquant.brokers.http import Reply
from myquant.brokers.port import Books, Funds, Remedy, RequestError, order_tag
from myquant.core import codes, orders
from myquant.errors import BrokerError

TAG = order_tag(KEY, 1, 0)
ELSEWHERE = "9"
STRANGE = row_of(broker_id="x")._replace(token=ELSEWHERE)
DOUBTFUL = [
    failure("AB1004"),
    failure("AB2000"),
    failure("AB2001"),
    failure("AB7777"),
    failure(""),
    failure("AB1013"),
    Reply(500, b"oops"),
    Reply(502, failure("AB1002").body),
    Reply(429, b"slow down"),
    Reply(403, b"Access denied because of exceeding access rate"),
    Reply(403, b"Access denied: exceeding access rate of your IP"),
    Reply(500, failure("", "IP not registered").body),
    failure("AB2001", "IP not registered"),
    Reply(200, b"<html>"),
    Reply(200, b"[" * 5000),
    Reply(200, b'{"status":"true","data":{"orderid":"1"}}'),
    Reply(200, b'{"status":true,"data":null}'),
    Reply(200, b'{"status":true,"data":{"orderid":7}}'),
    None,
]
CERTAIN = ["AB1002", "AB1008", "AB1009", "AB1012", "AB4006", "AG8004", "AB1007"]


def test_the_bytes_are_written_before_submit_returns() -> None:
    async def scenario(stage: Stage) -> None:
        stage.port.submit(new_order())
        ((what, body, head),) = stage.wire.written
        assert what == "place"
        assert body == {
            "variety": "NORMAL",
            "transactiontype": "BUY",
            "ordertype": "LIMIT",
            "tradingsymbol": OPTION.symbol,
            "symboltoken": OPTION.token,
            "exchange": "NFO",
            "producttype": "INTRADAY",
            "duration": "DAY",
            "squareoff": "0",
            "stoploss": "0",
            "quantity": "65",
            "price": "100.50",
            "triggerprice": "0.00",
            "ordertag": TAG,
        }
        assert "Host: broker.example" in head
        assert "Authorization: Bearer planted-jwt-0" in head
        stage.wire.answer(success())
        assert stage.told() == [(codes.ORDER_ACK, 1, 0, 0, 0)]

    stage = play(scenario)
    assert stage.channel == [(True, "")]
    assert stage.doubts == []


def test_a_stop_order_waits_for_its_trigger_and_is_modified_and_cancelled_as_one() -> None:
    async def scenario(stage: Stage) -> None:
        port, wire = stage.port, stage.wire
        port.submit(new_order(side=codes.SELL, trigger=10_105))
        wire.answer(success("s1"))
        port.modify(1, 9_900, 10_005)
        wire.answer(success("s1"))
        port.modify(1, 9_900, 0)
        wire.answer(failure("AB1013"))
        port.cancel(1)
        wire.answer(success("s1"))
        sent = [
            (what, body["variety"], body.get("ordertype"), body.get("triggerprice")) for what, body, _ in wire.written
        ]
        assert sent == [
            ("place", "STOPLOSS", "STOPLOSS_LIMIT", "101.05"),
            ("modify", "STOPLOSS", "STOPLOSS_LIMIT", "100.05"),
            ("modify", "STOPLOSS", "LIMIT", "0.00"),
            ("cancel", "STOPLOSS", None, None),
        ]
        assert wire.written[1][1]["price"] == "99.00"
        assert all(isinstance(value, str) for _, body, _ in wire.written for value in body.values())
        assert [told[0] for told in stage.told()] == [codes.ORDER_ACK, codes.MODIFIED, codes.CHANGE_REJECT]
        stage.updates.on_row(row_of(TAG, broker_id="s1", side=codes.SELL, state=orders.CANCELLED))
        assert [told[0] for told in stage.told()] == [codes.CANCELLED]

    play(scenario)


@pytest.mark.parametrize("reply", DOUBTFUL)
def test_what_is_not_certain_is_left_to_the_books(reply: Reply | None) -> None:
    async def scenario(stage: Stage) -> None:
        stage.port.submit(new_order())
        stage.wire.answer(reply)
        await asyncio.sleep(30)
        assert stage.told() == []
        assert len(stage.wire.written) == 1
        assert len(stage.doubts) == 1
        assert "place of order 1, part 0: not known whether it was done" in stage.doubts[0]
        stage.port.settle(Books((), (), (), Funds(0, 0), round((1000.0 + 34) * 1e9)), 35 * 10**9)
        assert stage.told() == []
        stage.port.settle(Books((), (), (), Funds(0, 0), round((1000.0 + 36) * 1e9)), 35 * 10**9)
        assert stage.told() == [(codes.ORDER_REJECT, 1, 0, 0, codes.NOT_FOUND)]

    play(scenario)


@pytest.mark.parametrize("code", CERTAIN)
def test_what_is_certain_is_a_refusal(code: str) -> None:
    async def scenario(stage: Stage) -> None:
        stage.port.submit(new_order())
        stage.wire.answer(failure(code, "no such thing, planted-jwt"))
        ((kind, *_),) = [answer[:1] for answer in stage.answers]
        assert kind == codes.ORDER_REJECT
        assert code in stage.answers[0].words
        assert "planted" not in stage.answers[0].words

    play(scenario)


def test_a_session_that_ended_is_renewed_and_the_request_sent_once_more() -> None:
    async def scenario(stage: Stage) -> None:
        stage.port.submit(new_order())
        stage.wire.answer(failure("AG8001"))
        stage.port.submit(new_order(2))
        assert len(stage.wire.written) == 1  # the second waits for the session
        await asyncio.sleep(0.1)
        assert [(body["ordertag"], "planted-jwt-1" in head) for _, body, head in stage.wire.written[1:]] == [
            (TAG, True),
            (order_tag(KEY, 2, 0), True),
        ]
        stage.wire.answer(failure("AG8002"))
        stage.wire.answer(success())
        assert [told[:2] for told in stage.told()] == [(codes.ORDER_REJECT, 1), (codes.ORDER_ACK, 2)]

    assert play(scenario).account.renewals == 2


def test_without_a_session_nothing_leaves_and_that_is_said() -> None:
    async def scenario(stage: Stage) -> None:
        stage.account.fault = RequestError("Angel One", "login", "blocked", Remedy.STOP)
        stage.port.submit(new_order(1, side=codes.SELL))
        stage.wire.answer(failure("AG8001"))
        await asyncio.sleep(5)
        assert stage.told() == [(codes.ORDER_REJECT, 1, 0, 0, codes.NOT_SENT)]

    stage = play(scenario)
    assert stage.channel[-1][0] is False
    assert "blocked" in stage.channel[-1][1]
    assert len(stage.wire.written) == 1


def test_what_was_not_written_in_time_is_not_sent() -> None:
    async def scenario(stage: Stage) -> None:
        stage.wire.turn(is_open=False)
        stage.port.submit(new_order(1))
        stage.port.submit(new_order(2, side=codes.SELL))
        assert stage.told() == []  # nothing from within submit
        await asyncio.sleep(1.5)
        assert stage.told() == [(codes.ORDER_REJECT, 1, 0, 0, codes.NOT_SENT)]
        stage.wire.turn(is_open=True)
        assert [body["ordertag"] for _, body, _ in stage.wire.written] == [order_tag(KEY, 2, 0)]

    assert [able for able, _ in play(scenario).channel] == [True, False, True]


def test_the_rate_holds_for_all_requests_and_exits_go_first() -> None:
    async def scenario(stage: Stage) -> None:
        stage.wire.room = 100
        for number in range(1, 10):
            stage.port.submit(new_order(number))
        assert len(stage.wire.written) == 7  # two of nine are for exits
        stage.port.submit(new_order(10, side=codes.SELL))
        stage.port.submit(new_order(11, side=codes.SELL))
        stage.port.submit(new_order(12, side=codes.SELL))
        assert len(stage.wire.written) == 9
        await asyncio.sleep(1.5)
        sent = [int(body["ordertag"][13:17], 36) for _, body, _ in stage.wire.written]
        assert sent == [*range(1, 8), 10, 11, 12]  # entries that would have left after a second did not
        assert [told[1] for told in stage.told()] == [8, 9]

    play(scenario)


def test_a_cancellation_waits_for_the_broker_s_id() -> None:
    async def scenario(stage: Stage) -> None:
        stage.port.submit(new_order(quantity=195))
        stage.port.cancel(1)
        assert [what for what, *_ in stage.wire.written] == ["place", "place"]
        stage.wire.answer(success("a"))
        stage.updates.on_row(row_of(order_tag(KEY, 1, 1), broker_id="b"))
        cancelled = [body["orderid"] for what, body, _ in stage.wire.written if what == "cancel"]
        assert cancelled == ["a", "b"]
        stage.updates.on_row(row_of(order_tag(KEY, 1, 1), broker_id="b", state=orders.CANCELLED))
        stage.updates.on_row(row_of(TAG, broker_id="a", quantity=130, state=orders.FILLED, filled=130, value=13))
        assert stage.told() == [
            (codes.ORDER_ACK, 1, 0, 0, 0),
            (codes.FILL, 1, 130, 13, 0),
            (codes.CANCELLED, 1, 130, 13, 0),
        ]

    play(scenario)


def test_a_slice_that_was_not_sent_is_cancelled_and_modified_here() -> None:
    async def scenario(stage: Stage) -> None:
        stage.wire.turn(is_open=False)
        stage.port.submit(new_order(1))
        stage.port.submit(new_order(2))
        stage.port.cancel(1)
        stage.port.modify(2, 10_200, 0)
        assert stage.told() == []
        await asyncio.sleep(0.1)
        assert stage.told() == [(codes.ORDER_REJECT, 1, 0, 0, codes.NOT_SENT), (codes.MODIFIED, 2, 0, 0, 0)]
        stage.wire.turn(is_open=True)
        assert [(what, body["price"]) for what, body, _ in stage.wire.written] == [("place", "102.00")]

    play(scenario)


def test_an_update_before_the_answer_and_again_after_it_tells_the_same_once() -> None:
    async def scenario(stage: Stage) -> None:
        stage.port.submit(new_order())
        full = row_of(TAG.lower(), state=orders.FILLED, filled=65, value=653_250)
        stage.updates.on_row(full)
        stage.wire.answer(success("b1"))
        stage.updates.on_row(full)
        stage.updates.on_row(row_of(TAG))
        stage.port.settle(Books((full,), (), (), Funds(0, 0), 10**15), 0)
        assert stage.told() == [(codes.ORDER_ACK, 1, 0, 0, 0), (codes.FILL, 1, 65, 653_250, 0)]

    assert play(scenario).doubts == []


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (row_of(broker_id="x"), f"an order that is not ours: x, {OPTION.symbol}, state working"),
        (STRANGE, "an order that is not ours: x, token 9, state"),
        (row_of(order_tag(KEY, 9, 0), broker_id="x"), "an order that is not ours: x"),
        (row_of(order_tag(KEY + 1, 1, 0), broker_id="x"), "an order that is not ours: x"),
        (row_of(TAG, side=codes.SELL), "another side, token or quantity"),
        (row_of(TAG, quantity=130, filled=130), "another side, token or quantity"),
        (row_of(TAG, broker_id="b2", state=orders.FILLED, filled=65), "two orders of the broker's bear the tag"),
        (row_of(TAG, state=orders.UNKNOWN)._replace(words="unknown order status 'x'"), "unknown order status 'x'"),
    ],
)
def test_what_does_not_fit_is_a_doubt_and_ends_nothing(row: Any, said: str) -> None:
    async def scenario(stage: Stage) -> None:
        stage.port.submit(new_order())
        stage.wire.answer(success("b1"))
        stage.told()
        stage.updates.on_row(row)
        stage.updates.on_row(row)
        assert stage.told() == []

    (doubt,) = play(scenario).doubts
    assert said in doubt


def test_the_books_name_what_they_hold() -> None:
    async def scenario(stage: Stage) -> None:
        stage.account.books[ORDER_BOOK] = [book_row(tradingsymbol="OTHER", symboltoken="9", orderid="x")]
        books = await stage.port.books()
        assert books.symbols == {OPTION.token: OPTION.symbol, "9": "OTHER"}
        stage.updates.on_row(STRANGE)

    assert "not ours: x, OTHER, state" in play(scenario).doubts[0]


def test_an_order_that_was_not_found_and_works_after_all_is_cancelled() -> None:
    async def scenario(stage: Stage) -> None:
        stage.port.adopt(new_order())
        stage.port.settle(Books((), (), (), Funds(0, 0), 10**15), 35 * 10**9)
        assert stage.told() == [(codes.ORDER_REJECT, 1, 0, 0, codes.NOT_FOUND)]
        stage.updates.on_row(row_of(TAG, broker_id="late"))
        assert [(what, body["orderid"]) for what, body, _ in stage.wire.written] == [("cancel", "late")]

    assert "although it was not found" in play(scenario).doubts[0]


def test_what_works_of_a_stop_order_that_has_lost_a_slice_is_cancelled_until_it_is() -> None:
    async def scenario(stage: Stage) -> None:
        stage.port.submit(new_order(1, 195, side=codes.SELL, trigger=10100))
        stage.wire.answer(success("b1"))
        stage.wire.answer(failure("AB1002"))
        assert [(what, body.get("orderid")) for what, body, _ in stage.wire.written[2:]] == [("cancel", "b1")]
        stage.wire.answer(None)
        works = row_of(TAG, quantity=130, side=codes.SELL, limit=10050, trigger=10100)
        stage.port.settle(Books((works,), (), (), Funds(0, 0), 0), 35 * 10**9)
        assert [what for what, _, _ in stage.wire.written[2:]] == ["cancel", "cancel"]
        stage.updates.on_row(works._replace(state=orders.CANCELLED))
        assert [kind for kind, *_ in stage.told()] == [codes.ORDER_ACK, codes.CANCELLED]

    play(scenario)


def test_an_adopted_order_is_found_in_the_books_and_goes_on() -> None:
    async def scenario(stage: Stage) -> None:
        stage.port.adopt(new_order(quantity=195))
        rows = (
            row_of(TAG, broker_id="a", quantity=130, state=orders.PARTIAL, filled=65, value=650),
            row_of(order_tag(KEY, 1, 1), broker_id="b"),
        )
        stage.port.settle(Books(rows, (), (), Funds(0, 0), 10**15), 35 * 10**9)
        assert stage.told() == [(codes.FILL, 1, 65, 650, 0), (codes.ORDER_ACK, 1, 65, 650, 0)]
        stage.port.cancel(1)
        assert [body["orderid"] for _, body, _ in stage.wire.written] == ["a", "b"]

    play(scenario)


def test_a_request_for_an_order_that_was_never_here_is_an_error() -> None:
    async def scenario(stage: Stage) -> None:
        with pytest.raises(BrokerError, match="cancel of order 5: it was not sent here"):
            stage.port.cancel(5)

    play(scenario)


def test_while_updates_are_not_heard_the_books_are_looked_at() -> None:
    async def scenario(stage: Stage) -> None:
        stage.updates.on_health(False, "dropped")
        await asyncio.sleep(5)
        assert stage.doubts == []  # nothing works
        stage.port.submit(new_order())
        await asyncio.sleep(5)
        stage.updates.on_health(True, "receiving")

    stage = play(scenario)
    assert set(stage.doubts[:-1]) == {"order updates are not heard: dropped"}
    assert "some may have been missed" in stage.doubts[-1]
    assert stage.channel == [(True, ""), (False, "order updates are not heard: dropped"), (True, "")]


def test_the_books_are_whole_or_an_error() -> None:
    async def scenario(stage: Stage) -> None:
        books = stage.account.books
        empty = await stage.port.books()
        assert empty[:4] == ((), (), (), Funds(1, 2))
        books[ORDER_BOOK] = [book_row(variety="STOPLOSS", orderid="o1", ordertag=TAG)]
        trade = {key: book_row()[key] for key in ("exchange", "tradingsymbol", "transactiontype")}
        books[TRADE_BOOK] = [trade | {"orderid": "o1", "fillid": "f1", "fillsize": "65", "fillprice": "100.35"}]
        books[POSITIONS] = [book_row(netqty="-65", avgnetprice="100.35")]
        whole = await stage.port.books()
        assert whole.fills == (("o1", "f1", "35003", codes.BUY, 65, 10_035),)
        assert whole.positions[0][4:] == (-65, 10_035)
        stage.port.cancel_orphan(whole.orders[0])
        assert stage.wire.written[0][1] == {"variety": "STOPLOSS", "orderid": "o1"}
        books[TRADE_BOOK] = [trade | {"tradingsymbol": "OTHER"}]
        with pytest.raises(RequestError, match="no book has yet"):
            await stage.port.books()
        books[TRADE_BOOK] = rate_error()
        with pytest.raises(RequestError, match="asked too often"):
            await stage.port.books()

    play(scenario)


def test_nothing_is_told_after_the_end() -> None:
    async def scenario(stage: Stage) -> None:
        stage.port.submit(new_order())

    stage = play(scenario)
    assert (stage.answers, stage.doubts) == ([], [])
    assert json.dumps(stage.wire.written[0][1])
