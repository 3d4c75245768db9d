"""A broker's whole world in one process and in virtual time: the lab's order service, the market, and the ways to them.

The service's own book is the oracle. Its requests come over a wire that parses their bytes and takes its time; a connection
whose request is not answered hangs, as a real one would. What a process that died had under way is delivered, or is not.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from random import Random
from typing import Any, Final

from myquant.brokers.angelone.answers import BROKER_NAME, opened, paise_of
from myquant.brokers.angelone.order_updates import update_row
from myquant.brokers.angelone.settings import FUNDS, PACES_S
from myquant.brokers.http import Reply
from myquant.brokers.port import BrokerInstrument, Funds, OpenOrder, Remedy, RequestError
from myquant.brokers.secrets import Redactor
from myquant.brokers.wire import OnReply
from myquant.lab.angelone.faults import NO_FAULTS, Faults
from myquant.lab.angelone.instruments import Listed
from myquant.lab.angelone.order_faults import Chance
from myquant.lab.angelone.order_service import CUT, OrderService, Terms
from myquant.lab.angelone.orders import Tradable
from session.virtual import VirtualLoop

SECOND_NS: Final = 10**9
BEGIN_NS: Final = 1_759_725_000 * SECOND_NS  # 2025-10-06 10:00 in India, a Monday
LOT: Final = 75
FREEZE: Final = 1800
FIRST_PRICE: Final = 10_000
SYMBOLS: Final = {"41001": "NIFTY07OCT2524900CE", "41002": "NIFTY07OCT2524900PE"}
EXPIRY: Final = date(2025, 10, 7)

# Faults after which only the books may tell what became of a request, and those after which an update does, or a refusal.
LOST: Final = ("order_lost", "order_late", "order_429", "order_5xx", "fill_then_silence", "requests_too_often")
ODD: Final = ("order_timeout", "ack_lost", "order_garbage", "reject_late")

WAY_S: Final = (0.001, 0.02)  # a request's way to the broker, and its answer's way back
UPDATE_S: Final = 0.004  # an update's way: on one socket they stay in their order
TIMEOUT_S: Final = 5.0  # as `wire.HttpWire`
CONNECTIONS: Final = 3
CONNECTIONS_MAX: Final = 8
SLOW_S: Final = 0.5
AGAIN_S: Final = 0.1  # from a lost connection to the next one
ATTEMPTS: Final = 5  # to read a book, as `http.Patience`
BOOK_AGAIN_S: Final = 0.5


def instruments(count: int) -> tuple[BrokerInstrument, ...]:
    """Return what is traded, as the broker lists it."""
    return tuple(BrokerInstrument(SYMBOLS[token], "NFO", token, 2, LOT, 5) for token in list(SYMBOLS)[:count])


def _tradable(token: str) -> Tradable:
    right = "CE" if SYMBOLS[token].endswith("CE") else "PE"
    strike = Decimal(24900)
    listed = Listed(token, SYMBOLS[token], "NIFTY", "NFO", EXPIRY, strike, right, lot_size=LOT, kind="OPTIDX")  # type: ignore[arg-type]
    return Tradable(listed, FREEZE, 500, 100_000, FIRST_PRICE)


@dataclass
class Seam:
    """The process's hold on its world: a process that is dead reaches nothing, and hears nothing."""

    on_call: Callable[[str], None] = lambda _: None  # before and after each write; it may kill
    is_dead: bool = False
    under_way: list[asyncio.TimerHandle] = field(default_factory=list)  # requests that have not reached the broker


class World:
    """The broker, the market, and the clock.

    Attributes:
        service: its book is the oracle.
        befallen: requests about orders that a fault befell: token, time (ns), whether only the books may tell what became of it.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        *,
        faults: Faults = NO_FAULTS,
        terms: Terms,
        seed: int = 1,
    ) -> None:
        self.loop = loop
        self.rng = Random(seed)
        self.counts: Counter[str] = Counter()
        self.befallen: list[tuple[str, int, bool]] = []
        self.service = OrderService(
            [_tradable(token) for token in SYMBOLS],
            self.wall_ns,
            loop.call_later,
            terms=terms,
            faults=faults,
            counts=self.counts,
        )

    def monotonic_ns(self) -> int:
        return self.loop.monotonic_ns()

    def wall_ns(self) -> int:
        return BEGIN_NS + self.loop.monotonic_ns()

    def calm(self) -> None:
        """Let no fault happen any more."""
        self.service._faults = NO_FAULTS
        self.service._chance = Chance(NO_FAULTS, 1, self.counts)
        self.service._events = []

    def way_s(self) -> float:
        return self.rng.uniform(*WAY_S)

    def ask(self, seam: Seam, method: str, path: str, headers: Mapping[str, str], body: bytes, reply: Any) -> None:
        """Let a request be on its way, and its reply come back."""

        def back(status: int, content: bytes) -> None:
            self.loop.call_later(self.way_s(), hear, status, content)

        def hear(status: int, content: bytes) -> None:
            if not seam.is_dead:
                reply(status, content)

        def handle() -> None:
            before = self._faults_so_far()
            self.service.handle(method, path, headers, body, back)
            befell = [was < now for was, now in zip(before, self._faults_so_far(), strict=True)]
            if method == "POST" and any(befell):
                self._note_befallen(json.loads(body), is_lost=befell[0])

        handle_at = self.loop.call_later(self.way_s(), handle)
        seam.under_way.append(handle_at)
        if len(seam.under_way) > 64:
            seam.under_way[:] = [each for each in seam.under_way if each.when() > self.loop.time()]

    def _faults_so_far(self) -> tuple[int, int]:
        """Return how many requests got lost, and how many something else befell."""
        return sum(self.counts[name] for name in LOST), sum(self.counts[name] for name in ODD)

    def _note_befallen(self, body: dict[str, str], *, is_lost: bool) -> None:
        order = self.service.book.order(body.get("orderid", ""))
        token = body["symboltoken"] if order is None else order.token
        self.befallen.append((token, self.wall_ns(), is_lost))


class WorldWire:
    """The wire of one process; see `brokers.wire.Wire`."""

    def __init__(self, world: World, seam: Seam) -> None:
        self.on_change: Callable[[], None] = _nothing
        self.reason = "not connected yet"
        self._world, self._seam = world, seam
        self._free = self._open = 0
        self._busy_since: list[float] = []

    @property
    def is_open(self) -> bool:
        return self._open > 0

    @property
    def is_free(self) -> bool:
        return self._free > 0

    def start(self) -> None:
        for _ in range(CONNECTIONS):
            self._world.loop.call_later(AGAIN_S, self._connected)

    def send(self, request: bytes, on_reply: OnReply) -> bool:
        if not self._free or self._seam.is_dead:
            return False
        self._seam.on_call("before write")
        head, _, body = request.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        method, path, _ = first.split(" ")
        headers = dict(line.split(": ", 1) for line in lines)
        assert int(headers["Content-Length"]) == len(body)
        self._free -= 1
        loop = self._world.loop
        since = loop.time()
        self._busy_since.append(since)
        answered: list[bool] = []

        def end(reply: Reply | None, why: str) -> None:
            if answered or self._seam.is_dead:
                return
            answered.append(True)
            self._busy_since.remove(since)
            if reply is None:
                self._open -= 1
                loop.call_later(AGAIN_S, self._connected)
            else:
                self._free += 1
            on_reply(reply, why)
            self.on_change()

        self._world.ask(
            self._seam,
            method,
            path,
            headers,
            body,
            lambda status, content: end(*((None, "cut") if status == CUT else (Reply(status, content), ""))),
        )
        loop.call_later(TIMEOUT_S, end, None, "no answer in time")
        loop.call_later(SLOW_S, self._look)
        self._seam.on_call("after write")
        return True

    async def aclose(self) -> None:
        """Nothing is kept."""

    def _look(self) -> None:
        """Make another connection where all have been waiting for long."""
        now = self._world.loop.time()
        if not self._free and self._open < CONNECTIONS_MAX and all(now - each >= SLOW_S for each in self._busy_since):
            self._connected()

    def _connected(self) -> None:
        if not self._seam.is_dead:
            self._open += 1
            self._free += 1
            self.on_change()


class WorldUpdates:
    """The order-update socket of one process."""

    def __init__(
        self,
        world: World,
        seam: Seam,
        on_row: Callable[[OpenOrder], None],
        on_health: Callable[[bool, str], None],
        on_odd: Callable[[str], None],
    ) -> None:
        self._world, self._seam = world, seam
        self._on_row, self._on_health, self._on_odd = on_row, on_health, on_odd
        self._redactor = Redactor()
        self.hears = False

    def start(self) -> None:
        self._world.loop.call_later(AGAIN_S, self.turn, True)

    def turn(self, hears: bool) -> None:
        """Connect, or lose the connection and what is on its way."""
        if self._seam.is_dead or hears == self.hears:
            return
        self.hears = hears
        listeners = self._world.service.listeners
        if hears:
            listeners.append(self._push)
        else:
            listeners.remove(self._push)
        self._on_health(hears, "receiving" if hears else "the connection was lost")

    async def aclose(self) -> None:
        if self.hears:
            self.hears = False
            self._world.service.listeners.remove(self._push)

    def _push(self, frame: dict[str, Any]) -> None:
        self._world.loop.call_later(UPDATE_S, self._hear, json.dumps(frame).encode())

    def _hear(self, text: bytes) -> None:
        if self._seam.is_dead or not self.hears:
            return
        try:
            row = update_row(text, self._redactor)
        except RequestError as error:
            self._on_odd(str(error))
            return
        if row is not None:
            self._on_row(row)


class WorldAccount:
    """The account as one process has it: its session never ends; books are asked for at the broker's pace."""

    def __init__(self, world: World, seam: Seam) -> None:
        self.tokens: Any = object()
        self.redactor = Redactor()
        self._world, self._seam = world, seam
        self._next_s: dict[str, float] = {}

    def order_headers(self) -> Mapping[str, str]:
        return {"Authorization": "Bearer jwt", "X-PrivateKey": "key"}

    async def renew(self, ended: Any) -> None:
        raise AssertionError(f"the session {ended} does not end here")

    async def book(self, request: str, path: str) -> Any:
        for attempt in range(ATTEMPTS):
            status, body = await self._get(path)
            if status < 500:
                break
            await asyncio.sleep(self._world.rng.uniform(0, BOOK_AGAIN_S * 2**attempt))
        try:
            return opened(request, body, status, self.redactor)
        except ValueError:
            raise RequestError(BROKER_NAME, request, f"HTTP {status} is no JSON", Remedy.RETRY) from None

    async def funds(self) -> Funds:
        data = await self.book("funds", FUNDS)
        return Funds(paise_of("funds", data, "net"), paise_of("funds", data, "availablecash"))

    async def _get(self, path: str) -> tuple[int, bytes]:
        world = self._world
        now = world.loop.time()
        turn = max(now, self._next_s.get(path, 0.0))
        self._next_s[path] = turn + PACES_S[path]
        await asyncio.sleep(turn - now)
        answer: asyncio.Future[tuple[int, bytes]] = world.loop.create_future()

        def take(status: int, body: bytes) -> None:
            if not answer.done():
                answer.set_result((status, body))

        world.ask(self._seam, "GET", path, {}, b"", take)
        return await answer


class Market:
    """Prices that walk at random, shown to the service and then to whoever listens.

    `listen` takes token, price, bid, ask, volume and the time, ns.
    """

    def __init__(self, world: World, tokens: list[str], seed: int, *, every_s: float = 0.25) -> None:
        self._world, self._tokens, self._every_s = world, tokens, every_s
        self._rng = Random(seed)
        self._prices = dict.fromkeys(tokens, FIRST_PRICE)
        self.listen: Callable[[str, int, int, int, int], None] = _nothing_of
        self.is_open = True

    def start(self) -> None:
        self._world.loop.call_later(self._every_s, self._move)

    def _move(self) -> None:
        if not self.is_open:
            return
        rng = self._rng
        for token in self._tokens:
            price = self._prices[token]
            step = rng.choice((-40, -25, -10, -5, 5, 5, 10, 15, 30, 45)) + (FIRST_PRICE - price) // 200
            if rng.random() < 0.005:
                step += rng.choice((-400, 400))
            price = self._prices[token] = max(2000, (price + step) // 5 * 5)
            spread = rng.choice((5, 5, 10, 40))
            self.show(token, price, price - spread, price + spread, rng.randint(1, 40) * 5 * LOT)
        self._world.loop.call_later(self._every_s, self._move)

    def show(self, token: str, price: int, bid: int, ask: int, volume: int) -> None:
        """Let a print happen."""
        self._world.service.take_price(token, price, bid, ask, volume)
        self.listen(token, price, bid, ask, volume)


def _nothing() -> None:
    """Tell nobody."""


def _nothing_of(*_: object) -> None:
    """Tell nobody."""
