"""A rig: the whole pipeline of a session on the ticks of a lab's socket, made to be measured and compared.

It is wired as a session is: feed, hand-off, decoder, runner, journal on disk, order port, log, results, frames. What
differs is time: its engine gets no timers, and the exchange's clock stands from packet to packet. So its decisions
follow from the ticks alone, as a backtest's do, and are the same however fast the ticks come and whatever takes them.
"""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic_ns
from typing import Any, Final, NamedTuple, TextIO

import numpy as np

from myquant.brokers.packets import HEARTBEATS
from myquant.brokers.port import FeedCalls
from myquant.brokers.secrets import Redactor
from myquant.config.loading import LoadedConfig
from myquant.config.schema import Config
from myquant.errors import BrokerError, MyquantError
from myquant.evidence.sources import Source
from myquant.journal.disk import DISK
from myquant.journal.reader import JournalReader
from myquant.journal.record import BODY, COMMAND, HOLDS
from myquant.journal.writer import JournalWriter
from myquant.lab.angelone.feeder import Feeder
from myquant.measure.cycles import MODULE, Cycles
from myquant.measure.passes import MemorySpans
from myquant.measure.spans import Spans
from myquant.session.clock import MachineClock
from myquant.session.engine import Engine
from myquant.session.handoff import Handoff, hand_off
from myquant.session.measured import MeasuredOrders, MeasuredSupervisor
from myquant.session.pipeline import open_pipeline, open_session_log
from myquant.session.rules import SECOND_NS
from myquant.session.runner import Runner
from myquant.session.simulated import SimulatedOrders
from myquant.session.taking_up import segment_records_of
from myquant.strategies.loading import LoadedStrategy
from myquant.ticks.batch import InstrumentName

KEY: Final = 1  # of every rig's journal: order ids follow from it, and are to be the same
LOGGING, CSV_WRITE, DATAFRAME_OPS = "logging", "csv_write", "dataframe_ops"  # what a rig can do without
PATIENCE_S: Final = 30.0  # beyond what a stretch takes
HOUSEKEEPING_S: Final = 1.0
SILENCE_S: Final = 60.0  # of a broker's feed

# What a frame was.
TICK: Final = 1  # a tick or a quote
REFUSED: Final = 0
INDEX: Final = -1

Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class RigPlan:
    """What a rig is to be.

    Attributes:
        loaded: the configuration, its `[pipeline]` included.
        strategy: the strategy.
        source: the feed.
        folder: a folder of its own, for journal, log and results.
        without: components that do nothing: `logging`, `csv_write`, `dataframe_ops`.
        capacity: ticks for which the compiled core counts its time; 0: it does not.
    """

    loaded: LoadedConfig
    strategy: LoadedStrategy
    source: Source
    folder: Path
    without: frozenset[str] = frozenset()
    capacity: int = 0


@dataclass(frozen=True)
class Stretch:
    """What became of a stretch of ticks: int64 (n,), monotonic ns; intended is 0 where there was no schedule."""

    intended_ns: Ints
    arrived_ns: Ints
    begun_ns: Ints
    done_ns: Ints

    @property
    def service_ns(self) -> Ints:
        """How long each tick took from its arrival, or from the end of the tick before it if that was later."""
        free_ns = np.concatenate(([0], self.done_ns[:-1]))
        return np.asarray(self.done_ns - np.maximum(self.arrived_ns, free_ns))


class Decided(NamedTuple):
    """What a rig has decided: SHA-256 in hex of its commands, and how many there are."""

    digest: str
    commands: int


class Rig:
    """One pipeline at work; `open_rig` makes it.

    Attributes:
        engine, supervisor, handoff: its parts.
        cycles: the compiled core's counters, where the plan has a capacity.
        kinds: of each frame, since `measure` if that was called: TICK, REFUSED or INDEX.
    """

    def __init__(self, plan: RigPlan, stderr: TextIO) -> None:
        self.plan = plan
        config, listed = plan.loaded.config, plan.source.instruments
        strategy = replace(plan.strategy, probe=MODULE) if plan.capacity else plan.strategy
        self.engine = Engine(plan.loaded, strategy, tuple(InstrumentName(each.symbol, each.segment) for each in listed))
        self.engine.listed = {who: (each.lot_size, each.tick_size_paise) for who, each in enumerate(listed)}
        self.kinds: list[int] = []
        self._times: list[tuple[int, int, int]] = []  # arrived, begun, done of each frame but the indices' of a stretch
        self._ticks: list[int] = []  # places of ticks among them
        self._wanted = 0
        self._waits: asyncio.Future[None] | None = None
        plan.folder.mkdir(parents=True)
        with ExitStack() as opened:  # what is open already is closed when the next can't be opened
            self._open(config, stderr, opened)
            self._opened = opened.pop_all()

    def _open(self, config: Config, stderr: TextIO, opened: ExitStack) -> None:
        plan = self.plan
        records = segment_records_of(config.journal.segment_mib)
        self.journal = JournalWriter.create(plan.folder, key=KEY, segment_records=records, disk=DISK)
        opened.callback(self.journal.close)
        self.cycles = Cycles(self.journal.cursor, plan.capacity) if plan.capacity else None
        if self.cycles is not None:
            self.journal.cursor = self.cycles.cursor
        self.log = (
            Silence() if LOGGING in plan.without else open_session_log(plan.folder, config, Redactor(()), "rig", stderr)
        )
        opened.callback(self.log.close)
        self.orders = MeasuredOrders(SimulatedOrders(self.engine))
        self.pipeline = open_pipeline(plan.folder, _without(config, plan.without), _symbols(self.engine), self.log)
        if self.pipeline is not None:
            opened.callback(self.pipeline.close)
        self.supervisor = self._wired()
        self.handoff = self._handed_off()

    def _wired(self) -> MeasuredSupervisor:
        source, config = self.plan.source, self.plan.loaded.config
        decoders = source.decoders(config)
        self._alive = [decoder.counts.data for decoder in decoders]  # give plain ints
        return MeasuredSupervisor(
            Runner(self.engine, self.journal, self.orders),
            self.journal,
            decoders,
            MachineClock(),
            source.exchange_clock(decoders),
            self.log,
            save=_nothing,
            snapshot_interval_ns=config.journal.snapshot_interval_s * SECOND_NS,
            durable_orders=config.journal.durability == "power",
            pipeline=self.pipeline,
        )

    def _handed_off(self) -> Handoff:
        config, source = self.plan.loaded.config, self.plan.source
        calls = FeedCalls(self._on_frame, self.supervisor.on_status, _nothing, _nothing, lambda: False)
        stall_s = float(config.feed.stall_s)
        return hand_off(
            config.pipeline.handoff,
            calls,
            source.feed,
            source.elsewhere,
            os.environ,
            on_lost=self._on_lost,
            stall_s=stall_s,
        )

    def _on_lost(self, frames: int) -> None:
        self._end_wait(MyquantError(f"the hand-off lost {frames} frames: it is too small for this rate: lower --rate"))

    def _on_frame(self, connection: int, payload: memoryview, arrived_ns: int) -> None:
        begun_ns = monotonic_ns()
        supervisor, engine, counts = self.supervisor, self.engine, self._alive[connection - 1]
        supervisor.handed_ns = self.handoff.handed_ns
        inputs, alive = engine.inputs, counts[HEARTBEATS]
        try:
            supervisor.on_frame(connection, payload, arrived_ns)
        except BaseException as error:  # noqa: BLE001  (raised by `play`)
            self._end_wait(error)
            return
        if counts[HEARTBEATS] != alive:
            self.kinds.append(INDEX)
            return
        if engine.inputs == inputs:
            self.kinds.append(REFUSED)
        else:
            self.kinds.append(TICK)
            self._ticks.append(len(self._times))
        self._times.append((arrived_ns, begun_ns, monotonic_ns()))
        if len(self._times) == self._wanted:
            self._end_wait(None)

    def _end_wait(self, error: BaseException | None) -> None:
        waits, self._waits = self._waits, None
        if waits is not None and not waits.done():
            if error is None:
                waits.set_result(None)
            else:
                waits.set_exception(error)

    async def play(self, feeder: Feeder, connection: int, begin: int, end: int, rate_per_s: float | None) -> Stretch:
        """Take the rows `begin` to `end` of the feeder's days, sent to this rig's connection, and return their times.

        Raises MyquantError where not all of them come in time, or where taking them fails.
        """
        waits = self._wait_for(end - begin)
        patience_s = PATIENCE_S + (end - begin) / (rate_per_s or 1_000)
        self.handoff.go_on()
        sent = await feeder.send(connection, begin, end, rate_per_s)
        try:
            await asyncio.wait_for(waits, patience_s)
        except TimeoutError:
            missing = end - begin - len(self._times)
            raise MyquantError(f"{missing} of {end - begin} ticks did not come within {patience_s:.0f} s") from None
        self.handoff.rest()  # while others play
        intended = np.zeros(end - begin, np.int64)
        if sent.interval_ns:
            intended = sent.due_ns + np.arange(end - begin) * sent.interval_ns
        return self._stretch(intended)

    async def take(self, count: int) -> Stretch:
        """Take so many frames as they come; errors likewise, and BrokerError after `SILENCE_S` without one."""
        waits = self._wait_for(count)
        self.handoff.go_on()
        seen = -1
        while not waits.done() and len(self._times) > seen:
            seen = len(self._times)
            await asyncio.wait((waits,), timeout=SILENCE_S)
        if not waits.done():
            self._waits = None
            raise BrokerError(
                f"no tick for {SILENCE_S:.0f} s, {seen:,} of {count:,} came: is the market open, and"
                f" {', '.join(_symbols(self.engine))} traded?"
            )
        waits.result()
        return self._stretch(np.zeros(count, np.int64))

    def _wait_for(self, count: int) -> "asyncio.Future[None]":
        self._wanted, self._times, self._ticks = count, [], []
        waits = self._waits = asyncio.get_running_loop().create_future()
        return waits

    def _stretch(self, intended_ns: Ints) -> Stretch:
        """Return the ticks' times; what the decoder refused is no tick."""
        ticks = [place for place in self._ticks if place < self._wanted]
        times = np.array(self._times, np.int64)[ticks]
        return Stretch(intended_ns[ticks], *times.T.copy())

    def measure(self, spans: Spans | MemorySpans) -> None:
        """Measure in full from the next frame on."""
        self.kinds.clear()
        if self.cycles is not None:
            self.cycles.reset()
        self.supervisor.measure(spans, self.orders)

    async def keep_house(self) -> None:
        """Do once a second, by the wall clock, what a session does beside deciding, while it has ticks; until cancelled.

        And see to it that nobody waits for a feed that has given up, or for a pipeline that has stopped.
        """
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            if self._waits is None:
                continue
            self.supervisor.keep_house()
            if self.handoff.failure is not None:
                self._end_wait(self.handoff.failure)
            elif self.supervisor.stopping is not None:
                told = self.supervisor.last_error
                self._end_wait(MyquantError(f"the pipeline stopped: {told[1] if told else 'it did not say why'}"))

    def decided(self) -> Decided:
        """Return what was decided: the commands of the journal, in order, byte for byte."""
        digest, count = hashlib.sha256(), 0
        for block in JournalReader(self.plan.folder).blocks():
            commands = np.ascontiguousarray(block[block[:, HOLDS] == COMMAND][:, BODY:])
            digest.update(commands.tobytes())
            count += len(commands)
        return Decided(digest.hexdigest(), count)

    def close(self) -> None:
        """Let go of files and processes."""
        self._opened.close()


@asynccontextmanager
async def open_rig(plan: RigPlan) -> AsyncIterator[Rig]:
    """Make a rig, connect it, and end it in order."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:  # noqa: ASYNC230  (no file that could block)
        rig = Rig(plan, nowhere)
        house = asyncio.ensure_future(rig.keep_house())
        try:
            rig.supervisor.start()
            rig.handoff.start()
            yield rig
        finally:
            house.cancel()
            await asyncio.gather(house, return_exceptions=True)
            await rig.handoff.aclose()
            rig.close()


class Silence:
    """A log that says nothing: what writing lines costs is what is gained without it."""

    waits: Final = True

    def debug(self, event: str, **fields: object) -> None:
        """Say nothing."""

    info = warning = error = debug

    def look(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def _without(config: Config, without: frozenset[str]) -> Config:
    """Return the configuration with some parts of the pipeline off."""
    off = {name: "off" for name, part in (("results", CSV_WRITE), ("frames", DATAFRAME_OPS)) if part in without}
    return config.model_copy(update={"pipeline": config.pipeline.model_copy(update=off)})


def _symbols(engine: Engine) -> tuple[str, ...]:
    return tuple(name.symbol for name in engine.names)


def _nothing(*_: object) -> None:
    """Do nothing."""
