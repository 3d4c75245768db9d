"""Every route, mount and socket of what is really served, NiceGUI's included, enumerated from the router: none lets a stranger in."""

import base64
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dashboard.doors import TOKEN
from myquant.dashboard.crowd import FULL
from myquant.dashboard.guard import OPEN

ROOT = Path(__file__).resolve().parents[1]
ANSWER_S = 20.0
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
SOCKET = "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"


class Served(NamedTuple):
    port: int
    keys: dict[str, str]
    routes: list[tuple[str, list[str], list[str]]]

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: str | None = None, **fields: str) -> tuple[int, dict[str, str], str]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_S)
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()
        finally:
            connection.close()

    def shake_hands(self, path: str = SOCKET, **fields: str) -> int:
        """Return the code of the answer to a websocket's handshake."""
        key = base64.b64encode(b"x" * 16).decode()
        upgrade = {"Upgrade": "websocket", "Sec_WebSocket_Version": "13", "Sec_WebSocket_Key": key}
        return self.ask("GET", path, Connection="Upgrade", **upgrade, **fields)[0]

    def cookie(self, role: str) -> str:
        """Return the cookie of somebody who has come in by a link."""
        key = self.keys[role]
        _, fields, page = self.ask("GET", f"/enter?key={key}")
        cookie = fields["set-cookie"].partition(";")[0]
        form = page.partition('name="form" value="')[2].partition('"')[0]
        sent = {"Content_Type": "application/x-www-form-urlencoded", "Cookie": cookie, "Origin": self.origin}
        status, fields, _ = self.ask("POST", "/enter", f"form={form}&key={key}", **sent)
        assert status == 303
        return fields["set-cookie"].partition(";")[0]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from served_pages(tmp_path_factory.mktemp("runs"))


def served_pages(folder: Path) -> Iterator[Served]:
    """Serve the pages of a folder of runs by a process."""
    command = [sys.executable, "-m", "dashboard.serve_pages", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Served(**json.loads(process.stdout.readline()))
        finally:
            process.terminate()


def paths(served: Served) -> list[str]:
    """Return a path for each route, and paths below each mount."""
    filled = [
        path.replace("{name:path}", "monday").replace("{path:path}", "x").replace("{", "").replace("}", "")
        for path, *_ in served.routes
    ]
    below = [f"{path}/x" for path, methods, _ in served.routes if not methods]
    return sorted({"/", "/favicon.ico", "/nothing", "/docs", "/redoc", "/openapi.json", *filter(None, filled), *below})


def test_the_routes_are_all_there(served: Served) -> None:
    found = " ".join(path for path, *_ in served.routes)
    for part in (
        "/api/health",
        "/_nicegui_ws",
        "/_nicegui/",
        "/static",
        "/login",
        "/enter",
        "/logout",
        "/session/{name:path}",
        "/execution",
        "/runs/file",
        "/alerts",
        "/api/openapi.json",
    ):
        assert part in found
    assert len(paths(served)) >= 40


def test_what_the_documentation_asks_with_is_understood(served: Served) -> None:
    known = {path: set(queries) for path, _, queries in served.routes}
    text = (ROOT.parent / "docs" / "dashboard.md").read_text()
    asked = dict(re.findall(r"`GET (/[^`?]*)\?([^`]*)`", text))
    assert len(asked) >= 5
    for path, query in asked.items():
        route = path.replace("NAME", "{name:path}")
        assert {each.partition("=")[0] for each in query.split("&")} <= known[route], path


def test_no_route_lets_a_stranger_in(served: Served) -> None:
    let_in = []
    for path in paths(served):
        for method in METHODS:
            if method in OPEN.get(path, ()):
                continue
            for fields in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": f"myquant-{served.port}=wrong"}):
                status, headers, _ = served.ask(method, path, **fields)
                is_login = (status, headers.get("location")) == (303, "/login")
                if status != 401 and not is_login:
                    let_in.append((method, path, status))
    assert let_in == []


def test_no_route_answers_to_another_name(served: Served) -> None:
    fields = {"Host": "evil.example", "Authorization": f"Bearer {TOKEN}"}
    found = {path: served.ask("GET", path, **fields)[0] for path in paths(served)}
    assert set(found.values()) == {403}, found


def test_no_socket_opens_to_a_stranger_or_for_a_page_of_elsewhere(served: Served) -> None:
    cookie, host = served.cookie("operator"), "127.0.0.1"
    mine = {"Cookie": cookie, "Origin": served.origin}
    assert served.shake_hands(**mine) == 101
    assert (
        served.ask("GET", SOCKET.replace("websocket", "polling"), **mine)[0] == 400
    )  # its end would not end what is open
    refused: list[dict[str, str]] = [
        {},
        {"Origin": served.origin},
        {"Cookie": cookie},
        {"Cookie": cookie, "Origin": "http://evil.example"},
        {"Cookie": cookie, "Origin": f"http://{host}:{served.port + 1}"},
        {**mine, "Host": "evil.example"},
        {**mine, "Authorization": "Bearer wrong"},
    ]
    assert [served.shake_hands(**fields) for fields in refused] == [403] * len(refused)
    others = [path for path in paths(served) if served.shake_hands(path, Origin=served.origin) != 403]
    assert others == []


def test_a_socket_ends_with_its_login(served: Served) -> None:
    cookie = served.cookie("viewer")
    key = base64.b64encode(b"y" * 16).decode()
    head = f"GET {SOCKET} HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\nCookie: {cookie}\r\nUpgrade: websocket\r\n"
    with socket.create_connection(("127.0.0.1", served.port), ANSWER_S) as opened:
        opened.sendall(
            f"{head}Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        assert opened.recv(12) == b"HTTP/1.1 101"
        assert served.ask("POST", "/logout", Cookie=cookie, Origin=served.origin)[0] == 303
        received = b""
        with suppress(ConnectionResetError):
            while b"logged out" not in received and (piece := opened.recv(4096)):
                received += piece
        assert b"logged out" in received


def test_what_is_served_says_nothing_of_its_server(served: Served) -> None:
    for path in ("/login", "/api/health", "/_nicegui/x"):
        fields = served.ask("GET", path, Authorization=f"Bearer {TOKEN}")[1]
        assert "server" not in fields
        assert fields["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"\x16\x03\x01\x00\xff" + b"\x00" * 300 + b"\r\n\r\n",
        b"GET /login HTTP/1.1\r\n\r\n",
        b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"GET /login\xff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused(served: Served, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", served.port), ANSWER_S) as opened:
        with suppress(OSError):
            opened.sendall(sent)
        answer = b""
        with suppress(ConnectionResetError):
            answer = opened.recv(12)
    assert answer in (b"", b"HTTP/1.1 400", b"HTTP/1.1 431")


def test_no_odd_path_makes_it_fail(served: Served) -> None:
    odd = (
        "/%00",
        "/%ff%fe",
        "/..%2f..%2fetc/passwd",
        "/a%0d%0ab",
        "/_nicegui/%2e%2e/%2e%2e/x",
        "//evil.example",
        "/" + "%25" * 900,
    )
    found: dict[str, Any] = {path[:40]: served.ask("GET", path, Authorization=f"Bearer {TOKEN}")[0] for path in odd}
    assert [(path, status) for path, status in found.items() if not 200 <= status < 500] == []


PAGES = ("/", "/alerts", "/logs", "/runs", "/runs/run", "/runs/compare", "/evidence", "/session/nobody", "/execution")
ODD = ("", "%00", "%ff", "..%2f..", "a" * 3000, "%3Cscript%3E", "-1", "9" * 30, "NaN", "%F0%9F%A6%84")
NAMES = (
    "key",
    "name",
    "a",
    "b",
    "run",
    "session",
    "day",
    "sort",
    "since",
    "until",
    "level",
    "text",
    "of",
    "limit",
    "as_json",
)


def test_every_page_is_served_to_who_may_see_it(served: Served) -> None:
    cookie = served.cookie("walker")
    found = {path: served.ask("GET", path, Cookie=cookie)[0] for path in PAGES}
    assert found == dict.fromkeys(PAGES, 200) | {"/execution": 404}


@pytest.mark.parametrize("odd", ODD)
def test_nothing_that_is_asked_of_a_page_makes_it_fail(served: Served, odd: str) -> None:
    query = "&".join(f"{name}={odd}" for name in NAMES)
    asked = [f"{path}?{query}" for path in PAGES] + [f"/session/{odd}", f"/runs/file?key={odd}&name={odd}"]
    found = {path[:60]: served.ask("GET", path, Authorization=f"Bearer {TOKEN}") for path in asked}
    failed = {path: status for path, (status, _, text) in found.items() if status >= 500 and FULL not in text}
    assert failed == {}
