"""The broker's order service without sockets: requests in, replies and order updates out, with latency and faults.

What comes later comes by the `call_later` given, so that it runs on an event loop of any clock. A reply is never given
from within `handle`, nor an update from within what caused it.
"""

import json
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from myquant.core import codes
from myquant.lab.angelone.account import Account, Clock, Refusal
from myquant.lab.angelone.envelope import (
    BAD_INPUT,
    NO_ORDER,
    REQUIRED_HEADERS,
    TOO_OFTEN,
    USER,
    WRONG_IP,
    accepted_body,
    broken_body,
    refused_body,
)
from myquant.lab.angelone.faults import NO_FAULTS, Faults
from myquant.lab.angelone.order_book import OrderBook
from myquant.lab.angelone.order_faults import Chance
from myquant.lab.angelone.order_requests import OF_CHANGE, body_of, change_of, wanted_of
from myquant.lab.angelone.order_rows import funds_row, order_row, position_row, trade_row, update_frame
from myquant.lab.angelone.orders import BROKER, INTRADAY, PHONE, REJECTED, Order, Tradable
from myquant.ticks.generate import SECOND_NS

ORDER: Final = "/rest/secure/angelbroking/order/v1"
DETAILS: Final = f"{ORDER}/details/"
ORDERS_PER_SECOND: Final = 9  # placed, modified and cancelled together
CUT: Final = 0  # in place of a status: the connection is cut without an answer
HOLD_S: Final = 1.0  # an update that others should overtake waits no longer

Reply = Callable[[int, bytes], None]  # HTTP status, or CUT, and body
CallLater = Callable[[float, Callable[[], None]], object]


class Terms(NamedTuple):
    """How the account and its way to the exchange are."""

    cash_paise: int = 100_000_000
    latency_s: float = 0.005  # from the broker to the exchange
    answer_s: float = 0.002  # until a reply, and until a change is pushed
    participation: float = 0.1  # of a print's volume: what one order may take of it, in whole lots, at least one
    static_ip: str = ""  # orders must name it; empty: any will do
    dedupe: bool = False  # a tag seen before names the first order, and makes no other


class Route(NamedTuple):
    """A request that is known."""

    group: str  # what counts together
    per_second: int
    answer: Callable[[bytes], bytes]  # from a body to that of the reply
    is_order: bool


class OrderService:
    """The orders of one account.

    Arguments: what can be traded; the clock, ns since the epoch; `call_later`(seconds, function); terms; faults and
    counts of what was done; the account that headers are checked against, None: they are not.

    Attributes:
        book: orders, trades, positions and funds as they truly are: the oracle of tests.
        listeners: each is given every order update, a JSON object, that is pushed.
    """

    def __init__(
        self,
        tradables: list[Tradable],
        clock: Clock,
        call_later: CallLater,
        *,
        terms: Terms = Terms(),  # noqa: B008  (immutable)
        faults: Faults = NO_FAULTS,
        counts: Counter[str] | None = None,
        account: Account | None = None,
    ) -> None:
        self.counts: Counter[str] = Counter() if counts is None else counts
        self.listeners: list[Callable[[dict[str, Any]], None]] = []
        self.book = OrderBook(
            tradables,
            cash_paise=terms.cash_paise,
            participation=terms.participation,
            seed=faults.seed,
            on_change=self._changed,
        )
        self._clock, self._call_later = clock, call_later
        self._terms, self._faults, self._account = terms, faults, account
        self._chance = Chance(faults, faults.seed, self.counts)
        self._asked: dict[str, tuple[int, int]] = {}  # by group: the calendar second, and how often in it
        self._tags: dict[str, Order] = {}
        self._hushed: set[int] = set()  # orders of which nothing is to be pushed after their first fill
        self._silent: set[int] = set()  # orders of which nothing is pushed any more
        self._rows: dict[int, bytes] = {}  # of the order book, encoded, by number: it is asked for often
        self._pushes: deque[dict[str, Any]] = deque()
        self._held: list[dict[str, Any]] = []
        self._fills_seen = 0
        self._events = [name for name in ("square_off", "manual_trade") if getattr(faults, name) is not None]
        self._routes = {
            ("POST", f"{ORDER}/placeOrder"): Route("orders", ORDERS_PER_SECOND, self._place, True),
            ("POST", f"{ORDER}/modifyOrder"): Route("orders", ORDERS_PER_SECOND, self._modify, True),
            ("POST", f"{ORDER}/cancelOrder"): Route("orders", ORDERS_PER_SECOND, self._cancel, True),
            ("GET", f"{ORDER}/getOrderBook"): Route("order_book", 1, self._order_book, False),
            ("GET", f"{ORDER}/getTradeBook"): Route("trade_book", 1, self._trade_book, False),
            ("GET", f"{ORDER}/getPosition"): Route("positions", 1, self._positions, False),
            ("GET", f"{USER}/getRMS"): Route("funds", 2, self._funds, False),
        }

    @property
    def paths(self) -> list[tuple[str, str]]:
        """Method and path of every request that is known, but that for one order's details."""
        return list(self._routes)

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes, reply: Reply) -> None:
        """Take a request; the reply comes later, or never."""
        self.counts["requests"] += 1
        route = self._routes.get((method, path))
        if route is None and method == "GET" and path.startswith(DETAILS):
            route = Route("details", 10, lambda _: self._details(path.removeprefix(DETAILS)), False)

        def answer(status: int, content: bytes) -> None:
            self._call_later(self._terms.answer_s, lambda: reply(status, content))

        if route is None:
            answer(404, b"Not Found")
            return
        if not self._allows(route):
            self.counts["requests_too_often"] += 1
            answer(403, TOO_OFTEN.encode())
            return
        why = self._refusal(route, {name.lower(): value for name, value in headers.items()})
        if why is not None:
            answer(200, refused_body(why))
        elif route.is_order:
            self._do(self._chance.of_request(), lambda: route.answer(body), answer)
        elif self._chance.befalls("book_5xx"):
            status = self._chance.status("book_5xx")
            answer(status, broken_body(status))
        else:
            answer(200, route.answer(body))

    def take_price(self, token: str, price: int, bid: int, ask: int, volume: int) -> None:
        """Move the market: a print with its quote, prices in paise, 0: that side is missing."""
        self.book.see(token, price, bid, ask, volume)
        if self.book.working(token):
            self.book.match(token, self._clock())

    def square_off(self) -> int:
        """Let the broker cancel what works and close all positions at the market's price; return how many it closed."""
        for order in self.book.orders:
            self.book.cancel(order, self._clock())
        return sum(
            self._trade(token, -self.book.positions[token, product].net, BROKER, product) is not None
            for token, product in list(self.book.positions)
        )

    def manual_trade(self, token: str, quantity: int) -> Order | None:
        """Let the user buy units, or sell them, negative, from the phone; return the order, None where no market was there.

        A sale is of what is held at most. It does not mind orders that work: the position may become less than they sell.
        """
        held = max(self.book.held(token), 0)
        return self._trade(token, max(quantity, -held), PHONE, INTRADAY)

    def _trade(self, token: str, quantity: int, by: str, product: str) -> Order | None:
        side = codes.BUY if quantity > 0 else codes.SELL
        return self.book.trade(token, side, abs(quantity), by, product, self._clock())

    def _allows(self, route: Route) -> bool:
        second = self._clock() // SECOND_NS
        last, asked = self._asked.get(route.group, (second, 0))
        asked = asked if last == second else 0
        self._asked[route.group] = second, min(asked + 1, route.per_second)
        return asked < route.per_second

    def _refusal(self, route: Route, headers: Mapping[str, str]) -> Refusal | None:
        if self._account is not None:
            if any(name.lower() not in headers for name in REQUIRED_HEADERS):
                return BAD_INPUT
            why = self._account.refusal(headers.get("authorization"), headers.get("x-privatekey"))
            if why is not None:
                return why
        wrong_ip = self._terms.static_ip not in {"", headers.get("x-clientpublicip")}
        return WRONG_IP if route.is_order and wrong_ip else None

    def _do(self, fault: str, do: Callable[[], bytes], answer: Reply) -> None:
        """Do what a request to place, modify or cancel asks for, and answer, as its fault will have it."""
        if fault == "order_429":
            answer(429, TOO_OFTEN.encode())
        elif fault == "order_5xx" and self._faults.order_5xx is not None:
            if self._chance.number(fault) < self._faults.order_5xx.taken:
                do()
            status = self._chance.status(fault)
            answer(status, broken_body(status))
        elif fault == "order_late" and self._faults.order_late is not None:
            self._call_later(self._chance.number(fault) * self._faults.order_late.seconds, lambda: _nothing(do()))
        elif fault != "order_lost":
            content = do()
            if fault == "ack_lost":
                answer(CUT, b"")
            elif fault == "order_garbage":
                answer(200, content[: len(content) // 2])
            elif fault != "order_timeout":
                answer(200, content)

    def _place(self, body: bytes) -> bytes:
        wanted = wanted_of(body, self.book.tradables)
        if isinstance(wanted, Refusal):
            self.counts["orders_refused"] += 1
            return refused_body(wanted)
        known = self._tags.get(wanted.tag) if self._terms.dedupe and wanted.tag else None
        if known is not None:
            self.counts["orders_deduped"] += 1
            return accepted_body(_ids(known))
        doom = "17070 : The exchange does not take the order" if self._chance.befalls("reject_late") else ""
        hushed = self._chance.befalls("fill_then_silence")
        if hushed:
            self._hushed.add(len(self.book.orders) + 1)
        lot = wanted.tradable.listed.lot_size
        # What the broker's check of risk finds is told by the order's status, not by this answer.
        order = self.book.place(wanted, self._clock(), doom=doom, first_fill_max=lot if hushed else 0)
        self.counts["orders"] += 1
        self._tags.setdefault(wanted.tag, order)
        if order.state != REJECTED:
            self._call_later(self._terms.latency_s, lambda: self.book.arrive(order, self._clock()))
        return accepted_body(_ids(order))

    def _modify(self, body: bytes) -> bytes:
        asked = body_of(body, *OF_CHANGE)
        if asked is None:
            return refused_body(BAD_INPUT)
        order = self.book.order(asked["orderid"])
        if order is None or not order.is_working:
            return refused_body(NO_ORDER)
        change = change_of(asked, order)
        if isinstance(change, Refusal):
            return refused_body(change)
        why = self.book.refusal(order.wanted.tradable, order, change)
        if why:
            return refused_body(BAD_INPUT._replace(message=why))
        self.counts["modifications"] += 1
        self.book.ask_to_modify(order, self._clock())
        self._call_later(self._terms.latency_s, lambda: _nothing(self.book.modify(order, change, self._clock())))
        return accepted_body({"orderid": order.order_id, "uniqueorderid": order.unique_id})

    def _cancel(self, body: bytes) -> bytes:
        asked = body_of(body, "variety", "orderid")
        order = None if asked is None else self.book.order(asked["orderid"])
        if asked is None:
            return refused_body(BAD_INPUT)
        if order is None or not order.is_working:
            return refused_body(NO_ORDER)
        self.counts["cancellations"] += 1
        self._call_later(self._terms.latency_s, lambda: _nothing(self.book.cancel(order, self._clock())))
        return accepted_body({"orderid": order.order_id, "uniqueorderid": order.unique_id})

    def _order_book(self, _: bytes) -> bytes:
        for order in self.book.orders:
            if order.number not in self._rows:
                self._rows[order.number] = json.dumps(order_row(order)).encode()
        if not self._rows:
            return accepted_body(None)
        rows = b", ".join(self._rows[order.number] for order in self.book.orders)
        return accepted_body([]).replace(b"[]", b"[" + rows + b"]")

    def _trade_book(self, _: bytes) -> bytes:
        rows = [trade_row(order, trade) for order in self.book.orders for trade in order.trades]
        return accepted_body(sorted(rows, key=lambda row: int(row["fillid"])) or None)

    def _positions(self, _: bytes) -> bytes:
        rows = []
        for (token, product), position in self.book.positions.items():
            tradable, seen = self.book.tradables[token], self.book.market.get(token)
            last = 0 if seen is None else seen.price
            rows.append(position_row(tradable.listed, product, position, last, tradable.close))
        return accepted_body(rows or None)

    def _funds(self, _: bytes) -> bytes:
        return accepted_body(funds_row(self.book.funds()))

    def _details(self, unique_id: str) -> bytes:
        order = self.book.order(unique_id)
        return refused_body(NO_ORDER) if order is None else accepted_body(order_row(order))

    def _changed(self, order: Order, word: str) -> None:
        """Push a change, and make what is due after so many fills."""
        self._rows.pop(order.number, None)
        if self.book.fills > self._fills_seen:
            self._fills_seen = self.book.fills
            self._make_due(order)
        if self._is_hushed(order):
            self.counts["updates_hushed"] += 1
            return
        if not self._pushes:
            self._call_later(self._terms.answer_s, self._flush)
        self._pushes.append(update_frame(self._user, order, word))

    def _is_hushed(self, order: Order) -> bool:
        """Return whether nothing is pushed of an order any more; its first fill still is, if it is in part."""
        if order.number in self._silent:
            return True
        if order.number not in self._hushed or not order.filled:
            return False
        self._silent.add(order.number)
        return not order.is_working

    def _make_due(self, order: Order) -> None:
        """Make the faults of the account that come after so many fills."""
        self.counts["fills"] = self.book.fills
        for name in [each for each in self._events if getattr(self._faults, each).after <= self.book.fills]:
            self._events.remove(name)
            self._call_later(0, lambda name=name: self._happen(name, order))  # type: ignore[misc]  # bound now

    def _happen(self, name: str, order: Order) -> None:
        self.counts[name] += 1
        fault = self._faults.manual_trade
        if name == "manual_trade" and fault is not None:
            self.manual_trade(order.token, fault.lots * order.wanted.tradable.listed.lot_size)
        else:
            self.square_off()

    @property
    def _user(self) -> str:
        return "LAB" if self._account is None else self._account.credentials.client_code

    def _flush(self) -> None:
        """Push what waits, each update with the faults that befall it."""
        pushes, self._pushes = self._pushes, deque()
        for frame in pushes:
            if self._chance.befalls("update_delay") and self._faults.update_delay is not None:
                seconds = self._chance.number("update_delay") * self._faults.update_delay.seconds
                self._call_later(seconds, lambda frame=frame: self._push(frame))  # type: ignore[misc]  # bound now
            elif not self._held and self._chance.befalls("update_reorder"):
                self._held.append(frame)
                self._call_later(HOLD_S, self._release)
            else:
                self._push(frame)
                self._release()

    def _release(self) -> None:
        held, self._held = self._held, []
        for frame in held:
            self._push(frame)

    def _push(self, frame: dict[str, Any]) -> None:
        for _ in range(1 + self._chance.befalls("update_duplicate")):
            self.counts["updates"] += 1
            for listener in list(self.listeners):
                listener(frame)


def _ids(order: Order) -> dict[str, str]:
    symbol = order.wanted.tradable.listed.symbol
    return {"script": symbol, "orderid": order.order_id, "uniqueorderid": order.unique_id}


def _nothing(_: object) -> None:
    """Do nothing with a result that nobody waits for."""
