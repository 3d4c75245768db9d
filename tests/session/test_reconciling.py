"""Looks at the books, all day, in virtual time."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from myquant.brokers.backoff import Backoff
from myquant.brokers.port import Books, Remedy, RequestError
from myquant.core import codes, orders
from myquant.core.records import Event
from myquant.errors import DataError, JournalError
from myquant.journal.disk import DISK, Disk
from myquant.session.broker_orders import BrokerOrders, Host
from myquant.session.reconciliation import FIRST, Known, Memory, Settings
from myquant.session.reconciling import FILE, OthersFile, Reconciler, settings_of
from session.broker_books import (
    CASH,
    INPUTS,
    KEY,
    PRODUCT,
    SECOND_NS,
    TOKENS,
    Port,
    Records,
    books,
    fill,
    in_book,
    instrument,
    nothing,
)
from session.supervised import Lines
from session.virtual import VirtualLoop, run_virtually

EVERY_S = 15.0
REFUSED = RequestError("broker", "books", "no answer", Remedy.RETRY)


class Open:
    """A fence that nobody takes."""

    def holds(self) -> bool:
        return True


class Kept:
    """What is kept over a restart, in memory."""

    def __init__(self, memory: Memory = FIRST) -> None:
        self.memory = memory
        self.stored = 0

    def load(self) -> Memory:
        return self.memory

    def store(self, memory: Memory) -> None:
        self.memory = memory
        self.stored += 1


class Room:
    """A reconciler with a port, in virtual time; each look begins when it is asked for."""

    def __init__(self, *looks: Books | Exception, min_funds: float = 0.0) -> None:
        self.loop = VirtualLoop()
        self.records = Records({"broker.min_funds": min_funds})
        self.port, self.log, self.kept = Port(list(looks)), Lines(), Kept()
        self.events: list[Event] = []
        self.looked_s: list[float] = []
        self.port_books = self.port.books
        self.reconciler: Reconciler | None = None
        self.in_doubt: list[tuple[int, int]] = []
        self.takes_over = True

    def _take(self, event: Event) -> None:
        self.events.append(event)
        if event.kind == codes.FOREIGN_TRADE:
            position = self.records.instruments[event.instrument]["core"]["position"]
            position["quantity"] -= event.quantity
        if event.kind == codes.FILL and self.takes_over:
            self.records.hold(event.instrument, event.quantity)

    async def _books(self) -> Books:
        self.looked_s.append(self.loop.time())
        await asyncio.sleep(0)
        return (await self.port_books())._replace(begun_ns=self.loop.monotonic_ns())

    def run(self, for_s: float, *doubts: tuple[float, str]) -> None:
        """Run it for so many seconds, with doubts at their times."""
        run_virtually(self._run(for_s, doubts), self.loop)

    async def _run(self, for_s: float, doubts: tuple[tuple[float, str], ...]) -> None:
        loop = self.loop
        clock: Callable[[], int] = loop.monotonic_ns
        host = Host(self._take, clock, clock, clock, loop.call_soon, loop.call_soon, nothing)
        instruments = [instrument(token) for token in TOKENS]
        gateway = BrokerOrders(self.records.as_engine(), self.port, instruments, Open(), self.log)
        gateway.attach(host)
        self.orders = gateway
        gateway.in_doubt = self.in_doubt
        settings = settings_of(self.records.loaded.config, KEY, PRODUCT)
        self.port.books = self._books  # type: ignore[method-assign]
        self.reconciler = Reconciler(
            self.port,
            gateway,
            host,
            self.log,
            self.kept,
            settings,
            every_s=EVERY_S,
            channel_max_s=10.0,
            backoff=Backoff(1.0, 15.0, Random(1)),
        )
        self.reconciler.on_ready = lambda: self.log.info("ready")
        for at_s, why in doubts:
            loop.call_at(at_s, self.port.on_doubt, why)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(self.reconciler.run(), for_s)

    def told(self) -> list[tuple[str, int]]:
        return [
            (codes.EVENT_NAMES[each.kind], each.value if each.kind == codes.FUNDS else each.code)
            for each in self.events
        ]


def test_looks_come_at_the_start_and_every_so_often() -> None:
    room = Room(books(0, held={TOKENS[0]: 75}))
    room.run(46)
    assert room.looked_s == [0, 15, 30, 45]
    alarm = ("alarm", codes.BY_FOREIGN_TRADE)  # somebody held our contract before
    assert room.told() == [("funds", CASH), alarm, *[("funds", CASH)] * 3]
    assert room.reconciler is not None
    assert room.reconciler.is_ready
    assert [line for _, line, _ in room.log.lines] == ["somebody else has traded", "ready"]
    assert room.kept.stored == 1
    assert room.kept.memory.known == {(TOKENS[0], PRODUCT): Known(75, 75)}
    assert [settle_ns for _, settle_ns in room.port.settled] == [35 * SECOND_NS] * 4


def test_doubts_bring_the_next_look_forward_but_not_too_near() -> None:
    room = Room(books(0))
    room.run(20, (0.1, "one"), (0.2, "another"), (5.0, "a third"))
    assert room.looked_s == pytest.approx([0, 1.2, 5.2])
    assert [fields for _, line, fields in room.log.lines if line == "the books are looked at"] == [
        {"why": "one; another"},
        {"why": "a third"},
    ]


def test_the_engine_hears_of_its_orders_before_positions_are_compared() -> None:
    room = Room(books(0), books(0, in_book(1, codes.BUY, 75, 75), held={TOKENS[0]: 75}))
    room.port.on_settle = lambda at: room.records.hold(0, 75) if at.orders else None
    room.run(100)
    assert {kind for kind, _ in room.told()} == {"funds"}


@pytest.mark.parametrize(("bought_during", "is_held_back"), [(True, False), (False, True)])
def test_only_what_is_missing_since_before_the_look_holds_sells_back(bought_during: bool, is_held_back: bool) -> None:
    room = Room(books(0))
    room.records.hold(0, 0 if bought_during else 150)
    room.port.on_settle = lambda _: room.records.hold(0, 150)
    room.run(1.0)
    assert room.orders._held_back == (frozenset({0}) if is_held_back else frozenset())


@pytest.mark.parametrize("held", [150, 0])
def test_a_refused_sell_counts_once_the_books_have_what_it_was_to_sell(held: int) -> None:
    bought = in_book(1, codes.BUY, 150, 150)
    room = Room(REFUSED, books(0, bought, held={TOKENS[0]: held}))
    room.kept.memory = FIRST._replace(known={}, fills=frozenset())
    room.records.hold(0, 150)
    room.in_doubt = [(0, 2)]
    room.run(5)
    counted = [event for event in room.events if event.kind == codes.ORDER_REJECT]
    assert [(each.instrument, each.order_id, each.code) for each in counted] == [(0, 2, codes.COUNTS_NOW)] * bool(held)
    assert room.orders.in_doubt == []


def test_failed_looks_are_tried_again_and_halt_when_they_go_on() -> None:
    room = Room(REFUSED)
    room.run(120)
    assert room.told() == [("alarm", codes.BY_ORDER_CHANNEL)]
    assert room.events[0].time_ns >= 25 * SECOND_NS
    assert [fields["input"] for level, _, fields in room.log.lines if level == "error"] == [INPUTS]
    assert room.reconciler is not None
    assert not room.reconciler.is_ready
    assert room.reconciler.failures == len(room.looked_s) > 5
    gaps = [later - earlier for earlier, later in zip(room.looked_s, room.looked_s[1:], strict=False)]
    assert all(1.0 <= gap <= 16.0 for gap in gaps)


def test_a_look_that_failed_is_made_up_for() -> None:
    room = Room(REFUSED, books(0))
    room.run(10, (0.0, "reconnected"))
    assert len(room.looked_s) == 2
    assert room.told() == [("funds", CASH)]


def test_what_somebody_else_sold_is_taken_out_of_the_position() -> None:
    mine, own = in_book(1, codes.BUY, 150, 150), fill("B1.0", codes.BUY, 150, 10_000)
    before = books(0, mine, fills=[own], held={TOKENS[0]: 150})
    after = books(0, mine, fills=[own, fill("M1", codes.SELL, 75, 10_400)], held={TOKENS[0]: 75})
    room = Room(before, after)
    room.records.hold(0, 150)
    room.kept.memory = FIRST._replace(known={}, fills=frozenset())
    room.run(40)
    assert room.looked_s == pytest.approx([0, 15, 17, 32]), "the second look comes soon"
    sales = [event for event in room.events if event.kind == codes.FOREIGN_TRADE]
    assert [(each.instrument, each.quantity, each.value) for each in sales] == [(0, 75, 75 * 10_400)]
    told = [fields for level, line, fields in room.log.lines if line == "somebody else has sold what we hold"]
    assert [(fields["quantity"], fields["input"]) for fields in told] == [(75, INPUTS)]
    assert ("warning", "somebody else has sold what we hold") in [(level, line) for level, line, _ in room.log.lines]
    assert room.kept.memory.known == {(TOKENS[0], PRODUCT): Known(-75, 0)}


def test_books_that_have_lost_what_they_had_are_no_trade_of_others() -> None:
    mine, own = in_book(1, codes.BUY, 150, 150), fill("B1.0", codes.BUY, 150, 10_000)
    before = books(0, mine, fills=[own], held={TOKENS[0]: 150})
    after = books(0, mine, fills=[own, fill("M1", codes.SELL, 75, 10_400)], held={TOKENS[0]: 75})
    room = Room(before, after, after, books(0))
    room.records.desk["account"]["orders"] = 1
    room.records.hold(0, 150)
    room.kept.memory = FIRST._replace(known={}, fills=frozenset())
    room.run(100)
    errors = [(line, fields) for level, line, fields in room.log.lines if level == "error"]
    assert errors == [("the broker's books have lost what they had", {"executions": 2, "input": INPUTS})]
    alarms = [code for kind, code in room.told() if kind == "alarm"]
    assert alarms == [codes.BY_BOOKS]
    sales = [(each.quantity, each.value) for each in room.events if each.kind == codes.FOREIGN_TRADE]
    assert sales == [(75, 75 * 10_400), (75, 75 * 10_000)], "what is not there any more is out of the position"
    assert room.kept.memory.fills == frozenset()


def test_a_trade_book_that_comes_back_has_lost_nothing() -> None:
    mine, own = in_book(1, codes.BUY, 150, 150), fill("B1.0", codes.BUY, 150, 10_000)
    before = books(0, mine, fills=[own], held={TOKENS[0]: 150})
    sold = fill("M1", codes.SELL, 75, 10_400)
    after = books(0, mine, fills=[own, sold], held={TOKENS[0]: 75})
    bare = after._replace(fills=())
    room = Room(before, after, after, bare, bare, bare, after)
    room.records.desk["account"]["orders"] = 1
    room.records.hold(0, 150)
    room.kept.memory = FIRST._replace(known={}, fills=frozenset())
    room.run(120)
    assert not [line for level, line, _ in room.log.lines if level == "error"]
    assert [event for event in room.told() if event[0] == "foreign_trade"] == [("foreign_trade", 0)]


@pytest.mark.parametrize("symbols", [{}, {TOKENS[0]: "NIFTY07OCT2524900CE"}])
def test_lines_name_symbols_and_a_token_only_where_none_is_known(symbols: dict[str, str]) -> None:
    traded = books(0, fills=[fill("M1", codes.BUY, 75, 100)], held={TOKENS[0]: 75})
    room = Room(books(0), traded._replace(symbols=symbols))
    room.run(20)
    (line,) = [fields for _, line, fields in room.log.lines if line == "somebody else has traded"]
    assert (line.get("symbol"), line.get("token")) == (("NIFTY07OCT2524900CE", None) if symbols else (None, TOKENS[0]))


def test_an_orphan_is_cancelled_and_told_once() -> None:
    room = Room(books(0), books(0, in_book(9, codes.SELL, 75)))
    room.run(50)
    assert room.looked_s == pytest.approx([0, 15, 17, 32, 47])
    assert room.port.sent == [("cancel_orphan", "B9.0")] * 3
    assert len([line for _, line, _ in room.log.lines if "no session knows" in line]) == 1


def looked_and_differs(room: Room) -> tuple[bool, int]:
    assert room.reconciler is not None
    return room.reconciler.looked_ns > 0, room.reconciler.differences


def test_good_looks_and_what_differs_are_told_of() -> None:
    room = Room(REFUSED)
    room.run(2)
    assert looked_and_differs(room) == (False, 0)
    room = Room(books(0))
    room.run(20)
    assert looked_and_differs(room) == (True, 0)


def test_what_differs_halts() -> None:
    room = Room(books(0), books(0, fills=[fill("M1", codes.BUY, 75, 100)], held={TOKENS[0]: 75}))
    room.run(20)
    assert looked_and_differs(room) == (True, 1)
    assert ("alarm", codes.BY_FOREIGN_TRADE) in room.told()
    room = Room(books(0))
    room.records.hold(0, 75)
    room.run(30)
    assert ("alarm", codes.BY_BOOKS) not in room.told()
    room = Room(books(0))
    room.records.hold(0, 75)
    room.run(60)
    assert [event for event in room.told() if event[0] == "foreign_trade"] == [("foreign_trade", 0)]


def test_low_funds_halt_as_long_as_they_are_low_and_are_told_once() -> None:
    room = Room(books(0, net=100), min_funds=1000.0)
    room.run(31)
    assert room.told() == [("funds", 100), ("alarm", codes.BY_MARGIN)] * 3
    assert len([line for _, line, _ in room.log.lines if line == "funds are low"]) == 1
    assert looked_and_differs(room) == (True, 0)


def test_an_order_of_unknown_state_is_looked_for_soon() -> None:
    room = Room(books(0))
    room.records.set_order(0, "order", id=5, state=orders.UNKNOWN, side=codes.BUY, quantity=75, price=10_000)
    room.run(7)
    assert room.looked_s == pytest.approx([0, 2, 4, 6])


class FullDisk(Disk):
    """A disk on which nothing can be created."""

    def create(self, *_: object) -> int:
        raise OSError(28, "no space left")


def test_what_is_known_of_others_outlives_the_process(tmp_path: Path) -> None:
    kept = OthersFile(tmp_path, DISK)
    assert kept.load() == FIRST
    memory = FIRST._replace(known={("1", "X"): Known(-75, 0), ("2", "Y"): Known(0, 5)}, fills=frozenset({"M1/2"}))
    for _ in range(2):
        kept.store(memory)
        assert kept.load() == memory
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    with pytest.raises(JournalError, match="can't be written"):
        OthersFile(tmp_path, FullDisk()).store(FIRST)
    assert kept.load() == memory


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', '{"format": 1, "known": [[1]], "fills": []}', "\xff"])
def test_a_damaged_file_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text, encoding="latin-1")
    with pytest.raises(DataError, match=r"others.json: damaged .*: remove it"):
        OthersFile(tmp_path, DISK).load()


def test_settings_of_a_session() -> None:
    config = Records({"broker.min_funds": 2500.5, "broker.settle_s": 40.0}).loaded.config
    assert settings_of(config, KEY, PRODUCT) == Settings(KEY, PRODUCT, 40 * SECOND_NS, 250_050)


class FailingKept(Kept):
    def store(self, *_: object) -> None:
        raise JournalError("the disk is full")


def test_a_full_disk_does_not_end_the_looks() -> None:
    room = Room(books(0, held={TOKENS[0]: 75}))
    room.kept = FailingKept()
    room.run(31)
    assert len(room.looked_s) == 3
    lines = [line for level, line, _ in room.log.lines if level == "error"]
    assert lines == ["somebody else has traded", "what others hold can't be kept"]
