"""From a packet on a socket to the bytes of the order that it leads to, beside a handler that writes prebuilt bytes.

A process of its own is the broker: it sends packets, one at a time to a client that is idle, and stamps the orders. Ours
is the whole session: feed, decoder, runner, journal on disk, fence, order port, a kept-open connection. The other side is
the bare loop of the same kind: the same libraries, a handler that writes a request's bytes whenever the packet came.

`inside` is what the client itself adds: from the call with the packet to the return of the write of the order's bytes.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic_ns
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from bench import jobs
from bench.measure import Goal, Row, Section, quiet_collector, ratio, spread
from bench.session_jobs import (
    DAY_S,
    INDEX,
    Session,
    day_words,
    fresh_session,
    in_turn,
    listed,
    market_packets,
    scratch_folder,
)
from myquant.brokers.angelone.feed import AngelOneFeed
from myquant.brokers.angelone.orders import AngelOneOrders
from myquant.brokers.dial import BUFFER_BYTES, FRAME_BYTES_MAX
from myquant.brokers.secrets import Redactor
from myquant.brokers.wire import HttpWire
from myquant.journal.disk import DISK
from myquant.journal.record import INPUT
from myquant.journal.writer import JournalWriter
from myquant.lab.angelone.packet import SNAP_QUOTE, frames
from myquant.session.broker_orders import BrokerOrders, Host
from myquant.session.fence import Fence
from myquant.session.hours import hours_of
from myquant.session.loop import SessionLoop
from myquant.session.quick_loop import run_loop

SHOTS, QUICK_SHOTS = 250, 120
FRAMES: Final = 2_000  # after which prices begin again
PRICE: Final = 20_000  # paise
RATIO_MAX: Final = Goal(2.0, at_least=False)
PERCENTILES: Final = {"p50": 50, "p99": 99}
NS_PER_US: Final = 1e3
RUSH: Final = 100_000  # how much faster the budget's clock runs, so that the broker's rate does not hold orders back
LIMIT_S: Final = 120.0
LEAST: Final = 0.9  # share of the packets that must have led to an order
RECORDS: Final = 10_000  # of a segment
LIVELY: Final = {
    "strategy.use_ema_crossover": False,
    "strategy.consecutive_green_bars": 1,
    "strategy.min_warmup_ticks": 1,
    "strategy.control_base_sl": False,
    "execution.fill_model": "limit",
    "risk.max_positions_per_day": 100_000,
    "risk.max_rejects": 1000,
    "session.source": "calendar",
    "capital.initial_capital": 100_000,
}
HEADERS: Final = {
    **dict.fromkeys(("X-UserType", "X-SourceID", "X-ClientLocalIP", "X-ClientPublicIP", "X-MACAddress"), "x" * 12),
    "Accept": "application/json",
    "Content-Type": "application/json",
    "X-PrivateKey": "k" * 8,
    "Authorization": "Bearer " + "t" * 700,
}
BODY: Final = b"b" * 330

Stamps = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Taken:
    """How long each shot took, ns: as the broker saw it, and within the client."""

    outside: Stamps
    inside: Stamps


def measure(rounds: int, *, quick: bool) -> Section:
    """The ratios, seen from outside and from within."""
    section = Section("session-orders: from a packet on the socket to the bytes of its order")
    shots = QUICK_SHOTS if quick else SHOTS
    with scratch_folder() as folder:
        path = _template(folder)
        sides: dict[str, Callable[[], Taken]] = {
            "process": partial(ours, path, shots, "process"),
            "power": partial(ours, path, shots, "power"),
            "bare": partial(bare, path, shots),
            "synced": partial(bare, path, shots, folder / "synced"),
        }
        ours(path, 10, "process")  # finds its machine code
        found = in_turn(sides, rounds, quick=quick)
    for name, other in (("process", "bare"), ("power", "synced")):
        for place in ("outside", "inside"):
            section.rows += _compared(f"{name}, {place}", found[name], found[other], other, place)
    section.notes.append(f"{shots} orders a round; `synced`: bare, and one fdatasync of a record before each write")
    return section


def _compared(name: str, mine: list[Taken], theirs: list[Taken], other: str, place: str) -> list[Row]:
    rows = []
    for label, percent in PERCENTILES.items():
        a, b = (
            [float(np.percentile(getattr(run, place), percent)) / NS_PER_US for run in runs] for runs in (mine, theirs)
        )
        rows.append(Row(f"{name}, {label}", "us", spread(a), other, spread(b), ratio(a, b), RATIO_MAX))
    return rows


def ours(template: Path, shots: int, durability: str) -> Taken:
    """Let a session take the packets."""
    with fresh_session(changes=LIVELY | {"journal.durability": durability}) as session:
        return _run(template, shots, partial(_session, session))


def bare(template: Path, shots: int, synced: Path | None = None) -> Taken:
    """Let a handler take them that writes at once; `synced`: a file that is written and synced before."""
    with quiet_collector():
        return _run(template, shots, partial(_handler, synced=synced))


Stamped = Callable[[], Awaitable[str]]  # waits until the broker has seen all orders, and returns what it says
Client = Callable[[tuple[int, int], list[int], Stamped], Awaitable[str]]


def _run(template: Path, shots: int, client: Client) -> Taken:
    command = [sys.executable, "-m", "bench.order_peer", str(template), str(shots)]
    with (
        _one_core_each(),
        subprocess.Popen(command, cwd=jobs.ROOT, stdout=subprocess.PIPE, text=True) as peer,
        ExitStack() as closing,
    ):
        closing.callback(peer.kill)  # it has said all, or waits for a client that failed
        assert peer.stdout is not None  # noqa: S101  (a pipe was asked for)
        read = peer.stdout.readline
        feed, orders = map(int, read().split())
        inside: list[int] = []
        said = run_loop(_limited(client((feed, orders), inside, partial(asyncio.to_thread, read))))
    outside = np.array(json.loads(said), np.int64)
    if len(outside) < shots * LEAST:
        raise RuntimeError(f"only {len(outside)} of {shots} packets led to an order")
    return Taken(outside[:, 1] - outside[:, 0], np.array(inside[-len(outside) :], np.int64))


@contextmanager
def _one_core_each() -> Iterator[None]:
    """Keep to a core of our own meanwhile; the broker's process takes another one, as it waits busily."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


async def _limited(work: Awaitable[str]) -> str:
    return await asyncio.wait_for(work, LIMIT_S)


def _template(folder: Path) -> Path:
    """Write frames whose price goes up and down: each second one leads to an entry."""
    packets = market_packets(FRAMES, FRAMES / DAY_S)
    number = np.arange(FRAMES)
    packets["price"] = PRICE + 20 * (number % 2)
    packets["buys"]["price"][:, 0], packets["sells"]["price"][:, 0] = packets["price"] - 5, packets["price"] + 5
    path = folder / "orders.npy"
    np.save(path, np.frombuffer(b"".join(frames(packets, SNAP_QUOTE)), np.uint8).reshape(FRAMES, -1))
    return path


class _Updates:
    """Order updates that are heard, and tell nothing."""

    def __init__(self, on_row: Any, on_health: Callable[[bool, str], None], on_odd: Any) -> None:  # noqa: ARG002
        self._on_health = on_health

    def start(self) -> None:
        self._on_health(True, "")

    async def aclose(self) -> None:
        pass


async def _session(session: Session, ports: tuple[int, int], inside: list[int], stamped: Stamped) -> str:
    loop = SessionLoop(
        session.supervisor, session.folder, "bench", hours_of(session.engine), flatten_on_stop=False, hide=_ignore
    )
    arrived = [0]

    def on_frame(connection: int, payload: memoryview, arrived_ns: int) -> None:
        arrived[0] = arrived_ns
        loop.on_frame(connection, payload, arrived_ns)

    class Stamped(HttpWire):
        def send(self, request: bytes, on_reply: Any) -> bool:
            found = super().send(request, on_reply)
            inside.append(monotonic_ns() - arrived[0])
            return found

    client: Any = SimpleNamespace(
        endpoints=SimpleNamespace(stream=f"ws://127.0.0.1:{ports[0]}"),
        redactor=Redactor(()),
        tokens=object(),
        socket_headers=dict,
        order_headers=lambda: HEADERS,
    )
    rest = f"http://127.0.0.1:{ports[1]}"
    port = AngelOneOrders(
        client,
        rest=rest,
        session_key=1,
        product="INTRADAY",
        instruments=listed(1),
        wire=Stamped(rest, client.redactor, monotonic_ns=monotonic_ns),
        updates=_Updates,
        monotonic_ns=lambda: RUSH * monotonic_ns(),
    )
    with ExitStack() as closing:
        fence = Fence.take(session.folder / "fence", "bench", DISK)
        closing.callback(fence.close)
        orders = BrokerOrders(session.engine, port, listed(1), fence, session.log)
        session.runner.orders = orders
        loop.companion = _Companion(orders, port, loop)
        feed = AngelOneFeed(
            client,
            listed(1),
            [INDEX],
            mode="snap_quote",
            on_frame=on_frame,
            on_status=loop.on_status,
            on_text=_ignore,
            on_slow=_ignore,
            expects_data=loop.expects_data,
        )
        ending = asyncio.ensure_future(_end(stamped))
        await loop.run(feed)
        return await ending


class _Companion:
    """The orders of a session beside it, as `session.broker_side` has them; nobody looks at the books."""

    def __init__(self, orders: BrokerOrders, port: AngelOneOrders, loop: SessionLoop) -> None:
        self._orders, self._port, self._loop = orders, port, loop

    def start(self) -> None:
        loop, supervisor = self._loop, self._loop.supervisor
        supervisor.heed = self._orders.watch
        supervisor.prime = self._orders.prime
        host = Host(
            take=loop.guarded(supervisor.take),
            now_ns=supervisor.exchange_clock.now_ns,
            wall_ns=supervisor.clock.wall_ns,
            monotonic_ns=supervisor.clock.monotonic_ns,
            soon=lambda call: asyncio.get_running_loop().call_soon(loop.guarded(call)),
            later=loop.later,
            stop=_ignore,
        )
        self._orders.attach(host)
        self._orders.hold_back(frozenset())
        self._port.start()

    def on_timer(self) -> None:
        self._orders.on_timer()

    async def aclose(self) -> None:
        await self._port.aclose()


def _ignore(*_: Any) -> None:
    """Take no notice."""


async def _end(stamped: Stamped) -> str:
    """End the session as an operator does, once all orders have left."""
    said = await stamped()
    signal.raise_signal(signal.SIGTERM)
    return said


class _Bare(WSListener):
    """Writes bytes at each second frame."""

    def __init__(self, order: "_Order", inside: list[int], synced: Any) -> None:
        super().__init__()
        self._order, self._inside, self._synced = order, inside, synced
        self._count = 0

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:  # noqa: ARG002  (picows passes it)
        arrived = monotonic_ns()
        self._count += 1
        if self._count % 2 == 0:
            if self._synced is not None:
                self._synced()
            self._order.transport.write(REQUEST)
            self._inside.append(monotonic_ns() - arrived)


class _Order(asyncio.Protocol):
    """A kept-open connection for requests."""

    transport: Any

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport


REQUEST: Final = (
    b"POST /rest/secure/angelbroking/order/v1/placeOrder HTTP/1.1\r\nHost: 127.0.0.1\r\n%bContent-Length: %d\r\n\r\n%b"
    % (
        "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items()).encode(),
        len(BODY),
        BODY,
    )
)


def _syncing(closing: ExitStack, folder: Path) -> Callable[[], None]:
    """Return what writes a record to a journal and waits until it is on the disk."""
    shutil.rmtree(folder, ignore_errors=True)
    journal = JournalWriter.create(folder, key=1, segment_records=RECORDS, disk=DISK)
    closing.callback(journal.close)
    words = day_words(1)

    def sync() -> None:
        journal.append_words(INPUT, words, 0, 1)
        journal.sync()

    return sync


async def _handler(ports: tuple[int, int], inside: list[int], stamped: Stamped, *, synced: Path | None) -> str:
    feed, orders = ports
    _, order = await asyncio.get_running_loop().create_connection(_Order, "127.0.0.1", orders)
    with ExitStack() as closing:
        sync = None if synced is None else _syncing(closing, synced)
        transport, _ = await ws_connect(
            lambda: _Bare(order, inside, sync),
            f"ws://127.0.0.1:{feed}",
            max_frame_size=FRAME_BYTES_MAX,
            read_buffer_init_size=BUFFER_BYTES,
        )
        transport.send(WSMsgType.TEXT, b"go")
        said = await stamped()
        transport.disconnect(graceful=False)
        order.transport.abort()
    return said
