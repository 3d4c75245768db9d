"""The ways in and out, as a browser walks them."""

import re

import pytest

from dashboard import doors
from dashboard.doors import HOST, ORIGIN, PASSWORD, SECRETS, VIEWERS, House, form_of, log_in
from myquant.dashboard import door as door_module
from myquant.dashboard.access import LINK_S, Role


def test_in_by_password_and_out_again() -> None:
    house = House()
    browser = house.browser()
    answer = log_in(browser)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert browser.get("/api/health").status_code == 200
    assert browser.post("/logout").status_code == 403  # no page of its own asks
    answer = browser.post("/logout", headers={"Origin": ORIGIN})
    assert (answer.status_code, answer.headers["location"], len(house.door.logins)) == (303, "/login", 0)
    assert browser.get("/api/health").status_code == 401
    assert house.log.lines[0] == ("info", "login", {"role": "operator", "by": "password", "address": "127.0.0.1"})
    assert house.log.lines[-1] == ("info", "logout", {"role": "operator", "by": "password", "address": "127.0.0.1"})


@pytest.mark.parametrize(("password", "status"), [(PASSWORD, 200), (VIEWERS, 403)])
def test_the_password_says_what_one_may(password: str, status: int) -> None:
    browser = House().browser()
    log_in(browser, password)
    assert browser.post("/api/links", json={}, headers={"Origin": ORIGIN}).status_code == status


@pytest.mark.parametrize(
    ("origin", "name", "is_secure"), [(ORIGIN, "myquant-9465", False), (f"https://{HOST}", "__Host-myquant-9465", True)]
)
def test_what_the_cookie_is(origin: str, name: str, is_secure: bool) -> None:
    browser = House().browser()
    form = form_of(browser.get("/login").text)
    answer = browser.post("/login", data={"form": form, "password": PASSWORD}, headers={"Origin": origin})
    cookie = answer.headers["set-cookie"]
    assert re.fullmatch(name + r"=[\w-]{43}; HttpOnly; Max-Age=43200; Path=/; SameSite=strict(; Secure)?", cookie)
    assert cookie.endswith("; Secure") is is_secure


def test_a_form_of_elsewhere_logs_nobody_in() -> None:
    house = House()
    other = form_of(house.browser().get("/login").text)
    browser = house.browser()
    browser.get("/login")
    for form in (other, "", "x" * 64):
        answer = browser.post("/login", data={"form": form, "password": PASSWORD}, headers={"Origin": ORIGIN})
        assert (answer.status_code, "set-cookie" in answer.headers) == (403, True)
        assert "Try again" in answer.text
    assert len(house.door.logins) == 0


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"&".join([b"a=b"] * 50), b"password=" + b"x" * 20_000, b"form=%ff"]
)
def test_a_form_that_is_none_is_refused(body: bytes) -> None:
    browser = House().browser()
    browser.get("/login")
    assert browser.post("/login", content=body, headers={"Origin": ORIGIN}).status_code == 403


def test_too_many_wrong_passwords_are_made_to_wait_and_links_and_token_are_not() -> None:
    house = House()
    browser = house.browser()
    statuses = [log_in(browser, "wrong").status_code for _ in range(6)]
    assert statuses == [403, 403, 403, 403, 429, 429]
    answer = log_in(browser)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert "Wait 1 second" in answer.text
    assert house.program().get("/api/health").status_code == 200
    key = house.door.links.make(Role.OPERATOR)
    form = form_of(browser.get(f"/enter?key={key}").text)
    assert browser.post("/enter", data={"form": form, "key": key}, headers={"Origin": ORIGIN}).status_code == 303
    house.clock.now_s += 1
    assert log_in(house.browser()).status_code == 303


def test_a_viewers_password_brings_no_more_tries_for_the_operators() -> None:
    house = House()
    for _ in range(4):
        doors.tried(house.door, "wrong")
    assert doors.tried(house.door, VIEWERS).role is Role.VIEWER
    assert doors.tried(house.door, "wrong").wait_s == 1


def test_passwords_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "WAITING_MAX", 0)
    assert doors.tried(House().door, PASSWORD) == (None, "", door_module.BUSY_S)


def test_a_link_lets_in_once_after_a_click() -> None:
    house = House()
    browser, other = house.browser(), house.browser()
    key = house.door.links.make(Role.VIEWER)
    for _ in range(3):  # a preview of the link, as chats make it, uses nothing up
        page = other.get(f"/enter?key={key}")
        assert (page.status_code, "Enter" in page.text) == (200, True)
    form = form_of(browser.get(f"/enter?key={key}").text)
    answer = browser.post("/enter", data={"form": form, "key": key}, headers={"Origin": ORIGIN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert browser.get("/api/health").status_code == 200
    again = other.post("/enter", data={"form": form_of(page.text), "key": key}, headers={"Origin": ORIGIN})
    assert (again.status_code, "used already" in again.text) == (403, True)
    assert other.get(f"/enter?key={key}").status_code == 403


def test_an_old_link_lets_nobody_in() -> None:
    house = House()
    key = house.door.links.make(Role.VIEWER)
    house.clock.now_s += LINK_S
    assert house.browser().get(f"/enter?key={key}").status_code == 403


def test_without_a_password_the_page_says_how_to_get_in() -> None:
    page = House(password_hash="", viewer_password_hash="").browser().get("/login").text
    assert "myquant dashboard link" in page
    assert 'type="password"' not in page


def test_the_page_can_be_used_by_everybody() -> None:
    browser = House().browser()
    page = browser.get("/login")
    for part in ('<label for="password">', 'autocomplete="current-password"', 'lang="en"', 'aria-live="assertive"'):
        assert part in page.text
    assert "light dark" in page.text
    assert "<script" not in page.text
    assert "script-src" not in page.headers["content-security-policy"]
    assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'nonce-")


def test_no_secret_is_in_any_page_field_or_line_of_the_log() -> None:
    house = House(controls="true")
    browser, said = house.browser(), ""
    for password in ("wrong", PASSWORD):
        answer = log_in(browser, password)
        said += answer.text + str(answer.headers)
    secret = dict(browser.cookies)["myquant-9465"]
    key = house.door.links.make(Role.VIEWER)
    for path in (
        "/login",
        f"/enter?key={key[:-1]}",
        "/api/health",
        "/api/logs",
        "/api/runs",
        "/api/openapi.json",
        "/no",
    ):
        answer = browser.get(path)
        said += answer.text + str(answer.headers)
    said += repr(house.log.lines)
    assert [each for each in (*SECRETS, secret, key) if each in said.replace(f"myquant-9465={secret}", "")] == []
