"""The process that delivers the messages of one channel: `python -m myquant.monitor.carrier`, started by `worker`.

Lines of JSON come on stdin: the address first, then a message each; a line of JSON goes back for each. Whatever happens in
here, a hanging server or a crash of a library, happens to this channel alone. It ends when its stdin does.
"""

import html
import json
import logging
import os
import re
import resource
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from myquant.brokers.secrets import Redactor
from myquant.monitor.channels import secret_parts
from myquant.monitor.finding import CRITICAL, INFO, WARNING

if TYPE_CHECKING:
    import apprise

SAID_MAX: Final = 300
STATUS_MAX: Final = 100  # characters of an answer of HTTP
LINES_MAX: Final = 50
GRACE_S: Final = 2.0  # its starter ends it when the time is over; where nobody is left to do so, it ends itself
DETAILS: Final = ("Socket Exception", "Response Details")  # what apprise says of a failure beside its warnings
_STATUS: Final = re.compile(r"\berror=(\d{3})\b")
_TAG: Final = re.compile(r"<[^<>]*>")
_UNSEEN: Final = re.compile(r"<(head|style|script)\b.*?</\1>", re.IGNORECASE | re.DOTALL)
_REASON: Final = re.compile(r": ([^:]+), error=")
_MESSAGE: Final = re.compile(r"Message: (.+?)\.? +Error code explanation")  # as many servers have it
TYPES: Final = {INFO: "info", WARNING: "warning", CRITICAL: "failure"}  # severities in apprise's words
WANTED: Final = {"format": "text", "overflow": "split", "redirect": "no"}  # unless the address says otherwise


class Said(logging.Handler):
    """Keeps what apprise logs while it delivers a message."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._lines: deque[tuple[bool, str]] = deque(maxlen=LINES_MAX)

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line, unless it only helps to debug."""
        text = record.getMessage()
        if record.levelno >= logging.INFO or text.startswith(DETAILS):
            self._lines.append((record.levelno == logging.INFO, text))

    def take(self, *, delivered: bool) -> str:
        """Return what was said, of success or of failure, and forget it."""
        lines = [text for is_good, text in self._lines if is_good == delivered]
        self._lines.clear()
        return " ".join(lines)


def in_short(said: str) -> str:
    """Return what a failed delivery led to: `HTTP 501: Unsupported method`. Of a page only the words that are seen are kept."""
    status = _STATUS.search(said)
    before, _, after = said.partition(DETAILS[1])
    if status is None:
        return _words(said)
    detail = _words(after).removeprefix(":").strip().removeprefix("b").strip("'\" ")
    found = _MESSAGE.search(detail) or (None if detail else _REASON.search(before))
    what = (found[1] if found else detail).replace("\\'", "'")  # details are bytes as Python writes them
    return f"HTTP {status[1]}{f': {what}' if what else ''}"


def _words(page: str) -> str:
    seen = _UNSEEN.sub(" ", html.unescape(page))
    return " ".join(_TAG.sub(" ", seen).replace("\\n", " ").replace("\\r", " ").split())


def with_wishes(address: str, limit_s: float) -> str:
    """Return an address that asks for plain text in as many messages as it takes, and follows no redirection.

    A redirected POST becomes a GET, which answers well and has lost the message. The time-outs of connecting and reading are
    behind `limit_s`, which is the one that counts: apprise's own would give up a message that was perhaps taken.
    """
    wanted = {**WANTED, "cto": f"{limit_s + GRACE_S:g}", "rto": f"{limit_s + GRACE_S:g}"}
    query = address.partition("?")[2]
    given = {part.partition("=")[0].lower() for part in query.split("&")}
    wishes = "&".join(f"{name}={value}" for name, value in wanted.items() if name not in given)
    if not wishes:
        return address
    return f"{address}{'&' if query else '' if address.endswith('?') else '?'}{wishes}"


def serve(requests: Iterator[bytes], answer: Callable[[dict[str, Any]], None]) -> None:
    """Deliver what comes, to the end."""
    first = json.loads(next(requests))
    address, limit_s = str(first["address"]), float(first["limit_s"])
    redactor = Redactor(secret_parts(address))
    sys.excepthook = _last_words(redactor, answer)
    said = Said()
    logger = logging.getLogger("apprise")
    logger.handlers[:] = [said]
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    is_usable = _service(address, limit_s) is not None
    answer({"ready": is_usable, "said": _told(said, redactor, delivered=False)})
    if not is_usable:
        return
    for line in requests:
        request = json.loads(line)
        signal.setitimer(signal.ITIMER_REAL, limit_s + GRACE_S)
        delivered = _deliver(address, limit_s, request)
        signal.setitimer(signal.ITIMER_REAL, 0)
        answer({"id": request["id"], "delivered": delivered, "said": _told(said, redactor, delivered=delivered)})


def _told(said: Said, redactor: Redactor, *, delivered: bool) -> str:
    """Return what may be shown of what was said: secrets are hidden before and after it is made short, then it is cut."""
    text = redactor.text(said.take(delivered=delivered))
    if not delivered:
        text = in_short(text)
    return redactor.line(text, STATUS_MAX if text.startswith("HTTP ") else SAID_MAX)


def _service(address: str, limit_s: float) -> "apprise.NotifyBase | None":
    """Return what delivers; None: the address is none. Its warnings go to the log."""
    import apprise  # noqa: PLC0415  (0.2 s and more: what else is read of this module should not wait)

    service = apprise.Apprise.instantiate(with_wishes(address, limit_s), asset=apprise.AppriseAsset(async_mode=False))
    return service if isinstance(service, apprise.NotifyBase) else None


def _deliver(address: str, limit_s: float, request: dict[str, Any]) -> bool:
    """Deliver one message, by a service made for it: one that is used again waits, 5.5 s where it is e-mail."""
    import apprise  # noqa: PLC0415  (as above)

    carrier = apprise.Apprise()
    service = _service(address, limit_s)
    return service is not None and bool(
        carrier.add(service)
        and carrier.notify(
            title=request["title"],
            body=request["body"],
            notify_type=apprise.NotifyType(TYPES[request["severity"]]),
            body_format=apprise.NotifyFormat.TEXT,
        )
    )


def _last_words(
    redactor: Redactor, answer: Callable[[dict[str, Any]], None]
) -> Callable[[type[BaseException], BaseException, TracebackType | None], None]:
    def tell(kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        answer({"died": redactor.line(f"{kind.__name__}: {error}", SAID_MAX)})

    return tell


def main() -> None:
    """Serve stdin and stdout; what a library prints goes nowhere, as it may hold the address."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # likewise a dump of its memory
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    serve(iter(sys.stdin.buffer.readline, b""), lambda fields: _write(answers.fileno(), fields))


def _write(descriptor: int, fields: dict[str, Any]) -> None:
    os.write(descriptor, json.dumps(fields).encode() + b"\n")  # short enough for a pipe to take it in one


if __name__ == "__main__":
    main()
