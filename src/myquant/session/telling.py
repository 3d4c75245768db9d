"""Which commands a session tells people of, and what of them."""

from collections import deque
from typing import Any, Final

from myquant.core import codes
from myquant.core.money import RATE_SCALE
from myquant.core.records import Command
from myquant.session.engine import Engine
from myquant.session.needs import Log

TOLD: Final = frozenset((codes.POSITION_OPENED, codes.TRADE_CLOSED, codes.HALTED, codes.RESUMED))
DECISIONS: Final = TOLD | {codes.SUBMIT, codes.DENIED}  # where each decision is a line
TELL_ALL: Final = 32  # lines that wait make so many turns, or fewer
MINUTE_NS: Final = 60 * 10**9
TOO_SMALL: Final = "an entry was denied for its size: the broker's funds buy no lot"


class Untold:
    """Commands of which people are still to be told, in order. `decisions`: each decision is told.

    Attributes:
        is_leaving: a wish to halt is the stop's own, and not told.
        decisions: whether each decision is told.
    """

    def __init__(self, engine: Engine, *, decisions: bool) -> None:
        self.is_leaving = False
        self._engine = engine
        self.decisions = decisions
        self._waiting: deque[Command] = deque()
        self._are_funds_told = False
        self._funds_told_ns = -MINUTE_NS  # by the exchange's clock

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, command: Command) -> bool:
        """Take a command; return whether people are to be told of it."""
        is_told = command.kind in (DECISIONS if self.decisions else TOLD)
        if command.kind == codes.HALTED and command.reason == codes.BY_OPERATOR:
            is_told = not self.is_leaving
        elif command.kind == codes.DENIED and command.reason == codes.SIZE:
            is_told |= self._are_funds_to_tell(command.time_ns)
        if is_told:
            self._waiting.append(command)
        return is_told

    def tell(self, log: Log, count: int) -> None:
        """Log the first so many of them."""
        for _ in range(count):
            command = self._waiting.popleft()
            symbol = self._engine.names[command.instrument].symbol
            if command.kind == codes.DENIED and command.reason == codes.SIZE and self._shortfall():
                funds = {"broker_funds": self._funds() / 100, "needed": self._needed(command)}
                log.warning(TOO_SMALL, symbol=symbol, **fields_of(command), **funds)
                continue
            alarming = command.kind == codes.HALTED and command.reason != codes.BY_OPERATOR
            said = log.error if alarming else log.info
            said(codes.COMMAND_NAMES[command.kind], symbol=symbol, **fields_of(command))

    def _are_funds_to_tell(self, now_ns: int) -> bool:
        """Whether the broker's funds do not suffice where they did before; once a minute at most, as prices come and go."""
        were_told, are_short = self._are_funds_told, self._shortfall() > 0
        if are_short and not were_told and 0 <= now_ns - self._funds_told_ns < MINUTE_NS:
            return False  # the next denial tells it, where it lasts
        self._are_funds_told = are_short
        if are_short and not were_told:
            self._funds_told_ns = now_ns
            return True
        return False

    def _needed(self, command: Command) -> float | None:
        """Return which funds buy a lot at a denial's price, rupees, rounded up to a paisa; None: not known."""
        lot = int(self._engine.days[command.instrument]["lot_size"])
        rate = int(self._engine.desk[0]["rules"]["position_rate"])
        return -(-lot * command.price * RATE_SCALE // rate) / 100 if lot and rate else None

    def _shortfall(self) -> int:
        """Return by how much the broker lets us spend less than our books hold, paise."""
        return int(self._engine.desk[0]["account"]["shortfall"])

    def _funds(self) -> int:
        account: Any = self._engine.desk[0]["account"]
        return int(account["cash"] - account["reserved"] - account["shortfall"])


def fields_of(command: Command) -> dict[str, Any]:
    """Return what of a command belongs into a line of the log; prices and money in rupees."""
    if command.kind in (codes.HALTED, codes.RESUMED):
        order = {"order": command.order_id} if command.order_id else {}
        return {"reason": codes.HALT_NAMES[command.reason]} | order | {"input": command.event_sequence}
    price = command.price / 100
    if command.kind == codes.DENIED:
        return {"price": price, "reason": codes.DENIAL_NAMES[command.reason], "input": command.event_sequence}
    fields: dict[str, Any] = {"quantity": command.quantity, "price": price}
    if command.kind == codes.POSITION_OPENED:
        fields["stop"] = command.stop / 100
    elif command.kind == codes.SUBMIT:
        fields["side"] = "buy" if command.side == codes.BUY else "sell"
    else:
        fields |= {"reason": codes.EXIT_NAMES[command.reason], "net": command.net / 100}
    return fields | {"order": command.order_id, "input": command.event_sequence}
