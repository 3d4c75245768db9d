"""The laws of orders at a broker, held against the broker's own book: while it changes, and at the end."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from laws.broker_process import KEY, Process
from laws.broker_world import BEGIN_NS, SECOND_NS, World
from myquant.brokers.port import order_of_tag
from myquant.core import codes
from myquant.core.layout import dtype_of
from myquant.core.records import Command, Event
from myquant.journal.columns import columns
from myquant.journal.reader import JournalReader
from myquant.journal.record import COMMAND, INPUT
from myquant.lab.angelone.orders import CANCELLED, COMPLETE, REJECTED, Order
from session.sessions import recorded

EVENT_WORDS: Final = len(Event._fields)

# How long a part of a position may be without an order that sells it, at the exchange's own clock. With no request lost: till
# the answer to the cancellation of a stop order is heard, which an update may be 5 s late with, and an exit be refused and
# sent again a second later; as long again for each request that was done, or refused, and not answered. For each request
# that got lost: it is unknown whether it was done till the settle wait (35 s) is over and the next look at the books has ended
# (looks are 2 s apart then, and take 2 s at most), and the retry is a second later.
ONE_ANSWER_S: Final = 8.0
LOST_S: Final = 40.0
BEFORE_NS: Final = 45 * SECOND_NS
NO_SHORT: Final = "RMS: Margin Exceeds, a sale"


@dataclass
class Bare:
    """A stretch of time in which more was held than orders at the exchange would sell, ns."""

    token: str
    begin_ns: int
    end_ns: int
    lost: int  # requests about orders of it that got lost in that time, or shortly before
    odd: int  # likewise those that something else befell

    @property
    def seconds(self) -> float:
        return (self.end_ns - self.begin_ns) / SECOND_NS

    @property
    def allowed_s(self) -> float:
        """How long it may be: see `LOST_S`."""
        return ONE_ANSWER_S * (1 + self.odd) + LOST_S * self.lost


class Watch:
    """Looks at the book whenever it changes.

    Attributes:
        held: for us, by our tags; `theirs`: what others bought and have not sold.
        oversold: when working sells were of more than was held for us.
        bare: stretches without a stop order.
        others: when somebody else traded, by token, ns.
        repairs: what a person is trading to bring a position right; that is nobody's own.
    """

    def __init__(self, world: World) -> None:
        self._world, self._book = world, world.service.book
        self._filled: dict[int, int] = {}
        self.held: Counter[str] = Counter()  # for us, by our tags
        self.theirs: Counter[str] = Counter()
        self.repairs = False
        self.others: dict[str, list[int]] = {}
        self.oversold: list[str] = []
        self.bare: list[Bare] = []
        self._bare_since: dict[str, int] = {}
        self._then = self._book._on_change
        self._book._on_change = self._changed

    def _changed(self, order: Order, word: str) -> None:
        self._then(order, word)
        token, now = order.token, self._world.wall_ns()
        new = order.side * (order.filled - self._filled.get(order.number, 0))
        self._filled[order.number] = order.filled
        if order.tag:
            self.held[token] += new
        elif new:
            if not self.repairs:
                self.theirs[token] = max(0, self.theirs[token] + new)
            self.others.setdefault(token, []).append(now)
        working = sum(each.left for each in self._book.working(token) if each.side == codes.SELL and each.tag)
        if working > self.held[token]:
            self.oversold.append(f"{_at(now)}: sells of {working} work where {self.held[token]} are held ({order.tag})")
        ours = min(self.held[token], self._book.held(token) - self.theirs[token])
        is_bare = working < ours
        if is_bare and token not in self._bare_since:
            self._bare_since[token] = now
        elif not is_bare and token in self._bare_since:
            self.bare.append(self._stretch(token, self._bare_since.pop(token), now))

    def _stretch(self, token: str, begin_ns: int, end_ns: int) -> Bare:
        first = begin_ns - BEFORE_NS
        then = [is_lost for of, at, is_lost in self._world.befallen if of == token and first <= at <= end_ns]
        return Bare(token, begin_ns, end_ns, sum(then), len(then) - sum(then))

    def stretches(self) -> list[Bare]:
        """Return all stretches so far, the longest first."""
        now = self._world.wall_ns()
        still = [self._stretch(token, since, now) for token, since in self._bare_since.items()]
        return sorted(self.bare + still, key=lambda each: -each.seconds)

    def too_long(self) -> list[Bare]:
        """Return the stretches that are longer than is stated, but for those of what others have traded, too."""
        return [
            each
            for each in self.stretches()
            if each.seconds > each.allowed_s and not self._others_before(each.token, each.end_ns)
        ]

    def refused_sells(self) -> list[str]:
        """Return the sells that the broker refused as more than is held, but for those of what others have traded, too."""
        return [
            f"{_at(order.placed_ns)} {order.tag}: {order.text}"
            for order in self._book.orders
            if order.text.startswith(NO_SHORT) and not self._others_before(order.token, order.placed_ns)
        ]

    def _others_before(self, token: str, time_ns: int) -> bool:
        return any(then <= time_ns for then in self.others.get(token, ()))


class Journal:
    """What a session's journal says of its orders."""

    def __init__(self, folder: Path) -> None:
        commands = np.concatenate([np.zeros((0, EVENT_WORDS)), *recorded(folder, COMMAND)][1:])
        self.rows = rows = np.ascontiguousarray(commands).view(dtype_of(Command)).reshape(-1)
        self.submitted = {int(row["order_id"]): row for row in rows[rows["kind"] == codes.SUBMIT]}
        self.submits = int((rows["kind"] == codes.SUBMIT).sum())
        self.modifies = int((rows["kind"] == codes.MODIFY).sum())
        self.cancels = int((rows["kind"] == codes.CANCEL).sum())
        self.trades = int((rows["kind"] == codes.TRADE_CLOSED).sum())
        halts = rows[rows["kind"] == codes.HALTED]["reason"].tolist()
        self.halts = Counter(codes.HALT_NAMES[reason] for reason in halts)
        self.events = [Event(*row[:EVENT_WORDS].tolist()) for row in np.concatenate(recorded(folder, INPUT))]
        ends = (codes.ORDER_REJECT, codes.CANCELLED)
        told = [each for each in self.events if each.kind in ends]
        self.ended = {each.order_id: each for each in told if each.code != codes.COUNTS_NOW}
        self.filled = {each.order_id: each for each in self.events if each.kind == codes.FILL}


def hold(world: World, process: Process, watch: Watch, about: Any) -> Journal:
    """Assert all laws at the end, when everything is quiet; return the journal."""
    journal = Journal(process.folder)
    for block in JournalReader(process.folder).blocks():
        for holds in (INPUT, COMMAND):
            columns(block, holds)  # an error where something has no name
    ours: dict[int, list[Order]] = {}
    for order in world.service.book.orders:
        named = order_of_tag(order.tag, KEY) if order.tag else None
        if named is not None:
            ours.setdefault(named[0], []).append(order)
    assert process.failure is None, (about, process.failure)
    assert process.is_idle(), (about, "not everything has come to its end", _states(process), process.log.lines[-5:])
    assert len(journal.submitted) == journal.submits, (about, "an id was given twice")
    assert not watch.oversold, (about, watch.oversold[:3])
    assert not watch.refused_sells(), (about, watch.refused_sells()[:3])
    assert not watch.too_long(), (about, watch.too_long()[:3])
    _nothing_doubled(ours, journal, about)
    _nothing_lost(ours, journal, about)
    positions_right(world, process, watch, about)
    _cash_right(world, process, journal, ours, about)
    return journal


def _nothing_doubled(ours: dict[int, list[Order]], journal: Journal, about: Any) -> None:
    tags = Counter(order.tag for orders in ours.values() for order in orders)
    assert not [tag for tag, count in tags.items() if count > 1], (about, "two orders bear the same tag")
    for order_id, parts in ours.items():
        assert order_id in journal.submitted, (about, order_id, "the book has an order that the journal has not")
        command = journal.submitted[order_id]
        assert sum(part.quantity for part in parts) <= command["quantity"], (about, order_id)
        assert {part.side for part in parts} == {int(command["side"])}, (about, order_id)


def _nothing_lost(ours: dict[int, list[Order]], journal: Journal, about: Any) -> None:
    """Every order that was decided has ended, as the book has it; none has an end without the venue's evidence."""
    for order_id, command in journal.submitted.items():
        parts, end, fill = ours.get(order_id, []), journal.ended.get(order_id), journal.filled.get(order_id)
        what = about, order_id, end, fill, [(part.state, part.filled, part.timeline) for part in parts]
        filled, value = sum(part.filled for part in parts), sum(part.value for part in parts)
        assert all(part.state in {COMPLETE, CANCELLED, REJECTED} for part in parts), what
        assert (filled, value) == ((fill.quantity, fill.value) if fill else (0, 0)), what
        if end is None:
            assert filled == command["quantity"], what
        elif end.kind == codes.ORDER_REJECT and end.code not in {codes.BY_VENUE, codes.IN_DOUBT}:
            assert not filled, what
            assert not parts or end.code == codes.NOT_FOUND, what
        elif end.kind == codes.CANCELLED or parts:
            assert parts, what
            assert max(part.updated_ns for part in parts) <= end.receive_ns, what


def positions_right(world: World, process: Process, watch: Watch, about: Any) -> int:
    """Assert that the engine holds what the account holds less what is others'; return how much that is."""
    held = 0
    for token, who in process.tokens.items():
        ours = int(process.engine.instruments[who]["core"]["position"]["quantity"])
        net = world.service.book.held(token)
        assert ours == net - watch.theirs[token], (about, token, ours, net, watch.theirs[token])
        held += ours
    return held


def _cash_right(world: World, process: Process, journal: Journal, ours: dict[int, list[Order]], about: Any) -> None:
    """Our ledger: what we began with, less purchases, plus sales (others' of our units, too), less charges."""
    account = process.engine.account()
    begin = round(float(process.engine.loaded.config.capital.initial_capital) * 100)
    turnover = sum(order.side * order.value for orders in ours.values() for order in orders)
    foreign = sum(event.value for event in journal.events if event.kind == codes.FOREIGN_TRADE)
    charges = account.brokerage + account.exchange_charges + account.sebi_fees + account.stt + account.stamp_duty
    expected = begin - turnover + foreign - charges - account.gst
    assert account.cash == expected, (about, account.cash - expected)
    others = [order for order in world.service.book.orders if not order.tag]
    at_broker = world.service.book.funds().cash
    assert at_broker == begin - turnover - sum(order.side * order.value for order in others), about


def _states(process: Process) -> list[Any]:
    return [
        (core["position"]["quantity"], core["order"], core["stop_order"]) for core in process.engine.instruments["core"]
    ]


def _at(time_ns: int) -> str:
    return f"{(time_ns - BEGIN_NS) / SECOND_NS:.3f} s"
