"""The bodies of replies: the broker's envelope in its two spellings, its refusals, and its plain texts."""

import json
from typing import Any, Final

from myquant.lab.angelone.account import Refusal

USER: Final = "/rest/secure/angelbroking/user/v1"
REQUIRED_HEADERS: Final = ("X-UserType", "X-SourceID", "X-ClientLocalIP", "X-ClientPublicIP", "X-MACAddress", "Accept")
TOO_OFTEN: Final = "Access denied because of exceeding access rate"
BAD_INPUT: Final = Refusal("AB1012", "Invalid input")
BAD_VARIETY: Final = Refusal("AB1008", "Invalid Order Variety")
UNKNOWN_SYMBOL: Final = Refusal("AB1009", "Symbol Not Found")
WRONG_SYMBOL: Final = Refusal("AB1018", "Failed to Get Symbol Details")
NO_ORDER: Final = Refusal("AB1013", "Order not found")
# How the real service refuses these three is not documented; the codes are the lab's own, so that nobody relies on them.
NO_MARKET_ORDER: Final = Refusal("LAB001", "MARKET orders are prohibited: send a LIMIT order")
NO_IOC_ORDER: Final = Refusal("LAB002", "IOC orders are prohibited: send a DAY order")
WRONG_IP: Final = Refusal("LAB003", "The request does not come from the registered static IP")


def accepted_body(data: Any) -> bytes:
    """Return the envelope of success."""
    return json.dumps({"status": True, "message": "SUCCESS", "errorcode": "", "data": data}).encode()


def refused_body(why: Refusal) -> bytes:
    """Return the envelope of a failure."""
    if why.code.startswith("AG"):
        return json.dumps({"success": False, "message": why.message, "errorCode": why.code, "data": ""}).encode()
    return json.dumps({"status": False, "message": why.message, "errorcode": why.code, "data": None}).encode()


def broken_body(status: int) -> bytes:
    """Return the page of a broken server."""
    return f"<html><body><h1>{status}</h1></body></html>".encode()
