"""Law: whatever an exchange answers, late, in parts, twice, out of order or never, the books balance and nothing is sold twice."""

from functools import cache
from typing import Any

import numpy as np
import pytest

from laws.driver import events, new_engine, random_ticks, settings
from laws.ledger import Ledger
from myquant.core import codes
from myquant.core.orders import is_working
from myquant.core.records import Event
from myquant.session.engine import Engine
from session.play import NOTHING

VALUES: dict[str, Any] = {
    "capital.initial_capital": 1_000_000,
    "strategy.use_ema_crossover": False,
    "strategy.consecutive_green_bars": 1,
    "strategy.min_warmup_ticks": 5,
    "execution.order_timeout_s": 20,
    "risk.max_position_value_percent": 60,
    "risk.max_rejects": 4,
}
works = getattr(is_working, "py_func", is_working)


class Exchange:
    """Answers orders at random: what it says of one is consistent, but some of it comes late, twice or never."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.working: dict[int, dict[str, int]] = {}  # by order
        self.mail: list[Event] = []  # not delivered yet

    def take(self, command: np.void) -> None:
        """Take a SUBMIT or CANCEL."""
        order_id = int(command["order_id"])
        if command["kind"] == codes.SUBMIT:
            assert self.working.get(order_id) is None
            whole = {name: int(command[name]) for name in ("instrument", "quantity", "price", "side")}
            self.working[order_id] = {**whole, "filled": 0, "value": 0}
            if self.rng.random() < 0.1:
                self.end(order_id, codes.ORDER_REJECT)
            elif self.rng.random() < 0.7:
                self.say(order_id, codes.ORDER_ACK)
        elif order_id in self.working and self.rng.random() < 0.8:
            self.end(order_id, codes.CANCELLED)

    def say(self, order_id: int, kind: int) -> None:
        order = self.working[order_id]
        event = NOTHING._replace(
            kind=kind, instrument=order["instrument"], order_id=order_id, quantity=order["filled"], value=order["value"]
        )
        self.mail += [event] * int(self.rng.choice([1, 1, 1, 2]))

    def end(self, order_id: int, kind: int) -> None:
        self.say(order_id, kind)
        del self.working[order_id]

    def trade(self) -> None:
        """Fill some of what works."""
        for order_id in list(self.working):
            order = self.working[order_id]
            if self.rng.random() < 0.4:
                left = order["quantity"] - order["filled"]
                units = left if self.rng.random() < 0.6 else int(self.rng.integers(1, left + 1))
                price = max(1, order["price"] + int(self.rng.integers(-20, 21)))
                order["filled"] += units
                order["value"] += units * price
                self.say(order_id, codes.FILL)
                if order["filled"] == order["quantity"]:
                    del self.working[order_id]

    def deliver(self) -> list[Event]:
        """Return some of the mail. Of one order the answers keep their order, but for a message that comes again."""
        kept: list[Event] = []
        delivered: list[Event] = []
        held: set[int] = set()
        for event in self.mail:
            if event.order_id in held or self.rng.random() < 0.4:
                held.add(event.order_id)
                kept.append(event)
            else:
                delivered.append(event)
        self.mail = kept
        return delivered


def notices(rng: np.random.Generator) -> list[Event]:
    """Return what else may happen between two ticks."""
    every = NOTHING._replace(instrument=-1)
    chance = rng.random()
    if chance < 0.3:
        return [every._replace(kind=codes.TIMER)]
    if chance < 0.32:
        return [every._replace(kind=codes.FEED_STATUS, code=int(rng.integers(0, 2)))]
    if chance < 0.34:
        wish = rng.choice([codes.ASK_HALT, codes.ASK_FLATTEN])
        return [every._replace(kind=codes.OPERATOR, code=int(wish))]
    if chance < 0.40:
        return [every._replace(kind=codes.OPERATOR, code=codes.ASK_RESUME)]
    return []


@cache
def storm(seed: int, count: int = 500) -> tuple[Engine, list[np.void]]:
    """Drive an engine through a storm and check it after every event."""
    engine, exchange = new_engine(settings(VALUES), 3), Exchange(seed)
    ledger = Ledger(engine)
    every: list[np.void] = []

    def send(event: Event) -> None:
        got: list[np.void] = []
        engine.step(event, got.extend)
        ledger.take(event, np.array(got, engine.commands.dtype))
        ledger.check()
        check_orders(engine, got)
        every.extend(got)
        for command in got:
            if command["kind"] in (codes.SUBMIT, codes.CANCEL):
                exchange.take(command)

    now = 0
    for tick in events(random_ticks(seed, count=count, instruments=3)):
        now = max(now, tick.time_ns)
        exchange.trade()
        for event in (*exchange.deliver(), *notices(exchange.rng)):
            send(event._replace(time_ns=now))
        send(tick)
    return engine, every


def check_orders(engine: Engine, commands: list[np.void]) -> None:
    """Check that nothing is sold that is not held, and that halts hold entries back."""
    account = engine.account()
    core = engine.instruments["core"]
    for order, position in zip(core["order"], core["position"], strict=True):
        assert 0 <= order["filled"] <= order["quantity"]
        if works(int(order["state"])) and order["side"] == codes.SELL:
            assert order["quantity"] - order["filled"] <= position["quantity"]
    assert account.cash >= 0
    for command in commands:
        if command["kind"] == codes.SUBMIT and command["side"] == codes.BUY:
            assert account.halt == codes.NOT_HALTED
            assert not account.flatten
            assert not account.feed_stale


@pytest.mark.parametrize("seed", range(12))
def test_the_books_balance_in_any_storm(seed: int) -> None:
    engine, commands = storm(seed)
    kinds = [int(command["kind"]) for command in commands]
    assert kinds.count(codes.SUBMIT) > 5
    impossible = [row for row in commands if row["kind"] == codes.HALTED and row["reason"] == codes.BY_IMPOSSIBLE_EVENT]
    assert impossible == []
    assert engine.account().commands == len(commands)


def test_a_storm_has_it_all() -> None:
    every = [command for seed in range(12) for command in storm(seed)[1]]
    assert {int(command["kind"]) for command in every} >= {codes.SUBMIT, codes.CANCEL, codes.TRADE_CLOSED, codes.HALTED}
    halts = {int(command["reason"]) for command in every if command["kind"] == codes.HALTED}
    assert halts >= {codes.BY_OPERATOR, codes.BY_UNKNOWN_ORDER}
    denied = {int(command["reason"]) for command in every if command["kind"] == codes.DENIED}
    assert denied >= {codes.HALT, codes.FEED_STALE}
