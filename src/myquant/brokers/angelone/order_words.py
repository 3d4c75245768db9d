"""Angel One's words for what became of an order, as states and verdicts; a word that is not here is named, never guessed."""

import json
from decimal import Decimal
from enum import IntEnum
from typing import Any, Final, NamedTuple

from myquant.brokers.angelone.answers import BROKER_NAME, is_about_address, opened, refusal
from myquant.brokers.http import Reply
from myquant.brokers.port import Remedy, RequestError
from myquant.brokers.secrets import READ_MAX, Redactor
from myquant.core import orders

# Words of the order book, in lower case.
STATES: Final = {
    "open": orders.WORKING,
    "open pending": orders.WORKING,
    "trigger pending": orders.WORKING,
    "modify pending": orders.WORKING,
    "modified": orders.WORKING,
    "complete": orders.FILLED,
    "cancelled": orders.CANCELLED,
    "rejected": orders.REJECTED,
    "after market order req received": orders.WORKING,
    "modify after market order req received": orders.WORKING,
    "cancelled after market order": orders.CANCELLED,
}

# Codes of the order-update socket, its `order-status`; `status-code` is that of HTTP.
CONNECTED: Final = "AB00"
UPDATES: Final = {
    "AB01": orders.WORKING,  # open
    "AB02": orders.CANCELLED,
    "AB03": orders.REJECTED,
    "AB04": orders.WORKING,  # modified
    "AB05": orders.FILLED,
    "AB06": orders.WORKING,  # after market: request received
    "AB07": orders.CANCELLED,  # after market
    "AB08": orders.WORKING,  # after market: modify request received
    "AB09": orders.WORKING,  # open pending
    "AB10": orders.WORKING,  # trigger pending
    "AB11": orders.WORKING,  # modify pending
}

PRODUCTS: Final = frozenset({"DELIVERY", "CARRYFORWARD", "INTRADAY", "MARGIN", "BO"})
SIDES: Final = {"BUY": 1, "SELL": -1}

# What is certain not to have been done when the broker says so.
_CERTAIN: Final = frozenset(
    {Remedy.BUG, Remedy.REFRESH_MASTER, Remedy.CONFIG, Remedy.STOP, Remedy.REFUSED, Remedy.ADDRESS}
)


class Said(IntEnum):
    """What an answer to a request about an order says."""

    TAKEN = 0
    REFUSED = 1  # for certain
    SESSION_ENDED = 2  # likewise, and it may be sent again in a new session
    UNSURE = 3
    TOO_OFTEN = 4  # unsure too: see `judge`
    GONE = 5  # refused for certain: what should be changed is not there, or has ended meanwhile


class Verdict(NamedTuple):
    """An answer, read. `words`: redacted, one line."""

    said: Said
    broker_id: str
    words: str


def judge(request: str, reply: Reply, redactor: Redactor, *, places: bool) -> Verdict:
    """Return what an answer says. Only what is beyond doubt is a refusal; `places`: the request is for a new order.

    A rate that was exceeded (429, or 403 in plain text) is none. The broker's pages do not say that nothing was done then,
    people report such answers far below the limits, and whatever stands before the order service may count what that has
    taken. An order that is sent again on such a word may be a second one.
    """
    if reply.status == 429:
        return Verdict(Said.TOO_OFTEN, "", reply.said(redactor))
    if reply.status >= 500:
        return Verdict(Said.UNSURE, "", reply.said(redactor))
    try:
        data = opened(request, reply.body, reply.status, redactor)
    except (ValueError, RecursionError):
        words = redactor.line(reply.body[:READ_MAX].decode("utf-8", "replace"))
        if reply.status in {400, 401, 403} and is_about_address(words):
            return Verdict(Said.REFUSED, "", str(refusal(request, "", words, reply.status)))
        unsure = Said.TOO_OFTEN if reply.status == 403 else Said.UNSURE
        return Verdict(unsure, "", f"{request}: {reply.said(redactor)} is no JSON")
    except RequestError as error:
        return Verdict(_meaning(error, places=places), "", str(error))
    broker_id = data.get("orderid") if isinstance(data, dict) else None
    if not isinstance(broker_id, str) or not broker_id or len(broker_id) > 64:
        return Verdict(Said.UNSURE, "", f"{request}: its answer of success names no order")
    return Verdict(Said.TAKEN, broker_id, "")


def _meaning(error: RequestError, *, places: bool) -> Said:
    if error.remedy is Remedy.RELOGIN:
        return Said.SESSION_ENDED
    if error.remedy in _CERTAIN:
        return Said.REFUSED
    if error.remedy is Remedy.RECONCILE and not places:
        return Said.GONE
    return Said.UNSURE


def frame_of(text: bytes) -> dict[str, Any]:
    """Return a frame of the order-update socket. Raises RequestError at what is none."""
    try:
        frame = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        frame = None
    if not isinstance(frame, dict) or not isinstance(frame.get("order-status"), str):
        raise RequestError(BROKER_NAME, "order update", "it is no update", Remedy.UNKNOWN)
    return frame
