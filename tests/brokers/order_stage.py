"""An order port on a wire of memory: the requests it wrote, the answers it gets, and what it tells of them."""

import asyncio
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from myquant.brokers.angelone.orders import AngelOneOrders
from myquant.brokers.angelone.settings import CANCEL, FUNDS, MODIFY, ORDER_BOOK, PLACE, POSITIONS, TRADE_BOOK
from myquant.brokers.http import Reply
from myquant.brokers.port import BrokerInstrument, Funds, NewOrder, OpenOrder, OrderAnswer, Remedy, RequestError
from myquant.brokers.secrets import Redactor
from myquant.brokers.wire import OnReply
from myquant.core import codes, orders

KEY: Final = 12345
OPTION: Final = BrokerInstrument("NIFTY24NOV2625000CE", "NFO", "35003", 2, 65, 5)
SECOND_NS: Final = 10**9
PATHS: Final = {PLACE: "place", MODIFY: "modify", CANCEL: "cancel"}


def new_order(order_id: int = 1, quantity: int = 65, *, side: int = codes.BUY, trigger: int = 0) -> NewOrder:
    is_exit = side == codes.SELL
    return NewOrder(order_id, OPTION, side, quantity, 10050, trigger, 130, is_exit)


def row_of(
    tag: str = "",
    *,
    broker_id: str = "b1",
    state: int = orders.WORKING,
    filled: int = 0,
    value: int = 0,
    quantity: int = 65,
    side: int = codes.BUY,
    limit: int = 10050,
    trigger: int = 0,
) -> OpenOrder:
    return OpenOrder(broker_id, tag, OPTION.token, side, quantity, filled, value, limit, trigger, state, "")


def book_row(**changes: Any) -> dict[str, Any]:
    """Return a row of the order book in the broker's words, as it is parsed."""
    row = {
        "variety": "NORMAL",
        "producttype": "INTRADAY",
        "transactiontype": "BUY",
        "exchange": "NFO",
        "tradingsymbol": OPTION.symbol,
        "symboltoken": OPTION.token,
        "quantity": "65",
        "filledshares": "0",
        "averageprice": 0.0,
        "price": 100.5,
        "triggerprice": 0.0,
        "orderid": "b1",
        "ordertag": "",
        "status": "open",
        "orderstatus": "open",
        "text": "",
    }
    if changes.get("filledshares", "0") != "0":
        row["averageprice"] = 100.5
    parsed: dict[str, Any] = json.loads(json.dumps(row | changes), parse_float=Decimal)
    return parsed


def success(broker_id: str = "b1") -> Reply:
    data = {"script": "X", "orderid": broker_id, "uniqueorderid": "u"}
    return Reply(200, json.dumps({"status": True, "message": "SUCCESS", "errorcode": "", "data": data}).encode())


def failure(code: str, message: str = "no") -> Reply:
    return Reply(200, json.dumps({"status": False, "message": message, "errorcode": code, "data": None}).encode())


class FakeAccount:
    def __init__(self) -> None:
        self.tokens: Any = object()
        self.redactor = Redactor(["planted-jwt"])
        self.renewals = 0
        self.books: dict[str, Any] = {ORDER_BOOK: None, TRADE_BOOK: None, POSITIONS: None, FUNDS: Funds(1, 2)}
        self.fault: RequestError | None = None

    def order_headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer planted-jwt-{self.renewals}", "X-PrivateKey": "key"}

    async def renew(self, ended: Any) -> None:
        await asyncio.sleep(0)
        if self.fault is not None:
            raise self.fault
        if self.tokens is ended:
            self.tokens = object()
            self.renewals += 1

    async def book(self, request: str, path: str) -> Any:  # noqa: ARG002  (the account's)
        await asyncio.sleep(0)
        if isinstance(self.books[path], Exception):
            raise self.books[path]
        return self.books[path]

    async def funds(self) -> Funds:
        await asyncio.sleep(0)
        funds: Funds = self.books[FUNDS]
        return funds


class FakeWire:
    """Keeps what is written; the test answers."""

    def __init__(self) -> None:
        self.on_change: Callable[[], None] = lambda: None
        self.reason = "not connected yet"
        self.is_open = True
        self.room = 3
        self.written: list[tuple[str, dict[str, str], str]] = []  # what, body, head
        self.waiting: list[OnReply] = []

    @property
    def is_free(self) -> bool:
        return self.is_open and len(self.waiting) < self.room

    def start(self) -> None:
        self.reason = "lost"

    def send(self, request: bytes, on_reply: OnReply) -> bool:
        if not self.is_free:
            return False
        head, body = request.split(b"\r\n\r\n", 1)
        assert f"Content-Length: {len(body)}".encode() in head
        self.written.append((PATHS[head.split()[1].decode()], json.loads(body), head.decode()))
        self.waiting.append(on_reply)
        return True

    def answer(self, reply: Reply | None = None, why: str = "lost", at: int = 0) -> None:
        self.waiting.pop(at)(reply, why)
        self.on_change()

    def turn(self, *, is_open: bool) -> None:
        self.is_open = is_open
        self.on_change()

    async def aclose(self) -> None:
        for on_reply in self.waiting:
            on_reply(None, "closed")


class FakeUpdates:
    def __init__(
        self,
        on_row: Callable[[OpenOrder], None],
        on_health: Callable[[bool, str], None],
        on_odd: Callable[[str], None],
    ) -> None:
        self.on_row, self.on_health, self.on_odd = on_row, on_health, on_odd

    def start(self) -> None:
        self.on_health(True, "receiving")

    async def aclose(self) -> None:
        pass


class Stage:
    """A port, its surroundings, and what it told. The clock is that of the loop."""

    def __init__(self) -> None:
        self.account, self.wire = FakeAccount(), FakeWire()
        self.port = AngelOneOrders(
            self.account,
            rest="https://broker.example",
            session_key=KEY,
            product="INTRADAY",
            instruments=[OPTION],
            wire=self.wire,
            updates=self._open_updates,
            monotonic_ns=lambda: round(asyncio.get_running_loop().time() * SECOND_NS),
        )
        self.answers: list[OrderAnswer] = []
        self.channel: list[tuple[bool, str]] = []
        self.doubts: list[str] = []
        self.port.on_answer = self.answers.append
        self.port.on_channel = lambda able, why: self.channel.append((able, why))
        self.port.on_doubt = self.doubts.append

    def _open_updates(self, *calls: Any) -> FakeUpdates:
        self.updates = FakeUpdates(*calls)
        return self.updates

    def told(self) -> list[tuple[int, int, int, int, int]]:
        """Return what was told since the last time: kind, order, filled, value, code."""
        told = [answer[:5] for answer in self.answers]
        self.answers.clear()
        return told


class JumpingLoop(asyncio.SelectorEventLoop):
    """A loop that does not wait: when it would, its clock jumps."""

    def __init__(self) -> None:
        super().__init__()
        self._ahead_s = 0.0
        select = self._selector.select  # type: ignore[attr-defined]

        def jump(timeout: float | None) -> Any:
            if timeout is not None and timeout > 0:
                self._ahead_s += timeout
            return select(0)

        self._selector.select = jump  # type: ignore[attr-defined]

    def time(self) -> float:
        """Return a time that only waiting moves."""
        return 1000.0 + self._ahead_s


def play(scenario: Callable[[Stage], Any]) -> Stage:
    """Run a scenario on a started port in virtual time."""

    async def run() -> Stage:
        stage = Stage()
        stage.port.start()
        stage.doubts.clear()
        await asyncio.wait_for(scenario(stage), 10_000)
        await stage.port.aclose()
        return stage

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(run())


def rate_error() -> RequestError:
    return RequestError("Angel One", "order book", "asked too often", Remedy.RATE_LIMIT)
