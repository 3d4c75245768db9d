"""One process of a session at the broker's world, wired as a real one is, that can die at any moment."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np

from journal.journal_faults import Crash
from journal.journal_samples import QUICK
from laws.broker_world import SECOND_NS, Seam, World, WorldAccount, WorldUpdates, WorldWire, instruments
from laws.driver import settings
from myquant.brokers.angelone.orders import AngelOneOrders
from myquant.brokers.backoff import Backoff
from myquant.brokers.packets import COUNTS
from myquant.core import codes
from myquant.core.orders import PARTIAL, SENT, UNKNOWN, WORKING
from myquant.core.records import Event
from myquant.journal.disk import Disk
from myquant.journal.record import BODY_WORDS
from myquant.journal.rows import BEFORE, RECORDS
from myquant.session.broker_orders import BrokerOrders, Host
from myquant.session.clock import ExchangeClock
from myquant.session.engine import Engine
from myquant.session.reconciling import OthersFile, Reconciler, settings_of
from myquant.session.recovery import Hashes, save
from myquant.session.runner import NoOrders
from myquant.session.sent_notes import SentNotes
from myquant.session.supervisor import Supervisor
from myquant.session.taking_up import take_up
from myquant.strategies.loading import default_strategy
from myquant.ticks.batch import InstrumentName
from session.supervised import Lines

KEY: Final = 4_711_000_000_000_000_001
HASHES: Final = Hashes("engine", "config")
FEED_S: Final = 0.003  # from a print to the engine
PRODUCT: Final = "INTRADAY"
AT_WORK: Final = (SENT, WORKING, PARTIAL, UNKNOWN)

# A rising tick is bought at once; stops and targets are near, so that there is always something to send.
LIVELY: Final[dict[str, Any]] = {
    "strategy.use_ema_crossover": False,
    "strategy.consecutive_green_bars": 1,
    "strategy.min_warmup_ticks": 1,
    "strategy.control_base_sl": False,
    "execution.fill_model": "limit",
    "capital.initial_capital": 600_000,
    "risk.max_position_value_percent": 45,
    "risk.base_sl_points": 1,
    "risk.tp_points": [0.5, 1, 1.5],
    "risk.tp_percents": [0.4, 0.3, 0.3],
    "risk.trail_activation_points": 0.4,
    "risk.trail_distance_points": 0.5,
    "risk.max_positions_per_day": 100_000,
    "broker.shadow": False,
}


class Packets:
    """A decoder without frames: it only knows when the last packet came."""

    def __init__(self) -> None:
        self.words = np.zeros((1, BODY_WORDS), np.int64)
        self.counts = np.zeros(COUNTS, np.int64)
        self.last = (0, 0)

    def take(self, payload: memoryview, arrived_ns: int, wall_ns: int) -> int:
        raise AssertionError(f"no frame comes here: {len(payload)} bytes at {arrived_ns} ({wall_ns})")

    def connect(self, number: int) -> None:
        assert number > 0

    def clock(self) -> tuple[int, int]:
        return self.last


class OpenFence:
    """A fence that nobody takes away."""

    def holds(self) -> bool:
        return True


class Process:
    """A session at work; every life of it begins with its journal.

    Attributes:
        failure: what went wrong in it, if anything did.
    """

    def __init__(
        self, world: World, folder: Path, values: Mapping[str, Any], *, count: int, seed: int, disk: Disk = QUICK
    ) -> None:
        self.world, self.folder, self.seam, self.log = world, folder, Seam(), Lines()
        self.tokens = {each.token: who for who, each in enumerate(instruments(count))}
        loaded = settings(values)
        names = tuple(InstrumentName(each.symbol, "NFO") for each in instruments(count))
        self.engine = Engine(loaded, default_strategy(), names)
        self.failure: BaseException | None = None
        self._task: asyncio.Task[None] | None = None
        taken = take_up(folder, self.engine, NoOrders(), HASHES, key=KEY, segment_records=512, disk=disk)
        self.journal, self.runner, self.recovered = taken.journal, taken.runner, taken.recovered
        account = WorldAccount(world, self.seam)
        self.port = AngelOneOrders(
            account,
            rest="https://broker.example",
            session_key=KEY,
            product=PRODUCT,
            instruments=instruments(count),
            wire=WorldWire(world, self.seam),
            updates=self._open_updates,
            monotonic_ns=world.monotonic_ns,
        )
        self.orders = BrokerOrders(self.engine, self.port, instruments(count), OpenFence(), self.log)
        self.runner.orders = self.orders
        self._packets = Packets()
        offset_ns = None if self.recovered is None else self.recovered.offset_ns
        self.clock = ExchangeClock(world, self._packets.clock, offset_ns)
        self.supervisor = Supervisor(
            self.runner,
            self.journal,
            [self._packets],
            world,
            self.clock,
            self.log,
            save=self._save,
            snapshot_interval_ns=loaded.config.journal.snapshot_interval_s * SECOND_NS,
            durable_orders=False,
        )
        self.runner.before_order = self._before_order
        self._others = OthersFile(folder, disk)
        self._disk = disk
        self._rng = Random(seed)
        self.supervisor.hold("the broker's books have not been looked at yet")

    def start(self) -> None:
        """Begin, as `session.broker_side` and `session.loop` do."""
        loop, config = self.world.loop, self.engine.loaded.config
        self.supervisor.started(1)
        self.supervisor.start()
        host = Host(
            take=self.guarded(self._take),
            now_ns=self.clock.now_ns,
            wall_ns=self.world.wall_ns,
            monotonic_ns=self.world.monotonic_ns,
            soon=lambda call: loop.call_soon(self.guarded(call)),
            later=lambda call: loop.call_later(0.005, self.guarded(call)),
            stop=self._stop,
        )
        self.port.on_sent = SentNotes(self.orders.who_of, self.supervisor.notes.sent, host.later).take
        self.orders.attach(host)
        reconciler = Reconciler(
            self.port,
            self.orders,
            host,
            self.log,
            self._others,
            settings_of(config, KEY, PRODUCT),
            every_s=float(config.broker.reconcile_s),
            channel_max_s=float(config.broker.channel_max_s),
            backoff=Backoff(1.0, 15.0, self._rng),
        )
        self.reconciler = reconciler
        reconciler.on_ready = self.supervisor.release
        self.port.start()
        self._task = loop.create_task(reconciler.run())
        self._task.add_done_callback(self._done)
        self.supervisor.on_status(1, True, "receiving")
        loop.call_later(1.0, self._on_timer)

    def hear(self, token: str, price: int, bid: int, ask: int, volume: int) -> None:
        """Let a print be on its way to the engine."""
        time_ns = self.world.wall_ns()
        event = Event(codes.TICK, self.tokens[token], 0, time_ns, 0, price, volume, bid, ask, 0, 0, 0, 0)
        self.world.loop.call_later(FEED_S, self.guarded(self._take_tick), event)

    def ask(self, wish: int) -> None:
        """Let the operator wish for something."""
        self.guarded(self.supervisor.event)(codes.OPERATOR, wish)

    def turn_updates(self, *, hears: bool) -> None:
        """Let the order-update socket be lost, or be there again."""
        if not self.seam.is_dead:
            self.updates.turn(hears)

    def halt(self) -> int:
        return int(self.engine.desk[0]["account"]["halt"])

    def is_idle(self) -> bool:
        """Return whether nothing is held and nothing works."""
        holds = self.engine.instruments["core"]["position"]["quantity"].any()
        return not holds and not any(map(self.works, self.tokens.values()))

    def works(self, who: int) -> bool:
        """Return whether an order of an instrument works, as far as the engine knows."""
        core = self.engine.instruments["core"][who]
        return any(core[name]["state"] in AT_WORK for name in ("order", "stop_order"))

    def tear(self) -> None:
        """Take the last record away, as if the process had died before it was written."""
        self.journal.rows[int(self.journal.cursor[RECORDS] - self.journal.cursor[BEFORE]) - 1] = 0

    def die(self, *, lost: bool = False) -> None:
        """End at once: nothing more is heard or sent; `lost`: what is on its way to the broker does not get there."""
        self.seam.is_dead = True
        self.port._sender._is_closed = True
        for task in (self._task, self.port._looking):
            if task is not None:
                task.cancel()
        if lost:
            for handle in self.seam.under_way:
                handle.cancel()

    async def aclose(self) -> None:
        """End as the session's own end does."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.port.aclose()
        self.seam.is_dead = True
        self.journal.close()

    def guarded(self, call: Callable[..., Any]) -> Callable[..., None]:
        """Return a call that a dead process does not make, and a defect in which is kept."""

        def guarded(*arguments: Any) -> None:
            if self.seam.is_dead:
                return
            try:
                call(*arguments)
            except Crash:
                raise
            except BaseException as error:
                self.failure = self.failure or error
                raise

        return guarded

    def _open_updates(self, *calls: Any) -> WorldUpdates:
        self.updates = WorldUpdates(self.world, self.seam, *calls)
        return self.updates

    def _take(self, event: Event) -> None:
        self.supervisor.take(event)
        self.seam.on_call("after answer")

    def _before_order(self) -> bool:
        self.seam.on_call("before order")
        return True

    def _take_tick(self, event: Event) -> None:
        self._packets.last = event.time_ns, self.world.monotonic_ns()
        self.supervisor.take(event._replace(receive_ns=self.world.wall_ns()))
        if not self.seam.is_dead:
            self.orders.prime(event.instrument)

    def _on_timer(self) -> None:
        if not self.seam.is_dead:
            self.world.loop.call_later(1.0, self._on_timer)
            self.guarded(self.supervisor.on_timer)()
            self.guarded(self.orders.on_timer)()

    def _save(self) -> None:
        save(self.engine, self.orders, self.journal, self.folder, HASHES, self.world, self._disk)

    def _stop(self, why: str) -> None:
        raise AssertionError(f"the session stops: {why}")

    def _done(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and task.exception() is not None and not isinstance(task.exception(), Crash):
            self.failure = self.failure or task.exception()
