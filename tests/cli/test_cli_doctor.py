"""`myquant doctor`: what it prints, and how it ends; the broker's part is played by a small service on this machine."""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from cli.ended import Run
from myquant.session import runner

SECRETS = {
    "API_KEY": "the-api-key",
    "CLIENT_CODE": "A123456",
    "PIN": "4711",
    "TOTP_SECRET": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
}
WHOLE = (
    "--set", "execution.fill_model=limit", "--set", "risk.max_day_loss=5000",
    "--set", "risk.max_orders_per_second=5", "--set", "risk.max_orders_per_day=500",
)  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    """Tells the date, and refuses every login."""

    def do_HEAD(self) -> None:
        self.send_response(404)
        self.end_headers()

    def do_POST(self) -> None:
        body = json.dumps({"status": False, "message": "Invalid totp", "errorcode": "AB1007", "data": None}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(autouse=True)
def _ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYQUANT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(runner, "is_ready", lambda _: True)
    for name in SECRETS:
        monkeypatch.delenv(f"MYQUANT_ANGELONE_{name}", raising=False)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    for name, value in SECRETS.items():
        monkeypatch.setenv(f"MYQUANT_ANGELONE_{name}", value)
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(10)
    server.server_close()


def test_what_failed_is_told_with_its_remedy(run: Run, service: str) -> None:
    ended = run("doctor", "--broker", "angelone", "--json", "--set", f"angelone.rest_url={service}", *WHOLE)
    found = {each["name"]: each for each in json.loads(ended.out)}
    assert found["credentials"]["state"] == "failed"
    assert "Invalid totp" in found["credentials"]["text"]
    assert found["clock"]["state"] == "ok"
    assert found["static IP"]["state"] == "unknown"
    assert "lab" not in found
    assert found["fill model"]["state"] == found["journal"]["state"] == found["machine code"]["state"] == "ok"
    assert found["fence"]["text"] == "nobody has taken it yet"
    assert ended.code == 1
    assert not any(secret in ended.out + ended.err for secret in SECRETS.values())
    assert not any(name.startswith(".doctor") for name in (path.name for path in Path().iterdir()))


def test_at_the_lab_its_day_and_its_static_address_count(
    run: Run, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def get(self: Handler) -> None:
        body = json.dumps({"day": "2025-10-03", "static_ip": "10.1.1.1"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    monkeypatch.setattr(Handler, "do_GET", get, raising=False)
    symbol, args = "NIFTY07OCT2524900CE", ("--json", "--set", f"angelone.rest_url={service}")
    ended = run("doctor", "--broker", "angelone", symbol, *args)
    found = {each["name"]: each for each in json.loads(ended.out)}
    assert found["lab"]["text"].startswith("plays 2025-10-03")
    assert found[f"contract {symbol}"]["state"] == "ok"
    assert "on 2025-10-03" in found["calendar today"]["text"]
    assert found["static IP"]["state"] == "failed"
    assert found["static IP"]["remedy"] == "set angelone.public_ip to 10.1.1.1"
    monkeypatch.delattr(Handler, "do_GET")
    ended = run("doctor", "--broker", "angelone", symbol, *args)
    found = {each["name"]: each for each in json.loads(ended.out)}
    assert "expired" in found[f"contract {symbol}"]["text"]


def test_lines_are_for_people(run: Run, service: str) -> None:
    ended = run("doctor", "--broker", "angelone", "--set", f"angelone.rest_url={service}")
    lines = [" ".join(line.split()) for line in ended.out.splitlines()]
    assert lines[:3] == [
        f"ok service {service} answers",
        'failed fill model "ltp" knows no orders under way',
        'set execution.fill_model = "limit"',
    ]
    assert ended.code == 1


def test_missing_secrets_are_named(run: Run) -> None:
    ended = run("doctor", "--broker", "angelone", "--json", "--set", "angelone.rest_url=http://127.0.0.1:1")
    found = {each["name"]: each for each in json.loads(ended.out)}
    assert "MYQUANT_ANGELONE_PIN" in found["credentials"]["text"]
    assert ended.code == 5


NOWHERE = ("--set", "angelone.rest_url=http://127.0.0.1:1")


def test_a_service_that_is_away_is_told_first_and_nothing_else_is_blamed(run: Run, service: str) -> None:
    ended = run("doctor", "--broker", "angelone", "NIFTY07OCT2524900CE", "--json", *NOWHERE, *WHOLE)
    first, *others = json.loads(ended.out)
    assert (first["name"], first["state"]) == ("service", "failed")
    assert first["text"].startswith("http://127.0.0.1:1 (angelone.rest_url) can't be reached")
    assert first["text"].endswith("see that the lab runs, on this port")
    assert [each for each in others if each["state"] == "failed"] == []
    away = {each["name"] for each in others if each["text"] == "not checked: the service can't be reached"}
    assert away == {"calendar", "contract NIFTY07OCT2524900CE", "static IP", "clock", "credentials", "funds", "master"}
    assert service not in ended.out
    assert ended.code == 5


def test_a_broker_that_is_away_keeps_nobody_from_the_calendar(run: Run, service: str) -> None:
    away = ("--set", "angelone.rest_url=https://name.invalid")
    ended = run("doctor", "--broker", "angelone", "--json", *away, *WHOLE)
    found = {each["name"]: each for each in json.loads(ended.out)}
    assert found["service"]["text"].endswith("see to the network and the setting")
    assert "not checked" not in found["calendar today"]["text"] + found["fence"]["text"]
    assert service not in ended.out


def test_credentials_say_by_what_they_were_shown(run: Run, service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Handler, "do_POST", logs_in)
    monkeypatch.setattr(Handler, "do_GET", tells_of_the_account, raising=False)
    texts = []
    for _ in range(2):
        ended = run("doctor", "--broker", "angelone", "--json", "--set", f"angelone.rest_url={service}", *WHOLE)
        found = {each["name"]: each for each in json.loads(ended.out)}
        assert found["credentials"]["state"] == "ok", found
        texts.append(found["credentials"]["text"])
    assert texts[0] == "logged in as A1***56"
    kept = (
        r"logged in as A1\*\*\*56 by a token kept from \d{4}(-\d\d){2} \d\d(:\d\d){2} IST; PIN and TOTP were not tried"
    )
    assert re.fullmatch(kept, texts[1])


def answered(handler: BaseHTTPRequestHandler, data: dict[str, object]) -> None:
    body = json.dumps({"status": True, "message": "SUCCESS", "errorcode": "", "data": data}).encode()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def logs_in(handler: BaseHTTPRequestHandler) -> None:
    answered(handler, {"jwtToken": "Bearer jwt-of-a-day", "refreshToken": "refresh", "feedToken": "feed"})


def tells_of_the_account(handler: BaseHTTPRequestHandler) -> None:
    answered(handler, {"clientcode": "A123456", "net": "1000.00", "availablecash": "1000.00"})


def test_an_unknown_broker_is_refused(run: Run) -> None:
    ended = run("doctor", "--broker", "nobody")
    assert (ended.code, ended.errors) == (2, ["--broker nobody: not known; one of angelone"])
