"""The order port as it is wired, against the lab over loopback: real HTTP, the real update socket, sessions that end."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from brokers.fake_angelone import CREDENTIALS, connected, fake_broker, until
from brokers.order_stage import KEY
from lab.labs import SYMBOL, Hasty, run, small_day, subscribed
from myquant.brokers.angelone.client import AngelOneClient
from myquant.brokers.angelone.opening import OpenAccount
from myquant.brokers.angelone.orders import AngelOneOrders
from myquant.brokers.angelone.settings import AngelOneCredentials, Endpoints, Machine
from myquant.brokers.http import Http
from myquant.brokers.port import BrokerInstrument, NewOrder, OrderAnswer, order_tag
from myquant.brokers.secrets import Redactor
from myquant.config.loading import load_config
from myquant.core import codes
from myquant.lab.angelone.order_service import Terms
from myquant.lab.angelone.orders import COMPLETE
from myquant.lab.angelone.server import AngelOneLab

PRICE = int(small_day().price[0])
IP = "203.0.113.7"


class Told:
    def __init__(self, port: AngelOneOrders) -> None:
        self.answers: list[OrderAnswer] = []
        self.channel: list[bool] = []
        self.doubts: list[str] = []
        port.on_answer = self.answers.append
        port.on_channel = lambda able, _: self.channel.append(able)
        port.on_doubt = self.doubts.append

    def kinds(self, order_id: int) -> list[int]:
        return [answer.kind for answer in self.answers if answer.order_id == order_id]


async def with_port(lab: AngelOneLab, scenario: Callable[[AngelOneOrders, Told, BrokerInstrument], Any]) -> Told:
    known = lab.credentials
    secrets = AngelOneCredentials(known.api_key, known.client_code, known.pin, known.totp_secret)
    endpoints = Endpoints(lab.rest_url, lab.feed_url, lab.master_url, lab.update_url)
    async with Http(Redactor()) as http:
        client = AngelOneClient(
            http, secrets, endpoints=endpoints, machine=Machine("127.0.0.1", IP, "02:00:5e:10:00:01")
        )
        await client.start()
        exchange_type, token = lab.token_of(SYMBOL)
        option = BrokerInstrument(SYMBOL, "NFO", token, exchange_type, 75, 5)
        port = OpenAccount(client, (option,), (), ()).orders(load_config().config, KEY)
        told = Told(port)
        port.start()
        await until(lambda: told.channel == [False, True])
        await scenario(port, told, option)
        await port.aclose()
    return told


def test_orders_live_and_end_over_the_broker_s_own_protocol() -> None:
    async def scenario(port: AngelOneOrders, told: Told, option: BrokerInstrument) -> None:
        buy = NewOrder(1, option, codes.BUY, 75, PRICE + 5_000, 0, 1_800, is_exit=False)
        port.submit(buy)
        port.submit(buy._replace(order_id=2, limit=PRICE - 5_000))
        await until(lambda: told.kinds(1) == told.kinds(2) == [codes.ORDER_ACK])
        port.modify(2, PRICE - 4_900, 0)
        await until(lambda: codes.MODIFIED in told.kinds(2))
        port.cancel(2)
        await until(lambda: told.kinds(2)[-1] == codes.CANCELLED)
        await subscribed(lab_of["lab"])  # the day begins
        await until(lambda: told.kinds(1)[-1] == codes.FILL)
        books = await port.books()
        assert [order.tag for order in books.orders] == [order_tag(KEY, number, 0) for number in (1, 2)]
        assert books.orders[1].limit == PRICE - 4_900
        (fill,) = [answer for answer in told.answers if answer.kind == codes.FILL]
        assert (fill.filled, fill.value) == (75, sum(each.quantity * each.price for each in books.fills))
        assert [position.quantity for position in books.positions] == [75]
        port.settle(books, 0)
        assert told.kinds(1) == [codes.ORDER_ACK, codes.FILL]

    lab_of: dict[str, AngelOneLab] = {}

    async def play() -> None:
        async with AngelOneLab(small_day(), clock=Hasty(), terms=Terms(static_ip=IP)) as lab:
            lab_of["lab"] = lab
            await with_port(lab, scenario)
            assert lab.orders.book.orders[0].state == COMPLETE

    run(play())


def test_updates_that_are_cut_off_are_heard_again_and_the_books_asked_for() -> None:
    async def play() -> None:
        async with AngelOneLab(small_day(), clock=Hasty()) as lab:

            async def scenario(_: AngelOneOrders, told: Told, __: BrokerInstrument) -> None:
                told.doubts.clear()
                lab.drop_updates()
                await until(lambda: told.channel == [False, True, False, True])
                assert "some may have been missed" in told.doubts[-1]

            await with_port(lab, scenario)

    run(play())


def test_without_its_service_the_port_says_so_and_shows_no_secret() -> None:
    async def play() -> None:
        async with fake_broker() as broker, connected(broker) as client:
            await client.login()
            client.endpoints = replace(client.endpoints, rest="http://127.0.0.1:9")
            option = BrokerInstrument(SYMBOL, "NFO", "1", 2, 75, 5)
            port = OpenAccount(client, (option,), (), ()).orders(load_config().config, KEY)
            told = Told(port)
            port.start()
            port.submit(NewOrder(1, option, codes.BUY, 75, PRICE, 0, 1_800, is_exit=False))
            await until(lambda: told.kinds(1) == [codes.ORDER_REJECT])
            assert told.answers[0].code == codes.NOT_SENT
            assert told.channel == [False]
            words = " ".join([told.answers[0].words, *told.doubts])
            assert "can't be sent" in words
            assert not any(secret in words for secret in (*CREDENTIALS.secrets(), broker.jwt))
            await asyncio.wait_for(port.aclose(), 2)

    run(play())
