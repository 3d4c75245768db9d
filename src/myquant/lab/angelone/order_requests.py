"""The bodies of requests to place and to modify: read strictly, every value a text, as the documentation asks."""

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

from myquant.core import codes
from myquant.lab.angelone.account import Refusal
from myquant.lab.angelone.envelope import (
    BAD_INPUT,
    BAD_VARIETY,
    NO_IOC_ORDER,
    NO_MARKET_ORDER,
    UNKNOWN_SYMBOL,
    WRONG_SYMBOL,
)
from myquant.lab.angelone.orders import PRODUCTS, Change, Order, Tradable, Wanted

Body = Mapping[str, str]

TAG_BELOW: Final = 20  # characters
SIDES: Final = {"BUY": codes.BUY, "SELL": codes.SELL}
VARIETIES: Final = {"LIMIT": "NORMAL", "STOPLOSS_LIMIT": "STOPLOSS"}  # by the order types that are taken
ALL_VARIETIES: Final = ("NORMAL", "STOPLOSS", "ROBO")
MARKET_TYPES: Final = ("MARKET", "STOPLOSS_MARKET")
COMMON: Final = ("variety", "tradingsymbol", "symboltoken", "exchange", "ordertype", "producttype", "duration", "price")
OF_NEW: Final = (*COMMON, "quantity", "transactiontype")
OF_CHANGE: Final = (*COMMON, "quantity", "orderid")


def body_of(content: bytes, *names: str) -> Body | None:
    """Return a JSON object whose values are all texts and which has these names; None: it is not one."""
    try:
        body = json.loads(content)
    except ValueError:
        return None
    if not isinstance(body, dict) or not all(isinstance(value, str) for value in body.values()):
        return None
    return body if all(body.get(name) for name in names) else None


def wanted_of(content: bytes, tradables: Mapping[str, Tradable]) -> Wanted | Refusal:
    """Read a request to place."""
    body = body_of(content, *OF_NEW)
    if body is None:
        return BAD_INPUT
    why = _type_refusal(body)
    if why is not None:
        return why
    tradable = tradables.get(body["symboltoken"])
    if tradable is None or tradable.listed.segment != body["exchange"] or tradable.listed.is_index:
        return UNKNOWN_SYMBOL
    if tradable.listed.symbol != body["tradingsymbol"]:
        return WRONG_SYMBOL
    tag, change = body.get("ordertag", ""), _change_of(body)
    if change is None or body["transactiontype"] not in SIDES or len(tag) >= TAG_BELOW:
        return BAD_INPUT
    return Wanted(
        tradable,
        SIDES[body["transactiontype"]],
        change.quantity,
        change.limit,
        change.trigger,
        body["producttype"],
        tag,
        change.order_type,
    )


def change_of(body: Body, order: Order) -> Change | Refusal:
    """Read a request to modify an order: of the same instrument and product, and a stop order may become a limit."""
    why = _type_refusal(body)
    if why is not None:
        return why
    listed = order.wanted.tradable.listed
    same = (body["symboltoken"], body["exchange"], body["producttype"]) == (
        listed.token,
        listed.segment,
        order.wanted.product,
    )
    if not same:
        return BAD_INPUT
    if body["tradingsymbol"] != listed.symbol:
        return WRONG_SYMBOL
    change = _change_of(body)
    if change is None or (change.trigger and not order.trigger):
        return BAD_INPUT
    return change


def _type_refusal(body: Body) -> Refusal | None:
    if body["variety"] not in ALL_VARIETIES:
        return BAD_VARIETY
    if body["ordertype"] in MARKET_TYPES:
        return NO_MARKET_ORDER
    if body["duration"] == "IOC":
        return NO_IOC_ORDER
    if body["ordertype"] not in VARIETIES or body["duration"] != "DAY" or body["producttype"] not in PRODUCTS:
        return BAD_INPUT
    # A stop order that is made a limit may be named by the variety that it was placed with.
    is_conversion = "orderid" in body and body["variety"] == "STOPLOSS"
    return None if is_conversion or VARIETIES[body["ordertype"]] == body["variety"] else BAD_VARIETY


def _change_of(body: Body) -> Change | None:
    """Return quantity and prices; None: they are none."""
    is_stop = body["ordertype"] == "STOPLOSS_LIMIT"
    limit, trigger = _paise(body["price"]), _paise(body.get("triggerprice", "")) if is_stop else 0
    text = body["quantity"]
    if limit is None or trigger is None or not (text.isascii() and text.isdecimal()):
        return None
    if limit <= 0 or int(text) <= 0 or (is_stop and trigger <= 0):
        return None
    return Change(int(text), limit, trigger, body["ordertype"])


def _paise(text: str) -> int | None:
    """Return rupees as paise; None: no amount, or finer than a paisa."""
    try:
        paise = Decimal(text) * 100
        return int(paise) if paise == int(paise) else None
    except (InvalidOperation, ValueError, OverflowError):
        return None
