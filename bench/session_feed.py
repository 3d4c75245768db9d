"""From a packet on a socket to the decision on it, beside a handler of the same socket that does nothing.

A process of its own sends packets at a rate; each counts from when it was due, however late it left. Ours is the whole
session: feed, decoder, runner, journal on disk, timers, snapshots. A packet is done with when what was decided on it is
journaled and Python has the control again; the other side's when its handler is called.
"""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import monotonic_ns
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from bench import jobs
from bench.company import OTHERS_PART, Undisturbed
from bench.measure import Goal, Row, Section, quiet_collector, ratio, spread
from bench.session_jobs import (
    INDEX,
    SECOND_NS,
    Session,
    fresh_session,
    in_turn,
    listed,
    refuse_small_disk,
    scratch_folder,
    template,
)
from myquant.brokers.angelone.feed import AngelOneFeed
from myquant.brokers.dial import BUFFER_BYTES, FRAME_BYTES_MAX
from myquant.brokers.secrets import Redactor
from myquant.core import codes
from myquant.core.records import Command
from myquant.journal.reader import JournalReader, inputs
from myquant.journal.record import BODY, COMMAND, HOLDS
from myquant.session.hours import hours_of
from myquant.session.loop import SessionLoop
from myquant.session.quick_loop import run_loop

SLOW, FAST, FASTEST = 500, 50_000, 100_000  # packets a second
MANY: Final = 500  # instruments
RUN_S, QUICK_S = 1.5, 0.6
WARM: Final = 1_500
KIND: Final = BODY + Command._fields.index("kind")
POLL_S: Final = 0.05
PERCENTILES: Final = {"p50": 50, "p99": 99}
RATIO_MAX: Final = Goal(3.0, at_least=False)
NS_PER_US: Final = 1e3

Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Load:
    """What is sent."""

    template: Path
    instruments: int
    count: int
    rate: float


@dataclass(frozen=True)
class Taken:
    """What became of it: how long each packet took, and, of the sender, how late it was and how much left at once."""

    latency_ns: Ints
    seconds: float
    late_ns: list[float]
    together: float
    lost: int = 0  # packets that did not become an input, each once and in their order
    orders: int = 0


def measure(rounds: int, *, quick: bool) -> Section:
    """The ratios, then how much it takes and for how long."""
    section = Section("session-feed: from a packet on the socket to the decision")
    with scratch_folder() as folder:
        one, many = (template(folder, instruments, FAST) for instruments in (1, MANY))
        slow, fast = (Load(one, 1, round(rate * (QUICK_S if quick else RUN_S)), rate) for rate in (SLOW, FAST))
        spread_out = Load(many, MANY, fast.count, FAST)
        sides: dict[str, Callable[[], Taken]] = {
            **{f"{name} ours": partial(ours, load) for name, load in (("slow", slow), ("fast", fast))},
            **{f"{name} empty": partial(empty, load) for name, load in (("slow", slow), ("fast", fast))},
            "many ours": partial(ours, spread_out),
        }
        ours(slow)  # finds its machine code
        undisturbed = {name: Undisturbed() for name in sides}
        if not quick:
            sides = {name: partial(undisturbed[name].run, side) for name, side in sides.items()}
        found = in_turn(sides, rounds, quick=quick)
        found["many empty"] = found["fast empty"]
        names = {
            "slow": f"packet to decision at {SLOW}/s",
            "fast": f"packet to decision at {FAST:,}/s",
            "many": f"{MANY} instruments at {FAST:,}/s",
        }
        for side, name in names.items():
            section.rows += _compared(name, found[f"{side} ours"], found[f"{side} empty"])
        section.notes += [*_notes(found), f"a run is repeated while others take more than {OTHERS_PART:.1%} of a core"]
        section.notes += [f"{name}: {each}" for name, each in undisturbed.items() if each.runs]
        seconds = 5 if quick else 60
        refuse_small_disk(seconds * FASTEST)
        for rate in (FAST, FASTEST):
            section.rows += _sustained(Load(one, 1, seconds * rate, rate))
        section.rows.append(_capacity(Load(one, 1, 200_000 if quick else 1_000_000, 1e9)))
    return section


def _compared(name: str, session: list[Taken], handler: list[Taken]) -> list[Row]:
    rows = []
    for label, percent in PERCENTILES.items():
        sides = [
            [float(np.percentile(run.latency_ns, percent)) / NS_PER_US for run in runs] for runs in (session, handler)
        ]
        mine, other = sides
        rows.append(Row(f"{name}, {label}", "us", spread(mine), "empty", spread(other), ratio(mine, other), RATIO_MAX))
    return rows


def _notes(found: dict[str, list[Taken]]) -> list[str]:
    orders, late = [], []
    for name, runs in found.items():
        p50, p99, _ = np.median([run.late_ns for run in runs], axis=0) / NS_PER_US
        late.append(f"{name} {p50:.0f} and {p99:.0f}")
        if runs[0].orders:
            orders.append(f"{name} {runs[0].orders} of {len(runs[0].latency_ns):,}")
    return [
        f"packets that led to an order, its fill and lines of the log: {', '.join(orders)}; what comes next waits for them",
        f"the sender itself was late by, us, p50 and p99, which counts on both sides: {', '.join(late)}",
    ]


def _sustained(load: Load) -> list[Row]:
    """A long run at a rate: nothing may be lost, and nothing may pile up."""
    run = ours(load)
    seconds, rate = load.count / load.rate, round(load.rate)
    percentiles = np.percentile(run.latency_ns, [50, 99, 99.9, 100]) / NS_PER_US
    late = ", ".join(
        f"{name} {value:,.0f}" for name, value in zip(("p50", "p99", "p99.9", "max"), percentiles, strict=True)
    )
    name = f"{rate:,}/s for {seconds:.0f} s"
    note = f"us from when it was due to the decision: {late}; the sender at most {run.late_ns[2] / NS_PER_US:,.0f} late"
    return [
        Row(f"{name}: not journaled", "packets", spread([run.lost]), goal=Goal(0, at_least=False), note=note),
        Row(f"{name}: rate kept", "packets/s", spread([load.count / run.seconds]), goal=Goal(0.99 * rate)),
    ]


def _capacity(load: Load) -> Row:
    run = ours(load)
    note = f"{run.lost} not journaled; sent as fast as they were taken, {run.together:.1f} at once"
    return Row("highest rate", "packets/s", spread([load.count / run.seconds]), goal=Goal(FASTEST), note=note)


def ours(load: Load) -> Taken:
    """Send a load to a session."""
    with fresh_session(load.instruments) as session:
        taken = _run(load, partial(_session, session, load))
        packets, orders = _journaled(session.folder)
    return replace(taken, lost=load.count - packets, orders=orders)


def empty(load: Load) -> Taken:
    """Send a load to a handler that does nothing."""
    with quiet_collector():
        return _run(load, partial(_handler, load))


def _run(load: Load, client: Callable[[int, list[int]], Awaitable[None]]) -> Taken:
    """Start the sender, let a client note when each packet was done with, and return what came out."""
    arguments = [str(load.template), *map(str, (load.instruments, WARM, load.count, load.rate))]
    command = [sys.executable, "-m", "bench.session_sender", *arguments]
    with subprocess.Popen(command, cwd=jobs.ROOT, stdout=subprocess.PIPE, text=True) as sender:
        noted: list[int] = []
        port = int(_line(sender))
        limit_s = 30 + 3 * load.count / min(load.rate, 20_000)
        run_loop(asyncio.wait_for(_as_coroutine(client, port, noted), limit_s))
        said = json.loads(_line(sender))
    times = np.array(noted[WARM:], np.int64) - said["due_ns"]
    latency = times - (np.arange(load.count) * (SECOND_NS / load.rate)).astype(np.int64)
    return Taken(latency, float(times[-1]) / SECOND_NS, said["late_ns"], said["together"])


def _line(process: "subprocess.Popen[str]") -> str:
    return process.stdout.readline() if process.stdout else ""


async def _as_coroutine(client: Callable[[int, list[int]], Awaitable[None]], port: int, noted: list[int]) -> None:
    await client(port, noted)


async def _session(session: Session, load: Load, port: int, noted: list[int]) -> None:
    loop = SessionLoop(
        session.supervisor,
        session.folder,
        "bench",
        hours_of(session.engine),
        flatten_on_stop=False,
        hide=_ignore,
    )

    def on_frame(connection: int, payload: memoryview, arrived_ns: int) -> None:
        loop.on_frame(connection, payload, arrived_ns)
        noted.append(monotonic_ns())

    client: Any = SimpleNamespace(
        endpoints=SimpleNamespace(stream=f"ws://127.0.0.1:{port}"),
        redactor=Redactor(()),
        tokens=None,
        socket_headers=dict,
    )
    feed = AngelOneFeed(
        client,
        listed(load.instruments),
        [INDEX],
        mode="snap_quote",
        on_frame=on_frame,
        on_status=loop.on_status,
        on_text=_ignore,
        on_slow=_ignore,
        expects_data=loop.expects_data,
    )
    ending = asyncio.ensure_future(_end(load, noted))
    await loop.run(feed)
    await ending


def _ignore(*_: Any) -> None:
    """Take no notice."""


async def _end(load: Load, noted: list[int]) -> None:
    """End the session as an operator does."""
    await _all(load, noted)
    signal.raise_signal(signal.SIGTERM)


async def _all(load: Load, noted: list[int]) -> None:
    while len(noted) < WARM + load.count:  # noqa: ASYNC110  (an event would have to be set by what is measured)
        await asyncio.sleep(POLL_S)


class _Empty(WSListener):
    """Notes when a frame came."""

    def __init__(self, noted: list[int]) -> None:
        super().__init__()
        self._noted = noted

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:  # noqa: ARG002  (picows passes it)
        self._noted.append(monotonic_ns())


async def _handler(load: Load, port: int, noted: list[int]) -> None:
    transport, _ = await ws_connect(
        lambda: _Empty(noted),
        f"ws://127.0.0.1:{port}",
        max_frame_size=FRAME_BYTES_MAX,
        read_buffer_init_size=BUFFER_BYTES,
    )
    transport.send(WSMsgType.TEXT, b"go")
    await _all(load, noted)
    transport.disconnect(graceful=False)


def _journaled(folder: Path) -> tuple[int, int]:
    """Return how many of the measured packets are in the journal, each once and in their order, and how many orders."""
    numbers, orders = [], 0
    for block in JournalReader(folder).blocks():
        numbers.append(inputs(block)["body"]["origin"]["packet"])
        orders += int((block[block[:, HOLDS] == COMMAND][:, KIND] == codes.SUBMIT).sum())
    packets = np.concatenate(numbers)
    packets = packets[packets > WARM]
    return int((np.diff(packets, prepend=WARM) == 1).sum()), orders
