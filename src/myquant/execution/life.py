"""An order's life: what was decided, when it left, what became of it, and how long each of its states lasted.

Prices and values: paise, int. None: not known.
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from myquant.core import codes, orders

ENTRY: Final = "entry"
EXIT: Final = "exit"
STOP: Final = "stop"
ROLES: Final = (ENTRY, EXIT, STOP)
SENT, WORKING, PARTIAL, FILLED, REJECTED, CANCELLED, UNKNOWN = (
    orders.STATE_NAMES[state]
    for state in (
        orders.SENT,
        orders.WORKING,
        orders.PARTIAL,
        orders.FILLED,
        orders.REJECTED,
        orders.CANCELLED,
        orders.UNKNOWN,
    )
)
AT_WORK: Final = frozenset(orders.STATE_NAMES[state] for state in orders.AT_WORK)
BY_BROKER: Final = "by_broker"
REFUSALS: Final = {codes.NOT_SENT: "not_sent", codes.NOT_FOUND: "not_found"}  # else `BY_BROKER`


class Stamp(NamedTuple):
    """A moment by all clocks, ns; None: not known by it."""

    time_ns: int | None  # the exchange's
    wall_ns: int | None  # the machine's, UTC
    mono_ns: int | None  # the machine's monotonic one
    boot: int = 0  # the machine's start since which that counts, by its number: those of two have nothing in common


class Decision(NamedTuple):
    """What was known when an order was decided."""

    at: Stamp
    arrived_ns: int | None  # monotonic, when the bytes were at hand that it came of
    price: int | None  # the last one
    bid: int | None
    ask: int | None


class Fill(NamedTuple):
    """A part of an order that was filled."""

    units: int
    value: int  # paise of these units
    at: Stamp
    is_late: bool = False  # the engine had forgotten the order: what it sold so is among the foreign trades, too


@dataclass
class OrderLife:
    """One order, by the journal."""

    order_id: int
    instrument: int
    symbol: str
    side: int  # 1 buys, -1 sells
    quantity: int
    role: str  # ENTRY, EXIT or STOP
    reason: str = ""  # of an exit or a stop order, as of the trade that it makes
    price: int | None = None  # what its limit hangs on
    trigger: int | None = None  # of a stop order
    decision: Decision | None = None  # None: the journal has lost the order
    sent: Stamp | None = None  # its first bytes were written
    sent_last: Stamp | None = None  # those of its last slice
    waited_ns: int | None = None  # before that, for the broker's rate or a connection; the slice that waited longest
    slices: int | None = None
    acknowledged: Stamp | None = None
    answered: Stamp | None = None  # the first answer, of whatever kind, but that it was not sent
    fills: list[Fill] = field(default_factory=list)
    ended: Stamp | None = None
    states: list[tuple[str, Stamp]] = field(default_factory=list)  # each with when it began
    refusal: str = ""  # BY_BROKER, not_sent or not_found; "": it was not refused
    changes_asked: int = 0
    changes_made: int = 0
    changes_refused: int = 0
    cancels_asked: int = 0
    asked: tuple[int, int, str] | None = None  # price, trigger and reason that were asked for
    day: str = ""  # the session's day of its decision, ISO

    @property
    def state(self) -> str:
        """Its present state, a name of `core.orders`."""
        return self.states[-1][0]

    @property
    def filled(self) -> int:
        """Units filled."""
        return sum(fill.units for fill in self.fills)

    @property
    def value(self) -> int:
        """Paise of what was filled."""
        return sum(fill.value for fill in self.fills)

    @property
    def is_at_work(self) -> bool:
        """Whether it may still fill."""
        return self.state in AT_WORK

    @property
    def was_unknown(self) -> bool:
        """Whether it has had no answer for too long, at any time."""
        return any(state == UNKNOWN for state, _ in self.states)

    @property
    def decision_price(self) -> int | None:
        """What its fills are held against: of a stop order its trigger, else the last price at the decision."""
        if self.role == STOP:
            return self.trigger
        return None if self.decision is None else self.decision.price

    @property
    def quote(self) -> int | None:
        """The other side's price at the decision; None: there was none, or it is a stop order, which waits for its price."""
        if self.decision is None or self.role == STOP:
            return None
        return self.decision.ask if self.side == codes.BUY else self.decision.bid


def gap_ns(before: Stamp | None, after: Stamp | None, *, by_exchange: bool) -> int | None:
    """Return the time between two moments, ns; None: not known, or the clock went back.

    It is by the exchange's clock where that is the one that counts (of simulated fills), else by the monotonic clock, else, and
    from one start of the machine to another, by the machine's.
    """
    if before is None or after is None:
        return None
    pairs = [(before.wall_ns, after.wall_ns)]
    if by_exchange:
        pairs = [(before.time_ns, after.time_ns)]
    elif before.boot == after.boot:
        pairs.insert(0, (before.mono_ns, after.mono_ns))
    for first, last in pairs:
        if first is not None and last is not None and first <= last:
            return last - first
    return None
