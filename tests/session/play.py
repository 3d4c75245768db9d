"""Scenarios as tables that a trader can read: a clock, an event and, behind the bar, the commands expected of it.

    10:00:01  tick 100.05          | buy 300 at 100.05 #1
    10:00:01  ack #1               |
    10:00:02  fill #1 300 at 100.1 | opened 300 at 100.10 stop 85.10
    10:09:00  tick 84              | sell 300 at 84.00 #2 stop_loss

Events: `tick PRICE [bid P ask P]`, `ack #N`, `reject #N`, `doubted #N` and `counts #N` (a refused sell, and that it counts),
`cancelled #N`, `fill #N UNITS at AVERAGE` (both as of all that has filled so far; `lost #N ...`: an entry of ours that the
journal has lost), `modified #N`, `unchanged #N` (a change was refused), `foreign UNITS at PRICE` (sold by someone else),
`funds RUPEES [#LAST]`, `timer`, `feed stale|healthy`, `operator halt|resume|flatten`, `alarm journal`, `quote bid P ask P`,
`end` and `end close` (of the data). A letter before one names the instrument; without it, it is A. A row `day 2` turns the
page of the calendar. Marks are not shown.
"""

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, Final

import numpy as np

from laws.driver import settings
from laws.ledger import Ledger
from myquant.core import codes
from myquant.core.orders import STATE_NAMES
from myquant.core.records import Event
from myquant.session.engine import Engine
from myquant.strategies.loading import LoadedStrategy, default_strategy
from myquant.ticks.batch import InstrumentName

IST: Final = timezone(timedelta(hours=5, minutes=30))
FIRST_DAY: Final = date(2025, 10, 6)  # a Monday
ANSWERS: Final = {
    "ack": codes.ORDER_ACK,
    "reject": codes.ORDER_REJECT,
    "doubted": codes.ORDER_REJECT,
    "counts": codes.ORDER_REJECT,
    "cancelled": codes.CANCELLED,
    "modified": codes.MODIFIED,
    "unchanged": codes.CHANGE_REJECT,
    "fill": codes.FILL,
    "lost": codes.FILL,
}
CODES: Final = {"doubted": codes.IN_DOUBT, "counts": codes.COUNTS_NOW, "lost": codes.OF_LOST_ORDER}
KINDS: Final = {
    "timer": codes.TIMER,
    "feed": codes.FEED_STATUS,
    "operator": codes.OPERATOR,
    "end": codes.END_OF_DATA,
    "alarm": codes.ALARM,
}
NOTICES: Final = {
    "halt": codes.ASK_HALT,
    "resume": codes.ASK_RESUME,
    "flatten": codes.ASK_FLATTEN,
    "healthy": codes.FEED_HEALTHY,
    "stale": codes.FEED_IS_STALE,
    "close": codes.CLOSE_OPEN,
    "journal": codes.BY_JOURNAL,
    "channel": codes.BY_ORDER_CHANNEL,
    "fence": codes.BY_FENCE,
}
NOTHING: Final = Event(*[0] * len(Event._fields))

# Every rising tick is bought at once, in four lots of 75 at about 100; nothing but the stop and the tiers sells.
PLAIN: Final[dict[str, Any]] = {
    "strategy.use_ema_crossover": False,
    "strategy.consecutive_green_bars": 1,
    "strategy.min_warmup_ticks": 1,
    "strategy.control_base_sl": False,
    "risk.use_trail_stop": False,
    "capital.initial_capital": 110_000,
}


def paise(rupees: str) -> int:
    return int(Decimal(rupees) * 100)


def rupees(amount: int) -> str:
    return f"{Decimal(int(amount)) / 100:.2f}"


def in_words(command: np.void) -> str:
    """Return a command as a table shows it."""
    kind = int(command["kind"])
    text = of_order(command, kind) if kind in codes.FOR_ORDER_PORT else of_books(command, kind)
    return f"{'ABCDEFGH'[command['instrument']]} {text}" if command["instrument"] else text


def of_order(command: np.void, kind: int) -> str:
    quantity, price, stop = command["quantity"], rupees(command["price"]), int(command["stop"])
    order = f"#{command['order_id']}"
    if kind == codes.CANCEL:
        return f"cancel {quantity} of {order}"
    if kind == codes.MODIFY:
        return f"modify {order} to {price}" + (f" trigger {rupees(stop)}" if stop else "")
    if stop:
        return f"stop {quantity} at {rupees(stop)} {order}"
    if command["side"] == codes.BUY:
        return f"buy {quantity} at {price} {order}"
    return f"sell {quantity} at {price} {order} {codes.EXIT_NAMES[int(command['reason'])]}"


def of_books(command: np.void, kind: int) -> str:
    quantity, price, reason = command["quantity"], rupees(command["price"]), int(command["reason"])
    match kind:
        case codes.POSITION_OPENED:
            return f"opened {quantity} at {price} stop {rupees(command['stop'])}"
        case codes.TRADE_CLOSED:
            return f"closed {quantity} at {price} {codes.EXIT_NAMES[reason]}"
        case codes.DENIED:
            return f"denied {codes.DENIAL_NAMES[reason]}"
        case codes.TICK_REJECTED:
            return f"refused {codes.REJECTION_NAMES[reason]}"
        case codes.RESUMED:
            return f"resumed {codes.HALT_NAMES[reason]}"
        case _:
            return f"halted {codes.HALT_NAMES[reason]}"


class Play:
    """An engine on the stage: its tables are played row by row, and its ledger is checked after every row."""

    def __init__(self, instruments: int = 1, strategy: LoadedStrategy | None = None, **changes: Any) -> None:
        loaded = settings({**PLAIN, **{name.replace("__", "."): value for name, value in changes.items()}}, strategy)
        self.engine = Engine(loaded, strategy or default_strategy(), (InstrumentName("NIFTY"),) * instruments)
        self.ledger = Ledger(self.engine)
        self._day = FIRST_DAY
        self._sequence = 0
        self._orders: dict[int, int] = {}  # to whom an order belongs

    def play(self, table: str) -> "Play":
        """Play a table; an assertion names the row that went otherwise."""
        for row in filter(None, (line.strip() for line in table.splitlines())):
            if row.startswith("day "):
                self._day = FIRST_DAY + timedelta(days=int(row.removeprefix("day ")) - 1)
                continue
            happening, _, expected = row.partition("|")
            wanted = [text.strip() for text in expected.split(";") if text.strip()]
            found = [in_words(command) for command in self.send(self.event(happening))]
            assert found == wanted, f"{row}\nbut found: {' ; '.join(found)}"
        return self

    def send(self, event: Event) -> list[np.void]:
        """Take one event, check the ledger and return its commands but for marks."""
        taken: list[np.void] = []
        self._sequence += 1
        self.engine.step(event._replace(sequence=self._sequence), taken.extend)
        self.ledger.take(event, np.array(taken, self.engine.commands.dtype))
        self.ledger.check()
        shown = [command for command in taken if command["kind"] != codes.MARK]
        self._orders |= {int(row["order_id"]): int(row["instrument"]) for row in shown if row["kind"] == codes.SUBMIT}
        return shown

    def event(self, row: str) -> Event:
        """Return the event that a row tells."""
        clock, *words = row.split()
        moment = datetime.combine(self._day, time.fromisoformat(clock), IST) - datetime(1970, 1, 1, tzinfo=UTC)
        now = moment // timedelta(microseconds=1) * 1000
        who = "ABCDEFGH".index(words[0]) if len(words[0]) == 1 else 0
        kind, *rest = words[1:] if len(words[0]) == 1 else words
        event = NOTHING._replace(instrument=who, time_ns=now)
        if kind == "tick":
            numbers = dict(zip(("price", *rest[1::2]), map(paise, rest[::2]), strict=True))
            return event._replace(kind=codes.TICK, volume=75, **numbers)
        if kind == "quote":
            return event._replace(kind=codes.QUOTE, **dict(zip(rest[::2], map(paise, rest[1::2]), strict=True)))
        if kind in ANSWERS:
            order = int(rest[0].removeprefix("#"))
            event = event._replace(kind=ANSWERS[kind], order_id=order, code=CODES.get(kind, 0))
            event = event._replace(instrument=self._orders.get(order, who))
            if kind in {"fill", "lost"}:
                units = int(rest[1])
                event = event._replace(quantity=units, value=int(units * Decimal(rest[3]) * 100))
            return event
        if kind == "foreign":
            units = int(rest[0])
            return event._replace(kind=codes.FOREIGN_TRADE, quantity=units, value=units * paise(rest[2]))
        if kind == "funds":
            last_id = int(rest[1].removeprefix("#")) if rest[1:] else 0
            return event._replace(kind=codes.FUNDS, instrument=-1, value=paise(rest[0]), order_id=last_id)
        code = NOTICES[rest[0]] if rest else 0
        return event._replace(kind=KINDS[kind], instrument=-1, code=code)

    def stop_order(self, who: int = 0) -> str:
        """Return the state of an instrument's protective stop order."""
        return STATE_NAMES[int(self.engine.instruments[who]["core"]["stop_order"]["state"])]

    def order(self, who: int = 0) -> str:
        """Return the state of an instrument's order."""
        return STATE_NAMES[int(self.engine.instruments[who]["core"]["order"]["state"])]

    def units(self, who: int = 0) -> int:
        """Return the units held."""
        return int(self.engine.instruments[who]["core"]["position"]["quantity"])

    def history(self, name: str, who: int = 0) -> int:
        """Return what the gates remember of an instrument."""
        return int(self.engine.instruments[who]["core"]["history"][name])

    def count(self, place: int) -> int:
        """Return a counter (`codes.COUNT_*` and what is added to it) over all instruments."""
        return int(self.engine.instruments["counts"][:, place].sum())
