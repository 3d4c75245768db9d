"""The REST client against a fake broker: sessions, refusals, patience, and both spellings of the envelope."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from aiohttp import web

from brokers.fake_angelone import (
    CREDENTIALS,
    NIFTY,
    Clock,
    FakeBroker,
    connected,
    envelope,
    fake_broker,
    refusal,
    run,
    text,
)
from myquant.brokers.angelone import master, settings
from myquant.brokers.angelone.answers import REMEDIES, opened, paise_of
from myquant.brokers.angelone.client import AngelOneClient
from myquant.brokers.angelone.settings import Endpoints
from myquant.brokers.http import RATE_LIMITED, UNREACHABLE, NoAnswerError, unreachable
from myquant.brokers.port import Funds, Remedy, RequestError
from myquant.brokers.secrets import Redactor
from myquant.errors import ConfigError

GOOD = {"jwtToken": "Bearer j1", "refreshToken": "r1", "feedToken": "f1"}


def login_error(broker_says: list[web.Response]) -> tuple[RequestError, FakeBroker]:
    """Return the error of a login that is answered like this, and the broker."""

    async def scenario() -> tuple[RequestError, FakeBroker]:
        async with fake_broker() as broker, connected(broker) as client:
            broker.scripted[settings.LOGIN] = broker_says
            with pytest.raises(RequestError) as caught:
                await client.login()
            assert client.tokens is None
            return caught.value, broker

    result: tuple[RequestError, FakeBroker] = run(scenario())
    return result


def test_logs_in_and_asks_for_what_it_may() -> None:
    async def scenario() -> None:
        async with fake_broker() as broker, connected(broker) as client:
            await client.login()
            assert broker.bodies[0].keys() == {"clientcode", "password", "totp"}
            assert client.tokens is not None
            assert client.tokens.jwt == broker.jwt  # without the `Bearer ` that came before it
            assert (await client.profile())["clientcode"] == CREDENTIALS.client_code
            assert await client.funds() == Funds(1_000_50, 999_99)
            assert await client.last_price(NIFTY) == 187_35
            assert broker.bodies[-1] == {"exchange": "NSE", "tradingsymbol": "NIFTY", "symboltoken": "99926000"}
            await client.logout()
            with pytest.raises(RequestError, match=r"Angel One: feed failed: there is no session: log in again"):
                client.socket_headers()

    run(scenario())


def test_a_wrong_password_is_never_sent_twice() -> None:
    async def scenario() -> None:
        wrong = replace(CREDENTIALS, pin="0000")
        async with fake_broker() as broker, connected(broker, credentials=wrong) as client:
            with pytest.raises(RequestError) as caught:
                await client.login()
            assert str(caught.value) == (
                "Angel One: login failed: unknown error code 'AB1050' (Invalid totp): "
                "look the code up in the broker's documentation"
            )
            assert caught.value.code == "AB1050"
            assert broker.calls[settings.LOGIN] == 1

    run(scenario())


def test_a_secret_that_is_no_base32_is_a_mistake_in_the_configuration() -> None:
    async def scenario() -> None:
        wrong = replace(CREDENTIALS, totp_secret="not-base32")  # noqa: S106  (made up)
        async with fake_broker() as broker, connected(broker, credentials=wrong) as client:
            with pytest.raises(ConfigError, match="MYQUANT_ANGELONE_TOTP_SECRET") as caught:
                await client.login()
            assert "not-base32" not in str(caught.value)
            assert broker.calls[settings.LOGIN] == 0

    run(scenario())


@pytest.mark.parametrize(
    "obstacle",
    [
        lambda: text(429, "too many"),
        lambda: text(403, "Access denied because of exceeding access rate"),
        lambda: text(500, "<html>"),
        lambda: text(502, "bad gateway"),
        lambda: text(503, ""),
        lambda: text(504, '{"status": true}'),
        lambda: text(200, '{"status": true, "data": {"jwt'),
        lambda: text(200, ""),
        lambda: web.Response(status=200, body=b"\xff\xfe"),
    ],
)
def test_asks_again_with_growing_pauses(obstacle: "type[web.Response]") -> None:
    async def scenario() -> None:
        clock = Clock()
        async with fake_broker() as broker, connected(broker, clock=clock) as client:
            broker.scripted[settings.LOGIN] = [obstacle(), obstacle()]
            await client.login()
            assert broker.calls[settings.LOGIN] == 3
            assert clock.now_ns >= 2 * 1e9  # at most one login a second
            assert sum(client.http.counts.values()) == 3 + 2

    run(scenario())


def test_gives_up_within_its_limits() -> None:
    error, broker = login_error([text(429, f"too often, {CREDENTIALS.pin}") for _ in range(9)])
    assert str(error) == "Angel One: login failed: HTTP 429 'too often, ***': ask less often"
    assert error.remedy is Remedy.RATE_LIMIT
    assert broker.calls[settings.LOGIN] == 5
    error, broker = login_error([text(503, "maintenance") for _ in range(9)])
    assert str(error) == "Angel One: login failed: HTTP 503 'maintenance': try again later"
    assert broker.calls[settings.LOGIN] == 5


def test_a_redirect_is_not_followed() -> None:
    error, _ = login_error([web.Response(status=302, headers={"Location": "http://elsewhere/"}) for _ in range(9)])
    assert "HTTP 302" in str(error)


@pytest.mark.parametrize(
    "body",
    [
        {"status": "false", "message": "no", "errorcode": "AB1007"},
        {"status": "true", "message": "no", "errorcode": "AB1007", "data": GOOD},
        {"status": 1, "message": "no", "errorcode": "AB1007", "data": GOOD},
        {"success": False, "message": "no", "errorCode": "AB1007", "data": GOOD},
        {"message": "no", "errorcode": "AB1007", "data": GOOD},
    ],
)
def test_what_is_not_true_is_a_failure(body: dict[str, object]) -> None:
    error, broker = login_error([web.json_response(body)])
    assert str(error) == f"Angel One: login failed: AB1007 (no): {Remedy.STOP}"
    assert (error.request, error.remedy, error.code) == ("login", Remedy.STOP, "AB1007")
    assert broker.calls[settings.LOGIN] == 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "no jwtToken"),
        ({**GOOD, "refreshToken": ""}, "no refreshToken"),
        ({**GOOD, "feedToken": 7}, "no feedToken"),
    ],
)
def test_a_success_without_its_tokens_is_a_failure(data: object, said: str) -> None:
    assert said in str(login_error([envelope(data)])[0])


def test_a_json_that_is_no_envelope_is_a_failure() -> None:
    assert "no envelope" in str(login_error([web.json_response([1])])[0])


def test_every_code_says_what_to_do_and_an_unknown_one_is_named() -> None:
    for code, remedy in REMEDIES.items():
        with pytest.raises(RequestError, match=code) as caught:
            opened(
                "profile", json.dumps({"status": False, "message": "m", "errorcode": code}).encode(), 200, Redactor()
            )
        assert caught.value.remedy is remedy
        assert str(remedy) in str(caught.value)
    for reply in ({"status": False, "message": "m"}, {"status": False}, {"status": False, "errorcode": "XY1"}, {}):
        with pytest.raises(RequestError) as caught:
            opened("profile", json.dumps(reply).encode(), 200, Redactor())
        assert caught.value.remedy is Remedy.UNKNOWN
        assert str(reply.get("errorcode", "no error code")) in str(caught.value)
    with pytest.raises(RequestError) as caught:
        opened("profile", b'{"message": "x"}', 401, Redactor())
    assert caught.value.remedy is Remedy.RELOGIN
    with pytest.raises(RequestError, match="HTTP 400"):
        opened("profile", b'{"status": true, "data": 1}', 400, Redactor())


@pytest.mark.parametrize("amount", [None, True, "", "x", "NaN", "Infinity", [], {}])
def test_an_amount_that_is_none_is_an_error(amount: object) -> None:
    with pytest.raises(RequestError, match="no amount ltp"):
        paise_of("last price", {"ltp": amount}, "ltp")


def test_a_session_that_ended_is_renewed_by_its_refresh_token() -> None:
    async def scenario() -> None:
        async with fake_broker() as broker, connected(broker) as client:
            await client.login()
            ended = refusal("AG8002", "Token Expired")
            broker.scripted[settings.PROFILE] = [ended]
            await client.profile()
            assert (client.logins, client.renewals) == (1, 1)
            assert broker.calls[settings.PROFILE] == 2

    run(scenario())


def test_a_session_that_can_not_be_renewed_is_replaced_by_a_login_once() -> None:
    async def scenario() -> None:
        async with fake_broker() as broker, connected(broker) as client:
            await client.login()
            broker.jwt = "rolled"
            await client.profile()
            assert (client.logins, client.renewals) == (2, 0)
            broker.scripted[settings.PROFILE] = [refusal("AG8001", "Invalid Token") for _ in range(9)]
            with pytest.raises(RequestError, match="AG8001"):
                await client.profile()
            assert broker.calls[settings.PROFILE] == 4

    run(scenario())


def test_who_notices_late_does_not_renew_again() -> None:
    async def scenario() -> None:
        async with fake_broker() as broker, connected(broker) as client:
            await client.login()
            ended = client.tokens
            await client.renew(ended)
            await client.renew(ended)
            assert (client.logins, client.renewals) == (1, 1)

    run(scenario())


def test_a_restart_on_the_same_day_needs_no_login(tmp_path: Path) -> None:
    path = tmp_path / "angelone" / "tokens.json"

    async def scenario() -> None:
        async with fake_broker() as broker:
            async with connected(broker, cache=path) as client:
                await client.start()
            assert path.stat().st_mode & 0o777 == 0o600
            async with connected(broker, cache=path) as client:
                await client.start()
                assert client.logins == 0
                await client.profile()
            assert broker.calls[settings.LOGIN] == 1
            async with connected(broker, cache=path, credentials=replace(CREDENTIALS, client_code="OTHER")) as client:
                await client.start()  # of another account
                assert client.logins == 1
            kept = json.loads(path.read_text())
            path.write_text(json.dumps(kept | {"day": "2026-01-01"}))
            async with connected(broker, cache=path) as client:
                await client.start()
                assert client.logins == 1
                await client.logout()
            assert not path.exists()

    run(scenario())


def test_tokens_that_can_t_be_kept_cost_another_login_and_no_more(tmp_path: Path) -> None:
    async def scenario() -> None:
        (tmp_path / "file").write_text("")
        async with fake_broker() as broker, connected(broker, cache=tmp_path / "file" / "tokens.json") as client:
            await client.login()
            assert "tokens.json: can't be written" in client.not_kept
            await client.profile()

    run(scenario())


def test_what_can_t_be_reached_is_named_with_its_setting() -> None:
    nowhere = Endpoints("http://127.0.0.1:1", "ws://127.0.0.1:1", "http://127.0.0.1:1/m", "ws://127.0.0.1:1")

    async def scenario() -> None:
        async with fake_broker() as broker, connected(broker, endpoints=nowhere) as client:
            with pytest.raises(RequestError) as caught:
                await client.login()
            said = str(caught.value)
            assert said.startswith("Angel One: login failed: http://127.0.0.1:1 (angelone.rest_url) can't be reached (")
            assert said.endswith("): see that the lab runs, on this port: try again later")
            with pytest.raises(RequestError, match=r"127.0.0.1:1/m \(angelone.master_url\) can't be reached"):
                await master.load(client.http, nowhere.master, date(2026, 11, 23), None)

    run(scenario())


def test_elsewhere_the_network_and_the_setting_are_to_be_seen_to() -> None:
    error = NoAnswerError(UNREACHABLE, "no route")
    assert unreachable("https://b.example", "angelone.rest_url", error) == (
        "https://b.example (angelone.rest_url) can't be reached (no route): see to the network and the setting"
    )
    assert unreachable("https://b.example", "angelone.rest_url", NoAnswerError(RATE_LIMITED, "HTTP 429")) == "HTTP 429"


def test_a_password_about_to_run_out_waits_for_the_next(tmp_path: Path) -> None:
    async def scenario() -> None:
        clock = Clock()
        async with fake_broker() as broker, connected(broker, clock=clock) as other:
            client = AngelOneClient(
                other.http,
                CREDENTIALS,
                endpoints=broker.endpoints,
                wall_s=lambda: 1_700_000_009.0 + clock.now_ns / 1e9,  # a second before it changes
            )
            with pytest.raises(RequestError):
                await client.login()  # years off
            assert clock.now_ns == 1_000_000_000

    assert (1_700_000_009 + 1) % 30 == 0
    run(scenario())
    assert list(tmp_path.iterdir()) == []


def test_calls_of_one_kind_are_paced() -> None:
    async def scenario() -> None:
        clock = Clock()
        async with fake_broker() as broker, connected(broker, clock=clock) as client:
            await client.login()
            began = clock.now_ns
            for _ in range(4):
                await client.funds()
            assert clock.now_ns - began >= 3 * round(settings.PACES_S[settings.FUNDS] * 1e9)

    run(scenario())
