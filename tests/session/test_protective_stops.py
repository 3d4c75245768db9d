"""Protective stops with the simulated exchange behind: what rests there when, and that it never sells too much."""

from typing import Any

import numpy as np
import pytest

from laws.driver import settings
from myquant.core import codes
from myquant.core.records import Command, Event
from myquant.session.engine import Engine
from myquant.session.runner import Runner, words_of
from myquant.session.simulated import SimulatedOrders
from myquant.session.under_way import RowsForgotten
from myquant.strategies.loading import default_strategy
from myquant.ticks.batch import InstrumentName
from session.play import NOTHING, Play

SECOND_NS = 10**9
BOUGHT = """
    10:00:00    tick 100     |
    10:00:01    tick 100.05  | buy 300 at 100.05 #1
    10:00:02    tick 100.05  | opened 300 at 100.05 stop 85.05 ; stop 300 at 85.05 #2
    10:00:03    timer        |
"""


class Traded(Play):
    """A stage whose orders go to the simulated exchange, which takes 100 ms and fills whatever is inside the limit."""

    def __init__(self, **changes: Any) -> None:
        prompt = {"execution__fill_model": "limit", "execution__latency_ms": 100, "execution__latency_jitter_ms": 0}
        super().__init__(**{**prompt, **changes})
        self.orders = SimulatedOrders(self.engine)

    def play(self, table: str) -> "Traded":
        super().play(table)
        return self

    def send(self, event: Event) -> list[np.void]:
        if event.kind == codes.TICK:
            event = event._replace(volume=10**6)
        busy = self.orders.busy
        shown = super().send(event)
        if busy:
            self.orders.see(event)
        self._hand(shown)
        while (told := self.orders.answer()) is not None:
            more = super().send(told)
            self._hand(more)
            shown += more
        return shown

    def _hand(self, commands: list[np.void]) -> None:
        for row in commands:
            command = Command(*row.tolist())
            if command.kind == codes.SUBMIT:
                self.orders.submit(command)
            elif command.kind == codes.MODIFY:
                self.orders.modify(command)
            elif command.kind == codes.CANCEL:
                self.orders.cancel(command)


def test_a_stop_order_rests_once_the_entry_has_filled() -> None:
    stage = Traded().play(BOUGHT)
    assert (stage.units(), stage.stop_order()) == (300, "working")


def test_a_trade_at_the_trigger_makes_the_stop_order_the_exit() -> None:
    stage = (
        Traded()
        .play(BOUGHT)
        .play("""
        10:00:05    tick 85.10   |
        10:00:06    tick 85.05   |
        10:00:06.2  tick 85.05   | closed 300 at 85.05 stop_loss
    """)
    )
    assert (stage.units(), stage.orders.busy) == (0, False)


def test_a_gap_below_the_limit_is_followed_until_it_fills() -> None:
    Traded().play(BOUGHT).play("""
        10:00:05    tick 60      |
        10:00:05.5  tick 61      |
        10:00:06    timer        | modify #2 to 61.00 trigger 85.05
        10:00:07    tick 58      |
        10:00:07.5  tick 58      | modify #2 to 58.00 trigger 85.05
        10:00:08    tick 58      | closed 300 at 58.00 stop_loss
    """)


def test_the_stop_order_follows_the_trailing_stop_and_sells_there() -> None:
    Traded(risk__use_trail_stop=True, risk__tp_points=[50], risk__tp_percents=[1]).play(BOUGHT).play("""
        10:00:04    tick 107     | modify #2 to 102.00 trigger 102.00
        10:00:04.5  timer        |
        10:00:05    tick 109     | modify #2 to 104.00 trigger 104.00
        10:00:06    tick 105     |
        10:00:07    tick 104     |
        10:00:07.5  tick 103.50  | closed 300 at 103.50 trailing_stop
    """)


def test_an_exit_is_sent_once_the_stop_order_is_cancelled_and_what_it_leaves_gets_a_new_one() -> None:
    stage = (
        Traded()
        .play(BOUGHT)
        .play("""
        10:00:04    tick 105.05  | cancel 300 of #2
        10:00:05    timer        | sell 75 at 105.05 #3 take_profit_1 ; stop 225 at 85.05 #4
        10:00:06    tick 105.05  | modify #3 to 102.95 ; closed 75 at 105.05 take_profit_1
        10:00:07    tick 104     |
    """)
    )
    assert (stage.units(), stage.stop_order(), stage.order()) == (225, "working", "filled")


def test_a_stop_order_that_sells_before_its_cancellation_arrives_is_the_exit() -> None:
    stage = (
        Traded()
        .play(BOUGHT)
        .play("""
        10:00:04    tick 105.05  | cancel 300 of #2
        10:00:04.02 tick 85      |
        10:00:04.05 tick 84      | closed 300 at 84.00 stop_loss
        10:00:05    timer        |
    """)
    )
    assert (stage.units(), stage.orders.busy) == (0, False)


def test_a_trigger_that_is_touched_while_the_stop_order_is_under_way_keeps_no_exit_from_being_sent() -> None:
    stage = Traded(risk__tp_points=[5], risk__tp_percents=[1]).play("""
        10:00:00    tick 100     |
        10:00:01    tick 100.05  | buy 300 at 100.05 #1
        10:00:02    tick 100.05  | opened 300 at 100.05 stop 85.05 ; stop 300 at 85.05 #2
        10:00:02.05 tick 85.05   |
        10:00:02.08 tick 100     |
    """)
    for second in range(3, 6):
        stage.send(stage.event(f"10:00:0{second} tick 106"))
    assert stage.units() == 0


class Book(SimulatedOrders):
    """The exchange's own book: what it was sent and what it told. It is the oracle."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.side: dict[int, int] = {}
        self.left: dict[int, int] = {}  # of orders that have not ended
        self.filled: dict[int, int] = {}
        self.resting: set[int] = set()
        self.now_ns = 0
        self.bare_since_ns = 0
        self.longest_bare_ns = 0

    @property
    def held(self) -> int:
        return sum(self.side[order_id] * units for order_id, units in self.filled.items())

    def submit(self, command: Command) -> None:
        order_id = command.order_id
        self.side[order_id], self.left[order_id], self.filled[order_id] = command.side, command.quantity, 0
        super().submit(command)
        self.check(command.time_ns)

    def see(self, event: Event) -> None:
        self.check(event.time_ns)
        super().see(event)

    def answer(self) -> Event | None:
        told = super().answer()
        if told is not None:
            order_id = told.order_id
            if order_id in self.left:
                self.left[order_id] -= told.quantity - self.filled[order_id]
                self.filled[order_id] = told.quantity
            if told.kind in (codes.ORDER_ACK, codes.MODIFIED):
                self.resting.add(order_id)
            if told.kind in (codes.CANCELLED, codes.ORDER_REJECT) or self.left.get(order_id) == 0:
                self.left.pop(order_id, None)
                self.resting.discard(order_id)
            self.check(told.time_ns)
        return told

    def check(self, time_ns: int) -> None:
        """Hold working sells against what is held, and count how long nothing of it was protected."""
        self.now_ns = max(self.now_ns, time_ns)
        selling = {order_id: left for order_id, left in self.left.items() if self.side[order_id] == codes.SELL}
        assert sum(selling.values()) <= self.held, (selling, self.held)
        if self.held == 0 or self.resting & selling.keys():
            self.bare_since_ns = 0
        elif self.bare_since_ns == 0:
            self.bare_since_ns = time_ns
        else:
            self.longest_bare_ns = max(self.longest_bare_ns, self.now_ns - self.bare_since_ns)


def afternoon(seed: int) -> list[Event]:
    """Make ticks with quotes from 14:40 to 15:20, two seconds apart at most, and a timer each second."""
    rng = np.random.default_rng(seed)
    begin = int(Play().event("14:40:00 timer").time_ns)
    times = begin + np.cumsum(rng.integers(50, 2_000, 2_400)) * 10**6
    moves = rng.normal(0, 0.0015, len(times)) + rng.choice([0, 0.04, -0.04], len(times), p=[0.99, 0.005, 0.005])
    prices = np.maximum(2_000, np.round(np.exp(np.cumsum(moves)) * 20_000 / 5) * 5).astype(np.int64)
    found = [
        NOTHING._replace(kind=codes.TICK, time_ns=at, price=price, volume=volume, bid=price - below, ask=price + above)
        for at, price, volume, below, above in zip(
            times.tolist(),
            prices.tolist(),
            (rng.integers(0, 40, len(times)) * 75).tolist(),
            rng.choice([0, 5, 20], len(times)).tolist(),
            rng.choice([0, 5, 20], len(times)).tolist(),
            strict=True,
        )
    ]
    seconds = range(begin, int(times[-1]), SECOND_NS)
    found += [NOTHING._replace(kind=codes.TIMER, instrument=-1, time_ns=at) for at in seconds]
    return sorted(found, key=lambda event: event.time_ns)


LIVELY: dict[str, Any] = {
    "capital.initial_capital": 600_000,
    "strategy.min_warmup_ticks": 5,
    "strategy.use_ema_crossover": False,
    "strategy.consecutive_green_bars": 2,
    "strategy.control_base_sl": False,
    "risk.max_positions_per_day": 1000,
    "risk.base_sl_points": 3,
    "risk.tp_points": [2, 4, 6],
    "risk.tp_percents": [0.4, 0.3, 0.3],
    "risk.use_trail_stop": True,
    "risk.trail_activation_points": 1.5,
    "risk.trail_distance_points": 1,
    "execution.fill_model": "limit",
}


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_sells_never_exceed_what_is_held_and_what_is_held_is_protected(seed: int, slow: bool) -> None:
    """Unprotected is what is held only while one order is on its way, and till the timer that tells of its arrival."""
    latency_ms, jitter_ms = (900, 1500) if slow else (30, 120)
    way = {"execution.latency_ms": latency_ms, "execution.latency_jitter_ms": jitter_ms}
    engine = Engine(settings({**LIVELY, **way}), default_strategy(), (InstrumentName("NIFTY"),))
    book = Book(engine)
    runner = Runner(engine, RowsForgotten(), book)
    emitted: list[Command] = []
    runner.on_commands = emitted.extend
    runner.take(words_of(*afternoon(seed)))
    kinds = [command.kind for command in emitted]
    assert kinds.count(codes.TRADE_CLOSED) > 20
    assert codes.MODIFY in kinds
    assert codes.HALTED not in kinds
    assert 0 < book.longest_bare_ns <= (latency_ms + jitter_ms) * 10**6 + SECOND_NS
    assert (book.held, book.left, book.busy) == (0, {}, False)
