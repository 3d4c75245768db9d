"""An independent ledger: what cash and books must be after every event, from the fills of the orders alone."""

from typing import Any

import numpy as np

from myquant.core import codes
from myquant.core.records import Event
from myquant.market.charges import order_charges, slices
from myquant.session.engine import Engine

PARTS = {
    "brokerage": "brokerage",
    "exchange_charges": "exchange",
    "sebi_fees": "sebi",
    "stt": "stt",
    "stamp_duty": "stamp",
    "gst": "gst",
}


class Ledger:
    """Checks an engine that is driven event by event. Give it every event, then call `check`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.start = engine.account().cash
        self.nets = 0  # of all trades so far
        self.row_charges = 0
        self._turnover: dict[int, int] = {}  # by order: what it brought, less what it cost
        self._units: dict[int, tuple[int, int]] = {}  # by order: instrument, units added
        self._filled: dict[int, tuple[int, int]] = {}  # by order: units and value so far
        self._beyond: dict[int, tuple[int, int]] = {}  # by order: those of them that were sold and not held
        self._oversold = False  # by the last event
        self._charges: dict[int, dict[str, int]] = {}  # by order

    def take(self, event: Event, commands: np.ndarray[Any, Any]) -> None:
        """Take an event and its commands."""
        rows = commands[commands["kind"] == codes.TRADE_CLOSED]
        ended = commands[np.isin(commands["kind"], (codes.TRADE_CLOSED, codes.POSITION_OPENED))]
        for row in ended[ended["order_id"] == event.order_id] if event.kind == codes.FILL else ():
            # The next exit may have taken this order's place already.
            self.book(event.instrument, event.order_id, int(row["side"]), event.quantity, event.value)
        if event.kind == codes.FOREIGN_TRADE and len(rows):  # of no order of ours
            units = int(rows[0]["quantity"])
            self.book(event.instrument, -len(self._units), codes.SELL, units, event.value * units // event.quantity)
        self.nets += int(rows["net"].sum())
        self.row_charges += int(rows["charges"].sum())

    def book(self, who: int, order_id: int, side: int, filled: int, value: int) -> None:
        """Book what an order has filled so far; what it has sold beyond what was held is not ours."""
        filled, value = self._of_ours(who, order_id, side, filled, value)
        rules = [rules for (whose, _), rules in self.engine.day_rules.items() if whose == who][-1]
        number = slices(filled, rules.contract.freeze_quantity, rules.contract.lot_size)
        cost = order_charges(rules.rates, "buy" if side == codes.BUY else "sell", value, 1, slices=number)
        self._charges[order_id] = {name: getattr(cost, part) for name, part in PARTS.items()}
        self._turnover[order_id] = -side * value
        self._units[order_id] = (who, side * filled)

    def _of_ours(self, who: int, order_id: int, side: int, filled: int, value: int) -> tuple[int, int]:
        before, before_value = self._filled.get(order_id, (0, 0))
        self._filled[order_id] = (filled, value)
        beyond, beyond_value = self._beyond.get(order_id, (0, 0))
        if side == codes.SELL and (more := filled - before) > 0:
            held = sum(units for whose, units in self._units.values() if whose == who)
            short = max(0, more - held)
            part = value - before_value
            beyond, beyond_value = beyond + short, beyond_value + part - part * (more - short) // more
            self._beyond[order_id] = (beyond, beyond_value)
            self._oversold |= short > 0
        return filled - beyond, value - beyond_value

    def check(self) -> None:
        """Book the orders as they stand, and check every identity to the paisa."""
        core = self.engine.instruments["core"]
        for who, order in [*enumerate(core["order"]), *enumerate(core["stop_order"])]:
            if order["filled"]:
                self.book(who, *(int(order[name]) for name in ("id", "side", "filled", "value")))
        account = self.engine.account()
        paid = {name: sum(parts[name] for parts in self._charges.values()) for name in PARTS}
        assert {name: getattr(account, name) for name in PARTS} == paid
        assert account.cash == self.start + sum(self._turnover.values()) - sum(paid.values())
        position = core["position"]
        held = [sum(units for whose, units in self._units.values() if whose == who) for who in range(len(core))]
        assert position["quantity"].tolist() == held
        assert not self._oversold or self.engine.account().halt == codes.BY_BOOKS
        self._oversold = False
        assert account.open_value == int((position["quantity"] * core["tape"]["last_price"]).sum())
        self._check_rows(account.cash, sum(paid.values()))

    def _check_rows(self, cash: int, paid: int) -> None:
        """Check that trades explain the cash, but for what open positions and exits under way still carry."""
        position, order = (self.engine.instruments["core"][name] for name in ("position", "order"))
        value = int((position["entry_value"] - position["value_out"]).sum())
        entry_charges = int((position["entry_charges"] - position["charges_out"]).sum())
        sells = [*order, *self.engine.instruments["core"]["stop_order"]]
        under_way = [row for row in sells if row["side"] == codes.SELL and row["filled"] and row["state"] in (3, 7)]
        sold = sum(self._turnover[int(row["id"])] for row in under_way)
        exit_charges = sum(sum(self._charges[int(row["id"])].values()) for row in under_way)
        assert self.start + self.nets - value - entry_charges + sold - exit_charges == cash
        assert self.row_charges + entry_charges + exit_charges == paid
        reserved = self.engine.account().reserved
        buying = (order["side"] == codes.BUY) & np.isin(order["state"], (1, 2, 3, 7))
        assert reserved >= 0
        assert reserved == 0 or buying.any()
