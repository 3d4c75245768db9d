"""An order service on a clock of its own, for tests: no event loop, no sockets, requests answered as time is let pass."""

import heapq
import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from myquant.lab.angelone.envelope import USER
from myquant.lab.angelone.faults import NO_FAULTS, Faults
from myquant.lab.angelone.instruments import Listed
from myquant.lab.angelone.order_service import ORDER, OrderService, Terms
from myquant.lab.angelone.orders import Order, Tradable
from myquant.ticks.generate import SECOND_NS

TOKEN = "41234"  # noqa: S105  (an instrument's)
LOT = 75
SYMBOL = "NIFTY07OCT2524900CE"
LISTED = Listed(
    TOKEN, SYMBOL, "NIFTY", "NFO", date(2025, 10, 7), Decimal(24900), "CE", lot_size=LOT, tick_paise=5, kind="OPTIDX"
)
TRADABLE = Tradable(LISTED, freeze_quantity=1800, low_price=1_000, high_price=50_000, close=19_000)
BEGIN_NS = 1_759_463_100 * SECOND_NS  # a whole second


class Desk:
    """The service, a clock that moves when told, and the updates and replies that came."""

    def __init__(self, terms: Terms = Terms(participation=1.0), faults: Faults = NO_FAULTS) -> None:  # noqa: B008  (immutable)
        self.now_ns = BEGIN_NS
        self.updates: list[dict[str, Any]] = []
        self._calls: list[tuple[int, int, Callable[[], None]]] = []
        self._called = 0
        self.service = OrderService([TRADABLE], lambda: self.now_ns, self.call_later, terms=terms, faults=faults)
        self.service.listeners.append(self.updates.append)

    def call_later(self, seconds: float, function: Callable[[], None]) -> None:
        self._called += 1
        heapq.heappush(self._calls, (self.now_ns + round(seconds * SECOND_NS), self._called, function))

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        until_ns = self.now_ns + round(seconds * SECOND_NS)
        while self._calls and self._calls[0][0] <= until_ns:
            self.now_ns, _, function = heapq.heappop(self._calls)
            function()
        self.now_ns = until_ns

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> list[tuple[int, bytes]]:
        """Send a request; return where its reply will be."""
        replies: list[tuple[int, bytes]] = []
        content = b"" if body is None else json.dumps(body).encode()
        self.service.handle(method, path, headers, content, lambda status, body: replies.append((status, body)))
        assert replies == []
        return replies

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send a request, wait a second, and return the envelope."""
        replies = self.send(method, path, body, **headers)
        self.wait(1.0)
        ((status, content),) = replies
        assert status == 200
        return json.loads(content)

    def data(self, name: str) -> Any:
        """Return the data of a book."""
        reply = self.ask("GET", f"{ORDER}/{name}")
        assert reply["status"] is True
        return reply["data"]

    def funds(self) -> dict[str, float]:
        reply = self.ask("GET", f"{USER}/getRMS")
        return {name: float(text) for name, text in reply["data"].items()}

    def place(self, side: str, quantity: int, price: str, trigger: str = "", **other: str) -> Order:
        """Place an order, wait a second, and return it as it truly is."""
        reply = self.ask("POST", f"{ORDER}/placeOrder", wanted(side, quantity, price, trigger, **other))
        assert reply["status"] is True, reply
        order = self.service.book.order(reply["data"]["orderid"])
        assert order is not None
        return order

    def market(self, price: int, bid: int = 0, ask: int = 0, volume: int = 10_000) -> None:
        """Move the market, and let what it caused be pushed."""
        self.service.take_price(TOKEN, price, bid or price - 5, ask or price + 5, volume)
        self.wait(0.01)

    def words(self, order: Order) -> list[tuple[str, str]]:
        """Return code and status of the updates of an order."""
        return [
            (each["order-status"], each["orderData"]["status"])
            for each in self.updates
            if each["orderData"]["orderid"] == order.order_id
        ]


def wanted(side: str, quantity: int, price: str, trigger: str = "", **other: str) -> dict[str, str]:
    """Return the body of a request to place."""
    body = {
        "variety": "STOPLOSS" if trigger else "NORMAL",
        "tradingsymbol": SYMBOL,
        "symboltoken": TOKEN,
        "transactiontype": side,
        "exchange": "NFO",
        "ordertype": "STOPLOSS_LIMIT" if trigger else "LIMIT",
        "producttype": "INTRADAY",
        "duration": "DAY",
        "price": price,
        "quantity": str(quantity),
        "ordertag": "",
    }
    return {**body, **({"triggerprice": trigger} if trigger else {}), **other}


def change(order: Order, price: str, trigger: str = "", **other: str) -> dict[str, str]:
    """Return the body of a request to modify."""
    body = wanted("BUY", order.quantity, price, trigger)
    del body["transactiontype"], body["ordertag"]
    return {**body, "orderid": order.order_id, **other}
