"""The account at the broker, and its orders at the exchange: checks of risk, matching, positions, funds. Pure.

It knows no clock but the times it is told. An order fills at what the market offers, by the rules of the simulated
exchange (`exchange.venue_orders`): at the other side of the quote, never beyond its limit, and a share of a print's
volume at a look. The first look is at its arrival. A stop order waits until the last price is at or beyond its trigger
and works as a limit from that look on. Charges are not taken.
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from myquant.core import codes
from myquant.core.money import RATE_SCALE
from myquant.core.records import Event
from myquant.exchange.venue_orders import found_price, share_of
from myquant.lab.angelone.orders import (
    BROKER,
    CANCELLED,
    COMPLETE,
    MODIFIED,
    MODIFY_PENDING,
    OPEN,
    OPEN_PENDING,
    REJECTED,
    TRIGGER_PENDING,
    Change,
    Funds,
    Order,
    Position,
    Tradable,
    Trade,
    Wanted,
)
from myquant.lab.market_day import IST_NS
from myquant.ticks.generate import SECOND_NS

OnChange = Callable[[Order, str], None]  # the order, and the status word that tells of the change
NO_SHORT: Final = "RMS: Margin Exceeds, a sale of {quantity} where {held} can be sold"
NO_CASH: Final = "Your order has been rejected due to Insufficient Funds. Available {available}, required {required}"


class OrderBook:
    """All orders and positions of the account. `participation` is the share of a print's volume an order may take."""

    def __init__(
        self, tradables: Sequence[Tradable], *, cash_paise: int, participation: float, seed: int, on_change: OnChange
    ) -> None:
        self.tradables = {each.listed.token: each for each in tradables}
        self.orders: list[Order] = []
        self.positions: dict[tuple[str, str], Position] = {}  # by token and product
        self.market: dict[str, Event] = {}  # the last look at each token's market
        self.fills = 0
        self._opening = cash_paise
        self._cash = cash_paise
        self._rate = round(participation * RATE_SCALE)
        self._seed = seed
        self._on_change = on_change
        self._working: dict[str, dict[int, Order]] = {}  # by token and number
        self._by_id: dict[str, Order] = {}

    def order(self, order_id: str) -> Order | None:
        """Return an order by its id or by its unique id."""
        return self._by_id.get(order_id)

    def working(self, token: str) -> list[Order]:
        """Return the orders of a token that may still fill, oldest first."""
        return list(self._working.get(token, {}).values())

    def held(self, token: str) -> int:
        """Return the net position in a token, all products together."""
        return sum(each.net for (of, _), each in self.positions.items() if of == token)

    def place(self, wanted: Wanted, now_ns: int, *, doom: str = "", first_fill_max: int = 0) -> Order:
        """Take an order: on its way, or rejected by the broker's check of risk."""
        order = self._new(wanted, now_ns)
        order.doom, order.first_fill_max = doom, first_fill_max
        self._working.setdefault(order.token, {})[order.number] = order
        why = self.refusal(wanted.tradable, order, Change(wanted.quantity, wanted.limit, wanted.trigger, ""))
        if why:
            self._reject(order, why, now_ns)
        else:
            self._tell(order, OPEN_PENDING, now_ns)
        return order

    def arrive(self, order: Order, now_ns: int) -> None:
        """Let an order get to the exchange."""
        if order.state != OPEN_PENDING:
            return
        order.exchange_id = f"11{order.number:014d}"
        if order.doom:
            self._reject(order, order.doom, now_ns)
            return
        self._rest(order, now_ns)

    def ask_to_modify(self, order: Order, now_ns: int) -> None:
        """Say that a modification is on its way."""
        self._tell(order, MODIFY_PENDING, now_ns)

    def modify(self, order: Order, change: Change, now_ns: int) -> bool:
        """Let a modification get to the exchange; return whether it changed the order, which may have ended."""
        if not order.is_working or change.quantity <= order.filled:
            return False
        has_triggered = order.state == OPEN and order.trigger > 0
        order.quantity, order.limit = change.quantity, change.limit
        order.order_type = change.order_type or order.order_type
        if change.order_type == "LIMIT":
            order.trigger = 0
        elif not has_triggered:
            order.trigger = change.trigger
        self._tell(order, MODIFIED, now_ns)
        if order.state != OPEN_PENDING:
            self._rest(order, now_ns)
        return True

    def cancel(self, order: Order, now_ns: int) -> bool:
        """Let a cancellation get to the exchange; return whether there was something to cancel."""
        if not order.is_working:
            return False
        self._end(order, CANCELLED, now_ns)
        return True

    def refusal(self, tradable: Tradable, order: Order, change: Change) -> str:
        """Return why the broker's check of risk refuses an order as it would be with the change; empty: it does not."""
        listed, quantity, limit, trigger = tradable.listed, change.quantity, change.limit, change.trigger
        if quantity % listed.lot_size:
            return f"Order quantity {quantity} is not a multiple of the lot size {listed.lot_size}"
        if 0 < tradable.freeze_quantity < quantity:
            return f"Order quantity {quantity} exceeds the freeze quantity {tradable.freeze_quantity}"
        for price in (limit, trigger):
            if price % listed.tick_paise:
                return f"Price {price / 100:.2f} is not a multiple of the tick size {listed.tick_paise / 100:.2f}"
        if limit < tradable.low_price or 0 < tradable.high_price < limit:
            return f"Price {limit / 100:.2f} is not within the circuit limits"
        if trigger and order.side * (limit - trigger) < 0:
            return "The limit of a stop order must not be on the near side of its trigger"
        return self._margin_refusal(order, change)

    def see(self, token: str, price: int, bid: int, ask: int, volume: int) -> None:
        """Take a print with its quote; 0: that side is missing."""
        self.market[token] = Event(codes.TICK, 0, 0, 0, 0, price, volume, bid, ask, 0, 0, 0, 0)

    def match(self, token: str, now_ns: int) -> None:
        """Let a token's market fill what it can of the orders at the exchange."""
        for order in self.working(token):
            if order.state in {OPEN, TRIGGER_PENDING}:
                self._look(order, now_ns)

    def trade(self, token: str, side: int, quantity: int, by: str, product: str, now_ns: int) -> Order | None:
        """Trade at the market's price at once, without a tag, as the broker or the user's phone does; None: no market."""
        event = self.market.get(token)
        price = 0 if event is None else found_price(side, event, 0)
        if price == 0 or quantity <= 0:
            return None
        wanted = Wanted(self.tradables[token], side, quantity, 0, 0, product, "", "MARKET", by)
        order = self._new(wanted, now_ns)
        order.exchange_id = f"11{order.number:014d}"
        order.text = "Auto square off by the broker" if by == BROKER else ""
        self._fill(order, quantity, price, now_ns)
        return order

    def funds(self) -> Funds:
        """Return the account's money."""
        blocked = sum(
            order.left * order.limit
            for orders in self._working.values()
            for order in orders.values()
            if order.side == codes.BUY
        )
        return Funds(self._opening, self._cash, blocked, sum(each.realised for each in self.positions.values()))

    def _new(self, wanted: Wanted, now_ns: int) -> Order:
        number = len(self.orders) + 1
        day = datetime.fromtimestamp((now_ns + IST_NS) // SECOND_NS, UTC)
        digest = hashlib.sha256(f"{self._seed}:{number}".encode()).hexdigest()
        unique_id = "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))
        order = Order(
            number,
            f"{day:%y%m%d}{number:09d}",
            unique_id,
            wanted,
            now_ns,
            wanted.quantity,
            wanted.limit,
            wanted.trigger,
            wanted.order_type,
        )
        self.orders.append(order)
        self._by_id[order.order_id] = self._by_id[unique_id] = order
        return order

    def _margin_refusal(self, order: Order, change: Change) -> str:
        """Buys are paid for; what is sold must be held, and not be in other working sells."""
        if order.side == codes.SELL:
            position = self.positions.get((order.token, order.wanted.product), Position())
            others = sum(
                each.left
                for each in self._working.get(order.token, {}).values()
                if each.side == codes.SELL and each is not order and each.wanted.product == order.wanted.product
            )
            held = position.net - others
            return NO_SHORT.format(quantity=change.quantity, held=held) if change.quantity - order.filled > held else ""
        already = order.left * order.limit  # it counts among the working ones
        available, required = self.funds().available + already, (change.quantity - order.filled) * change.limit
        if required <= available:
            return ""
        return NO_CASH.format(available=f"{available / 100:.2f}", required=f"{required / 100:.2f}")

    def _rest(self, order: Order, now_ns: int) -> None:
        """Put an order into the exchange's book, new or changed, and look at the market."""
        waits = order.trigger > 0 and order.state != OPEN
        order.state = TRIGGER_PENDING if waits else OPEN
        self._tell(order, order.state, now_ns)
        if order.token in self.market:
            self._look(order, now_ns)

    def _look(self, order: Order, now_ns: int) -> None:
        event = self.market[order.token]
        if order.state == TRIGGER_PENDING:
            if order.side * (event.price - order.trigger) < 0:
                return
            order.state = OPEN
            self._tell(order, OPEN, now_ns)
        price = found_price(order.side, event, 0)
        if price == 0 or order.side * (price - order.limit) > 0:
            return
        lot = order.wanted.tradable.listed.lot_size
        units = share_of(event.volume, order.left, lot, self._rate)
        if order.first_fill_max and not order.filled:
            units = min(units, order.first_fill_max)
        self._fill(order, units, price, now_ns)

    def _fill(self, order: Order, units: int, price: int, now_ns: int) -> None:
        self.fills += 1
        order.filled += units
        order.value += units * price
        order.trades.append(Trade(str(self.fills), units, price, now_ns))
        self.positions.setdefault((order.token, order.wanted.product), Position()).book(order.side, units, price)
        self._cash -= order.side * units * price
        order.timeline.append((now_ns, f"filled {units} at {price}"))
        if order.left == 0:
            self._end(order, COMPLETE, now_ns)
        else:
            self._tell(order, OPEN, now_ns)

    def _reject(self, order: Order, why: str, now_ns: int) -> None:
        order.text = why
        self._end(order, REJECTED, now_ns)

    def _end(self, order: Order, state: str, now_ns: int) -> None:
        order.state = state
        self._working.get(order.token, {}).pop(order.number, None)
        self._tell(order, state, now_ns)

    def _tell(self, order: Order, word: str, now_ns: int) -> None:
        order.updated_ns = now_ns
        order.timeline.append((now_ns, word))
        self._on_change(order, word)
