"""The feed's requests: JSON texts that subscribe to tokens, and the error frames that answer bad ones."""

import json
from collections.abc import Container
from collections.abc import Set as AbstractSet
from typing import Any, Final, NamedTuple

from myquant.lab.angelone.packet import PACKET_BYTES

FEED_PATH: Final = "/smart-stream"  # where the socket is
SUBSCRIPTIONS_MAX: Final = 1000  # of one connection, counted by token and mode
SUBSCRIBE: Final = 1
UNSUBSCRIBE: Final = 0
BAD_PAYLOAD: Final = "E1001"
TOO_MANY: Final = "E1002"


class Wish(NamedTuple):
    """A token of an exchange type, in a mode."""

    mode: int
    exchange_type: int
    token: str


class Request(NamedTuple):
    """What a frame asks for."""

    subscribe: bool
    wishes: tuple[Wish, ...]
    correlation_id: str


class BadRequest(Exception):  # noqa: N818  (it is no defect but what a client sent)
    """A frame that is answered with an error; `answer` is the text to send."""

    def __init__(self, code: str, message: str, correlation_id: str) -> None:
        """Make the answer."""
        super().__init__(message)
        self.code = code
        self.answer = json.dumps({"correlationID": correlation_id, "errorCode": code, "errorMessage": message})


def parse_request(text: str) -> Request:
    """Read a request. Raises BadRequest (E1001) that says what is wrong with it."""
    try:
        body = json.loads(text)
    except ValueError:  # no JSON, or a number too long to read
        raise BadRequest(BAD_PAYLOAD, "Invalid Request Payload: not JSON", "") from None
    if not isinstance(body, dict):
        raise BadRequest(BAD_PAYLOAD, "Invalid Request Payload: not an object", "")
    correlation_id = body.get("correlationID") or ""
    if not isinstance(correlation_id, str) or len(correlation_id) > 10 or not (correlation_id + "0").isalnum():
        raise BadRequest(BAD_PAYLOAD, "Invalid Request Payload: correlationID", "")
    fault = _fault_of(body)
    if fault:
        raise BadRequest(BAD_PAYLOAD, f"Invalid Request Payload: {fault}", correlation_id)
    params = body["params"]
    wishes = tuple(
        Wish(params["mode"], group["exchangeType"], token) for group in params["tokenList"] for token in group["tokens"]
    )
    return Request(body["action"] == SUBSCRIBE, wishes, correlation_id)


def refuse_too_many(have: AbstractSet[Wish], request: Request) -> None:
    """Raise BadRequest (E1002) where the request would make more subscriptions than a connection may have."""
    if len(have | set(request.wishes)) > SUBSCRIPTIONS_MAX:
        words = f"Subscription limit exceeded: {SUBSCRIPTIONS_MAX} tokens in all modes"
        raise BadRequest(TOO_MANY, words, request.correlation_id)


def _fault_of(body: dict[str, Any]) -> str:
    """Return which part of a request is wrong; empty: none."""
    params = body.get("params")
    if not _is_one_of(body.get("action"), (SUBSCRIBE, UNSUBSCRIBE)):
        return "action"
    if not isinstance(params, dict) or not _is_one_of(params.get("mode"), PACKET_BYTES):
        return "mode"
    groups = params.get("tokenList")
    if not isinstance(groups, list) or not groups or not all(map(_is_group, groups)):
        return "tokenList"
    return ""


def _is_one_of(value: Any, numbers: Container[int]) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in numbers


def _is_group(group: Any) -> bool:
    if not isinstance(group, dict) or not isinstance(group.get("exchangeType"), int):
        return False
    tokens = group.get("tokens")
    return isinstance(tokens, list) and bool(tokens) and all(isinstance(token, str) for token in tokens)
