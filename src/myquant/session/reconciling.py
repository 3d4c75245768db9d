"""Reconciling, all day: looks at the broker's books, at the start, every so often and on each doubt, and what comes of them."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol

from myquant.brokers.backoff import Backoff
from myquant.brokers.port import NO_SYMBOLS, Books, OrderPort, order_of_tag
from myquant.config.schema import Config
from myquant.core import codes
from myquant.errors import BrokerError, DataError, JournalError
from myquant.journal.disk import Disk, discard, explained, let_go, put_file, read_whole, write_whole
from myquant.session.broker_orders import BrokerOrders, Host
from myquant.session.lost_books import LostBooks, rebased
from myquant.session.lost_orders import Lost
from myquant.session.needs import Log
from myquant.session.reconciliation import FIRST, Finding, Key, Kind, Known, Memory, Ours, Settings, reconcile, short_of
from myquant.session.rules import SECOND_NS, paise

FILE: Final = "others.json"  # in the session's folder
FILE_MAX: Final = 1 << 22  # bytes
FORMAT: Final = 1

DEBOUNCE_S: Final = 0.2  # from a doubt to its look: doubts come in swarms
SPACING_S: Final = 1.0  # from one look to the next at least: each book may be asked for once a second
CONFIRM_S: Final = 2.0  # to the next look where something is to be confirmed, or an order is of unknown state
RETRY_S: Final = 1.0  # the first wait at most after a look that failed
RETRY_MAX_S: Final = 15.0

_ALARMS: Final = {
    Kind.FOREIGN_TRADE: codes.BY_FOREIGN_TRADE,
    Kind.LOST_ORDER: codes.BY_BOOKS,
    Kind.ORDER_DIFFERS: codes.BY_BOOKS,
    Kind.POSITION_DIFFERS: codes.BY_BOOKS,
    Kind.LOW_FUNDS: codes.BY_MARGIN,
}
_TRADES: Final = frozenset((Kind.FOREIGN_SALE, Kind.LOST_ENTRY))  # become inputs of their own
_TOLD: Final = ("token", "order_id", "broker_id", "quantity", "value", "words")


class Others(Protocol):
    """Where what is known of others' positions is kept over a restart."""

    def load(self) -> Memory:
        """Return what earlier looks left."""

    def store(self, memory: Memory) -> None:
        """Keep what the looks so far left."""


def settings_of(config: Config, session_key: int, product: str) -> Settings:
    """Return what a session holds its books against; `product`: of its orders, as the broker spells it in its positions."""
    broker = config.broker
    return Settings(session_key, product, int(broker.settle_s * SECOND_NS), paise(broker.min_funds))


class Reconciler:
    """Looks at the books, one look at a time, and lets the engine know what they say.

    Attributes:
        is_ready: whether there was a good look: before it no entry may be sent.
        on_ready: called after the first good look, once.
        looks: good looks so far; `failures`: the others; `looked_ns`: when the last good one ended, the wall clock (0: none).
        differences: between the books and ours, found so far.
    """

    def __init__(
        self,
        port: OrderPort,
        orders: BrokerOrders,
        host: Host,
        log: Log,
        others: Others,
        settings: Settings,
        *,
        every_s: float,
        channel_max_s: float,
        backoff: Backoff | None = None,
    ) -> None:
        self.is_ready = False
        self.on_ready: Callable[[], None] = _nothing
        self.looks = self.failures = self.looked_ns = self.differences = 0
        self._port, self._orders, self._host, self._log, self._others = port, orders, host, log, others
        self._settings = settings
        self._every_s = every_s
        self._blind_max_ns = int((every_s + channel_max_s) * SECOND_NS)
        self._backoff = backoff or Backoff(RETRY_S, RETRY_MAX_S)
        self._memory = FIRST
        self._lost_books = LostBooks()
        self._symbols: Mapping[str, str] = NO_SYMBOLS
        self._doubts: dict[str, None] = {}  # in the order they came in
        self._doubted = asyncio.Event()
        self._last_id = orders.last_id()  # of the journal: what this process gives comes behind
        self._good_ns = host.monotonic_ns()
        self._is_blind = False
        orders.on_doubt = self.doubt

    def doubt(self, why: str) -> None:
        """Have the books looked at soon."""
        self._doubts[why] = None
        self._doubted.set()

    async def run(self) -> None:
        """Look till cancelled. Raises DataError or JournalError where what earlier looks left can't be read."""
        self._memory = self._others.load()
        while True:
            wait_s = await self._look()
            if self._backoff.attempts:  # it failed, and doubts do not make the next one come sooner
                await asyncio.sleep(wait_s)
                continue
            await asyncio.sleep(SPACING_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._doubted.wait(), max(0.0, wait_s - SPACING_S))
                await asyncio.sleep(DEBOUNCE_S)

    async def _look(self) -> float:
        """Look; return after how many seconds to look again if no doubt comes before."""
        doubts = list(self._doubts)
        self._doubts.clear()
        self._doubted.clear()
        if doubts:
            self._log.info("the books are looked at", why="; ".join(doubts))
        view, in_doubt = self._orders.view(), self._orders.in_doubt
        self._orders.in_doubt = []
        try:
            books = await self._port.books()
        except BrokerError as error:
            self._doubts = dict.fromkeys([*doubts, *self._doubts])
            self._orders.in_doubt[:0] = in_doubt
            return self._fail(error)
        held = [each.quantity for each in view]
        if (
            not self.is_ready
        ):  # what an earlier process's orders have bought is about to be told, and may be sold already
            held = [each.quantity + _unheard(books, each, self._settings.session_key) for each in view]
        self._backoff.reset()
        self.looks += 1
        self.looked_ns = self._host.wall_ns()
        self._good_ns, self._is_blind = books.begun_ns, False
        return CONFIRM_S if self._take(books, held, in_doubt) else self._every_s

    def _fail(self, error: BrokerError) -> float:
        self.failures += 1
        wait_s = self._backoff.next_s(SPACING_S)
        self._log.warning("the broker's books can't be read", error=str(error), again_in_s=round(wait_s, 1))
        if not self._is_blind and self._host.monotonic_ns() - self._good_ns >= self._blind_max_ns:
            self._is_blind = True
            of = {"for_s": self._blind_max_ns / SECOND_NS, "input": self._orders.next_input}
            self._log.error("the broker's books could not be read for too long", **of)
            self._host.tell(codes.ALARM, code=codes.BY_ORDER_CHANNEL)
        return wait_s

    def _take(self, books: Books, held: Sequence[int], in_doubt: Sequence[tuple[int, int]]) -> bool:
        """Let the engine know what the books say; return whether the next look should come soon.

        `held`: what the engine held of each instrument before they were asked for; `in_doubt`: sells refused by then.
        """
        orders, self._symbols = self._orders, books.symbols
        if not self.is_ready:
            self._take_lost(books)
        short = self._hold_back(books, held, is_to_hear=not self.is_ready)
        self._port.settle(books, self._settings.settle_ns)
        stored = self._memory
        self._miss(books, short)
        view = orders.view()
        outcome = reconcile(books, view, self._memory, self._settings)
        known = (order_of_tag(row.tag, self._settings.session_key) for row in books.orders)
        last_id = max((found[0] for found in known if found is not None), default=0)
        for finding in outcome.findings:
            self._act(finding, last_id)
        self._memory = outcome.memory
        short |= self._hold_back(books, held)
        for who, order_id in in_doubt:
            if who not in short:
                self._host.tell(codes.ORDER_REJECT, who, order_id=order_id, code=codes.COUNTS_NOW)
        if (stored.known, stored.fills) != (outcome.memory.known, outcome.memory.fills):
            self._store()
        if not self.is_ready:
            self.is_ready = True
            self.on_ready()
        is_open = any(order.is_unanswered for ours in view for order in ours.orders)
        return outcome.unconfirmed or is_open or bool(self._settings.lost.selling(books))

    def _miss(self, books: Books, short: frozenset[int]) -> None:
        """Halt where the books have lost executions, and have less than we hold: no trade of others explains that."""
        lost = self._lost_books.look(books, self._memory)
        memory = rebased(books, self._memory, self._settings, lost) if lost else self._memory
        if not lost or (memory is self._memory and not short):  # the trade book alone: it comes back
            return
        self._lost_books.forget(lost)
        self._memory = memory
        if short:
            of = {"executions": len(lost), "input": self._orders.next_input}
            self._log.error("the broker's books have lost what they had", **of)
            self._host.tell(codes.ALARM, code=codes.BY_BOOKS)

    def _take_lost(self, books: Books) -> None:
        """Note which orders the journal has lost, and take their ids, before anything can be sent with one of them."""
        at_work = {order.order_id for each in self._orders.view() for order in each.orders}
        lost = Lost.found(books, self._last_id, self._settings.session_key, at_work)
        self._settings = self._settings._replace(lost=lost)
        if lost.ids:
            of = {"orders": sorted(lost.ids), "input": self._orders.next_input}
            self._log.warning("the journal has lost orders that the broker has", **of)
            funds = min(books.funds.net, books.funds.available_cash)
            self._host.tell(codes.FUNDS, value=funds, order_id=max(lost.ids))

    def _hold_back(self, books: Books, held: Sequence[int], *, is_to_hear: bool = False) -> frozenset[int]:
        """Hold back sells of what the books have too little of, or a lost order sells; the books lack what was bought meanwhile.

        Returns the instruments that the books have too little of.
        """
        view = self._orders.view()
        settings = self._settings
        ours = [
            each._replace(quantity=then if is_to_hear else min(each.quantity, then))
            for each, then in zip(view, held, strict=True)
        ]
        short = short_of(books, ours, self._memory, settings)
        selling = settings.lost.selling(books)
        self._orders.hold_back(short | {who for who, each in enumerate(ours) if each.token in selling})
        return short

    def _store(self) -> None:
        try:
            self._others.store(self._memory)
        except JournalError as error:  # it counts after a restart only, and is tried again with the next change
            self._log.error("what others hold can't be kept", error=str(error))

    def _act(self, finding: Finding, last_id: int) -> None:
        host, kind, number = self._host, finding.kind, self._orders.next_input
        if kind == Kind.FUNDS:
            host.tell(codes.FUNDS, value=finding.value, order_id=last_id)
            return
        if finding.is_new:
            self.differences += kind != Kind.LOW_FUNDS
            self._tell_people(finding, number)
        if kind == Kind.FOREIGN_SALE:
            who, units, value = finding.instrument, finding.quantity, finding.value
            host.tell(codes.FOREIGN_TRADE, who, quantity=units, value=value)
        elif kind == Kind.LOST_ENTRY:
            who, units, value = finding.instrument, finding.quantity, finding.value
            code = codes.OF_LOST_ORDER
            host.tell(codes.FILL, who, order_id=finding.order_id, quantity=units, value=value, code=code)
            if self._orders.view()[who].quantity != units:  # its day has not begun here
                of = {"order": finding.order_id, "input": number}
                self._log.error("what a lost order bought is not managed: close it by hand", **of)
        elif finding.order is not None:
            self._port.cancel_orphan(finding.order)
        elif kind in _ALARMS:
            host.tell(codes.ALARM, code=_ALARMS[kind])

    def _tell_people(self, finding: Finding, number: int) -> None:
        """Log a finding; `number`: of the input that it leads to, where it leads to one."""
        fields: dict[str, Any] = {name: getattr(finding, name) for name in _TOLD if getattr(finding, name)}
        if finding.token in self._symbols:
            del fields["token"]
            fields = {"symbol": self._symbols[finding.token], **fields}
        if "value" in fields:
            fields["value"] /= 100  # rupees, as in every line
        if finding.kind in _TRADES or (finding.kind in _ALARMS and finding.order is None):
            fields["input"] = number
        said = self._log.error if finding.kind in _ALARMS else self._log.warning
        said(str(finding.kind), **fields)


class OthersFile:
    """What is known of others' positions, in a file that only its owner can read."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._path = folder / FILE
        self._disk = disk

    def load(self) -> Memory:
        """Return what earlier looks left; `FIRST` where there is no file. Raises JournalError, DataError at a damaged one."""
        path, disk = self._path, self._disk
        with explained(path, "can't be read"):
            if path.name not in disk.names(path.parent):
                return FIRST
            descriptor = disk.open_to_read(path)
            try:
                content = read_whole(disk, descriptor, FILE_MAX)
            finally:
                let_go(disk, descriptor)
        try:
            return _memory_of(json.loads(content))
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(
                f"{path}: damaged ({error}): remove it; all positions that are not the session's then count as known"
            ) from None

    def store(self, memory: Memory) -> None:
        """Keep it, durably: after a crash there is the old file or the new one. Raises JournalError."""
        known = [[*key, *numbers] for key, numbers in sorted((memory.known or {}).items())]
        table = {"format": FORMAT, "known": known, "fills": sorted(memory.fills)}
        path, disk = self._path, self._disk
        draft = path.with_suffix(".new")
        with explained(path, "can't be written"):
            discard(disk, draft)
            descriptor = disk.create(draft)
            try:
                write_whole(disk, descriptor, json.dumps(table).encode())
                disk.sync(descriptor)
            finally:
                let_go(disk, descriptor)
            put_file(disk, path, draft)


def _memory_of(table: Any) -> Memory:
    if table["format"] != FORMAT:
        raise ValueError(f"format {table['format']}, this version reads {FORMAT}")
    known: dict[Key, Known] = {
        (str(token), str(product)): Known(int(foreign), int(others))
        for token, product, foreign, others in table["known"]
    }
    return FIRST._replace(known=known, fills=frozenset(map(str, table["fills"])))


def _nothing() -> None:
    """Do nothing."""


def _unheard(books: Books, ours: Ours, session_key: int) -> int:
    """Return the units that the books say the engine's orders at work have bought, less sold, beyond what it has heard."""
    heard = {order.order_id: order.signed_filled for order in ours.orders}
    named = ((row, order_of_tag(row.tag, session_key)) for row in books.orders)
    told = sum(row.side * row.filled for row, found in named if found is not None and found[0] in heard)
    return max(0, told - sum(heard.values()))
