"""What the order side deals in: what can be traded, an order with all that became of it, a position, the funds.

Prices and money are paise, quantities units, times ns since the epoch.
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from myquant.core import codes
from myquant.lab.angelone.instruments import Listed

# Where an order is: the status words of the order book.
OPEN_PENDING: Final = "open pending"  # on its way to the exchange
OPEN: Final = "open"
TRIGGER_PENDING: Final = "trigger pending"
COMPLETE: Final = "complete"
CANCELLED: Final = "cancelled"
REJECTED: Final = "rejected"
MODIFY_PENDING: Final = "modify pending"  # pushed, not shown in the book
MODIFIED: Final = "modified"  # likewise

WORKING: Final = (OPEN_PENDING, OPEN, TRIGGER_PENDING)

# Who sent an order.
API: Final = "api"
PHONE: Final = "phone"
BROKER: Final = "broker"

INTRADAY: Final = "INTRADAY"
PRODUCTS: Final = (INTRADAY, "CARRYFORWARD")


class Tradable(NamedTuple):
    """Something that can be traded, on the day."""

    listed: Listed
    freeze_quantity: int = 0  # the largest order; 0: none is known
    low_price: int = 0  # circuit limits; 0: none are known
    high_price: int = 0
    close: int = 0  # of the day before


class Wanted(NamedTuple):
    """An order as asked for."""

    tradable: Tradable
    side: int  # codes.BUY, codes.SELL
    quantity: int
    limit: int
    trigger: int  # 0: none
    product: str
    tag: str = ""
    order_type: str = "LIMIT"
    by: str = API


class Change(NamedTuple):
    """A modification as asked for."""

    quantity: int
    limit: int
    trigger: int
    order_type: str


class Trade(NamedTuple):
    """One fill of an order."""

    fill_id: str
    quantity: int
    price: int
    time_ns: int


@dataclass(slots=True, eq=False)
class Order:
    """An order and what became of it; `timeline` has each (time, what), for tests."""

    number: int  # from 1
    order_id: str
    unique_id: str
    wanted: Wanted  # as it was placed
    placed_ns: int
    quantity: int
    limit: int
    trigger: int
    order_type: str
    state: str = OPEN_PENDING
    exchange_id: str = ""  # empty: it was never at the exchange
    filled: int = 0
    value: int = 0  # paise of what was filled
    text: str = ""  # why it was rejected
    updated_ns: int = 0
    trades: list[Trade] = field(default_factory=list)
    timeline: list[tuple[int, str]] = field(default_factory=list)
    doom: str = ""  # the exchange will reject it, with these words
    first_fill_max: int = 0  # units; 0: no limit

    @property
    def token(self) -> str:
        """The token of what it trades."""
        return self.wanted.tradable.listed.token

    @property
    def side(self) -> int:
        """codes.BUY or codes.SELL."""
        return self.wanted.side

    @property
    def tag(self) -> str:
        """What the client called it; empty: nothing."""
        return self.wanted.tag

    @property
    def left(self) -> int:
        """Units that are not filled."""
        return self.quantity - self.filled

    @property
    def is_working(self) -> bool:
        """Whether it may still fill."""
        return self.state in WORKING


@dataclass(slots=True)
class Position:
    """What was bought and sold of an instrument under a product today; `lowest` is the least that was ever held."""

    buy_quantity: int = 0
    buy_value: int = 0
    sell_quantity: int = 0
    sell_value: int = 0
    lowest: int = 0

    @property
    def net(self) -> int:
        """What is held; below zero: owed."""
        return self.buy_quantity - self.sell_quantity

    @property
    def realised(self) -> float:
        """What was gained on quantities both bought and sold, at their average prices."""
        matched = min(self.buy_quantity, self.sell_quantity)
        if matched == 0:
            return 0.0
        return matched * self.sell_value / self.sell_quantity - matched * self.buy_value / self.buy_quantity

    def book(self, side: int, quantity: int, price: int) -> None:
        """Take a fill in."""
        if side == codes.BUY:
            self.buy_quantity += quantity
            self.buy_value += quantity * price
        else:
            self.sell_quantity += quantity
            self.sell_value += quantity * price
        self.lowest = min(self.lowest, self.net)


class Funds(NamedTuple):
    """The account's money: `available` = `cash` - `blocked`, and `cash` = opening + sales - purchases."""

    opening: int
    cash: int
    blocked: int  # by buys that work
    realised: float

    @property
    def available(self) -> int:
        """What can be spent."""
        return self.cash - self.blocked
