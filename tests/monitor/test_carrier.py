"""What is shown of a server that refuses a message."""

from http.server import BaseHTTPRequestHandler

import pytest

from myquant.monitor.carrier import in_short

FAILED = "Failed to send JSON POST notification: "
PAGE = BaseHTTPRequestHandler.error_message_format % {
    "code": 501,
    "message": "Unsupported method (&#x27;POST&#x27;)",
    "explain": "does not",
}
QUOTES = """<html lang="en"><h1>method 'POST' only</h1></html>"""
PROXY = "<html><head><title>503</title></head>\r\n<body><h1>503 Not Available</h1><hr>nginx</body></html>"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (f"{FAILED}error=501. Response Details:\r\n{PAGE.encode()!r}", "HTTP 501: Unsupported method ('POST')"),
        (f"{FAILED}error=501. Response Details:\r\n{QUOTES.encode()!r}", "HTTP 501: method 'POST' only"),
        (f"{FAILED}error=503. Response Details:\r\n{PROXY.encode()!r}", "HTTP 503: 503 Not Available nginx"),
        (f"{FAILED}error=400. Response Details:\r\n{b'chat not found'!r}", "HTTP 400: chat not found"),
        (f"{FAILED}Unauthorized, error=401. Response Details:\r\nb''", "HTTP 401: Unauthorized"),
        (f"{FAILED}error=302.", "HTTP 302"),
        ("A Connection error. Socket Exception: refused", "A Connection error. Socket Exception: refused"),
    ],
)
def test_a_refusal_is_a_line_without_markup(said: str, shown: str) -> None:
    assert in_short(said) == shown
