"""Sells that fill after their end, at a broker's: all who read the journal hold what the engine holds."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from execution.made_journal import Made
from journal.journal_samples import QUICK
from laws.driver import settings
from monitor.watched import put_session, view_of
from myquant.brokers.port import NewOrder, OrderAnswer
from myquant.core import codes
from myquant.core.records import Event
from myquant.execution.reading import read_session
from myquant.execution.report import report_of
from myquant.journal.codes import OF_FORGOTTEN
from myquant.journal.reader import JournalReader, inputs
from myquant.monitor.fold import Fold
from myquant.monitor.news import NewsDesk
from myquant.monitor.view import SessionView
from myquant.session.broker_orders import BrokerOrders
from myquant.session.engine import Engine
from myquant.session.left import left_text
from myquant.session.runner import NoOrders, words_of
from myquant.session.taking_up import take_up
from myquant.strategies.loading import default_strategy
from myquant.ticks.batch import InstrumentName
from session.broker_books import TOKENS, Port, Stage, instrument
from session.sessions import HASHES, LIMIT
from session.supervised import Lines, market_inputs

VALUES = {**LIMIT, "capital.initial_capital": 1_000_000, "risk.max_rejects": 1000, "risk.max_positions_per_day": 1000}
PRICE = 20_000


@dataclass
class Sent:
    """An order at the broker."""

    order: NewOrder
    filled: int = 0
    is_known: bool = False  # acknowledged
    has_ended: bool = False


class Process:
    """A session at work, whose broker does what it is told to."""

    def __init__(self, folder: Path, book: dict[int, Sent]) -> None:
        self.engine = Engine(settings(VALUES), default_strategy(), (InstrumentName("NIFTY"),))
        taken = take_up(folder, self.engine, NoOrders(), HASHES, key=4711, segment_records=512, disk=QUICK)
        self.journal, self.runner, self.port, self.stage = taken.journal, taken.runner, Port(), Stage()
        self.book = book
        fence: Any = SimpleNamespace(holds=lambda: True)
        self.orders = BrokerOrders(self.engine, self.port, [instrument(TOKENS[0])], fence, Lines())
        self.runner.orders = self.orders
        self.host = self.stage.host._replace(take=self.take, now_ns=lambda: self.stage.now_ns)
        self.orders.attach(self.host)
        self.orders.hold_back(frozenset())

    def take(self, event: Event) -> None:
        self.runner.take(words_of(event))

    def held(self) -> int:
        return int(self.engine.instruments["core"][0]["position"]["quantity"])

    def tell(self, order_id: int, kind: int) -> None:
        filled = self.book[order_id].filled
        self.port.on_answer(OrderAnswer(kind, order_id, filled, filled * PRICE, 0, ""))

    def fill(self, order_id: int, units: int) -> None:
        self.book[order_id].filled += units
        self.tell(order_id, codes.FILL)

    def tick(self, words: Any) -> None:
        """Take an input, a turn of the loop, and what an operator says to a halt."""
        self.stage.now_ns = max(self.stage.now_ns, int(words[0, 3]))
        self.runner.take(words)
        self.stage.turn()
        if self.engine.account().halt:
            self.host.tell(codes.OPERATOR, code=codes.ASK_RESUME)
        sent, self.port.sent[:] = self.port.sent[:], []
        for what, of, *_ in sent:
            if what == "submit":
                self.book[of.order_id] = Sent(of)
            elif what in ("modify", "cancel") and not self.book[of].has_ended:
                self.book[of].has_ended |= what == "cancel"
                self.tell(of, codes.CANCELLED if what == "cancel" else codes.MODIFIED)


def go_on(process: Process, rng: np.random.Generator, earlier: set[int]) -> int:
    """Let the broker do something with one of its orders; return how much a sell has filled after its end."""
    open_ones = [(order_id, each) for order_id, each in process.book.items() if each.filled < each.order.quantity]
    if not open_ones:
        return 0
    order_id, each = open_ones[max(0, len(open_ones) - int(rng.geometric(0.5)))]  # mostly of the last
    is_sell, left = each.order.side == codes.SELL, each.order.quantity - each.filled
    units = min(75 * int(rng.integers(1, left // 75 + 1)), process.held() if is_sell else left)
    draw = rng.random()
    if not each.is_known:
        each.is_known = True
        process.tell(order_id, codes.ORDER_ACK)
    elif not each.has_ended and is_sell and draw < 0.5:  # by somebody else
        each.has_ended = True
        process.tell(order_id, codes.CANCELLED)
    elif units and not (each.has_ended and draw < 0.5):
        process.fill(order_id, units)
        if order_id in earlier and is_sell:  # the books tell, later
            process.host.tell(codes.FOREIGN_TRADE, 0, quantity=units, value=units * PRICE)
        return units if is_sell and each.has_ended else 0
    return 0


def expect_as_the_engine(folder: Path, process: Process) -> None:
    held = process.held()
    view = view_of(folder, VALUES)
    fold = Fold(view, NewsDesk(view))
    for block in JournalReader(folder).blocks():
        fold.take(block)
    assert view.instruments[0].quantity == held
    assert (f"; it held {held} NIFTY, by its journal" in left_text(folder)) == bool(held)
    reading = read_session(folder)
    lives = reading.lives
    own = sum(life.side * each.units for life in lives.orders.values() for each in life.fills if not each.is_late)
    assert own + sum(each.units for each in lives.foreign) == held
    for order_id, sent in process.book.items():
        if order_id in process.orders.who_of:
            assert lives.orders[order_id].filled == view.orders[order_id].filled == sent.filled
    checks = [] if not lives.days else report_of(reading).checks
    assert all(check.is_met for check in checks)


@pytest.mark.parametrize("seed", range(3))
def test_all_hold_what_the_engine_holds(tmp_path: Path, seed: int) -> None:
    folder, rng = tmp_path / "s", np.random.default_rng(seed)
    market, book, late = market_inputs(seed, 400), dict[int, Sent](), 0
    process, earlier = Process(folder, book), set[int]()
    put_session(folder, VALUES, kind="live")
    for at in range(len(market)):
        process.tick(market[at : at + 1].copy())
        for _ in range(3):
            late += go_on(process, rng, earlier)
        if at % 40 == 39:
            expect_as_the_engine(folder, process)
        if at == len(market) // 2:
            process.journal.close()
            process = Process(folder, book)
            earlier = set(book) - set(process.orders.who_of)
            process.port.sent.clear()
    assert late > 300
    assert {codes.BUY, codes.SELL} <= forgotten(folder, book), "both sides fill after their end"
    process.journal.close()


def forgotten(folder: Path, book: dict[int, Sent]) -> set[int]:
    """Return the sides of orders that filled after the engine had forgotten them."""
    given = np.concatenate([inputs(block)["body"]["event"] for block in JournalReader(folder).blocks()])
    late = given[(given["kind"] == codes.FILL) & (given["code"] == OF_FORGOTTEN)]
    return {book[order_id].order.side for order_id in late["order_id"].tolist()}


def test_a_late_fill_of_a_sell_is_sold_once() -> None:
    """A fill that the engine does not take and the foreign trade of the same units; nor does more go than is held."""
    made = Made()
    made.submit(1, 1)
    made.fill(1, 1, 75, 10_000)
    for order_id in (2, 3):
        made.submit(1, order_id, codes.SELL, stop=9_900)
        made.event(codes.ORDER_ACK, 1, order_id=order_id)
    made.fill(2, 2, 25, 9_890, code=OF_FORGOTTEN)
    assert folded(made).holds == {"NIFTY": 75}
    made.event(codes.FOREIGN_TRADE, 2, quantity=25, value=25 * 9_890)
    view = folded(made)
    assert (view.holds, view.orders[2].filled) == ({"NIFTY": 50}, 25)
    made.event(codes.FOREIGN_TRADE, 3, quantity=75, value=75 * 9_890)
    made.fill(3, 9, 75, 9_890, code=OF_FORGOTTEN)  # of an order of long ago
    assert folded(made).holds == {}
    made.submit(4, 10, quantity=25)
    made.fill(4, 10, 25, 9_890)
    assert folded(made).holds == {"NIFTY": 25}


def folded(made: Made) -> SessionView:
    view = view_of(Path("s"), VALUES)
    Fold(view, NewsDesk(view)).take(made.block())
    return view
