"""Angel One's rows and updates: read strictly, and what is not known is named and ends nothing."""

import json
from decimal import Decimal
from typing import Any

import pytest

from brokers.order_stage import book_row
from myquant.brokers.angelone.order_books import fill_rows, half_up, order_row, order_rows, position_rows
from myquant.brokers.angelone.order_requests import OrderRequests, rupees
from myquant.brokers.angelone.order_updates import update_row
from myquant.brokers.angelone.order_words import STATES, UPDATES
from myquant.brokers.port import RequestError
from myquant.brokers.secrets import Redactor
from myquant.core import orders
from myquant.errors import ConfigError

REDACTOR = Redactor(["planted"])
FILLS = {orders.FILLED: "65", orders.WORKING: "0", orders.CANCELLED: "0", orders.REJECTED: "0"}


def row(**changes: Any) -> Any:
    return order_row("order book", book_row(**changes), REDACTOR)


def update(code: str, status_code: str = "200", **changes: Any) -> Any:
    frame = {
        "user-id": "U",
        "status-code": status_code,
        "order-status": code,
        "error-message": "",
        "orderData": book_row(**changes),
    }
    return update_row(json.dumps(frame, default=float).encode(), REDACTOR)


@pytest.mark.parametrize("word", STATES)
def test_each_status_word_has_its_state_in_any_case(word: str) -> None:
    for spelt in (word, word.upper(), f" {word.title()} "):
        assert row(orderstatus=spelt, filledshares=FILLS[STATES[word]]).state == STATES[word]


def test_a_row_is_read_to_the_paisa() -> None:
    read = row(filledshares="35", averageprice=100.3357, ordertag="T", triggerprice="99.95", text="why planted")
    assert read == ("b1", "T", "35003", 1, 65, 35, 351_175, 10_050, 9_995, orders.PARTIAL, "why ***")
    assert [half_up(Decimal(text)) for text in ("0.5", "1.49999", "2.5")] == [1, 1, 3]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"orderstatus": "vanished"}, "unknown order status 'vanished'"),
        ({"orderstatus": None, "status": None}, "unknown order status ''"),
        ({"orderstatus": "complete", "filledshares": "30"}, "status 'complete', yet 30 of 65 filled"),
        ({"orderstatus": "rejected", "filledshares": "65"}, "status 'rejected', yet 65 of 65 filled"),
        ({"filledshares": "66"}, "status 'open', yet 66 of 65 filled"),
    ],
)
def test_a_status_that_says_nothing_sure_is_named(changes: dict[str, Any], said: str) -> None:
    assert row(**changes)[-2:] == (orders.UNKNOWN, said)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"producttype": "NEWONE"}, "unknown producttype 'NEWONE'"),
        ({"transactiontype": "HOLD"}, "unknown transactiontype 'HOLD'"),
        ({"orderid": ""}, "no orderid"),
        ({"orderid": 5}, "no orderid"),
        ({"quantity": "6.5"}, "no quantity"),
        ({"quantity": "-65"}, "no quantity"),
        ({"filledshares": None}, "no filledshares"),
        ({"averageprice": "NaN"}, "no averageprice"),
        ({"averageprice": True}, "no averageprice"),
        ({"price": "1e99"}, "no price"),
        ({"averageprice": "1e10", "filledshares": "9999999999", "quantity": "9999999999"}, "no averageprice"),
        ({"ordertag": 7}, "no ordertag"),
    ],
)
def test_a_row_that_can_t_be_read_is_an_error(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        row(**changes)


@pytest.mark.parametrize("data", ["", {}, [1], 5, "rows"])
def test_an_empty_book_is_null_and_nothing_else(data: Any) -> None:
    assert [order_rows(None, REDACTOR), fill_rows(None, {}), position_rows(None)] == [()] * 3
    with pytest.raises(RequestError, match="no list of rows"):
        order_rows(data, REDACTOR)


@pytest.mark.parametrize("code", UPDATES)
def test_each_update_code_has_its_state(code: str) -> None:
    word = next(word for word, state in STATES.items() if state == UPDATES[code])
    assert update(code, orderstatus=word, filledshares=FILLS[UPDATES[code]]).state == UPDATES[code]


def test_an_update_that_is_not_known_or_contradicts_itself_ends_nothing() -> None:
    assert update("AB99", orderstatus="cancelled")[-2:] == (orders.UNKNOWN, "unknown update code 'AB99'")
    assert update("AB02", status_code="500", orderstatus="cancelled")[-1] == "unknown update status '500'"
    assert update("AB02", orderstatus="open").state == orders.UNKNOWN
    assert update("AB01", orderstatus="rejected").state == orders.UNKNOWN
    assert update("AB01", filledshares="35").state == orders.PARTIAL


@pytest.mark.parametrize(
    "text", [b"", b"hello", b"[]", b"{}", b'{"order-status":1}', b"[" * 9999, b'{"order-status":"AB01"}']
)
def test_a_frame_that_is_no_update_is_an_error(text: bytes) -> None:
    with pytest.raises(RequestError, match="order update"):
        update_row(text, REDACTOR)


def test_the_first_frame_tells_of_no_order() -> None:
    assert update_row(b'{"status-code":"200","order-status":"AB00","orderData":{}}', REDACTOR) is None


def test_prices_are_rupees_with_two_decimals_and_headers_one_line() -> None:
    assert [rupees(paise) for paise in (5, 10_005, 120)] == ["0.05", "100.05", "1.20"]
    with pytest.raises(ConfigError, match="header Authorization") as caught:
        OrderRequests("https://b.example", "INTRADAY").use({"Authorization": "Bearer planted\r\nX: y"})
    assert "planted" not in str(caught.value)


def test_what_is_filled_at_no_price_is_not_believed() -> None:
    read = row(orderstatus="complete", filledshares="65", averageprice=0.0)
    assert (read.state, read.filled, read.value, read.words) == (orders.UNKNOWN, 0, 0, "65 filled at no price")
