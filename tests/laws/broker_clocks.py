"""A session at the broker's world whose clocks jump: the machine's own, and that of the packets. The world's is the true one."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from brokers.angelone_wire import Level, Wire, pack
from laws.broker_laws import Journal, Watch, hold, positions_right
from laws.broker_process import FEED_S, LIVELY, Process
from laws.broker_world import BEGIN_NS, LOT, SECOND_NS, Market, World, instruments
from laws.driver import settings
from myquant.brokers.angelone.decode import FrameDecoder
from myquant.brokers.angelone.tokens import Token, TokenTable
from myquant.core import codes
from myquant.lab.angelone.faults import parse_faults
from myquant.lab.angelone.order_service import Terms
from session.virtual import VirtualLoop, run_virtually

MINUTE_S: Final = 60
HOUR_S: Final = 3600
DAY_S: Final = 86_400
IST_NS: Final = 19_800 * SECOND_NS

# The world begins at ten o'clock: a minute later entries may leave, five minutes later the last one, six minutes later all is
# to be closed.
ENTRY_FROM_S: Final = 60
LEAVE_S: Final = 360
DEAF_S: Final = (120, 128)  # order updates are not heard meanwhile: shorter than what halts
END_S: Final = 420
EDGES: Final = {
    "session.source": "config",
    "session.start_hour": 9,
    "session.start_min": 56,
    "session.start_buffer_minutes": 5,
    "session.end_hour": 10,
    "session.end_min": 26,
    "session.end_buffer_minutes": 20,
    "feed.max_clock_jump_s": 120,
}


class Machine:
    """A world as a machine sees it whose wall clock can be set."""

    def __init__(self, world: World) -> None:
        self.ahead_s, self.jumped = 0.0, False
        self._world = world

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)

    def wall_ns(self) -> int:
        return self._world.wall_ns() + int(self.ahead_s * SECOND_NS)


class Clocked(Process):
    """A process whose ticks come as packets, of a time that can be another than the true one."""

    def __init__(self, machine: Machine, folder: Path, values: Mapping[str, Any]) -> None:
        self.feed_ahead_s = self.hears_from_s = 0.0
        self._true_ns = machine._world.wall_ns
        self._volumes = dict.fromkeys((each.token for each in instruments(1)), 0)
        world: Any = machine
        super().__init__(world, folder, values, count=1, seed=1)
        tokens = [Token(each.exchange_type, each.token, number) for number, each in enumerate(instruments(1))]
        jump_ns = int(self.engine.loaded.config.feed.max_clock_jump_s * SECOND_NS)
        self._decoder = decoder = FrameDecoder(TokenTable(tokens), IST_NS, jump_ns)
        vars(self._packets).update(
            take=decoder.take, connect=decoder.connect, words=decoder.words, counts=decoder.counts
        )
        self.supervisor._ways = [(self._packets.take, self._packets.words, self._packets.words.reshape(-1).data)]
        if self.recovered is not None:
            for last in self.recovered.last_inputs.values():
                decoder.recall(last)

    def hear(self, token: str, price: int, bid: int, ask: int, volume: int) -> None:
        """Let a packet be on its way to the engine."""
        self._volumes[token] += volume
        if self.world.loop.time() < self.hears_from_s:
            return
        time_ms = (self._true_ns() + int(self.feed_ahead_s * SECOND_NS)) // 10**6
        wire = Wire(
            exchange_type=2,
            token=token.encode(),
            time_ms=time_ms,
            price=price,
            volume=self._volumes[token],
            traded_s=time_ms // 1000,
            buys=(Level(1, LOT, bid, 1), *[Level(1)] * 4),
            sells=(Level(0, LOT, ask, 1), *[Level(0)] * 4),
            upper_circuit=100_000,
            lower_circuit=5,
        )
        self.world.loop.call_later(FEED_S, self.guarded(self._frame), pack(wire))

    def reconnect(self) -> None:
        """Lose the feed, and have it again."""
        self.guarded(self.supervisor.on_status)(1, False, "lost")
        self._packets.last = self._decoder.clock()
        self.guarded(self.supervisor.on_status)(1, True, "receiving")

    def _frame(self, packet: bytes) -> None:
        self.supervisor.on_frame(1, memoryview(packet), self.world.monotonic_ns())
        self._packets.last = self._decoder.clock()


class Jump(NamedTuple):
    """What happens at a time: clocks are set, seconds ahead of the true time; `None` leaves one as it is."""

    at_s: float
    wall_s: float | None = None
    feed_s: float | None = None
    reconnects: bool = False
    restarts: bool = False  # and hears no packet for `deaf_s`
    deaf_s: float = 5.0


@dataclass
class Run:
    """What came of a run: the session's journal, its orders at the broker (true times from the beginning, s), its log."""

    journal: Journal
    orders: list[tuple[Any, ...]]
    entered_s: list[float]  # when entries were sent to the broker
    flat_s: float  # since when nothing was held or working
    lines: list[Any]


def run(folder: Path, jumps: Sequence[Jump] = (), *, faults: tuple[str, ...] = ()) -> Run:
    """Play a session's few minutes in virtual time, and assert the laws of orders."""
    loop = VirtualLoop()
    return run_virtually(_run(loop, folder, sorted(jumps), faults), loop)


async def _run(loop: VirtualLoop, folder: Path, jumps: list[Jump], faults: tuple[str, ...]) -> Run:
    values = {**LIVELY, **EDGES}
    cash = round(float(settings(values).config.capital.initial_capital) * 100)
    world = World(loop, faults=parse_faults(faults, 1), terms=Terms(cash_paise=cash))
    machine, watch = Machine(world), Watch(world)
    process = Clocked(machine, folder, values)
    market = Market(world, list(process.tokens), 1)
    process.start()
    market.listen = process.hear
    market.start()
    loop.call_at(DEAF_S[0], lambda: process.turn_updates(hears=False))
    loop.call_at(DEAF_S[1], lambda: process.turn_updates(hears=True))
    flat_s = 0.0
    while loop.time() < END_S:
        while jumps and jumps[0].at_s <= loop.time():
            process = _make(jumps.pop(0), machine, process)
            market.listen = process.hear
        await asyncio.sleep(0.5)
        if process.halt():
            process.ask(codes.ASK_RESUME)
        if not process.is_idle():
            flat_s = loop.time()
    market.is_open = False
    await process.aclose()
    ours = [order for order in world.service.book.orders if order.tag]
    entries = [order for order in ours if order.side == codes.BUY]
    return Run(
        _held(world, process, watch, machine),
        [(order.tag, order.placed_ns, order.side, order.quantity, order.filled, order.value) for order in ours],
        [(order.placed_ns - BEGIN_NS) / SECOND_NS for order in entries],
        flat_s,
        process.log.lines,
    )


def _held(world: World, process: Clocked, watch: Watch, machine: Machine) -> Journal:
    """Assert the laws of orders; where the wall clock jumped those that do not go by when an answer was received."""
    if not machine.jumped:
        return hold(world, process, watch, "clocks")
    tags = [order.tag for order in world.service.book.orders if order.tag]
    assert process.failure is None
    assert process.is_idle(), process.log.lines[-5:]
    assert not watch.oversold, watch.oversold[:3]
    assert not watch.too_long(), watch.too_long()[:3]
    assert len(tags) == len(set(tags))
    assert positions_right(world, process, watch, "clocks") == 0
    return Journal(process.folder)


def _make(jump: Jump, machine: Machine, process: Clocked) -> Clocked:
    """Let a jump happen; return the process that is at work then."""
    if jump.wall_s is not None:
        machine.ahead_s, machine.jumped = jump.wall_s, True
    if jump.restarts:
        ahead_s, volumes = process.feed_ahead_s, process._volumes
        process.die()
        process.journal.close()
        process = Clocked(machine, process.folder, {**LIVELY, **EDGES})
        process.feed_ahead_s, process._volumes = ahead_s, volumes
        process.hears_from_s = machine.loop.time() + jump.deaf_s
        process.start()
    process.feed_ahead_s = process.feed_ahead_s if jump.feed_s is None else jump.feed_s
    if jump.reconnects:
        process.reconnect()
    return process
