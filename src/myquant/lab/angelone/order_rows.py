"""Rows of the order book, trade book and positions, the funds, and the frames of order updates, as the broker has them.

Types are as mixed as there: in orders prices are floats and quantities texts. Frames are as the documentation of the
order-status stream and public captures of it show them: the code of the change is `order-status`, `status-code` is 200,
and the order lacks some fields of the book. Whether a real average price is rounded is not known; here it is not.
"""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from myquant.core import codes
from myquant.lab.angelone.instruments import MONTHS, Listed
from myquant.lab.angelone.orders import (
    CANCELLED,
    COMPLETE,
    MODIFIED,
    MODIFY_PENDING,
    OPEN,
    OPEN_PENDING,
    REJECTED,
    TRIGGER_PENDING,
    Funds,
    Order,
    Position,
    Trade,
)
from myquant.ticks.generate import SECOND_NS

INDIA: Final = timezone(timedelta(hours=5, minutes=30))
SIDES: Final = {codes.BUY: "BUY", codes.SELL: "SELL"}
CONNECTED: Final = "AB00"
UPDATE_CODES: Final = {
    OPEN: "AB01",
    CANCELLED: "AB02",
    REJECTED: "AB03",
    MODIFIED: "AB04",
    COMPLETE: "AB05",
    OPEN_PENDING: "AB09",
    TRIGGER_PENDING: "AB10",
    MODIFY_PENDING: "AB11",
}
PUSHED: Final = (
    *("variety", "ordertype", "ordertag", "producttype", "price", "triggerprice", "quantity", "disclosedquantity"),
    *("duration", "squareoff", "stoploss", "trailingstoploss", "tradingsymbol", "transactiontype", "exchange"),
    *("symboltoken", "instrumenttype", "strikeprice", "optiontype", "expirydate", "lotsize", "cancelsize"),
    *("averageprice", "filledshares", "unfilledshares", "orderid", "text", "status", "orderstatus", "updatetime"),
    *("exchtime", "exchorderupdatetime", "fillid", "filltime", "parentorderid"),
)
EMPTY: Final = {
    **dict.fromkeys(("price", "triggerprice", "squareoff", "stoploss", "trailingstoploss", "strikeprice"), 0),
    **dict.fromkeys(("quantity", "disclosedquantity", "lotsize", "cancelsize"), "0"),
    "averageprice": 0,
}  # in the frame that greets; else a text without letters
FUNDS: Final = (
    "net",
    "availablecash",
    "availableintradaypayin",
    "availablelimitmargin",
    "collateral",
    "m2munrealized",
    "m2mrealized",
    "utiliseddebits",
    "utilisedspan",
    "utilisedoptionpremium",
    "utilisedholdingsales",
    "utilisedexposure",
    "utilisedturnover",
    "utilisedpayout",
)


def order_row(order: Order, word: str = "") -> dict[str, Any]:
    """Return an order as the order book has it; `word` instead of its status, as an update may say."""
    status, listed = word or order.state, order.wanted.tradable.listed
    is_stop = order.order_type == "STOPLOSS_LIMIT"
    updated = _stamp(order.updated_ns)
    return {
        "variety": "STOPLOSS" if is_stop else "NORMAL",
        "ordertype": order.order_type,
        "producttype": order.wanted.product,
        "duration": "DAY",
        "price": order.limit / 100,
        "triggerprice": order.trigger / 100,
        "quantity": str(order.quantity),
        "disclosedquantity": "0",
        "squareoff": 0.0,
        "stoploss": 0.0,
        "trailingstoploss": 0.0,
        "tradingsymbol": listed.symbol,
        "transactiontype": SIDES[order.side],
        "exchange": listed.segment,
        "symboltoken": listed.token,
        **_contract(listed),
        "lotsize": str(listed.lot_size),
        "cancelsize": str(order.left if order.state == CANCELLED else 0),
        "averageprice": order.value / order.filled / 100 if order.filled else 0.0,
        "filledshares": str(order.filled),
        "unfilledshares": str(order.left),
        "orderid": order.order_id,
        "text": order.text,
        "status": status,
        "orderstatus": status,
        "updatetime": updated,
        "exchtime": updated if order.exchange_id else "",
        "exchorderupdatetime": updated if order.exchange_id else "",
        "fillid": "",  # the trade book has them
        "filltime": "",
        "parentorderid": "",
        "ordertag": order.tag,
        "uniqueorderid": order.unique_id,
        "exchangeorderid": order.exchange_id,
    }


def trade_row(order: Order, trade: Trade) -> dict[str, Any]:
    """Return a fill as the trade book has it."""
    listed = order.wanted.tradable.listed
    return {
        "exchange": listed.segment,
        "producttype": order.wanted.product,
        "tradingsymbol": listed.symbol,
        "symbolgroup": "XX",
        **_contract(listed),
        "marketlot": str(listed.lot_size),
        "precision": "2",
        "multiplier": "1",
        "tradevalue": trade.quantity * trade.price / 100,
        "transactiontype": SIDES[order.side],
        "fillprice": trade.price / 100,
        "fillsize": str(trade.quantity),
        "orderid": order.order_id,
        "fillid": trade.fill_id,
        "filltime": _stamp(trade.time_ns)[-8:],
    }


def position_row(listed: Listed, product: str, position: Position, last: int, close: int) -> dict[str, Any]:
    """Return a net position; `last` and `close` are prices, paise, 0: there is none."""
    bought, sold = position.buy_quantity, position.sell_quantity
    buy_average = position.buy_value / bought if bought else 0.0
    sell_average = position.sell_value / sold if sold else 0.0
    net_value, net = position.sell_value - position.buy_value, position.net
    average = buy_average if net > 0 else sell_average if net < 0 else 0.0
    unrealised = net * (last - average) if last else 0.0
    return {
        "exchange": listed.segment,
        "symboltoken": listed.token,
        "producttype": product,
        "tradingsymbol": listed.symbol,
        "symbolname": listed.name,
        "symbolgroup": "XX",
        **_contract(listed),
        **dict.fromkeys(("priceden", "pricenum", "genden", "gennum", "multiplier"), "1"),
        "precision": "2",
        "boardlotsize": "1",
        "lotsize": str(listed.lot_size),
        "buyqty": str(bought),
        "sellqty": str(sold),
        "buyamount": _rupees(position.buy_value),
        "sellamount": _rupees(position.sell_value),
        **dict.fromkeys(("cfbuyqty", "cfsellqty"), "0"),
        **dict.fromkeys(("cfbuyamount", "cfsellamount", "cfbuyavgprice", "cfsellavgprice"), "0.00"),
        "buyavgprice": _rupees(buy_average),
        "sellavgprice": _rupees(sell_average),
        "avgnetprice": _rupees(average),
        "netvalue": _rupees(net_value),
        "netqty": str(net),
        "totalbuyvalue": _rupees(position.buy_value),
        "totalsellvalue": _rupees(position.sell_value),
        "totalbuyavgprice": _rupees(buy_average),
        "totalsellavgprice": _rupees(sell_average),
        "netprice": _rupees(net_value / net if net else 0.0),
        "ltp": last / 100,
        "close": close / 100,
        "realised": position.realised / 100,
        "unrealised": unrealised / 100,
        "pnl": (position.realised + unrealised) / 100,
    }


def funds_row(funds: Funds) -> dict[str, str]:
    """Return the answer of getRMS. What purchases took and buys block are debits; what was realised is not in them."""
    spent = funds.opening + funds.realised - funds.cash  # the cost of what is held
    amounts = {
        "net": funds.available,
        "availablecash": funds.available,
        "m2mrealized": funds.realised,
        "utiliseddebits": funds.blocked + spent,
        "utilisedoptionpremium": funds.blocked + spent,
    }
    return {name: f"{amounts.get(name, 0) / 100:.4f}" for name in FUNDS}


def update_frame(user: str, order: Order, word: str) -> dict[str, Any]:
    """Return the frame that tells of a change of an order."""
    row = order_row(order, word)
    return _frame(user, UPDATE_CODES[word], {name: row[name] for name in PUSHED})


def first_frame(user: str) -> dict[str, Any]:
    """Return the frame that greets a new connection."""
    return _frame(user, CONNECTED, {name: EMPTY.get(name, "") for name in PUSHED})


def _frame(user: str, code: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"user-id": user, "status-code": "200", "order-status": code, "error-message": "", "orderData": data}


def _contract(listed: Listed) -> dict[str, Any]:
    expiry = listed.expiry
    return {
        "instrumenttype": listed.kind,
        "strikeprice": -1.0 if listed.strike is None else float(listed.strike),
        "optiontype": listed.right or "",
        "expirydate": "" if expiry is None else f"{expiry.day:02d}{MONTHS[expiry.month - 1]}{expiry.year}",
    }


def _stamp(time_ns: int) -> str:
    """Return a time as dd-MMM-yyyy HH:MM:SS in India."""
    time = datetime.fromtimestamp(time_ns // SECOND_NS, UTC).astimezone(INDIA)
    return f"{time.day:02d}-{MONTHS[time.month - 1].title()}-{time:%Y %H:%M:%S}"


def _rupees(paise: float) -> str:
    return f"{paise / 100:.2f}"
