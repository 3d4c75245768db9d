"""A broker for tests of flattening: its books, its faults, and a loop whose clock jumps from timer to timer."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from myquant.brokers.port import (
    Books,
    BrokerFill,
    BrokerInstrument,
    BrokerPosition,
    Funds,
    NewOrder,
    OpenOrder,
    OrderAnswer,
    order_tag,
)
from myquant.core import codes
from myquant.core.orders import CANCELLED, FILLED, PARTIAL, REJECTED, WORKING
from myquant.session.flattening import Tradable

TOKEN, SYMBOL, OURS = "40001", "NIFTY24NOV2625000CE", "INTRADAY"
LOT, TICK = 75, 5
KEY = 12_345
TURNS_MAX = 100_000

Result = TypeVar("Result")


class _Jumping(selectors.SelectSelector):
    """Waits for nothing: the time of a wait has passed at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.turns += 1
        assert self.turns < TURNS_MAX, "it does not end"
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "nothing will ever happen"
            self.now_s += timeout
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is that of its timers."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s


def run(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine in virtual time, an hour at most."""

    async def limited() -> Result:
        return await asyncio.wait_for(coroutine, 3600)

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(limited())


def now_ns() -> int:
    return round(asyncio.get_running_loop().time() * 1e9)


class LostError(Exception):
    """A request that never arrives; nobody is told."""


class RefusedError(Exception):
    """A request that is refused, with these words."""


@dataclass
class Held:
    """An order at the broker."""

    order: OpenOrder
    visible: bool = True


@dataclass
class Market:
    """A broker with one contract or more.

    Attributes:
        fills: how many units of an arriving order fill at once; what is left rests.
        on_place, on_cancel: called with each order that is sent or to be cancelled; may raise LostError or RefusedError.
        apply_after_s: how much later an order arrives. Nobody is told that it has: only the books do.
        lag_s: how much later than the trade a position changes.
        carried: whether the positions are of another day: no order of today made them.
        most, least: the largest and smallest net position that there ever was, by token.
    """

    positions: dict[str, int]
    prices: dict[str, int] = field(default_factory=lambda: {TOKEN: 10_000})
    product: str = OURS
    fills: Callable[[NewOrder], int] = lambda order: order.quantity
    on_place: Callable[[NewOrder], None] = lambda _: None
    on_cancel: Callable[[OpenOrder], None] = lambda _: None
    on_books: Callable[[], None] = lambda: None
    apply_after_s: float = 0.0
    lag_s: float = 0.0
    carried: bool = False
    freeze: int = 1800
    orders: list[OpenOrder] = field(default_factory=list)
    executions: list[BrokerFill] = field(default_factory=list)
    placed: list[NewOrder] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    true: dict[str, int] = field(default_factory=dict)
    least: dict[str, int] = field(default_factory=dict)
    most: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.on_answer: Callable[[OrderAnswer], None] = print
        self.true, self.least, self.most = (dict(self.positions) for _ in range(3))
        for token, quantity in () if self.carried else self.positions.items():
            side, filled = (1 if quantity > 0 else -1), abs(quantity)
            self.orders.append(OpenOrder(f"E{token}", "", token, side, filled, filled, 0, 0, 0, FILLED, ""))

    async def books(self) -> Books:
        begun_ns = now_ns()
        self.on_books()
        await asyncio.sleep(0.1)
        positions = tuple(
            BrokerPosition(token, "NFO", SYMBOL if token == TOKEN else token, self.product, quantity, 10_000)
            for token, quantity in self.positions.items()
        )
        return Books(tuple(self.orders), tuple(self.executions), positions, Funds(10**7, 10**7), begun_ns)

    def cancel_orphan(self, order: OpenOrder) -> None:
        def arrive() -> None:
            with suppress(LostError):
                self.on_cancel(order)
                self.end(order.broker_id)

        asyncio.get_running_loop().call_later(0.05, arrive)

    def end(self, broker_id: str) -> None:
        at = next(i for i, each in enumerate(self.orders) if each.broker_id == broker_id)
        if self.orders[at].state in (WORKING, PARTIAL):
            self.orders[at] = self.orders[at]._replace(state=CANCELLED)

    def submit(self, order: NewOrder) -> None:
        later = asyncio.get_running_loop().call_later
        self.placed.append(order)
        broker_id = f"B{len(self.placed)}"
        arrive = self._arrival(order, order_tag(KEY, order.order_id, 0), broker_id)
        try:
            self.on_place(order)
        except LostError:
            return
        except RefusedError as error:
            refusal = OrderAnswer(codes.ORDER_REJECT, order.order_id, 0, 0, codes.BY_VENUE, str(error))
            later(0.1, lambda: self.on_answer(refusal))
            return
        later(0.05 + self.apply_after_s, arrive)

    def _arrival(self, order: NewOrder, tag: str, broker_id: str) -> Callable[[], None]:
        def arrive() -> None:
            rests = OpenOrder(
                broker_id, tag, order.instrument.token, order.side, order.quantity, 0, 0, order.limit, 0, WORKING, ""
            )
            self.orders.append(rests)
            self.fill(broker_id, self.fills(order))

        return arrive

    def fill(self, broker_id: str, quantity: int) -> None:
        """Fill some of an order; the position is said to be another one `lag_s` later."""
        at = next(i for i, each in enumerate(self.orders) if each.broker_id == broker_id)
        order = self.orders[at]
        if not quantity or order.state not in (WORKING, PARTIAL):
            return
        filled = order.filled + quantity
        assert filled <= order.quantity
        self.orders[at] = order._replace(filled=filled, state=FILLED if filled == order.quantity else PARTIAL)
        self.executions.append(
            BrokerFill(broker_id, f"F{len(self.executions)}", order.token, order.side, quantity, order.limit)
        )
        now = self.true[order.token] = self.true.get(order.token, 0) + order.side * quantity
        self.least[order.token] = min(self.least.get(order.token, 0), now)
        self.most[order.token] = max(self.most.get(order.token, 0), now)

        def follow() -> None:
            self.positions[order.token] = self.positions.get(order.token, 0) + order.side * quantity

        asyncio.get_running_loop().call_later(self.lag_s, follow) if self.lag_s else follow()

    def reject(self, broker_id: str, words: str) -> None:
        at = next(i for i, each in enumerate(self.orders) if each.broker_id == broker_id)
        self.orders[at] = self.orders[at]._replace(state=REJECTED, words=words)

    def rest(self, side: int = codes.SELL, token: str = TOKEN, tag: str = "", quantity: int = LOT) -> str:
        """Let an order of somebody rest in the book."""
        broker_id = f"R{len(self.orders) + 1}"
        self.orders.append(OpenOrder(broker_id, tag, token, side, quantity, 0, 0, 9_000, 9_005, WORKING, ""))
        return broker_id

    async def tradable(self, position: BrokerPosition) -> Tradable:
        return Tradable(BrokerInstrument(position.symbol, "NFO", position.token, 2, LOT, TICK), self.freeze)

    async def last_price(self, instrument: BrokerInstrument) -> int:
        await asyncio.sleep(0.05)
        return self.prices[instrument.token]
