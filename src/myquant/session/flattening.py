"""To be flat at a broker, with no engine: cancel what works, close what is open, and believe the broker's books only.

One loop: look at the books; ask for every working order to be cancelled, save a fresh one of ours; close a position only
while nothing of its contract works, every order of ours to it has been seen to end, and orders and positions agree on it.
So it never sells more than is held, even where an answer was lost: an order that may have been taken is waited for.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, Protocol

from myquant.brokers.port import (
    TAG_LENGTH,
    Books,
    BrokerInstrument,
    BrokerPosition,
    NewOrder,
    OpenOrder,
    OrderAnswer,
    order_of_tag,
)
from myquant.core import codes
from myquant.core.money import RATE_SCALE
from myquant.core.orders import CANCELLED, FILLED, REJECTED
from myquant.errors import BrokerError, MyquantError
from myquant.exchange.venue_orders import VenueRules, limit_price

SECOND_NS: Final = 10**9
ENDED: Final = (FILLED, REJECTED, CANCELLED)
REFUSALS_MAX: Final = 5  # of one contract; then a person has to see to it
WIDEST: Final = 5  # times the protection: attempt by attempt the limit goes further from a last price that may be old
RATE_MAX: Final = RATE_SCALE // 5  # the exchange refuses what is further than 40 % from its reference price


class Tradable(NamedTuple):
    """What an order in a contract has to keep to. `freeze_quantity`: units; 0: none known."""

    instrument: BrokerInstrument
    freeze_quantity: int


class FlatteningPort(Protocol):
    """What flattening asks of an `OrderPort` that carries tags; see there. The port is started and closed by the caller."""

    on_answer: Callable[[OrderAnswer], None]

    def submit(self, order: NewOrder) -> None:
        """Send an order; it is never sent twice."""

    def cancel_orphan(self, order: OpenOrder) -> None:
        """Ask for an order of the books to be cancelled; the next books tell whether it was."""

    async def books(self) -> Books:
        """Return today's orders, executions, net positions and funds. Raises BrokerError; never less for a failure."""


class Contracts(Protocol):
    """What has to be known of a contract before it can be traded. Each raises MyquantError."""

    async def tradable(self, position: BrokerPosition) -> Tradable:
        """Return the contract of a position."""

    async def last_price(self, instrument: BrokerInstrument) -> int:
        """Return the last traded price, paise."""


class Scope(NamedTuple):
    """What is to be flat: positions of a product, of all contracts (None) or of those with these tokens."""

    product: str
    tokens: frozenset[str] | None = None


class Times(NamedTuple):
    """How long things may take, seconds. `look_s`: between two looks; `settle_s`: longer than anything is under way."""

    look_s: float
    reprice_s: float
    settle_s: float
    give_up_s: float = 600.0


def open_positions(books: Books, scope: Scope) -> list[BrokerPosition]:
    """Return the positions that are to be closed."""
    return [each for each in books.positions if each.quantity and _is_of(each, scope)]


def working_orders(books: Books, scope: Scope) -> list[OpenOrder]:
    """Return the orders that are to be cancelled: in the tokens asked for, else in those we hold, and those that we tagged."""
    held = {each.token for each in books.positions if _is_of(each, scope)}
    tokens = held if scope.tokens is None else scope.tokens
    return [
        each
        for each in books.orders
        if each.state not in ENDED and (each.token in tokens or (scope.tokens is None and has_our_form(each.tag)))
    ]


def left_alone(books: Books, scope: Scope) -> tuple[list[OpenOrder], list[BrokerPosition]]:
    """Return working orders and open positions of the account that are not touched."""
    ours = {each.broker_id for each in working_orders(books, scope)}
    orders = [each for each in books.orders if each.state not in ENDED and each.broker_id not in ours]
    return orders, [each for each in books.positions if each.quantity and not _is_of(each, scope)]


def has_our_form(tag: str) -> bool:
    """Return whether a tag has the form of ours (`brokers.port.order_tag`), of whatever session."""
    return len(tag) == TAG_LENGTH and tag.isascii() and tag.isalnum()


def _is_of(position: BrokerPosition, scope: Scope) -> bool:
    return position.product == scope.product and (scope.tokens is None or position.token in scope.tokens)


class _Sent(NamedTuple):
    """An order of ours that may be at the broker, and is not seen to have ended."""

    token: str
    sent_ns: int


class Flattening:
    """One run. `key` is the session key of the port's tags; `tell` takes lines for people."""

    def __init__(
        self,
        port: FlatteningPort,
        contracts: Contracts,
        scope: Scope,
        times: Times,
        rules: VenueRules,
        *,
        key: int,
        monotonic_ns: Callable[[], int],
        tell: Callable[[str], None],
    ) -> None:
        self._port, self._contracts, self._scope, self._times, self._rules = port, contracts, scope, times, rules
        self._key, self._now_ns, self._tell = key, monotonic_ns, tell
        self._sent: dict[int, _Sent] = {}  # by order id
        self._orders = 0
        self._attempts: Counter[str] = Counter()
        self._refusals: Counter[str] = Counter()
        self._asked_ns: dict[str, int] = {}  # cancellations, by broker id
        self._carried: dict[str, int] = {}  # what a position is from what today's orders make of it, by token
        self._apart_ns: dict[str, int] = {}  # since when it is another, by token
        self._quantities: dict[str, int] = {}  # at the last look, by token
        self._symbols: dict[str, str] = {}
        port.on_answer = self._on_answer

    async def run(self, *, wait_for_late: bool = True) -> bool:
        """Work until the books say flat; return False where that can't be had.

        They have to say so `settle_s` after the beginning, when whatever an engine sent before it was fenced has arrived.
        `wait_for_late` off: such an order may still fill afterwards.
        """
        begun_ns = self._now_ns()
        settled_ns = begun_ns + round(self._times.settle_s * SECOND_NS) if wait_for_late else begun_ns
        is_told = False
        while self._now_ns() < begun_ns + round(self._times.give_up_s * SECOND_NS):
            try:
                books = await self._port.books()
            except BrokerError as error:
                self._tell(str(error))
            else:
                self._symbols |= books.symbols
                is_flat = await self._is_flat(books)
                if is_flat and books.begun_ns >= settled_ns:
                    return True
                if self._is_hopeless(books):
                    return False
                if is_flat and not is_told:
                    is_told = True
                    self._tell(
                        f"flat; looking for late orders for {(settled_ns - self._now_ns()) / SECOND_NS:.0f} s more"
                    )
            await asyncio.sleep(self._times.look_s)
        self._tell(f"given up after {self._times.give_up_s:g} s")
        return False

    def _is_hopeless(self, books: Books) -> bool:
        """Return whether all that is left was refused too often."""
        left = {each.token for each in open_positions(books, self._scope)}
        left |= {each.token for each in working_orders(books, self._scope)}
        return bool(left) and all(self._refusals[token] >= REFUSALS_MAX for token in left)

    async def _is_flat(self, books: Books) -> bool:
        """Do what a look at the books calls for; return whether there was nothing to do."""
        self._account_for_sent(books)
        working = working_orders(books, self._scope)
        for order in working:
            self._cancel(order, books.begun_ns)
        positions = open_positions(books, self._scope)
        busy = {each.token for each in working} | {each.token for each in self._sent.values()}
        for position in positions:
            if self._agrees(position, books) and position.token not in busy:
                await self._close(position)
        return not positions and not working and not self._sent

    def _account_for_sent(self, books: Books) -> None:
        """Let go of the orders of ours that have ended, or are not there after the longest time under way."""
        found = {self._ours(order): order for order in books.orders}
        for order_id, sent in list(self._sent.items()):
            order = found.get(order_id)
            if order is not None and order.state in ENDED:
                del self._sent[order_id]
                if order.state == REJECTED:
                    self._refuse(sent.token, order.words or "no reason given")
            elif order is None and books.begun_ns - sent.sent_ns >= self._times.settle_s * SECOND_NS:
                del self._sent[order_id]
                self._tell(f"{self._name(sent.token)}: order {order_id} never came to the broker's book")

    def _ours(self, order: OpenOrder) -> int:
        """Return the id of an order of this run; 0: it is none."""
        known = order_of_tag(order.tag, self._key)
        return known[0] if known is not None else 0

    def _on_answer(self, answer: OrderAnswer) -> None:
        """Hear of an order that was refused. That one has ended counts only once the books say so: they may lag."""
        if answer.kind != codes.ORDER_REJECT or answer.code not in {codes.BY_VENUE, codes.NOT_SENT}:
            return
        sent = self._sent.pop(answer.order_id, None)
        if sent is not None:
            self._refuse(sent.token, answer.words or "no reason given")

    def _cancel(self, order: OpenOrder, begun_ns: int) -> None:
        """Ask for a cancellation, unless it is an order of ours that has time left, or was just asked for."""
        sent = self._sent.get(self._ours(order))
        since_ns = self._asked_ns.get(order.broker_id, sent.sent_ns if sent is not None else None)
        if since_ns is not None and begun_ns - since_ns < self._times.reprice_s * SECOND_NS:
            return
        self._asked_ns[order.broker_id] = begun_ns
        self._tell(f"{self._name(order.token)}: cancelling order {order.broker_id}")
        self._port.cancel_orphan(order)

    def _agrees(self, position: BrokerPosition, books: Books) -> bool:
        """Return whether the position is what today's orders have made of it.

        The books are read one after the other, the orders first, and one may lag: a fill that one has and the other has not
        makes no quantity to act on. What was carried from another day, or traded in another product, stays apart: after
        `settle_s` it is taken as it is.
        """
        token, symbol, quantity, begun_ns = position.token, position.symbol, position.quantity, books.begun_ns
        if self._quantities.get(token, quantity) != quantity:
            self._tell(f"{symbol}: {quantity} left")
        self._quantities[token], self._symbols[token] = quantity, symbol
        traded = sum(each.side * each.filled for each in books.orders if each.token == token)
        apart = quantity - traded - self._carried.get(token, 0)
        if not apart:
            self._apart_ns.pop(token, None)
            return True
        if token not in self._apart_ns:
            self._apart_ns[token] = begun_ns
            wait = f"waiting up to {self._times.settle_s:g} s for them to agree"
            self._tell(f"{symbol}: its position is {apart:+} from what today's orders make: {wait}")
        if begun_ns - self._apart_ns[token] < self._times.settle_s * SECOND_NS:
            return False
        self._carried[token] = quantity - traded
        return True

    async def _close(self, position: BrokerPosition) -> None:
        """Send what closes a position, at a limit that should fill at once."""
        token, symbol, quantity = position.token, position.symbol, abs(position.quantity)
        if self._refusals[token] >= REFUSALS_MAX:
            return
        try:
            instrument, freeze = await self._contracts.tradable(position)
            price = await self._contracts.last_price(instrument)
        except MyquantError as error:
            self._refuse(token, str(error))
            return
        self._attempts[token] += 1
        side = codes.SELL if position.quantity > 0 else codes.BUY
        limit = self._limit(side, price, instrument.tick_size_paise, self._attempts[token])
        word = "selling" if side == codes.SELL else "buying back"
        self._tell(f"{symbol}: {word} {quantity} at {limit / 100:.2f}, last price {price / 100:.2f}")
        for part in slices(quantity, instrument.lot_size, freeze):
            self._orders += 1
            self._sent[self._orders] = _Sent(token, self._now_ns())
            self._port.submit(NewOrder(self._orders, instrument, side, part, limit, 0, freeze, is_exit=True))

    def _limit(self, side: int, price: int, tick: int, attempt: int) -> int:
        rate, ticks = self._rules.protection_rate, self._rules.protection_ticks
        wider = min(attempt, WIDEST)
        rules = self._rules._replace(
            protection_rate=min(rate * wider, max(rate, RATE_MAX)), protection_ticks=ticks * wider
        )
        return limit_price(side, price, tick, rules)

    def _refuse(self, token: str, why: str) -> None:
        self._refusals[token] += 1
        self._tell(f"{self._name(token)}: refused: {why}")
        if self._refusals[token] == REFUSALS_MAX:
            self._tell(f"{self._name(token)}: refused {REFUSALS_MAX} times: close it in the broker's own application")

    def _name(self, token: str) -> str:
        return self._symbols.get(token, f"token {token}")


def slices(quantity: int, lot_size: int, freeze_quantity: int) -> Iterator[int]:
    """Yield the parts of a quantity: whole lots, none above the freeze quantity (0: none known)."""
    most = max(freeze_quantity // lot_size, 1) * lot_size if freeze_quantity else quantity
    while quantity > 0:
        yield min(most, quantity)
        quantity -= most
