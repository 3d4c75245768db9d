"""Planted secrets, what sessions leave behind, and a broker's front that throws back whatever it is told.

The front stands before the REST service of a lab. Of the answers about orders each second holds all headers and the body of its
request, in every shape that a broker's answer has; the rows of its books hold the account's secrets as the broker's words.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from myquant.brokers.angelone.settings import CANCEL, FUNDS, MODIFY, ORDER_BOOK, PLACE

SECRETS: Final = {
    "MYQUANT_ANGELONE_API_KEY": "kQ7vZr9wU3",
    "MYQUANT_ANGELONE_CLIENT_CODE": "XQ83914ZK",
    "MYQUANT_ANGELONE_PIN": "748291",
    "MYQUANT_ANGELONE_TOTP_SECRET": "QXZJKVWYQXZJKVWYQXZJKVWYQXZJKVWY",
}
WRONG: Final = {
    "MYQUANT_ANGELONE_PIN": "591736",
    "MYQUANT_ANGELONE_TOTP_SECRET": "ZYXWVUTSRQPONMLKZYXWVUTSRQPONMLK",
    "MYQUANT_ANGELONE_API_KEY": "wRo9Ng5KeY",
}
URL: Final = "MYQUANT_ANGELONE__REST_URL"
EACH: Final = 2  # of so many answers about orders one throws back
OF_ORDERS: Final = (PLACE, MODIFY, CANCEL)
KEPT: Final = "tokens.json"  # the owner's alone

Shape = Callable[[str], tuple[int, bytes]]  # from what is thrown back to an answer


def _said(words: str, **other: Any) -> bytes:
    return json.dumps({"status": False, "message": words, "errorcode": "AB1007", "data": None} | other).encode()


SHAPES: Final[dict[str, Shape]] = {
    "garbage": lambda words: (200, words.encode()),
    "a page": lambda words: (200, f"<html>{words}</html>".encode()),
    "url-encoded": lambda words: (500, quote(words).encode()),
    "too often": lambda words: (429, words.encode()),
    "a refusal": lambda words: (200, _said(words)),
    "a code": lambda words: (200, _said(words, errorcode=words)),
    "no order": lambda words: (200, _said("SUCCESS", status=True, data={"script": words, "orderid": ["x", words]})),
}


class Front:
    """The front at work. `shown`: how often each shape was; `is_broken`: whether funds are refused, with the secrets."""

    def __init__(self, lab_url: str, secrets: tuple[str, ...]) -> None:
        self.shown: Counter[str] = Counter()
        self.is_broken = False
        self._lab = urlsplit(lab_url).netloc
        self._secrets = " ".join(secrets)
        self._asked = 0

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Ask the lab, and return what the client gets."""
        lab = HTTPConnection(self._lab, timeout=10)
        lab.request(method, path, body, dict(headers))
        reply = lab.getresponse()
        status, content = reply.status, reply.read()
        lab.close()
        if path == FUNDS and self.is_broken:
            return 200, _said(self._words(headers, body))
        if path == ORDER_BOOK and status == 200:
            return status, self._worded(content)
        if path not in OF_ORDERS:
            return status, content
        self._asked += 1
        if self._asked % EACH:
            return status, content
        name = list(SHAPES)[self._asked // EACH % len(SHAPES)]
        self.shown[name] += 1
        return SHAPES[name](self._words(headers, body))

    def _words(self, headers: Mapping[str, str], body: bytes) -> str:
        return f"{self._secrets} {' '.join(headers.values())} {body.decode()}"

    def _worded(self, content: bytes) -> bytes:
        """Return a book whose rows have secrets for the broker's reasons."""
        book = json.loads(content)
        for row in book.get("data") or ():
            row["text"] = f"refused: {self._secrets}"
        return json.dumps(book).encode()


@contextmanager
def fronted(lab_url: str, secrets: tuple[str, ...]) -> Iterator[tuple[Front, str]]:
    """Run a front before a lab; give it and its address."""
    front = Front(lab_url, secrets)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, content = front.answer(self.command, self.path, dict(self.headers.items()), body)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _serve  # noqa: N815  (the base's names)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield front, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def left_behind(folder: Path) -> dict[str, bytes]:
    """Return all that commands wrote: folders, logs, what they printed; not the file of tokens, which is the owner's alone."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.name != KEPT:
            found[str(path.relative_to(folder))] = path.read_bytes()
    return found


def tokens_of(folder: Path) -> list[str]:
    """Return the tokens that the broker has given and that are kept in a folder of a cache."""
    kept = json.loads((folder / KEPT).read_text())
    given = [kept[name] for name in ("jwt", "refresh", "feed")]
    assert all(len(token) > 5 for token in given)
    return given
