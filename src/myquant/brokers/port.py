"""The ports: what the engine asks of every broker, whatever its wire looks like.

A broker is a folder beside this file with a client (login, funds), an instrument master, a feed and, where it is traded
through, an order port. Prices and money are integers in paise, times int64 ns.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

from myquant.errors import BrokerError
from myquant.market.contracts import Right

TAG_LENGTH: Final = 19  # letters and digits: the shortest limit among the brokers that carry a tag
_KEY_DIGITS: Final = 13  # 36 ** 13 > 2 ** 64
_PART_DIGITS: Final = 2
_ORDER_DIGITS: Final = TAG_LENGTH - _KEY_DIGITS - _PART_DIGITS
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"  # capitals only: some brokers change the case
_PAIRS: Final = tuple(first + second for first in _DIGITS for second in _DIGITS)

NO_SYMBOLS: Final[Mapping[str, str]] = MappingProxyType({})

OnFrame = Callable[[int, memoryview, int], None]  # connection (from 1), payload (valid during the call), monotonic ns
OnStatus = Callable[[int, bool, str], None]  # connection, healthy, why
OnText = Callable[[int, str], None]  # connection, a text frame that is no heartbeat
OnSlow = Callable[[int], None]  # by how much the event loop was late, ns


class FeedCalls(NamedTuple):
    """What a feed calls, and what it asks."""

    on_frame: OnFrame
    on_status: OnStatus
    on_text: OnText
    on_slow: OnSlow
    expects_data: Callable[[], bool]  # whether packets must be coming now


class Remedy(StrEnum):
    """What to do about a request that failed."""

    RELOGIN = "log in again"
    CONFIG = "correct the API key"
    STOP = "stop and see to the account: a person has to"
    ADDRESS = "register the static address of this machine's way out with the broker, and name it in the settings"
    BUG = "compare contract, product, prices and position with the account; where all of them are right, report it"
    REFRESH_MASTER = "fetch the instrument master again"
    RECONCILE = "ask the broker's books: it does not know what was named"
    AMBIGUOUS = "ask the broker's books before anything is sent again: it may have been done"
    RATE_LIMIT = "ask less often"
    RETRY = "try again later"
    REFUSED = "read the broker's words: it was refused"
    UNKNOWN = "look the code up in the broker's documentation"


class RequestError(BrokerError):
    """A request failed. `request` is its name, `code` the broker's (empty: it gave none), `remedy` what to do."""

    def __init__(self, broker: str, request: str, said: str, remedy: Remedy, code: str = "") -> None:
        super().__init__(f"{broker}: {request} failed: {said}: {remedy}")
        self.request = request
        self.remedy = remedy
        self.code = code


@dataclass(frozen=True, repr=False)
class Credentials:
    """What a login needs; each broker declares its own fields, all texts. Never shown."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"

    def secrets(self) -> tuple[str, ...]:
        """Return all values, for a redactor."""
        return tuple(getattr(self, field.name) for field in fields(self))


@dataclass(frozen=True)
class BrokerInstrument:
    """An instrument as a broker's master lists it. Index and share have no expiry, strike or right."""

    symbol: str  # ours
    segment: str  # the broker's name of exchange and segment, such as NFO
    token: str
    exchange_type: int  # of the feed; 0 where the broker has none
    lot_size: int  # units
    tick_size_paise: int  # 0: it is not traded
    expiry: date | None = None
    strike_paise: int | None = None
    right: Right | None = None
    broker_symbol: str = ""  # the broker's spelling of the symbol


class FeedState(NamedTuple):
    """How a connection of the feed is."""

    connection: int  # from 1
    healthy: bool
    reason: str


class Feed(Protocol):
    """A broker's market feed over one or more supervised connections; see `supervised` for what is promised."""

    def start(self) -> None:
        """Begin to connect, in the running loop; frames and changes of state go to the callbacks."""

    def states(self) -> list[FeedState]:
        """Return how each connection is."""

    async def aclose(self) -> None:
        """End all connections within a second; no callback comes afterwards."""


class Capabilities(NamedTuple):
    """What a broker's order port can do."""

    carries_tag: bool  # the order book gives our tag back; else a ledger of the broker's ids has to serve
    trigger_orders: bool  # stop-loss orders that wait at the exchange
    order_updates: bool  # changes are pushed; else the order book has to be polled
    market_orders: bool
    requests_per_second: int  # place, modify and cancel together


class NewOrder(NamedTuple):
    """An order as the engine wants it. Above the freeze quantity the port sends it in slices of whole lots."""

    order_id: int  # the engine's
    instrument: BrokerInstrument
    side: int  # codes.BUY, codes.SELL
    quantity: int  # units
    limit: int  # paise, on the tick grid, its protection included
    trigger: int  # paise; 0: none
    freeze_quantity: int  # units; 0: none known
    is_exit: bool  # exits and stop orders go before entries where the rate is short


class OrderAnswer(NamedTuple):
    """What became of an order, its slices taken together."""

    kind: int  # codes.ORDER_ACK, ORDER_REJECT, FILL, CANCELLED, MODIFIED or CHANGE_REJECT
    order_id: int
    filled: int  # units, in all so far
    value: int  # paise of what was filled so far
    code: int  # ORDER_REJECT: codes.BY_VENUE, NOT_SENT or NOT_FOUND; else 0
    words: str  # the broker's, redacted; empty: none


class SentRequest(NamedTuple):
    """A request about a slice of our order whose bytes were written."""

    kind: int  # codes.SUBMIT, MODIFY or CANCEL
    order_id: int
    written_ns: int  # monotonic, right after the write
    waited_ns: int  # that it waited before, for the rate, a session or a connection; 0: it was written at once
    part: int  # the slice's number, from 1
    parts: int  # slices of the order
    quantity: int  # units of the slice
    limit: int  # paise; 0: of a cancellation
    trigger: int  # paise; 0: none
    again: bool  # it was written before, and refused as the broker had ended the session


class OpenOrder(NamedTuple):
    """An order as the broker's book has it, ended ones of the day included."""

    broker_id: str
    tag: str  # empty: it carries none
    token: str
    side: int
    quantity: int
    filled: int
    value: int  # paise of what was filled, by the average price, half up
    limit: int  # paise
    trigger: int  # paise; 0: none
    state: int  # core.orders: WORKING (also: waits for its trigger, or for the exchange), PARTIAL, FILLED, REJECTED,
    #             CANCELLED; UNKNOWN: its status is a word that we do not know, `words` names it
    words: str  # the broker's reason, redacted


class BrokerFill(NamedTuple):
    """One execution of the broker's trade book."""

    broker_id: str
    fill_id: str
    token: str
    side: int
    quantity: int
    price: int


class BrokerPosition(NamedTuple):
    """A net position of the day; quantity below zero: short."""

    token: str
    segment: str
    symbol: str  # the broker's spelling
    product: str
    quantity: int
    average_price: int


class Funds(NamedTuple):
    """What the account has, paise."""

    net: int
    available_cash: int


class Books(NamedTuple):
    """One look at all of the broker's books; what was sent before `begun_ns` less the time under way should be in it."""

    orders: tuple[OpenOrder, ...]
    fills: tuple[BrokerFill, ...]
    positions: tuple[BrokerPosition, ...]
    funds: Funds
    begun_ns: int  # monotonic: before the first of them was asked for
    symbols: Mapping[str, str] = NO_SYMBOLS  # by token, for messages: of what the books name and what is traded here


class OrderPort(Protocol):
    """Where orders go. Later brokers implement it; the simulated exchange gives the same answers.

    What becomes of an order is told to `on_answer`, whose quantity and value are the order's totals so far, so that an
    answer told twice changes nothing. No answer at all is an answer the core knows: its time-out makes the order unknown,
    and only the books tell more. Nothing is ever sent twice; an order ends by the venue's evidence only.

    Attributes:
        on_answer: takes answers, from the event loop, never from within `submit`, `modify` or `cancel`.
        on_sent: takes what was written, after each write, even from within `submit`, `modify` and `cancel`: whatever takes
            time there is to be put off. Cancellations of orders that are none of ours are not told.
        on_channel: takes whether orders can be sent and heard of, and why not; once per change.
        on_doubt: takes why the books should be looked at now: a reconnection, an unknown order, one that is not ours.
    """

    capabilities: Capabilities
    on_answer: Callable[[OrderAnswer], None]
    on_sent: Callable[[SentRequest], None]
    on_channel: Callable[[bool, str], None]
    on_doubt: Callable[[str], None]

    def start(self) -> None:
        """Connect, and stay connected, in the running loop."""

    def submit(self, order: NewOrder) -> None:
        """Send an order; the bytes are written before it returns, unless the rate or the connection makes it wait."""

    def prime(self, order: NewOrder) -> None:
        """Go the way of `submit` up to the write and change nothing: what is not used for a while is slow, and orders are rare.

        Raises ValueError at an id that was sent before.
        """

    def modify(self, order_id: int, limit: int, trigger: int) -> None:
        """Ask for another limit and trigger (paise) of a working order."""

    def cancel(self, order_id: int) -> None:
        """Ask for what still works of an order to be cancelled."""

    def cancel_orphan(self, order: OpenOrder) -> None:
        """Ask for a working order of the books to be cancelled that is none of ours; the next books tell whether it was."""

    def adopt(self, order: NewOrder) -> None:
        """Take an order of an earlier process for sent, or perhaps sent: the books tell."""

    def broker_ids(self, order_id: int) -> tuple[str, ...]:
        """Return the broker's ids of what lives of an order, as far as they are known."""

    async def books(self) -> Books:
        """Return today's orders, executions, net positions and funds. Raises BrokerError; never less for a failure."""

    def settle(self, books: Books, settle_ns: int) -> None:
        """Tell (`on_answer`) what the books say of our orders.

        One that they do not have ends (NOT_FOUND) only when it was sent, or adopted, `settle_ns` before they were asked for.
        """

    async def aclose(self) -> None:
        """Let go of all connections; orders stay as they are."""


def order_tag(session_key: int, order_id: int, part: int) -> str:
    """Return the tag of a slice of an order: 19 capitals and digits, another one for every session, order and slice.

    `session_key` is in [0, 2^64), `order_id` in [1, 36^4), `part` in [0, 36^2); ValueError outside.
    """
    if not 0 <= session_key < 2**64:
        raise ValueError(f"session key {session_key}: must be in [0, 2^64)")
    if not 1 <= order_id < 36**_ORDER_DIGITS:
        raise ValueError(f"order id {order_id}: must be in [1, 36^{_ORDER_DIGITS})")
    if not 0 <= part < 36**_PART_DIGITS:
        raise ValueError(f"part {part}: must be in [0, 36^{_PART_DIGITS})")
    high, low = divmod(order_id, len(_PAIRS))
    return f"{_of_key(session_key)}{_PAIRS[high]}{_PAIRS[low]}{_PAIRS[part]}"


def order_of_tag(tag: str, session_key: int) -> tuple[int, int] | None:
    """Return id and part of a session's order by its tag, in either case; None: it is not of this session."""
    tag = tag.upper()
    if len(tag) != TAG_LENGTH or not set(tag) <= set(_DIGITS) or int(tag[:_KEY_DIGITS], 36) != session_key:
        return None
    order_id = int(tag[_KEY_DIGITS:-_PART_DIGITS], 36)
    return (order_id, int(tag[-_PART_DIGITS:], 36)) if order_id else None


@lru_cache(maxsize=16)
def _of_key(session_key: int) -> str:
    return _base36(session_key, _KEY_DIGITS)


def _base36(number: int, digits: int) -> str:
    text = ""
    for _ in range(digits):
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text
