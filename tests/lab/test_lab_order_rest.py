"""Orders over HTTP, their updates over the socket, the market of the played day, and the addresses for tests."""

import asyncio
import json
import re
from typing import Any

import aiohttp
import pytest
from picows import WSHandshakeError, ws_connect

from lab.labs import OTHER, SYMBOL, Client, Hasty, headers, login, run, small_day, subscribed, until
from lab.order_desk import wanted
from myquant.core import codes
from myquant.lab.angelone.envelope import USER
from myquant.lab.angelone.faults import Crossed, Faults, Spike, parse_faults
from myquant.lab.angelone.order_service import ORDER, Terms
from myquant.lab.angelone.orders import COMPLETE, OPEN, TRIGGER_PENDING
from myquant.lab.angelone.server import AngelOneLab

PRICE = small_day().price[0] / 100


async def ask(lab: AngelOneLab, method: str, path: str, body: Any = None, jwt: str | None = None) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, lab.rest_url + path, json=body, headers=headers(lab, jwt)) as reply,
    ):
        is_json = reply.content_type == "application/json"
        return reply.status, await reply.json() if is_json else await reply.text()


async def posted(lab: AngelOneLab, path: str) -> str:
    async with aiohttp.ClientSession() as session, session.post(lab.rest_url + path) as answer:
        return await answer.text()


async def listening(lab: AngelOneLab, jwt: str) -> Client:
    client = Client()
    await ws_connect(lambda: client, lab.update_url, extra_headers={"Authorization": f"Bearer {jwt}"})
    return client


async def refused(lab: AngelOneLab, jwt: str) -> int:
    with pytest.raises(WSHandshakeError) as caught:
        await listening(lab, jwt)
    answer: Any = caught.value.response
    status: int = answer.status.value
    return status


def order(lab: AngelOneLab, side: str, price: float, trigger: str = "", **other: str) -> dict[str, str]:
    body = wanted(side, 75, f"{price:.2f}", trigger, ordertag="T1", **other)
    return {**body, "symboltoken": lab.token_of(SYMBOL)[1], "tradingsymbol": SYMBOL}


def test_an_order_goes_from_request_to_fill_and_back() -> None:
    async def play() -> None:
        async with AngelOneLab(small_day(), clock=Hasty()) as lab:
            jwt = (await login(lab))["jwtToken"]
            client = await listening(lab, jwt)
            assert (await ask(lab, "POST", f"{ORDER}/placeOrder", order(lab, "BUY", PRICE)))[1]["errorCode"] == "AG8003"
            status, reply = await ask(lab, "POST", f"{ORDER}/placeOrder", order(lab, "BUY", PRICE + 50), jwt)
            assert (status, reply["status"], reply["data"]["script"]) == (200, True, SYMBOL)
            await until(lambda: len(client.texts) == 3)
            assert [json.loads(text)["order-status"] for text in client.texts] == ["AB00", "AB09", "AB01"]
            greeting = json.loads(client.texts[0])["orderData"]
            assert (greeting["orderid"], greeting["quantity"], greeting["price"]) == ("", "0", 0)
            await subscribed(lab)  # the day begins
            await until(lambda: lab.orders.book.orders[0].state == COMPLETE)
            await until(lambda: json.loads(client.texts[-1])["order-status"] == "AB05")
            last = json.loads(client.texts[-1])
            assert (last["user-id"], last["orderData"]["ordertag"]) == (lab.credentials.client_code, "T1")
            _, book = await ask(lab, "GET", f"{ORDER}/getOrderBook", jwt=jwt)
            assert book["data"][0]["orderid"] == reply["data"]["orderid"]
            _, one = await ask(lab, "GET", f"{ORDER}/details/{reply['data']['uniqueorderid']}", jwt=jwt)
            assert one["data"] == book["data"][0] == {**one["data"], **last["orderData"]}
            _, funds = await ask(lab, "GET", f"{USER}/getRMS", jwt=jwt)
            assert float(funds["data"]["net"]) < 1_000_000
            client.say("ping")
            await until(lambda: client.texts[-1] == "pong")

    run(play())


def test_false_rows_of_the_feed_do_not_move_the_market() -> None:
    ticks = small_day(4000)
    faults = Faults(spike=Spike(share=0.2, percent=-40.0), crossed=Crossed(share=0.2))

    async def play() -> None:
        async with AngelOneLab(ticks, faults=faults, clock=Hasty(), terms=Terms(participation=1.0)) as lab:
            jwt = (await login(lab))["jwtToken"]
            for body in (order(lab, "BUY", PRICE + 50), order(lab, "SELL", PRICE - 52, f"{PRICE - 50:.2f}")):
                await ask(lab, "POST", f"{ORDER}/placeOrder", body, jwt)
                if len(lab.orders.book.orders) == 1:
                    await subscribed(lab)
                    await until(lambda: lab.orders.book.orders[0].state == COMPLETE)
            await lab.finished()
            assert min(ticks.price) / 100 > PRICE - 50
            assert lab.counts["spike"] > 100
            assert lab.orders.book.orders[1].state == TRIGGER_PENDING
            bought = lab.orders.book.orders[0]
            assert bought.value // bought.filled in set(ticks.ask.tolist())

    run(play())


def test_a_handshake_for_updates_is_refused_with_its_status() -> None:
    async def play() -> None:
        async with AngelOneLab(small_day()) as lab:
            assert await refused(lab, "nobody") == 401
            jwt = (await login(lab))["jwtToken"]
            clients = [await listening(lab, jwt) for _ in range(3)]
            assert await refused(lab, jwt) == 429
            await ask(lab, "POST", "/lab/drop_updates")
            await until(lambda: not any(client.is_open for client in clients))
            again = await listening(lab, jwt)
            lab.roll()
            await until(lambda: not again.is_open)
            lab._account._jwts["old"] = 0
            assert await refused(lab, "old") == 403

    run(play())


def test_a_request_that_is_never_answered_hangs_and_one_may_be_cut() -> None:
    async def play(fault: str) -> type[BaseException]:
        async with AngelOneLab(small_day(), faults=parse_faults([fault], 1), clock=Hasty()) as lab:
            jwt = (await login(lab))["jwtToken"]
            asked = asyncio.create_task(ask(lab, "POST", f"{ORDER}/placeOrder", order(lab, "BUY", PRICE), jwt))
            await until(lambda: len(lab.orders.book.orders) == 1)
            done, _ = await asyncio.wait([asked], timeout=0.3)
            if not done:
                asyncio.get_running_loop().call_later(0.05, lambda: asyncio.ensure_future(lab.stop()))
            with pytest.raises(aiohttp.ClientError) as caught:
                await asked
            return BlockingIOError if not done else type(caught.value)

    assert run(play("order_timeout=1")) is BlockingIOError
    assert issubclass(run(play("ack_lost=1")), aiohttp.ClientConnectionError)


def test_the_addresses_for_tests_move_the_account_and_tell_the_truth() -> None:
    async def play() -> None:
        async with AngelOneLab(small_day(400, (SYMBOL, OTHER)), clock=Hasty()) as lab:
            assert (await ask(lab, "POST", f"/lab/manual?side=BUY&quantity=75&symbol={SYMBOL}"))[0] == 409
            await subscribed(lab)
            await until(lambda: len(lab.orders.book.market) == 2)
            for query, status in (
                (f"side=BUY&quantity=150&symbol={SYMBOL}", 200),
                (f"side=SELL&quantity=75&symbol={SYMBOL}", 200),
                (f"side=SELL&quantity=75&symbol={OTHER}", 409),
                ("side=BUY&quantity=75&symbol=nope", 400),
                (f"side=HOLD&quantity=75&symbol={SYMBOL}", 400),
                (f"side=BUY&quantity=-75&symbol={SYMBOL}", 400),
            ):
                assert (await ask(lab, "POST", f"/lab/manual?{query}"))[0] == status
            bought = await posted(lab, f"/lab/manual?side=BUY&quantity=75&symbol={OTHER}")
            assert re.fullmatch(rf"traded by phone: BUY 75 {OTHER} at \d+\.\d\d\n", bought)
            assert "'nope'" in await posted(lab, "/lab/manual?side=BUY&quantity=75&symbol=nope")
            assert await posted(lab, "/lab/square_off") == "squared off: 2 positions closed, no order works\n"
            assert await posted(lab, "/lab/square_off") == "squared off: 0 positions closed, no order works\n"
            _, truth = await ask(lab, "GET", "/lab/orders")
            assert [(each["by"], each["side"], each["filled"], each["state"]) for each in truth["orders"]] == [
                ("phone", codes.BUY, 150, COMPLETE),
                ("phone", codes.SELL, 75, COMPLETE),
                ("phone", codes.BUY, 75, COMPLETE),
                ("broker", codes.SELL, 75, COMPLETE),
                ("broker", codes.SELL, 75, COMPLETE),
            ]
            assert truth["positions"][0] | {"net": 0, "lowest": 0} == truth["positions"][0]
            assert truth["orders"][0]["timeline"][-1][1] == "complete"

    run(play())


def test_what_is_listed_beside_can_be_ordered_and_an_index_can_not() -> None:
    async def play() -> None:
        async with AngelOneLab(small_day(), clock=Hasty()) as lab:
            jwt = (await login(lab))["jwtToken"]
            beside = next(each for each in lab.listed if each.symbol == "NIFTY07OCT2524950CE")
            body = {**order(lab, "BUY", 100.0), "symboltoken": beside.token, "tradingsymbol": beside.symbol}
            assert (await ask(lab, "POST", f"{ORDER}/placeOrder", body, jwt))[1]["status"] is True
            await until(lambda: lab.orders.book.orders[0].state == OPEN)
            index = {**body, "symboltoken": "99926000", "tradingsymbol": "Nifty 50", "exchange": "NSE"}
            assert (await ask(lab, "POST", f"{ORDER}/placeOrder", index, jwt))[1]["errorcode"] == "AB1009"

    run(play())
