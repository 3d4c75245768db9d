"""The ports: what the engine asks of every broker, whatever its wire looks like.

A broker is a folder beside this file with a client (login, funds), an instrument master, a feed and, where it is traded
through, an order port. Prices and money are integers in paise, times int64 ns.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import date
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from myquant.core.records import Event
from myquant.errors import BrokerError
from myquant.market.contracts import Right

TAG_LENGTH: Final = 19  # letters and digits: the shortest limit among the brokers that carry a tag
_KEY_DIGITS: Final = 13  # 36 ** 13 > 2 ** 64
_ORDER_DIGITS: Final = TAG_LENGTH - _KEY_DIGITS
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"  # capitals only: some brokers change the case

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
    BUG = "report it: the request is wrong"
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
    orders_per_second: int


class NewOrder(NamedTuple):
    """An order to be sent."""

    order_id: int  # the engine's
    instrument: BrokerInstrument
    side: int  # codes.BUY, codes.SELL
    quantity: int  # units
    price: int  # limit, paise
    trigger: int  # paise; 0: none
    tag: str  # order_tag


class OpenOrder(NamedTuple):
    """An order as the broker's book has it, ended ones of the day included."""

    broker_id: str
    tag: str  # empty: it carries none, or it is not ours
    token: str
    side: int
    quantity: int
    filled: int
    value: int  # paise of what was filled; -1: the book does not say
    state: int  # core.orders
    reason: str  # the broker's words, redacted


class BrokerFill(NamedTuple):
    """One execution of the broker's trade book."""

    broker_id: str
    fill_id: str
    token: str
    side: int
    quantity: int
    price: int


class BrokerPosition(NamedTuple):
    """A net position; quantity below zero: short."""

    token: str
    quantity: int
    average_price: int


class Funds(NamedTuple):
    """What the account has, paise."""

    net: int
    available_cash: int


class OrderPort(Protocol):
    """Where orders go. Later brokers implement it; the simulated exchange has the same answers.

    What becomes of an order comes back as core events, handed to the callback that the port was made with: ORDER_ACK,
    ORDER_REJECT (`code`: who refused), CANCELLED and FILL, whose `quantity` and `value` are the order's totals so far, so
    that an answer told twice changes nothing. No answer at all is an answer the core knows: its time-out makes the order
    unknown, and only the books below may tell more. Nothing is ever sent twice.
    """

    capabilities: Capabilities
    on_event: Callable[[Event], None]

    def submit(self, order: NewOrder) -> None:
        """Send an order; returns at once. Raises BrokerError only where it is certain that nothing was sent."""

    def modify(self, order_id: int, price: int, quantity: int) -> None:
        """Ask for another limit (paise) and quantity (units) of a working order; returns at once."""

    def cancel(self, order_id: int) -> None:
        """Ask for what still works of an order to be cancelled; returns at once."""

    async def open_orders(self) -> list[OpenOrder]:
        """Return today's orders. Raises BrokerError; never an empty list for a failure."""

    async def fills(self) -> list[BrokerFill]:
        """Return today's executions. Raises BrokerError."""

    async def positions(self) -> list[BrokerPosition]:
        """Return the net positions. Raises BrokerError."""

    async def funds(self) -> Funds:
        """Return what the account has. Raises BrokerError."""

    async def aclose(self) -> None:
        """Let go of the connection; orders stay as they are."""


def order_tag(session_key: int, order_id: int) -> str:
    """Return the tag of an order: 19 capitals and digits, another one for every session and order.

    `session_key` is in [0, 2^64), `order_id` in [1, 36^6); ValueError outside.
    """
    if not 0 <= session_key < 2**64:
        raise ValueError(f"session key {session_key}: must be in [0, 2^64)")
    if not 1 <= order_id < 36**_ORDER_DIGITS:
        raise ValueError(f"order id {order_id}: must be in [1, 36^{_ORDER_DIGITS})")
    return _base36(session_key, _KEY_DIGITS) + _base36(order_id, _ORDER_DIGITS)


def order_of_tag(tag: str, session_key: int) -> int | None:
    """Return the id of a session's order by its tag, in either case; None: it is not of this session."""
    tag = tag.upper()
    if len(tag) != TAG_LENGTH or not set(tag) <= set(_DIGITS) or int(tag[:_KEY_DIGITS], 36) != session_key:
        return None
    return int(tag[_KEY_DIGITS:], 36) or None


def _base36(number: int, digits: int) -> str:
    text = ""
    for _ in range(digits):
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text
