"""The API: what it answers, what it refuses, and that nothing makes it fail."""

import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from dashboard.doors import ORIGIN, House
from monitor.made_views import held
from myquant.dashboard.access import Role
from myquant.errors import MyquantError


@pytest.fixture
def house() -> House:
    return House(controls="true")


@pytest.mark.parametrize(
    ("path", "status", "has"),
    [
        ("/api/health", 200, '"verdict": "ok"'),
        ("/api/sessions", 200, '"trials/tue"'),
        ("/api/sessions/monday", 200, '"odd": null'),
        ("/api/sessions/trials/tue", 200, '"name": "trials/tue"'),
        ("/api/sessions/wednesday", 404, "no session of that name"),
        ("/api/sessions/..%2f..%2fetc%2fpasswd", 404, "no session"),
        ("/api/sessions/%ff%fe", 404, "no session"),
        (f"/api/sessions/{'x' * 300}", 422, "parameter"),
        ("/api/sessions/monday/execution", 409, "no session is there"),
        ("/api/sessions/wednesday/execution", 404, "no session of that name"),
        ("/api/sessions/monday/execution?day=12345678901", 422, "day"),
        ("/api/sessions/monday/preview/flatten", 200, "Sells 75 units"),
        ("/api/sessions/trials/tue/preview/halt", 200, "Nothing is held"),
        ("/api/sessions/monday/preview/stop", 422, "parameter"),
        ("/api/sessions/no/preview/halt", 404, "no session"),
        ("/api/alerts?every=true", 200, "half a \\ud800 character"),
        ("/api/alerts?every=perhaps", 422, "every"),
        ("/api/logs?limit=2000&sessions=monitor&level=error&text=%27%22", 200, '"price": null'),
        ("/api/logs?limit=2001", 422, "limit"),
        ("/api/logs?sessions=../secret", 404, "no log"),
        ("/api/logs?since_ns=99999999999999999999999", 422, "since_ns"),
        ("/api/logs?since_ns=NaN", 422, "since_ns"),
        ("/api/logs?level=fatal", 422, "level"),
        ("/api/runs?limit=7", 200, '"total": 7'),
        ("/api/nothing", 404, "Not Found"),
        ("/docs", 404, "Not Found"),
        ("/openapi.json", 404, "Not Found"),
    ],
)
def test_what_is_answered(house: House, path: str, status: int, has: str) -> None:
    answer = house.logged_in(Role.VIEWER).get(path)
    assert (answer.status_code, has in answer.text) == (status, True), answer.text
    answer.json()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "application/json"),
        (b"{", "application/json"),
        (b"NaN", "application/json"),
        (b'{"note": NaN}', "application/json"),
        (b'{"note": "\\ud800"}', "application/json"),
        (b'{"\\ud800": 1}', "application/json"),
        (b'{"note": "two\\nlines"}', "application/json"),
        (b'{"note": "' + b"x" * 201 + b'"}', "application/json"),
        (b'{"note": "", "more": 1}', "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"\xff", "application/json"),
        (b'{"note": ' + b"9" * 5000 + b"}", "application/json"),
        (b"note=a", "application/x-www-form-urlencoded"),
        (b"--x", "multipart/form-data; boundary=x"),
        (b"{}", "text/plain"),
    ],
)
def test_a_body_that_is_none_is_refused(house: House, content: bytes, kind: str) -> None:
    answer = house.program().post("/api/alerts/1/ack", content=content, headers={"Content-Type": kind})
    assert answer.status_code in (400, 422)
    assert answer.json()["detail"]
    assert house.facts.acknowledged == []


def test_an_alert_is_acknowledged_and_that_is_logged(house: House) -> None:
    program = house.program()
    assert program.post("/api/alerts/1/ack", json={"note": "on it"}).json() == {"acknowledged": 1}
    assert program.post("/api/alerts/2/ack", json={}).status_code == 404
    assert house.facts.acknowledged == [(1, "on it"), (2, "")]
    assert house.log.events == ["alert acknowledged"]


def test_channels_are_not_tested_again_and_again(house: House) -> None:
    program = house.program()
    answer = program.post("/api/alerts/test")
    assert (answer.status_code, answer.json()["detail"]) == (409, "no channel is set")
    assert program.post("/api/alerts/test").status_code == 429


def previewed(browser: Any, action: str = "flatten") -> str:
    found: str = browser.get(f"/api/sessions/monday/preview/{action}").json()["token"]
    return found


def test_what_was_seen_is_done_and_logged(house: House) -> None:
    browser = house.logged_in()
    order = {"confirm": previewed(browser), "reason": "news"}
    answer = browser.post("/api/sessions/monday/flatten", json=order)
    assert answer.json() == {"message": "entries halted"}
    ((folder, request, reason),) = house.asked
    assert (str(folder), request, reason) == (
        "runs/monday",
        "flatten",
        "news (dashboard: operator by link from 127.0.0.1)",
    )
    assert house.log.events == ["flatten", "flatten done"]


@pytest.mark.parametrize("what", ["none", "another action", "another session", "too old", "position", "controls"])
def test_what_was_not_seen_is_not_done(what: str) -> None:
    house = House(controls=str(what != "controls").lower())
    browser = house.logged_in()
    token = previewed(browser, "halt" if what == "another action" else "flatten")
    house.clock.now_s += 61 if what == "too old" else 0
    if what == "position":
        house.facts.views["monday"].instruments = held(150)
    where = "trials/tue" if what == "another session" else "monday"
    answer = browser.post(f"/api/sessions/{where}/flatten", json={"confirm": "" if what == "none" else token})
    assert (answer.status_code, house.asked) == (403 if what == "controls" else 409, [])


def test_a_session_that_does_not_answer_is_told(house: House) -> None:
    house.answer = MyquantError("runs/monday: no answer within 5 s")
    browser = house.logged_in()
    answer = browser.post("/api/sessions/monday/halt", json={"confirm": previewed(browser, "halt")})
    assert (answer.status_code, "no answer within 5 s" in answer.json()["detail"]) == (409, True)
    assert house.log.events == ["halt", "halt failed"]


def test_links_are_for_operators_to_give(house: House) -> None:
    url = house.program().post("/api/links", json={"role": "viewer"}).json()["url"]
    key = url.removeprefix(f"{ORIGIN}/enter?key=")
    assert house.door.links.take(key) is Role.VIEWER
    assert house.logged_in(Role.VIEWER).post("/api/links", json={}).status_code == 403


PROBED = House(controls="true")
SCHEMA = schemathesis.openapi.from_dict(PROBED.app.openapi())


FOUND: list[Any] = list(SCHEMA.get_all_operations())
OPERATIONS = {each.ok().label: each.ok() for each in FOUND}


def test_the_description_has_every_route() -> None:
    assert len(OPERATIONS) == 12


@pytest.mark.parametrize("label", OPERATIONS)
def test_nothing_makes_it_fail(label: str) -> None:
    @settings(
        max_examples=15,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(OPERATIONS[label].as_strategy())
    def ask(case: Any) -> None:
        sent = case.as_transport_kwargs(base_url=ORIGIN)
        path = sent["url"].removeprefix(ORIGIN)
        body = sent.get("data")
        if "json" in sent:
            body = json.dumps(sent["json"]).encode("utf-8", "surrogatepass")
        content = body if isinstance(body, bytes) else str(body or "").encode("utf-8", "surrogatepass")
        answer = PROBED.program().request(case.method, path, params=sent.get("params") or None, content=content)
        assert answer.status_code < 500, (case.method, path, body)

    ask()
