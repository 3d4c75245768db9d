"""Books of a broker, an engine's records and an order port, small enough to read, for the tests of the session's orders."""

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from laws.driver import settings
from myquant.brokers.port import (
    Books,
    BrokerFill,
    BrokerInstrument,
    BrokerPosition,
    Capabilities,
    Funds,
    NewOrder,
    OpenOrder,
    OrderAnswer,
    SentRequest,
    order_tag,
)
from myquant.core import codes, orders
from myquant.core.layout import dtype_of
from myquant.core.records import NO_COMMAND, Account, Command, Day, Event, Instrument
from myquant.session.broker_orders import Host

KEY = 987_654_321
PRODUCT = "INTRADAY"
TOKENS = ("41001", "41002")
CASH = 10_000_000
INPUTS = 7  # that the engine has taken
SECOND_NS = 10**9
CAPABILITIES = Capabilities(
    carries_tag=True, trigger_orders=True, order_updates=True, market_orders=False, requests_per_second=9
)


def in_book(
    order_id: int,
    side: int,
    quantity: int,
    filled: int = 0,
    *,
    price: int = 10_000,
    trigger: int = 0,
    state: int | None = None,
    token: str = TOKENS[0],
    tag: str | None = None,
    part: int = 0,
) -> OpenOrder:
    """Return an order of ours in the order book; with `tag` one of somebody else."""
    if state is None:
        state = orders.FILLED if filled == quantity else orders.PARTIAL if filled else orders.WORKING
    tag = order_tag(KEY, order_id, part) if tag is None else tag
    broker_id = f"B{order_id}.{part}"
    return OpenOrder(broker_id, tag, token, side, quantity, filled, filled * price, price, trigger, state, "")


def fill(
    broker_id: str, side: int, quantity: int, price: int, *, fill_id: str = "1", token: str = TOKENS[0]
) -> BrokerFill:
    return BrokerFill(broker_id, fill_id, token, side, quantity, price)


def books(
    at_s: float,
    *in_the_book: OpenOrder,
    fills: Sequence[BrokerFill] = (),
    held: Mapping[str, int] | None = None,
    products: Mapping[tuple[str, str], int] | None = None,
    net: int = CASH,
) -> Books:
    """Return a look that began at so many seconds; `held`: positions of our product, by token."""
    rows = {(token, PRODUCT): units for token, units in (held or {}).items()} | dict(products or {})
    positions = tuple(
        BrokerPosition(token, "NFO", token, product, units, 0) for (token, product), units in rows.items()
    )
    return Books(in_the_book, tuple(fills), positions, Funds(net, CASH), round(at_s * SECOND_NS))


def instrument(token: str) -> BrokerInstrument:
    return BrokerInstrument(f"SYMBOL{token}", "NFO", token, 2, 75, 5)


class Records:
    """The records of an engine, without the engine."""

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self.loaded = settings({"execution.fill_model": "limit", **(values or {})})
        dtype = np.dtype([("core", dtype_of(Instrument)), ("day", dtype_of(Day))])
        self.instruments = np.zeros(len(TOKENS), dtype)
        self.desk = np.zeros(1, [("account", dtype_of(Account))])
        self.instruments["day"]["lot_size"] = 75
        self.instruments["day"]["tick_size"] = 5
        self.instruments["day"]["freeze_quantity"] = 1800
        self.instruments["core"]["tape"]["last_price"] = 10_000
        self.latest_command = command(codes.SUBMIT, 0)._replace(sequence=0)

    def set_order(self, who: int, name: str, **values: int) -> None:
        for key, value in values.items():
            self.instruments[who]["core"][name][key] = value

    def hold(self, who: int, quantity: int) -> None:
        self.instruments[who]["core"]["position"]["quantity"] = quantity

    def as_engine(self) -> Any:
        """Return it for those who ask for an engine."""
        return SimpleNamespace(
            inputs=INPUTS,
            loaded=self.loaded,
            instruments=self.instruments,
            desk=self.desk,
            latest_command=lambda: self.latest_command,
        )


def nothing(*_: object) -> None:
    """Do nothing."""


class Port:
    """An order port that sends nothing, and whose books are what they are set to; the last look stays."""

    capabilities = CAPABILITIES

    def __init__(self, looks: Sequence[Books | Exception] = ()) -> None:
        self.looks = looks
        self.asked = 0
        self.sent: list[tuple[Any, ...]] = []
        self.primed: list[NewOrder] = []
        self.settled: list[tuple[Books, int]] = []
        self.on_settle: Callable[[Books], None] = nothing
        self.on_answer: Callable[[OrderAnswer], None] = nothing
        self.on_sent: Callable[[SentRequest], None] = nothing
        self.on_channel: Callable[[bool, str], None] = nothing
        self.on_doubt: Callable[[str], None] = nothing

    def start(self) -> None:
        self.sent.append(("start",))

    def submit(self, order: NewOrder) -> None:
        self.sent.append(("submit", order))

    def prime(self, order: NewOrder) -> None:
        self.primed.append(order)

    def modify(self, order_id: int, limit: int, trigger: int) -> None:
        self.sent.append(("modify", order_id, limit, trigger))

    def cancel(self, order_id: int) -> None:
        self.sent.append(("cancel", order_id))

    def adopt(self, order: NewOrder) -> None:
        self.sent.append(("adopt", order))

    def cancel_orphan(self, order: OpenOrder) -> None:
        self.sent.append(("cancel_orphan", order.broker_id))

    def broker_ids(self, order_id: int) -> tuple[str, ...]:
        return (f"B{order_id}",)

    async def books(self) -> Books:
        look = self.looks[min(self.asked, len(self.looks) - 1)]
        self.asked += 1
        if isinstance(look, Exception):
            raise look
        return look

    def settle(self, books: Books, settle_ns: int) -> None:
        self.settled.append((books, settle_ns))
        self.on_settle(books)

    async def aclose(self) -> None:
        self.sent.append(("aclose",))


class Stage:
    """A host whose turns of the loop are taken by hand."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.waiting: list[Callable[[], object]] = []
        self.stopped: list[str] = []
        self.now_ns = 0
        self.host = Host(
            self.events.append,
            lambda: self.now_ns + 1,
            lambda: self.now_ns + 2,
            lambda: self.now_ns,
            self.waiting.append,
            self.waiting.append,
            self.stopped.append,
        )

    def turn(self) -> None:
        """Take the loop's next turn."""
        waiting, self.waiting[:] = self.waiting[:], []
        for call in waiting:
            call()

    def told(self) -> list[tuple[str, int, int]]:
        """Return what the engine was told: kind, order id and code, and forget it."""
        told = [(codes.EVENT_NAMES[each.kind], each.order_id, each.code) for each in self.events]
        self.events.clear()
        return told


def command(kind: int, order_id: int, **values: int) -> Command:
    return NO_COMMAND._replace(kind=kind, order_id=order_id, **values)
