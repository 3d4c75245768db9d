"""Angel One's answers: the envelope in its two spellings, and what to do about each error code."""

import json
import re
from decimal import Decimal
from typing import Any, Final

from myquant.brokers.port import Remedy, RequestError
from myquant.brokers.secrets import Redactor

BROKER_NAME: Final = "Angel One"

REMEDIES: Final = {
    "AG8001": Remedy.RELOGIN,  # token invalid
    "AG8002": Remedy.RELOGIN,  # token expired
    "AG8003": Remedy.RELOGIN,  # token missing
    "AB1010": Remedy.RELOGIN,  # session expired
    "AB8050": Remedy.RELOGIN,  # refresh token invalid
    "AB8051": Remedy.RELOGIN,  # refresh token expired
    "AG8004": Remedy.CONFIG,  # API key invalid or missing
    "AB1000": Remedy.STOP,  # credentials and permissions
    "AB1001": Remedy.STOP,
    "AB1007": Remedy.STOP,
    "AB1011": Remedy.STOP,
    "AB1002": Remedy.BUG,  # bad input; AB1012: the product
    "AB1003": Remedy.BUG,
    "AB1005": Remedy.BUG,
    "AB1012": Remedy.BUG,
    "AB1008": Remedy.BUG,  # bad variety
    "AB1009": Remedy.REFRESH_MASTER,  # unknown symbol or token
    "AB1018": Remedy.REFRESH_MASTER,
    "AB4006": Remedy.REFRESH_MASTER,
    "AB4018": Remedy.REFRESH_MASTER,
    "AB1013": Remedy.RECONCILE,  # order, trade, holding, position not found
    "AB1014": Remedy.RECONCILE,
    "AB1015": Remedy.RECONCILE,
    "AB1016": Remedy.RECONCILE,
    "AB1017": Remedy.REFUSED,  # conversion of a position failed
    "AB1004": Remedy.AMBIGUOUS,  # internal errors
    "AB2000": Remedy.AMBIGUOUS,
    "AB2001": Remedy.AMBIGUOUS,
    **{f"AB{number}": Remedy.REFUSED for number in range(9000, 9019)},  # orders that wait at the broker
}

CODE_MAX: Final = 40

# Orders are accepted from the registered static address only. How one from another is refused is not documented: it is known
# by its words. Those of a limit per address are about something else.
_ADDRESS: Final = re.compile(r"\bIP(?:v4)?(?:s|\b)|white-?list|static (?:public )?address", re.IGNORECASE)
# Certain only where they also say that it is not the right one, and nothing of time, rate or an unknown outcome.
_WRONG: Final = re.compile(
    r"not (?:\w+ ){0,2}(?:registered|allowed|permitted|whitelisted|authori[sz]ed|match\w*)|un(?:registered|authori[sz]ed)"
    r"|invalid|mismatch|denied|different|forbidden|register|white-?list",
    re.IGNORECASE,
)
_OTHER: Final = re.compile(
    r"\brate\b|limit|exceed|\bmany\b|often|throttl|time[d -]*out|unknown|duplicate", re.IGNORECASE
)
OWN_ADDRESS: Final = "angelone.public_ip"


def opened(request: str, body: bytes, status: int, redactor: Redactor) -> Any:
    """Return the data of an envelope of success; numbers with a point are `Decimal`.

    Raises RequestError for any other: `status` (or `success`) that is not the boolean true, or HTTP other than 200.
    """
    envelope = json.loads(body, parse_float=Decimal)
    if not isinstance(envelope, dict):
        raise RequestError(BROKER_NAME, request, "its answer is no envelope", Remedy.UNKNOWN)
    ok = envelope.get("status", envelope.get("success"))
    if ok is True and status == 200:
        return envelope.get("data")
    code = envelope.get("errorcode") or envelope.get("errorCode") or ""
    message = envelope.get("message") or "no reason given"
    raise refusal(request, redactor.line(str(code), CODE_MAX), redactor.line(str(message)), status)


def refusal(request: str, code: str, words: str, status: int) -> RequestError:
    """Return the error for a failure that the broker gave a code; an unknown one is named as such."""
    if code in REMEDIES:
        return RequestError(BROKER_NAME, request, f"{code} ({words})", REMEDIES[code], code)
    http = "" if status == 200 else f", HTTP {status}"
    if status < 500 and is_about_address(words):
        said = (
            f"{code or 'no error code'} ({words}{http}): {OWN_ADDRESS} is not the address that it accepts orders from"
        )
        return RequestError(BROKER_NAME, request, said, Remedy.ADDRESS, code)
    said = f"unknown error code {code!r} ({words}{http})" if code else f"no error code ({words}{http})"
    remedy = Remedy.RELOGIN if status == 401 and not code else Remedy.UNKNOWN
    return RequestError(BROKER_NAME, request, said, remedy, code)


def is_about_address(words: str) -> bool:
    """Return whether a refusal says that the request came from an address which is not registered."""
    return bool(_ADDRESS.search(words) and _WRONG.search(words)) and not _OTHER.search(words)


def text_of(request: str, data: Any, name: str) -> str:
    """Return a text of an answer's data. Raises RequestError where there is none."""
    value = data.get(name) if isinstance(data, dict) else None
    if not isinstance(value, str) or not value:
        raise RequestError(BROKER_NAME, request, f"its answer has no {name}", Remedy.UNKNOWN)
    return value


def paise_of(request: str, data: Any, name: str) -> int:
    """Return an amount in rupees (a text or a number) of an answer's data as paise; finer parts are cut towards zero."""
    value = data.get(name) if isinstance(data, dict) else None
    try:
        return int(Decimal(str(value)) * 100)  # None and true are no numbers, NaN and infinity no integers
    except (ArithmeticError, ValueError):
        raise RequestError(BROKER_NAME, request, f"its answer has no amount {name}", Remedy.UNKNOWN) from None
