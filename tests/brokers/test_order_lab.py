"""The port against the lab's order service, in virtual time, under its faults: the service's own book is the oracle."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

import pytest

from brokers.order_stage import KEY, SECOND_NS, FakeAccount, FakeUpdates, JumpingLoop
from lab.order_desk import LOT, SYMBOL, TOKEN, TRADABLE
from myquant.brokers.angelone.order_updates import update_row
from myquant.brokers.angelone.orders import AngelOneOrders
from myquant.brokers.http import Reply
from myquant.brokers.port import BrokerInstrument, Funds, NewOrder, OrderAnswer, Remedy, RequestError, order_tag
from myquant.brokers.wire import OnReply
from myquant.core import codes
from myquant.lab.angelone import order_faults
from myquant.lab.angelone.envelope import USER
from myquant.lab.angelone.faults import Faults
from myquant.lab.angelone.order_service import OrderService, Terms

OPTION: Final = BrokerInstrument(SYMBOL, "NFO", TOKEN, 2, LOT, 5)
SETTLE_NS: Final = 35 * SECOND_NS
ENDS: Final = (codes.ORDER_REJECT, codes.CANCELLED)
EACH: Final[dict[str, Any]] = {
    "order_timeout": order_faults.OrderTimeout(0.05),
    "order_late": order_faults.OrderLate(0.05, 30.0),
    "order_lost": order_faults.OrderLost(0.05),
    "ack_lost": order_faults.AckLost(0.1),
    "order_429": order_faults.Order429(0.05),
    "order_5xx": order_faults.Order5xx(0.1),
    "order_garbage": order_faults.OrderGarbage(0.1),
    "reject_late": order_faults.RejectLate(0.1),
    "fill_then_silence": order_faults.FillThenSilence(0.2),
    "update_duplicate": order_faults.UpdateDuplicate(0.3),
    "update_reorder": order_faults.UpdateReorder(0.3),
    "update_delay": order_faults.UpdateDelay(0.3),
    "book_5xx": order_faults.Book5xx(0.2),
}


class LabWire:
    """Connections to the service; a request without an answer is lost after five seconds."""

    def __init__(self, service: OrderService) -> None:
        self.on_change: Callable[[], None] = lambda: None
        self.reason, self.is_open = "", True
        self._service, self._busy = service, 0
        self.tags: Counter[str] = Counter()

    @property
    def is_free(self) -> bool:
        return self._busy < 8

    def start(self) -> None:
        pass

    def send(self, request: bytes, on_reply: OnReply) -> bool:
        if not self.is_free:
            return False
        head, body = request.split(b"\r\n\r\n", 1)
        self.tags[json.loads(body).get("ordertag", "")] += 1
        self._busy += 1
        answers = [on_reply]
        method, path, _ = head.decode().split("\r\n")[0].split(" ")

        def answer(reply: Reply | None, why: str) -> None:
            for taker in answers[:]:
                answers.clear()
                self._busy -= 1
                taker(reply, why)
                self.on_change()

        asyncio.get_running_loop().call_later(5.0, answer, None, "no answer")
        self._service.handle(
            method, path, {}, body, lambda status, content: answer(Reply(status, content) if status else None, "cut")
        )
        return True

    async def aclose(self) -> None:
        pass


class LabAccount(FakeAccount):
    """Looks at the service's books, within their rate."""

    def __init__(self, service: OrderService) -> None:
        super().__init__()
        self._service = service

    def order_headers(self) -> Mapping[str, str]:
        return {}

    async def book(self, request: str, path: str) -> Any:
        loop = asyncio.get_running_loop()
        reply = loop.create_future()
        self._service.handle("GET", path, {}, b"", lambda status, content: reply.set_result((status, content)))
        status, content = await reply
        if status != 200:
            raise RequestError("Angel One", request, "no", Remedy.RETRY)
        return json.loads(content, parse_float=Decimal)["data"]

    async def funds(self) -> Funds:
        await self.book("funds", f"{USER}/getRMS")
        return Funds(0, 0)


class Play:
    """A simple engine: orders are sent, given up after a while, and the books are looked at now and then."""

    def __init__(self, faults: Faults) -> None:
        loop = asyncio.get_running_loop()
        self.now_ns: Callable[[], int] = lambda: round(loop.time() * SECOND_NS)
        terms = Terms(participation=1.0, cash_paise=10**12)
        self.service = OrderService([TRADABLE], self.now_ns, loop.call_later, terms=terms, faults=faults)
        self.account, self.wire = LabAccount(self.service), LabWire(self.service)
        self.port = AngelOneOrders(
            self.account,
            rest="https://broker.example",
            session_key=KEY,
            product="INTRADAY",
            instruments=[OPTION],
            wire=self.wire,
            updates=self._open_updates,
            monotonic_ns=self.now_ns,
        )
        self.told: dict[int, list[OrderAnswer]] = {}
        self.doubts: list[str] = []
        self.port.on_answer = lambda answer: self.told.setdefault(answer.order_id, []).append(answer)
        self.port.on_doubt = self.doubts.append

    def _open_updates(self, *calls: Any) -> FakeUpdates:
        updates = FakeUpdates(*calls)

        def push(frame: dict[str, Any]) -> None:
            row = update_row(json.dumps(frame).encode(), self.account.redactor)
            if row is not None:
                updates.on_row(row)

        self.service.listeners.append(push)
        return updates

    async def look(self) -> None:
        try:
            books = await self.port.books()
        except RequestError:
            return
        self.port.settle(books, SETTLE_NS)

    def has_ended(self, order: NewOrder) -> bool:
        answers = self.told.get(order.order_id, [])
        return bool(answers) and (answers[-1].kind in ENDS or answers[-1].filled == order.quantity)


async def storm(faults: Faults, count: int) -> tuple[Play, list[NewOrder]]:
    """Send orders, most of which fill; cancel what is left after two seconds; look at the books till all have ended."""
    play = Play(faults)
    play.port.start()
    play.service.take_price(TOKEN, 20_000, 19_995, 20_005, 100_000)
    sent = []
    for number in range(1, count + 1):
        quantity = LOT * (1 + number % 30)
        limit = 20_400 if number % 3 else 19_000
        order = NewOrder(number, OPTION, codes.BUY, quantity, limit, 0, 1_800, is_exit=False)
        play.port.submit(order)
        sent.append(order)
        await asyncio.sleep(0.5)
        play.service.take_price(TOKEN, 20_000, 19_995, 20_005, 600)
        if number > 4:
            play.port.cancel(number - 4)
        if number % 20 == 0:
            await play.look()
    for _ in range(40):
        for order in sent:
            if not play.has_ended(order):
                play.port.cancel(order.order_id)
        await asyncio.sleep(5)
        await play.look()
    await play.port.aclose()
    return play, sent


def run(faults: Faults, count: int) -> tuple[Play, list[NewOrder]]:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(storm(faults, count))


def check(play: Play, sent: list[NewOrder]) -> None:
    """Hold what was told of each order against the service's own book."""
    truth: dict[str, list[Any]] = {}
    for there in play.service.book.orders:
        truth.setdefault(there.tag, []).append(there)
    assert all(len(orders) == 1 for orders in truth.values())
    assert max(times for tag, times in play.wire.tags.items() if tag) == 1
    for order in sent:
        parts = -(-order.quantity // 1_800)
        ours = [each for part in range(parts) for each in truth.pop(order_tag(KEY, order.order_id, part), [])]
        answers = play.told[order.order_id]
        assert play.has_ended(order), (order, answers)
        assert sum(answer.kind in ENDS for answer in answers) <= 1
        assert (answers[-1].filled, answers[-1].value) == (
            sum(each.filled for each in ours),
            sum(each.value for each in ours),
        )
        assert not any(each.is_working for each in ours)
        if answers[-1].code == codes.NOT_FOUND:
            assert not ours
    assert not truth


def test_without_faults_all_that_is_sent_is_told_of() -> None:
    play, sent = run(Faults(), 60)
    check(play, sent)
    assert {answer.kind for answers in play.told.values() for answer in answers} == {
        codes.ORDER_ACK,
        codes.FILL,
        codes.CANCELLED,
    }


@pytest.mark.parametrize("name", EACH)
def test_no_fault_loses_or_doubles_an_order(name: str) -> None:
    faults = replace(Faults(seed=7), **{name: EACH[name]})
    play, sent = run(faults, 60)
    check(play, sent)
    assert play.service.counts[name] > 0


def test_all_faults_together() -> None:
    play, sent = run(Faults(seed=3, **EACH), 150)
    check(play, sent)
    kinds = Counter(answer.kind for answers in play.told.values() for answer in answers)
    assert kinds[codes.ORDER_REJECT] > 0 < kinds[codes.CANCELLED]
