"""The order service without faults: life of orders, matching, checks, books, sums."""

import itertools
import random
from typing import Any

import pytest

from lab.order_desk import LOT, SYMBOL, TOKEN, Desk, change, wanted
from myquant.lab.angelone.envelope import TOO_OFTEN
from myquant.lab.angelone.order_service import ORDER, ORDERS_PER_SECOND, Terms
from myquant.lab.angelone.orders import CANCELLED, COMPLETE, OPEN, REJECTED, TRIGGER_PENDING

ORDER_FIELDS = """variety ordertype producttype duration price triggerprice quantity disclosedquantity squareoff stoploss
    trailingstoploss tradingsymbol transactiontype exchange symboltoken instrumenttype strikeprice optiontype expirydate
    lotsize cancelsize averageprice filledshares unfilledshares orderid text status orderstatus updatetime exchtime
    exchorderupdatetime fillid filltime parentorderid ordertag uniqueorderid exchangeorderid"""
TRADE_FIELDS = """exchange producttype tradingsymbol instrumenttype symbolgroup strikeprice optiontype expirydate marketlot
    precision multiplier tradevalue transactiontype fillprice fillsize orderid fillid filltime"""
POSITION_FIELDS = """exchange symboltoken producttype tradingsymbol symbolname instrumenttype priceden pricenum genden
    gennum precision multiplier boardlotsize buyqty sellqty buyamount sellamount symbolgroup strikeprice optiontype
    expirydate lotsize cfbuyqty cfsellqty cfbuyamount cfsellamount buyavgprice sellavgprice avgnetprice netvalue netqty
    totalbuyvalue totalsellvalue cfbuyavgprice cfsellavgprice totalbuyavgprice totalsellavgprice netprice ltp close
    realised unrealised pnl"""


def holding(quantity: int = LOT, terms: Terms = Terms(participation=1.0)) -> Desk:  # noqa: B008  (immutable)
    """Return a desk that has bought at 200.05."""
    desk = Desk(terms)
    desk.market(20_000)
    assert desk.place("BUY", quantity, "201.00").state == COMPLETE
    return desk


def test_a_marketable_limit_fills_at_the_quote_when_it_arrives() -> None:
    desk = Desk()
    desk.market(20_000, bid=19_990, ask=20_010)
    order = desk.place("BUY", 2 * LOT, "201.00", ordertag="MINE1")
    assert (order.state, order.filled, order.value) == (COMPLETE, 150, 150 * 20_010)
    assert desk.words(order) == [("AB09", "open pending"), ("AB01", "open"), ("AB05", "complete")]
    assert [frame["orderData"]["ordertag"] for frame in desk.updates] == ["MINE1"] * 3
    times = [time_ns for time_ns, _ in order.timeline]
    assert times[1] - times[0] == 5_000_000  # on its way


def test_it_never_fills_beyond_its_limit_and_takes_a_share_of_a_print() -> None:
    desk = Desk(Terms(participation=0.1))
    desk.market(20_000, ask=20_010)
    order = desk.place("BUY", 4 * LOT, "200.05")
    assert (order.state, order.filled) == (OPEN, 0)
    desk.market(19_990, ask=20_005, volume=1_500)  # a tenth is two lots
    assert (order.state, order.filled) == (OPEN, 150)
    desk.market(19_990, ask=20_006, volume=100_000)
    assert order.filled == 150
    desk.market(19_980, ask=19_985, volume=0)  # a lot at least
    assert (order.filled, order.value) == (225, 150 * 20_005 + 75 * 19_985)
    assert desk.updates[-1]["orderData"]["filledshares"] == "225"
    (row,) = desk.data("getOrderBook")
    assert (row["averageprice"], row["unfilledshares"], row["status"]) == (order.value / 22_500, "75", "open")


@pytest.mark.parametrize("gap", [0, 2_000])
def test_a_stop_order_waits_for_the_last_price_and_then_works_as_a_limit(gap: int) -> None:
    desk = holding()
    stop = desk.place("SELL", LOT, "180.00", "190.00")
    assert (stop.state, desk.words(stop)) == (TRIGGER_PENDING, [("AB09", "open pending"), ("AB10", "trigger pending")])
    desk.market(19_005, bid=18_000)  # its quote is beyond the trigger, its price is not
    assert stop.state == TRIGGER_PENDING
    desk.market(19_000 - gap)
    if gap:
        assert (stop.state, stop.filled) == (OPEN, 0)  # the market has leapt over the limit
        desk.market(18_050)
    assert (stop.state, stop.value) == (COMPLETE, LOT * (18_045 if gap else 18_995))


def test_a_stop_order_follows_and_becomes_a_limit() -> None:
    desk = holding()
    stop = desk.place("SELL", LOT, "180.00", "190.00")
    reply = desk.ask("POST", f"{ORDER}/modifyOrder", change(stop, "185.00", "195.00"))
    assert reply["data"] == {"orderid": stop.order_id, "uniqueorderid": stop.unique_id}
    assert (stop.state, stop.limit, stop.trigger) == (TRIGGER_PENDING, 18_500, 19_500)
    assert desk.words(stop)[2:] == [("AB11", "modify pending"), ("AB04", "modified"), ("AB10", "trigger pending")]
    desk.ask("POST", f"{ORDER}/modifyOrder", change(stop, "199.00", variety="STOPLOSS"))
    assert (stop.state, stop.order_type, stop.value) == (COMPLETE, "LIMIT", LOT * 19_995)


def test_a_cancellation_ends_what_is_left() -> None:
    desk = Desk(Terms(participation=0.1))
    desk.market(20_000, volume=0)
    order = desk.place("BUY", 3 * LOT, "201.00")
    assert (order.state, order.filled) == (OPEN, LOT)
    body = {"variety": "NORMAL", "orderid": order.order_id}
    assert desk.ask("POST", f"{ORDER}/cancelOrder", body)["status"] is True
    assert (order.state, order.filled) == (CANCELLED, LOT)
    (row,) = desk.data("getOrderBook")
    assert (row["cancelsize"], row["filledshares"], row["status"]) == ("150", "75", "cancelled")
    assert desk.ask("POST", f"{ORDER}/cancelOrder", body)["errorcode"] == "AB1013"
    assert desk.ask("POST", f"{ORDER}/modifyOrder", change(order, "202.00"))["errorcode"] == "AB1013"


def test_what_comes_too_late_changes_nothing() -> None:
    desk = Desk()
    desk.market(20_000)
    order = desk.place("BUY", LOT, "199.00")
    desk.send("POST", f"{ORDER}/cancelOrder", {"variety": "NORMAL", "orderid": order.order_id})
    desk.send("POST", f"{ORDER}/modifyOrder", change(order, "198.00"))
    desk.service.take_price(TOKEN, 19_900, 19_890, 19_895, 1_000)
    desk.wait(1.0)
    assert (order.state, order.value, order.limit) == (COMPLETE, LOT * 19_895, 19_900)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (("BUY", 50, "201.00", ""), "multiple of the lot size"),
        (("BUY", 1875, "201.00", ""), "exceeds the freeze quantity 1800"),
        (("BUY", LOT, "201.01", ""), "multiple of the tick size"),
        (("BUY", LOT, "501.00", ""), "circuit limits"),
        (("BUY", LOT, "9.00", ""), "circuit limits"),
        (("BUY", 1800, "201.00", ""), "Insufficient Funds"),
        (("SELL", 2 * LOT, "199.00", ""), "Margin Exceeds, a sale of 150 where 75 can be sold"),
        (("SELL", LOT, "191.00", "190.00"), "near side of its trigger"),
    ],
)
def test_the_check_of_risk_rejects_after_success(wish: tuple[str, int, str, str], words: str) -> None:
    desk = holding(terms=Terms(cash_paise=2_000_000, participation=1.0))
    order = desk.place(*wish)
    assert (order.state, desk.words(order)) == (REJECTED, [("AB03", "rejected")])
    assert words in order.text
    assert desk.data("getOrderBook")[-1]["text"] == order.text


def test_working_sells_never_sum_to_more_than_is_held() -> None:
    desk = holding(2 * LOT)
    stop = desk.place("SELL", 2 * LOT, "180.00", "190.00")
    assert desk.place("SELL", LOT, "199.00").state == REJECTED
    desk.ask("POST", f"{ORDER}/modifyOrder", change(stop, "180.00", "190.00", quantity=str(LOT)))
    assert desk.place("SELL", LOT, "199.00").state == COMPLETE


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"ordertype": "MARKET"}, "LAB001"),
        ({"ordertype": "STOPLOSS_MARKET", "variety": "STOPLOSS"}, "LAB001"),
        ({"duration": "IOC"}, "LAB002"),
        ({"duration": "GTC"}, "AB1012"),
        ({"variety": "STOPLOSS"}, "AB1008"),
        ({"variety": "FANCY"}, "AB1008"),
        ({"symboltoken": "1"}, "AB1009"),
        ({"exchange": "BFO"}, "AB1009"),
        ({"tradingsymbol": "NIFTY07OCT2524900PE"}, "AB1018"),
        ({"producttype": "DELIVERY"}, "AB1012"),
        ({"transactiontype": "HOLD"}, "AB1012"),
        ({"quantity": "-75"}, "AB1012"),
        ({"quantity": ""}, "AB1012"),
        ({"price": "0"}, "AB1012"),
        ({"price": "nan"}, "AB1012"),
        ({"price": "Infinity"}, "AB1012"),
        ({"price": "200.005"}, "AB1012"),
        ({"ordertag": "T" * 20}, "AB1012"),
        ({"quantity": 75}, "AB1012"),
    ],
)
def test_bad_input_is_refused_at_once(other: dict[str, Any], code: str) -> None:
    desk = Desk()
    reply = desk.ask("POST", f"{ORDER}/placeOrder", {**wanted("BUY", LOT, "200.00"), **other})
    assert (reply["status"], reply["errorcode"], reply["data"]) == (False, code, None)
    assert desk.service.book.orders == []


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"producttype": "CARRYFORWARD"}, "AB1012"),
        ({"symboltoken": "1"}, "AB1012"),
        ({"tradingsymbol": "X"}, "AB1018"),
        ({"ordertype": "STOPLOSS_LIMIT", "variety": "STOPLOSS", "triggerprice": "198.00"}, "AB1012"),
        ({"ordertype": "MARKET"}, "LAB001"),
        ({"quantity": "1875"}, "AB1012"),
        ({"orderid": "7"}, "AB1013"),
    ],
)
def test_a_bad_modification_is_refused_and_changes_nothing(other: dict[str, str], code: str) -> None:
    desk = Desk()
    order = desk.place("BUY", LOT, "199.00")
    reply = desk.ask("POST", f"{ORDER}/modifyOrder", change(order, "200.00", **other))
    assert (reply["status"], reply["errorcode"]) == (False, code)
    assert (order.limit, order.quantity, order.trigger, order.state) == (19_900, LOT, 0, OPEN)


def test_the_limits_are_of_the_calendar_second() -> None:
    desk = Desk()
    desk.wait(0.9)
    body = wanted("BUY", LOT, "199.00")
    first = [desk.send("POST", f"{ORDER}/placeOrder", body) for _ in range(ORDERS_PER_SECOND)]
    refused = desk.send("POST", f"{ORDER}/cancelOrder", {"variety": "NORMAL", "orderid": "1"})
    books = [desk.send("GET", f"{ORDER}/{name}") for name in ("getOrderBook", "getTradeBook", "getOrderBook")]
    desk.wait(0.1)
    assert [status for ((status, _),) in first] == [200] * 9
    assert refused == [(403, TOO_OFTEN.encode())]
    assert [status for ((status, _),) in books] == [200, 200, 403]
    desk.place("BUY", LOT, "199.00")  # the next second has begun
    assert desk.service.counts["requests_too_often"] == 2


def test_a_tag_makes_another_order_unless_the_lab_dedupes() -> None:
    for dedupe, count in ((False, 2), (True, 1)):
        desk = Desk(Terms(dedupe=dedupe))
        orders = [desk.place("BUY", LOT, "199.00", ordertag="SAME") for _ in range(2)]
        assert len(desk.service.book.orders) == len({order.order_id for order in orders}) == count


def test_orders_alone_must_come_from_the_registered_address() -> None:
    desk = Desk(Terms(static_ip="10.1.1.1"))
    body = wanted("BUY", LOT, "199.00")
    assert desk.ask("POST", f"{ORDER}/placeOrder", body, **{"X-ClientPublicIP": "10.1.1.2"})["errorcode"] == "LAB003"
    assert desk.ask("GET", f"{ORDER}/getOrderBook")["status"] is True
    assert desk.ask("POST", f"{ORDER}/placeOrder", body, **{"X-clientpublicip": "10.1.1.1"})["status"] is True


def test_the_books_have_the_fields_and_types_of_the_real_ones() -> None:
    desk = Desk()
    desk.market(20_000)
    names = ("getOrderBook", "getTradeBook", "getPosition")
    assert [desk.data(name) for name in names] == [None] * 3
    order = desk.place("BUY", LOT, "201.00", ordertag="MINE")
    (row,), (trade,), (position,) = (desk.data(name) for name in names)
    for found, fields in ((row, ORDER_FIELDS), (trade, TRADE_FIELDS), (position, POSITION_FIELDS)):
        assert set(found) == set(fields.split())
    assert (row["price"], row["quantity"], row["ordertag"], row["expirydate"]) == (201.0, "75", "MINE", "07OCT2025")
    assert row["updatetime"].startswith("03-Oct-2025 09:15:")
    assert (trade["fillprice"], trade["fillsize"], trade["orderid"]) == (200.05, "75", order.order_id)
    assert (position["netqty"], position["buyavgprice"], position["tradingsymbol"]) == ("75", "200.05", SYMBOL)
    details = desk.ask("GET", f"{ORDER}/details/{order.unique_id}")
    assert details["data"] == row
    assert desk.ask("GET", f"{ORDER}/details/nope")["errorcode"] == "AB1013"
    assert set(desk.updates[-1]) == {"user-id", "status-code", "order-status", "error-message", "orderData"}
    assert desk.updates[-1]["status-code"] == "200"
    pushed = desk.updates[-1]["orderData"]
    assert pushed == {name: row[name] for name in pushed}
    assert set(row) - set(pushed) == {"uniqueorderid", "exchangeorderid"}


@pytest.mark.parametrize("seed", range(6))
def test_orders_trades_positions_and_funds_agree(seed: int) -> None:
    rng = random.Random(seed)
    desk, price = Desk(Terms(participation=0.3)), 20_000
    for _ in range(120):
        price = max(price + 5 * rng.randint(-20, 20), 2_000)
        desk.market(price, volume=rng.randint(0, 2_000))
        side, lots, offset = rng.choice(["BUY", "SELL"]), rng.randint(1, 6), 5 * rng.randint(-10, 10)
        order = desk.place(side, lots * LOT, f"{(price + offset) / 100:.2f}")
        if rng.random() < 0.3:
            desk.send("POST", f"{ORDER}/cancelOrder", {"variety": "NORMAL", "orderid": order.order_id})
        if rng.random() < 0.3:
            desk.send("POST", f"{ORDER}/modifyOrder", change(order, f"{price / 100:.2f}"))
        desk.wait(1.0)
    orders, trades, positions = (desk.data(name) for name in ("getOrderBook", "getTradeBook", "getPosition"))
    (position,), funds = positions, desk.funds()
    truth = desk.service.book.orders
    for row, order in zip(orders, truth, strict=True):
        own = [trade for trade in trades if trade["orderid"] == row["orderid"]]
        assert int(row["filledshares"]) == order.filled == sum(int(trade["fillsize"]) for trade in own)
        assert round(row["averageprice"] * 100 * order.filled) == order.value
        assert order.filled <= order.quantity
        if "modified" not in [what for _, what in order.timeline]:
            assert all(order.side * (trade["fillprice"] * 100 - order.limit) < 1e-6 for trade in own)
    bought, sold = (sum(order.filled for order in truth if order.side == side) for side in (1, -1))
    assert (position["buyqty"], position["sellqty"], position["netqty"]) == (str(bought), str(sold), str(bought - sold))
    spent = sum(order.side * order.value for order in truth) / 100
    blocked = sum(order.left * order.limit for order in truth if order.is_working and order.side == 1) / 100
    assert funds["net"] == pytest.approx(1_000_000 - spent - blocked, abs=0.001)
    assert funds["net"] == pytest.approx(1_000_000 - funds["utiliseddebits"] + funds["m2mrealized"], abs=0.001)
    assert position["pnl"] == pytest.approx((bought - sold) * position["ltp"] - spent, abs=0.001)
    assert desk.service.book.positions[TOKEN, "INTRADAY"].lowest == 0
    assert bought > 10 * LOT < sold
    kinds = {order.state for order in truth}
    assert kinds >= {COMPLETE, CANCELLED, REJECTED}


def test_ids_are_unlike_each_other_and_the_same_for_a_seed() -> None:
    def ids() -> list[tuple[str, str]]:
        desk = Desk()
        orders = [desk.place("BUY", LOT, "199.00") for _ in range(3)]
        return [(order.order_id, order.unique_id) for order in orders]

    assert ids() == ids()
    assert len(set(itertools.chain(*ids()))) == 6
