"""Angel One's order port: slices and tags, the rate budget, kept-open connections, order updates and the books, composed."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from myquant.brokers.angelone import order_books, settings
from myquant.brokers.angelone.answers import BROKER_NAME
from myquant.brokers.angelone.order_requests import OrderRequests, variety
from myquant.brokers.angelone.order_sending import Account, Request, Sender
from myquant.brokers.angelone.order_words import Said, Verdict
from myquant.brokers.port import Books, BrokerInstrument, Capabilities, NewOrder, OpenOrder, OrderAnswer, SentRequest
from myquant.brokers.secrets import LINE_MAX
from myquant.brokers.slices import Ask, Kind, Ledger, Slice
from myquant.brokers.wire import Wire
from myquant.core import codes, orders
from myquant.errors import BrokerError

DEAF_LOOK_S: Final = 2.0  # while updates are not heard and something works, the books are looked at so often
DOUBTS_KEPT: Final = 1000
DOUBT_MAX: Final = 2 * LINE_MAX  # characters: a refusal has what was asked, the broker's words and the remedy

CAPABILITIES: Final = Capabilities(
    carries_tag=True,
    trigger_orders=True,
    order_updates=True,
    market_orders=False,
    requests_per_second=settings.ORDERS_PER_SECOND,
)


class Updates(Protocol):
    """Where order updates come from: `OrderUpdates`."""

    def start(self) -> None:
        """Begin to connect."""

    async def aclose(self) -> None:
        """End the connection; no callback comes afterwards."""


OpenUpdates = Callable[[Callable[[OpenOrder], None], Callable[[bool, str], None], Callable[[str], None]], Updates]


class AngelOneOrders:
    """The orders of one session; see `OrderPort`.

    Args:
        account: logged in.
        rest: the address of its REST service.
        session_key: of the tags.
        product: of the orders, such as INTRADAY.
        instruments: whose requests are built beforehand, and whose symbols the trade book may name.
        wire: not started yet.
        updates: makes the order-update socket of what takes its orders, its health and what can't be read.
        monotonic_ns: the clock of the rate and of the settle wait.
    """

    capabilities: Capabilities = CAPABILITIES

    def __init__(
        self,
        account: Account,
        *,
        rest: str,
        session_key: int,
        product: str,
        instruments: Iterable[BrokerInstrument],
        wire: Wire,
        updates: OpenUpdates,
        monotonic_ns: Callable[[], int],
    ) -> None:
        self.on_answer: Callable[[OrderAnswer], None] = _to_nobody
        self.on_sent: Callable[[SentRequest], None] = _to_nobody
        self.on_channel: Callable[[bool, str], None] = _to_nobody
        self.on_doubt: Callable[[str], None] = _to_nobody
        self._account = account
        self._monotonic_ns = monotonic_ns
        self._ledger = Ledger(session_key)
        known = tuple(instruments)
        self._symbols = {(each.segment, each.broker_symbol or each.symbol): each.token for each in known}
        self._names = {each.token: each.symbol for each in known}  # for messages
        requests = OrderRequests(rest, product)
        requests.prepare(known)
        self._sender = Sender(
            account,
            requests,
            wire,
            monotonic_ns=monotonic_ns,
            on_written=self._on_written,
            on_verdict=self._on_verdict,
            on_lost=self._on_lost,
            on_given_up=self._on_given_up,
            on_change=self._tell_channel,
        )
        self._updates = updates(self._on_row, self._on_updates, self._doubt)
        self._hears, self._deaf = False, "not connected yet"
        self._channel: tuple[bool, str] | None = None
        self._varieties: dict[str, str] = {}
        self._doubts: set[str] = set()
        self._unwanted: set[str] = set()  # broker's ids of orders none of ours that were asked to be cancelled
        self._gone: set[Slice] = set()  # slices that are not there any more, by an answer and not yet by the books
        self._not_gone: set[Slice] = set()  # of which the books said otherwise
        self._looking: asyncio.Task[None] | None = None

    # What the engine asks.

    def start(self) -> None:
        """Connect, and stay connected, in the running loop."""
        self._looking = asyncio.get_running_loop().create_task(self._look_while_deaf())
        self._sender.start()
        self._updates.start()
        self._tell_channel()

    def submit(self, order: NewOrder) -> None:
        """Send an order: the hot path. One of a single slice is written first, and then noted."""
        ledger, sender = self._ledger, self._sender
        if order.quantity <= order.freeze_quantity:
            request = sender.place(order, ledger.new_tag(order.order_id))
            if request is not None:
                request.piece = piece = ledger.open(order)[0]
                piece.sent_ns = self._monotonic_ns()
                self._on_written(request, piece.sent_ns)
                return
        for piece in ledger.open(order):
            sender.send(Request(Kind.PLACE, order.is_exit, piece))

    def prime(self, order: NewOrder) -> None:
        """Go the way of `submit` up to the write."""
        self._sender.prime(order, self._ledger.new_tag(order.order_id))

    def modify(self, order_id: int, limit: int, trigger: int) -> None:
        """Ask for another limit and trigger of what lives of an order; a slice that was not sent yet leaves with them."""
        self._ask(order_id, Kind.MODIFY, limit, trigger)

    def cancel(self, order_id: int) -> None:
        """Ask for what lives of an order to be cancelled; a slice that was not sent yet stays here."""
        self._ask(order_id, Kind.CANCEL)

    def cancel_orphan(self, order: OpenOrder) -> None:
        """Ask for an order of the books to be cancelled that is none of ours."""
        self._unwanted.add(order.broker_id)
        kept = self._varieties.get(order.broker_id) or variety(is_stop=order.trigger > 0)
        self._sender.send(Request(Kind.CANCEL, urgent=True, broker_id=order.broker_id, variety=kept))

    def adopt(self, order: NewOrder) -> None:
        """Take an order of an earlier process for sent, or perhaps sent: the books tell."""
        now = self._monotonic_ns()
        for piece in self._ledger.open(order):
            piece.sent_ns = now

    def broker_ids(self, order_id: int) -> tuple[str, ...]:
        """Return the broker's ids of what lives of an order, as far as they are known."""
        order = self._ledger.orders.get(order_id)
        pieces = () if order is None else order.slices
        return tuple(piece.broker_id for piece in pieces if piece.broker_id and not piece.ended)

    async def books(self) -> Books:
        """Return today's orders, executions, net positions and funds. Raises BrokerError."""
        account, begun_ns = self._account, self._monotonic_ns()
        asked: tuple[Any, ...] = await asyncio.gather(
            account.book(order_books.ORDER_BOOK, settings.ORDER_BOOK),
            account.book(order_books.TRADE_BOOK, settings.TRADE_BOOK),
            account.book(order_books.POSITIONS, settings.POSITIONS),
            account.funds(),
            return_exceptions=True,  # else the others would go on by themselves
        )
        for each in asked:
            if isinstance(each, BaseException):
                raise each
        order_data, trade_data, position_data, funds = asked
        rows = order_books.order_rows(order_data, account.redactor)
        named: dict[tuple[str, str], str] = order_books.symbols_of(order_data) | order_books.symbols_of(position_data)
        fills = order_books.fill_rows(trade_data, self._symbols | named)
        positions = order_books.position_rows(position_data)
        self._varieties = order_books.varieties_of(order_data)
        self._names = {token: symbol for (_, symbol), token in named.items()} | self._names
        return Books(rows, fills, positions, funds, begun_ns, self._names)

    def settle(self, books: Books, settle_ns: int) -> None:
        """Tell what the books say of our orders; see `OrderPort`."""
        answers: list[OrderAnswer] = []
        for row in books.orders:
            piece = self._ledger.find(row.tag, row.broker_id)
            if piece is not None:
                answers += self._see(piece, row)
        for piece in self._ledger.missing(books, settle_ns):
            if piece.filled:
                self._doubt_once(f"the order book lacks {_name(piece)}, which was filled in part")
            else:
                answers += self._ledger.refuse(piece, codes.NOT_FOUND, "the order book does not have it")
        self._tell(answers)
        self._not_gone = {piece for piece in self._not_gone | self._gone if not piece.ended}
        self._gone.clear()
        for order in self._ledger.halved():  # again, as nobody else asks again
            self._ask(order.new.order_id, Kind.CANCEL)

    async def aclose(self) -> None:
        """Let go of all connections; orders stay as they are."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await self._updates.aclose()
        await self._sender.aclose()

    # Modifications and cancellations.

    def _ask(self, order_id: int, kind: Kind, limit: int = 0, trigger: int = 0) -> None:
        if order_id not in self._ledger.orders:
            raise BrokerError(
                f"{BROKER_NAME}: {kind.name.lower()} of order {order_id}: it was not sent here: report it"
            )
        ask = self._ledger.ask(order_id, kind, limit, trigger)
        if ask is None:
            return  # it has ended, and that was told
        unsent = []
        for part in sorted(ask.pending):
            piece = ask.order.slices[part]
            if part not in ask.waiting:
                self._request(piece, kind)
            elif piece.sent_ns < 0 and (kind is Kind.MODIFY or self._sender.drop_unsent(piece)):
                unsent.append(piece)
        if unsent:
            asyncio.get_running_loop().call_soon(self._settle_unsent, unsent, kind)

    def _settle_unsent(self, pieces: list[Slice], kind: Kind) -> None:
        """Do what was asked of slices that had not been sent."""
        answers: list[OrderAnswer] = []
        for piece in pieces:
            ask = piece.order.asks.get(kind)
            if kind is Kind.CANCEL:
                answers += self._ledger.refuse(piece, codes.NOT_SENT, "cancelled before it was sent")
            elif ask is not None and piece.sent_ns < 0:
                ask.waiting.discard(piece.part)
                answers += self._ledger.asked(ask, piece, taken=True)
        self._tell(answers)

    def _request(self, piece: Slice, kind: Kind) -> None:
        """Send a modification or cancellation of a slice that the broker has an id for."""
        ask, new = piece.order.asks[kind], piece.order.new
        follows = (
            kind is Kind.MODIFY and new.trigger > 0 and ask.trigger > 0
        )  # a stop order, the trailing stop: no hurry
        self._sender.send(Request(kind, not follows, piece, ask, piece.broker_id, variety(is_stop=new.trigger > 0)))

    def _catch_up(self, piece: Slice) -> None:
        """Ask what could not be asked of a slice before the broker had an id for it."""
        for kind in (Kind.CANCEL, Kind.MODIFY):
            ask = piece.order.asks.get(kind)
            if ask is not None and piece.part in ask.waiting and piece.broker_id and not piece.ended:
                ask.waiting.discard(piece.part)
                self._request(piece, kind)

    # What becomes of requests.

    def _on_written(self, request: Request, now_ns: int) -> None:
        sent = request.sent(now_ns)
        if sent is not None:
            self.on_sent(sent)

    def _on_verdict(self, request: Request, verdict: Verdict) -> None:
        said, piece, ask = verdict.said, request.piece, request.ask
        if said in {Said.UNSURE, Said.TOO_OFTEN}:
            self._doubt(f"{request}: not known whether it was done: {verdict.words}")
        elif piece is None:
            if said is not Said.TAKEN:
                self._doubt(f"{request} was refused: {verdict.words}")
        elif ask is not None:
            self._on_change_answered(request, piece, ask, verdict)
        elif said is Said.REFUSED:
            if piece.broker_id:
                self._doubt(f"{request} was refused, yet the broker has it: {verdict.words}")
            else:
                self._tell(self._ledger.refuse(piece, codes.BY_VENUE, verdict.words))
        elif piece.broker_id not in {"", verdict.broker_id}:
            self._doubt(f"two orders of the broker's bear the tag of {_name(piece)}")
        else:
            self._tell(self._ledger.accept(piece, verdict.broker_id))
            self._catch_up(piece)
        if not self._hears:
            self._doubt(self._deaf)

    def _on_change_answered(self, request: Request, piece: Slice, ask: Ask, verdict: Verdict) -> None:
        """Take the answer to a modification or cancellation.

        One that is refused because there is no such order at work came too late, mostly: it has just ended, which the books
        will tell. The broker's words are passed on only where the books had it at work since the last refusal of this kind.
        """
        said, words = verdict.said, verdict.words
        if said is Said.GONE:
            words = words if piece in self._not_gone else ""
            self._gone.add(piece)
            self._doubt(f"{request}: it was filled or cancelled meanwhile, says the broker")
        elif said is Said.REFUSED:
            self._doubt(f"{request} was refused: {words}")
        self._tell(self._ledger.asked(ask, piece, taken=said is Said.TAKEN, words=words))

    def _on_lost(self, request: Request, why: str) -> None:
        self._doubt(f"{request}: not known whether it was done: {why}")

    def _on_given_up(self, request: Request, why: str) -> None:
        piece, ask = request.piece, request.ask
        if piece is None:
            self._doubt(why)
        elif ask is None:
            self._tell(self._ledger.refuse(piece, codes.NOT_SENT, why))
        else:
            self._tell(self._ledger.asked(ask, piece, taken=False, words=why))

    # What is heard of orders.

    def _on_row(self, row: OpenOrder) -> None:
        piece = self._ledger.find(row.tag, row.broker_id)
        if piece is not None:
            self._tell(self._see(piece, row))
        else:
            what = "an order that we cancel" if row.broker_id in self._unwanted else "an order that is not ours"
            self._doubt_once(
                f"{what}: {row.broker_id}, {self._names.get(row.token) or f'token {row.token}'}, state "
                f"{orders.STATE_NAMES[row.state]}, {row.filled} of {row.quantity} filled"
            )

    def _see(self, piece: Slice, row: OpenOrder) -> list[OrderAnswer]:
        """Note how the broker has one of our slices; what can't be true is told as a doubt, and not believed."""
        new = piece.order.new
        if piece.broker_id not in {"", row.broker_id}:
            self._doubt_once(f"two orders of the broker's bear the tag of {_name(piece)}")
            return []
        if row.side != new.side or row.token != new.instrument.token or row.filled > piece.quantity:
            self._doubt_once(f"the broker has {_name(piece)} with another side, token or quantity")
            return []
        if row.state == orders.UNKNOWN:
            self._doubt_once(f"{_name(piece)}: {row.words}")
        was_lost = piece.state == orders.REJECTED and piece.code != codes.BY_VENUE
        answers = self._ledger.see(piece, row)
        if was_lost and row.state in {orders.WORKING, orders.PARTIAL}:
            self._doubt(f"{_name(piece)} works, although it was not found before: it is cancelled")
            self.cancel_orphan(row)
        self._catch_up(piece)
        return answers

    def _on_updates(self, hears: bool, why: str) -> None:
        self._hears, self._deaf = hears, f"order updates are not heard: {why}"
        self._tell_channel()
        if hears:
            self._doubt("order updates are heard again: some may have been missed")

    async def _look_while_deaf(self) -> None:
        while True:
            await asyncio.sleep(DEAF_LOOK_S)
            self._tell_channel()
            if not self._hears and self._ledger.at_work:
                self._doubt(self._deaf)

    def _tell_channel(self) -> None:
        why = self._sender.why_not() or ("" if self._hears else self._deaf)
        if self._channel is None or self._channel[0] != (not why):
            self._channel = not why, why
            self.on_channel(not why, why)

    def _tell(self, answers: Iterable[OrderAnswer]) -> None:
        for answer in answers:
            self.on_answer(answer)
        for order in self._ledger.halved():
            if Kind.CANCEL not in order.asks:
                self._doubt(f"order {order.new.order_id} has lost a slice: its others are cancelled")
                self._ask(order.new.order_id, Kind.CANCEL)

    def _doubt(self, why: str) -> None:
        self.on_doubt(self._account.redactor.line(why, DOUBT_MAX))

    def _doubt_once(self, why: str) -> None:
        """Doubt, but not at each look at the books again."""
        if why not in self._doubts:
            if len(self._doubts) >= DOUBTS_KEPT:
                self._doubts.clear()
            self._doubts.add(why)
            self._doubt(why)


def _name(piece: Slice) -> str:
    return f"order {piece.order.new.order_id}, part {piece.part}"


def _to_nobody(*_: Any) -> None:
    """Tell nobody."""
