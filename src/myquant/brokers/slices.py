"""The slices of our orders: what was sent, what is known of each, and what that makes of the orders. Pure.

A slice is a part of an order that the exchange takes in one piece. Messages about it may come twice, late, or out of
order: what was filled never goes down, a slice that has ended stays ended, and the same thing is told once.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from myquant.brokers.port import Books, NewOrder, OpenOrder, OrderAnswer, order_of_tag, order_tag
from myquant.core import codes, orders

PARTS_MAX: Final = 36**2
ENDED: Final = frozenset({orders.FILLED, orders.REJECTED, orders.CANCELLED})
_WORKS: Final = frozenset({orders.WORKING, orders.PARTIAL})


class Kind(IntEnum):
    """What is asked of the broker."""

    PLACE = 0
    MODIFY = 1
    CANCEL = 2


@dataclass(slots=True, eq=False)
class Slice:
    """One slice. `sent_ns`: monotonic, when it was written, or taken over, last; -1: not yet."""

    order: "SlicedOrder"
    part: int
    quantity: int
    tag: str
    limit: int
    trigger: int
    state: int = orders.SENT
    sent_ns: int = -1
    broker_id: str = ""
    filled: int = 0
    value: int = 0
    code: int = codes.BY_VENUE  # of one that was rejected: by whom

    @property
    def ended(self) -> bool:
        """Whether nothing more can become of it."""
        return self.state in ENDED


@dataclass(slots=True, eq=False)
class Ask:
    """A modification or cancellation of all that lives of an order.

    `waiting`: parts that have no broker id yet, so that nothing can be asked of them; `pending`: parts without an answer.
    A modification is told (`told`) once all that could be asked have answered.
    """

    order: "SlicedOrder"
    kind: Kind
    limit: int
    trigger: int
    pending: set[int]
    waiting: set[int]
    taken: bool = False
    refused: bool = False
    told: bool = False
    words: str = ""


@dataclass(slots=True, eq=False)
class SlicedOrder:
    """An order and what was told of it. `asks`: the latest of each kind that is not done with."""

    new: NewOrder
    slices: list[Slice] = field(default_factory=list)
    asks: dict[Kind, Ask] = field(default_factory=dict)
    filled: int = 0
    value: int = 0
    acknowledged: bool = False
    ended: bool = False
    words: str = ""


def sizes(quantity: int, freeze_quantity: int, lot_size: int) -> list[int]:
    """Return the slices of an order: whole lots each, none above the freeze quantity (0: none known)."""
    largest = freeze_quantity // lot_size * lot_size
    if largest <= 0 or quantity <= largest:
        return [quantity]
    whole, rest = divmod(quantity, largest)
    return [largest] * whole + ([rest] if rest else [])


class Ledger:
    """All orders of a session, by id."""

    def __init__(self, session_key: int) -> None:
        self.orders: dict[int, SlicedOrder] = {}
        self.at_work: dict[int, SlicedOrder] = {}
        self._key = session_key
        self._by_broker_id: dict[str, Slice] = {}

    def open(self, new: NewOrder) -> list[Slice]:
        """Take up an order and return its slices. Raises ValueError at an id that was there before: it is never sent twice."""
        order_id, quantity, limit, trigger = new.order_id, new.quantity, new.limit, new.trigger
        tag = self.new_tag(order_id)
        order = SlicedOrder(new)
        if quantity <= new.freeze_quantity:
            order.slices.append(Slice(order, 0, quantity, tag, limit, trigger))
        else:
            parts = sizes(quantity, new.freeze_quantity, new.instrument.lot_size)
            for part, size in enumerate(parts):
                slice_tag = tag if part == 0 else order_tag(self._key, order_id, part)
                order.slices.append(Slice(order, part, size, slice_tag, limit, trigger))
        self.orders[order_id] = self.at_work[order_id] = order
        return order.slices

    def new_tag(self, order_id: int) -> str:
        """Return the tag of a new order's first slice. Raises ValueError at an id that was there before."""
        if order_id in self.orders:
            raise ValueError(f"order {order_id} was sent before")
        return order_tag(self._key, order_id, 0)

    def find(self, tag: str, broker_id: str) -> Slice | None:
        """Return our slice with a tag, else with a broker's id; None: it is not ours."""
        named = order_of_tag(tag, self._key) if tag else None
        if named is None:
            return self._by_broker_id.get(broker_id)
        order = self.orders.get(named[0])
        return order.slices[named[1]] if order is not None and named[1] < len(order.slices) else None

    def accept(self, piece: Slice, broker_id: str) -> list[OrderAnswer]:
        """Note that the broker has given a slice an id, and return what that makes known."""
        self._name(piece, broker_id)
        return self._told(piece.order)

    def refuse(self, piece: Slice, code: int, words: str) -> list[OrderAnswer]:
        """Note that a slice was refused for certain: `code` is BY_VENUE, NOT_SENT or NOT_FOUND."""
        if piece.ended:
            return []
        piece.state, piece.code = orders.REJECTED, code
        return self._ended(piece, words)

    def see(self, piece: Slice, row: OpenOrder) -> list[OrderAnswer]:
        """Note how the broker has a slice, and return what that makes known. Of a row of `UNKNOWN` state only the fills count."""
        self._name(piece, row.broker_id)
        if piece.filled < row.filled <= piece.quantity:
            piece.filled, piece.value = row.filled, max(piece.value, row.value)
        answers: list[OrderAnswer] = []
        if not piece.ended:
            if row.state in ENDED:
                piece.state = row.state
                return self._ended(piece, row.words)
            if row.state in _WORKS:
                piece.state = orders.PARTIAL if piece.filled else orders.WORKING
            answers = self._matches(piece, row)
        return self._told(piece.order) + answers

    def missing(self, books: Books, settle_ns: int) -> list[Slice]:
        """Return the slices that some books lack, although what was sent then would be in them."""
        tags = {row.tag.upper() for row in books.orders if row.tag}
        ids = {row.broker_id for row in books.orders}
        latest_ns = books.begun_ns - settle_ns
        return [
            piece
            for order in self.at_work.values()
            for piece in order.slices
            if not piece.ended
            and 0 <= piece.sent_ns <= latest_ns
            and piece.tag not in tags
            and piece.broker_id not in ids
        ]

    def halved(self) -> list[SlicedOrder]:
        """Return the stop orders of which a slice has ended unfilled while another works: they protect less than is thought."""
        return [
            order
            for order in self.at_work.values()
            if order.new.trigger and any(each.ended and each.filled < each.quantity for each in order.slices)
        ]

    def ask(self, order_id: int, kind: Kind, limit: int = 0, trigger: int = 0) -> Ask | None:
        """Return a request to modify or cancel what lives of an order, in the place of an earlier one; None: nothing does."""
        order = self.at_work.get(order_id)
        if order is None:
            return None
        parts = {piece.part for piece in order.slices if not piece.ended}
        waiting = {piece.part for piece in order.slices if piece.part in parts and not piece.broker_id}
        order.asks[kind] = ask = Ask(order, kind, limit, trigger, parts, waiting)
        return ask

    def asked(self, ask: Ask, piece: Slice, *, taken: bool, words: str = "") -> list[OrderAnswer]:
        """Note the answer to a request about a slice, and return what that makes known: once per request."""
        if piece.part not in ask.pending:
            return []
        ask.pending.discard(piece.part)
        ask.taken |= taken
        if taken and ask.kind is Kind.MODIFY:
            piece.limit, piece.trigger = ask.limit, ask.trigger
        if not taken:
            ask.refused, ask.words = True, words
        return self._done(ask)

    def _done(self, ask: Ask) -> list[OrderAnswer]:
        """Return what is to be told of a request, once: when no answer is missing but those of parts that can't be asked yet."""
        order = ask.order
        if order.asks.get(ask.kind) is not ask:
            return []
        if not ask.pending:
            del order.asks[ask.kind]
        elif ask.kind is Kind.CANCEL or ask.pending != ask.waiting or not (ask.taken or ask.refused):
            return []
        if ask.told or order.ended:
            return []
        ask.told = True
        if ask.refused:
            return [_answer(order, codes.CHANGE_REJECT, words=ask.words)]
        return [_answer(order, codes.MODIFIED)] if ask.kind is Kind.MODIFY and ask.taken else []

    def _matches(self, piece: Slice, row: OpenOrder) -> list[OrderAnswer]:
        """Take a modification for done whose price the broker shows."""
        ask = piece.order.asks.get(Kind.MODIFY)
        if ask is None or (row.limit, row.trigger) != (ask.limit, ask.trigger):
            return []
        ask.waiting.discard(piece.part)
        return self.asked(ask, piece, taken=True)

    def _name(self, piece: Slice, broker_id: str) -> None:
        if broker_id and not piece.broker_id:
            piece.broker_id = broker_id
            self._by_broker_id[broker_id] = piece

    def _ended(self, piece: Slice, words: str) -> list[OrderAnswer]:
        """Return what the end of a slice makes known."""
        order = piece.order
        order.words = words or order.words
        answers = self._told(order)
        for ask in list(order.asks.values()):
            ask.pending.discard(piece.part)
            ask.waiting.discard(piece.part)
            answers += self._done(ask)
        return answers

    def _told(self, order: SlicedOrder) -> list[OrderAnswer]:
        """Return what has not been told of an order yet.

        It is acknowledged once every slice is answered for, and one was taken: a slice without an answer leaves the whole
        order unknown. Its end waits for all of them.
        """
        filled = value = 0
        ended, answered, taken, rejected = True, True, False, True
        for piece in order.slices:
            filled += piece.filled
            value += piece.value
            state = piece.state
            ended = ended and state in ENDED
            is_taken = state != orders.REJECTED and (state != orders.SENT or bool(piece.broker_id))
            taken = taken or is_taken
            answered = answered and (is_taken or state == orders.REJECTED)
            rejected = rejected and state == orders.REJECTED
        answers = []
        if taken and answered and not order.acknowledged:
            order.acknowledged = True
            answers.append(_answer(order, codes.ORDER_ACK))
        if filled > order.filled:
            order.filled, order.value = filled, max(value, order.value)
            answers.append(_answer(order, codes.FILL))
        if ended and not order.ended:
            order.ended = True
            self.at_work.pop(order.new.order_id, None)
            if not filled and rejected:
                code = min(piece.code for piece in order.slices) if len(order.slices) > 1 else order.slices[0].code
                answers.append(_answer(order, codes.ORDER_REJECT, code, order.words))
            elif filled < order.new.quantity:
                answers.append(_answer(order, codes.CANCELLED, words=order.words))
        return answers


def _answer(order: SlicedOrder, kind: int, code: int = 0, words: str = "") -> OrderAnswer:
    return OrderAnswer(kind, order.new.order_id, order.filled, order.value, code, words)
