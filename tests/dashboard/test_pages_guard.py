"""What the guard lets through, as a table of requests; the routes of the real pages are in test_every_route.py."""

import asyncio
from contextlib import nullcontext
from typing import Any

import pytest

from dashboard import doors
from dashboard.doors import HOST, ORIGIN, TOKEN, House
from myquant.dashboard import guard
from myquant.dashboard.access import Role
from myquant.dashboard.guard import Guard


@pytest.fixture
def house() -> House:
    return House(controls="true", names='["desk.example.com"]')


SITE = "Sec-Fetch-Site"
HERE = {"Origin": ORIGIN}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (HOST, 200),
        ("localhost:1", 200),
        ("desk.example.com", 200),
        ("DESK.example.com.:9465", 200),
        ("desk.example.com.evil.org", 403),
        ("evil.org", 403),
        ("192.168.1.5:9465", 403),
        ("[::1]:9465", 200),
    ],
)
def test_only_its_own_names_lead_here(house: House, host: str, status: int) -> None:
    for path in ("/login", "/api/health"):
        browser = house.program()
        assert browser.get(path, headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Origin": ORIGIN}, 200),
        ({"Origin": f"https://{HOST}"}, 200),  # a server with https stands before this one
        ({"Origin": "http://127.0.0.1"}, 403),
        ({"Origin": "http://127.0.0.1:9466"}, 403),
        ({"Origin": "http://localhost:9465"}, 403),
        ({"Origin": f"ftp://{HOST}"}, 403),
        ({"Origin": f"{ORIGIN}/"}, 403),
        ({"Origin": "http://[::1"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": ORIGIN, SITE: "same-origin"}, 200),
        ({"Origin": ORIGIN, SITE: "same-site"}, 403),
        ({SITE: "same-origin"}, 200),
        ({SITE: "same-site"}, 403),
        ({SITE: "cross-site"}, 403),
        ({SITE: "none"}, 403),
    ],
)
def test_only_pages_of_its_own_can_send_anything(house: House, headers: dict[str, str], status: int) -> None:
    browser = house.logged_in()
    browser.headers = {}
    assert browser.post("/api/links", json={}, headers=headers).status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({SITE: "cross-site"}, 403),
        ({SITE: "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"}, 403),
        ({SITE: "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403),
        ({SITE: "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200),
        ({SITE: "none"}, 200),
    ],
)
def test_of_pages_of_elsewhere_only_links_lead_here(house: House, headers: dict[str, str], status: int) -> None:
    assert house.logged_in().get("/api/health", headers=headers).status_code == status


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer  {TOKEN} ", 200),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        ("Bearer", 401),
        ("Bearer \xff", 401),
        (f"Basic {TOKEN}", 401),
        (TOKEN, 401),
    ],
)
def test_a_program_needs_the_token_and_no_origin(house: House, authorization: str, status: int) -> None:
    browser = house.browser()
    headers = {"Authorization": authorization.encode("latin-1").decode("latin-1")}
    raw: Any = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    assert browser.get("/api/health", headers=dict(raw)).status_code == status
    assert browser.post("/api/links", json={}, headers=dict(raw)).status_code == status


def test_a_token_beside_a_cookie_is_a_browsers(house: House) -> None:
    browser = house.logged_in()
    browser.headers = {"Authorization": f"Bearer {TOKEN}"}
    assert browser.post("/api/links", json={}).status_code == 403
    browser.headers["Authorization"] = "Bearer wrong"
    assert browser.get("/api/health").status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/health", 200),
        ("HEAD", "/api/openapi.json", 200),
        ("POST", "/api/links", 403),
        ("POST", "/api/alerts/1/ack", 403),
        ("POST", "/api/alerts/test", 403),
        ("POST", "/api/sessions/monday/halt", 403),
        ("DELETE", "/api/sessions/monday", 403),
        ("PUT", "/anything", 403),
        ("OPTIONS", "/api/health", 403),
        ("POST", "/_nicegui_ws/socket.io/", 404),  # let through: what a page's buttons do, the page decides
        ("POST", "/logout", 303),
    ],
)
def test_a_viewer_looks_only(house: House, method: str, path: str, status: int) -> None:
    assert house.logged_in(Role.VIEWER).request(method, path, json={}).status_code == status
    assert house.logged_in(Role.OPERATOR).request(method, path, json={}).status_code != 403


@pytest.mark.parametrize(
    ("path", "accept", "status", "where"),
    [
        ("/", "text/html,*/*", 303, "/login"),
        ("/sessions/monday", "text/html", 303, "/login"),
        ("/", "*/*", 401, None),
        ("/api/health", "text/html", 401, None),
        ("/_nicegui/3/static/x.js", "text/html", 401, None),
        ("//login", "text/html", 303, "/login"),
        ("/login/", "*/*", 401, None),
        ("/LOGIN", "*/*", 401, None),
        ("/login/../api/health", "*/*", 401, None),
        ("/%6cogin", "*/*", 200, None),
    ],
)
def test_strangers_come_to_the_login_only(house: House, path: str, accept: str, status: int, where: str | None) -> None:
    answer = house.browser().get(f"http://{HOST}{path}", headers={"Accept": accept})
    assert (answer.status_code, answer.headers.get("location")) == (status, where)


def test_a_login_lets_in_as_long_as_it_lasts(house: House) -> None:
    browser = house.logged_in()
    assert browser.get("/api/health").status_code == 200
    house.clock.now_s += float(house.settings.login_hours) * 3600
    assert browser.get("/api/health").status_code == 401


@pytest.mark.parametrize("name", ["myquant-9466", "myquant", "other", "myquant-9465-form"])
def test_another_cookie_lets_nobody_in(house: House, name: str) -> None:
    browser = house.browser()
    browser.cookies.set(name, house.door.logins.begin(Role.OPERATOR, "link"))
    assert browser.get("/api/health").status_code == 401


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"x" * guard.BODY_BYTES_MAX, {}, 422),
        (b"x" * (guard.BODY_BYTES_MAX + 1), {}, 413),
        (b"", {"Content-Length": "-1"}, 413),
        (b"", {"Content-Length": "1" * 5000}, 413),
    ],
)
def test_a_body_has_a_bound(house: House, body: bytes, headers: dict[str, str], status: int) -> None:
    answer = house.program().post("/api/links", content=body, headers={"Content-Type": "application/json", **headers})
    assert answer.status_code == status


def test_a_body_whose_length_is_not_said_has_it_too(house: House) -> None:
    async def pieces() -> Any:
        for _ in range(200):
            yield b"x" * 10_000

    answer = house.program().post("/api/links", content=pieces())
    assert (answer.status_code, answer.headers["connection"]) == (413, "close")


def test_a_body_that_does_not_come_is_not_waited_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODY_S", 0.0)

    async def never() -> Any:
        yield b"{"
        await asyncio.Event().wait()

    assert house.program().post("/api/links", content=never()).status_code == 408


@pytest.mark.parametrize("path", ["/login", "/api/health", "/nothing", "/", "/enter?key=no", "/api/openapi.json"])
def test_every_answer_is_fenced_in(house: House, path: str) -> None:
    for browser in (house.browser(), house.logged_in()):
        headers = browser.get(path).headers
        assert {name: headers[name] for name in guard.HEADERS} == guard.HEADERS
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert (headers["cache-control"], "server" in headers) == ("no-store", False)


def test_refusals_are_logged_and_not_more_than_a_log_can_bear(house: House) -> None:
    browser = house.browser()
    for _ in range(100):
        browser.get("/api/health", headers={"Authorization": f"Bearer {doors.VIEWERS}"})
    assert house.log.events == ["refused: wrong token"] * 30
    house.clock.now_s += 60
    browser.get("/api/health", headers={"Host": "evil.org"})
    assert house.log.lines[-1][2] == {"address": "127.0.0.1", "path": "/api/health", "unsaid": 70}


@pytest.mark.parametrize("is_gone", [True, False])
def test_an_answer_that_nobody_waits_for_is_no_defect(house: House, *, is_gone: bool) -> None:
    async def page(_scope: Any, receive: Any, _send: Any) -> None:
        await receive()
        await receive()
        raise RuntimeError("No response returned.")

    messages = [{"type": "http.request"}, {"type": "http.disconnect" if is_gone else "http.request"}]

    async def receive() -> Any:
        return messages.pop(0)

    async def send(_message: Any) -> None:
        """Take what nobody waits for."""

    scope = {
        "type": "http", "method": "GET", "path": "/", "scheme": "http", "query_string": b"", "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 9465),
        "headers": [(b"host", b"127.0.0.1:9465"), (b"authorization", f"Bearer {TOKEN}".encode())],
    }  # fmt: skip
    asked = Guard(page, house.door)(scope, receive, send)
    with nullcontext() if is_gone else pytest.raises(RuntimeError):
        asyncio.run(asked)
