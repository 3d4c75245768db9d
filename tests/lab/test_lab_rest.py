"""The REST service: envelopes, codes, limits, prices, and the faults of a login."""

from typing import Any

import aiohttp
import pytest

from lab.labs import LOGIN, OTHER, SYMBOL, Hasty, headers, login, login_body, run, small_day, subscribed, until
from myquant.lab.angelone.envelope import TOO_OFTEN
from myquant.lab.angelone.faults import Faults, Login5xx, Login429, LoginGarbage, parse_faults
from myquant.lab.angelone.server import AngelOneLab

USER = "/rest/secure/angelbroking/user/v1"
ORDER = "/rest/secure/angelbroking/order/v1"
QUOTE = "/rest/secure/angelbroking/market/v1/quote"
REFRESH = "/rest/auth/angelbroking/jwt/v1/generateTokens"


async def ask(
    lab: AngelOneLab, path: str, body: Any = None, *, jwt: str | None = None, method: str = "POST", **other: str
) -> tuple[int, Any]:
    """Send a request; return status and reply, a text where it is no JSON."""
    sent = {key: value for key, value in {**headers(lab, jwt), **other}.items() if value}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, lab.rest_url + path, json=body, headers=sent) as reply,
    ):
        is_json = reply.content_type == "application/json"
        return reply.status, await reply.json() if is_json else await reply.text()


def codes(reply: tuple[int, Any]) -> tuple[int, str]:
    """Return status and error code, under either spelling."""
    status, body = reply
    assert body.get("status", body.get("success")) is False
    return status, body.get("errorcode") or body["errorCode"]


def test_a_login_gives_tokens_in_the_envelope() -> None:
    async def play() -> None:
        async with AngelOneLab(small_day()) as lab:
            status, reply = await ask(lab, LOGIN, {**login_body(lab), "state": "mine"})
            assert (status, reply["status"], reply["message"], reply["errorcode"]) == (200, True, "SUCCESS", "")
            assert set(reply["data"]) == {"jwtToken", "refreshToken", "feedToken", "state"}
            status, profile = await ask(lab, f"{USER}/getProfile", jwt=reply["data"]["jwtToken"], method="GET")
            assert profile["data"]["clientcode"] == lab.credentials.client_code
            funds = (await ask(lab, f"{USER}/getRMS", jwt=reply["data"]["jwtToken"], method="GET"))[1]["data"]
            assert len(funds) == 14
            assert {name: text for name, text in funds.items() if text != "0.0000"} == {
                "net": "1000000.0000",
                "availablecash": "1000000.0000",
            }

    run(play())


@pytest.mark.parametrize(
    ("body", "header", "code"),
    [
        ({"password": "0000"}, {}, "AB1000"),
        ({"totp": "000000x"}, {}, "AB1007"),
        ({}, {"X-PrivateKey": "other"}, "AG8004"),
        ({}, {"X-PrivateKey": ""}, "AG8004"),
        ({}, {"X-MACAddress": ""}, "AB1012"),
    ],
)
def test_a_login_is_refused_with_a_code(body: dict[str, str], header: dict[str, str], code: str) -> None:
    async def play() -> None:
        async with AngelOneLab(small_day()) as lab:
            assert codes(await ask(lab, LOGIN, login_body(lab, **body), **header)) == (200, code)

    run(play())


def test_a_body_that_is_none_is_bad_input() -> None:
    async def play() -> None:
        async with AngelOneLab(small_day(), clock=Hasty()) as lab:
            bodies: list[Any] = [None, [], {"clientcode": 1}]
            for body in bodies:
                assert codes(await ask(lab, LOGIN, body)) == (200, "AB1012")

    run(play())


def test_too_many_requests_get_plain_text_and_403() -> None:
    async def play() -> None:
        async with AngelOneLab(small_day()) as lab:
            await login(lab)
            assert await ask(lab, LOGIN, login_body(lab)) == (403, TOO_OFTEN)
            assert lab.counts["requests_too_often"] == 1

    run(play())


def test_without_a_good_token_nothing_is_told() -> None:
    async def play() -> None:
        async with AngelOneLab(small_day(), clock=Hasty()) as lab:
            assert codes(await ask(lab, f"{USER}/getRMS", method="GET")) == (200, "AG8003")
            assert codes(await ask(lab, f"{USER}/getRMS", method="GET", jwt="x")) == (200, "AG8001")

    run(play())


def test_a_refresh_gives_new_tokens_after_a_roll() -> None:
    async def play() -> None:
        async with AngelOneLab(small_day()) as lab:
            tokens = await login(lab)
            lab.roll()
            assert codes(await ask(lab, f"{USER}/getProfile", jwt=tokens["jwtToken"], method="GET")) == (200, "AG8001")
            body = {"refreshToken": tokens["refreshToken"]}
            _, reply = await ask(lab, REFRESH, body, jwt=tokens["jwtToken"])
            fresh = reply["data"]
            assert (await ask(lab, f"{USER}/getProfile", jwt=fresh["jwtToken"], method="GET"))[1]["status"] is True
            logout = {"clientcode": lab.credentials.client_code}
            assert (await ask(lab, f"{USER}/logout", logout, jwt=fresh["jwtToken"]))[1]["status"] is True
            assert codes(await ask(lab, f"{USER}/getProfile", jwt=fresh["jwtToken"], method="GET")) == (200, "AG8001")

    run(play())


def test_last_prices_are_the_days_present_ones() -> None:
    ticks = small_day(40, (SYMBOL, OTHER))

    async def play() -> None:
        async with AngelOneLab(ticks, clock=Hasty()) as lab:
            token, other = lab.token_of(SYMBOL)[1], lab.token_of(OTHER)[1]
            await subscribed(lab)
            await until(lambda: lab.counts["packets"] > 20)
            jwt = (await login(lab))["jwtToken"]
            asked = {"exchange": "NFO", "tradingsymbol": SYMBOL, "symboltoken": token}
            _, reply = await ask(lab, f"{ORDER}/getLtpData", asked, jwt=jwt)
            assert reply["data"]["ltp"] == ticks.price[ticks.instrument == 0][-1] / 100
            assert reply["data"]["close"] == ticks.price[0] / 100
            wanted = {"mode": "OHLC", "exchangeTokens": {"NFO": [token, other], "NSE": ["99926000", "nope"]}}
            _, reply = await ask(lab, QUOTE, wanted, jwt=jwt)
            assert [row["symbolToken"] for row in reply["data"]["fetched"]] == [token, other, "99926000"]
            assert [row["symbolToken"] for row in reply["data"]["unfetched"]] == ["nope"]
            high = max(ticks.price[ticks.instrument == 1]) / 100
            assert reply["data"]["fetched"][1]["high"] == high
            for bad in ({}, {**wanted, "mode": "FULL"}, {"mode": "LTP", "exchangeTokens": {"NFO": [token] * 51}}):
                assert codes(await ask(lab, QUOTE, bad, jwt=jwt)) == (200, "AB1012")
            for wrong, code in (({"symboltoken": "1"}, "AB1009"), ({"tradingsymbol": OTHER}, "AB1018")):
                assert codes(await ask(lab, f"{ORDER}/getLtpData", {**asked, **wrong}, jwt=jwt)) == (200, code)

    run(play())


def test_the_master_is_sent_without_a_login() -> None:
    async def play() -> None:
        async with AngelOneLab(small_day()) as lab, aiohttp.ClientSession() as session:
            async with session.get(lab.master_url) as reply:
                rows = await reply.json()
            assert {row["symbol"] for row in rows} >= {SYMBOL, "Nifty 50"}
            found = next(row for row in rows if row["symbol"] == SYMBOL)
            assert lab.token_of(SYMBOL) == (2, found["token"])

    run(play())


def test_the_first_logins_fail_as_they_should() -> None:
    faults = Faults(login_429=Login429(tries=1), login_5xx=Login5xx(tries=2), login_garbage=LoginGarbage(tries=1))

    async def play() -> None:
        async with AngelOneLab(small_day(), faults=faults, clock=Hasty()) as lab:
            seen: list[Any] = []
            for _ in range(4):
                async with (
                    aiohttp.ClientSession() as session,
                    session.post(lab.rest_url + LOGIN, json=login_body(lab), headers=headers(lab)) as reply,
                ):
                    seen.append((reply.status, reply.content_type))
            json_type = "application/json"
            assert seen == [(429, "text/plain"), (500, "text/html"), (502, "text/html"), (200, json_type)]
            assert (lab.counts["login_429"], lab.counts["login_5xx"], lab.counts["login_garbage"]) == (1, 2, 1)

    run(play())


def test_the_control_addresses_tell_and_act() -> None:
    async def play() -> None:
        async with AngelOneLab(small_day(), faults=parse_faults(["duplicate=0.5"], 1)) as lab:
            client = await subscribed(lab)
            await until(lambda: len(client.packets) > 100)
            assert await ask(lab, "/lab/about", method="GET") == (200, {"day": "2025-10-03", "static_ip": ""})
            _, counts = await ask(lab, "/lab/counts", method="GET")
            assert counts["packets"] > 100
            assert counts["duplicate"] > 10
            assert (await ask(lab, "/lab/drop"))[0] == 200
            await until(lambda: not client.is_open)
            assert (await ask(lab, "/lab/roll"))[0] == 200

    run(play())
