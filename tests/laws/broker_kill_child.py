"""A session with orders at a lab, both in quick time, each a process of its own that can be killed: targets of `forks`.

Quick time runs `QUICK` times as fast as the machine's, for both alike, from a beginning that they are given. The market is a
function of it: what the session is told of and what the lab fills at are the same prices without a socket between them.
"""

import asyncio
import json
import os
import selectors
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from pyotp import TOTP

from laws.driver import settings
from myquant.brokers.angelone.client import AngelOneClient, Tokens
from myquant.brokers.angelone.opening import OpenAccount
from myquant.brokers.angelone.settings import AngelOneCredentials, Endpoints
from myquant.brokers.http import Http
from myquant.brokers.packets import COUNTS, TICKED
from myquant.brokers.port import BrokerInstrument
from myquant.brokers.secrets import Redactor
from myquant.core import codes
from myquant.core.orders import AT_WORK, PARTIAL, WORKING
from myquant.core.records import Event
from myquant.errors import BrokerError
from myquant.journal.disk import DISK
from myquant.journal.record import BODY_WORDS
from myquant.lab.angelone.order_service import Terms
from myquant.lab.angelone.server import AngelOneLab
from myquant.lab.market_day import market_day
from myquant.session.broker_orders import BrokerOrders
from myquant.session.broker_side import BrokerParts, BrokerSide
from myquant.session.clock import ExchangeClock
from myquant.session.engine import Engine
from myquant.session.fence import Fence
from myquant.session.hours import hours_of
from myquant.session.loop import SessionLoop
from myquant.session.recovery import Hashes, save
from myquant.session.runner import NoOrders
from myquant.session.supervisor import Supervisor
from myquant.session.taking_up import take_up
from myquant.strategies.loading import default_strategy
from myquant.ticks.batch import InstrumentName
from session.supervised import Lines

SECOND_NS: Final = 10**9
BEGIN_NS: Final = 1_759_467_600 * SECOND_NS  # 2025-10-03 10:30 in India
SYMBOL: Final = "NIFTY07OCT2524900CE"
DAY: Final = date(2025, 10, 3)
KEY: Final = 4_711_000_000_000_000_003
HASHES: Final = Hashes("engine", "config")
SEGMENT_RECORDS: Final = 2048
TICK_S: Final = 0.1
WAVE: Final = 60  # ticks up and down again
STATE: Final = "lab.json"
FOUND: Final = "protected"  # begins the line with how long it took
AT_WORK_SAID: Final = "at work"
LIVELY: Final[dict[str, Any]] = {
    "strategy.use_ema_crossover": False,
    "strategy.consecutive_green_bars": 1,
    "strategy.min_warmup_ticks": 1,
    "strategy.control_base_sl": False,
    "execution.fill_model": "limit",
    "execution.order_timeout_s": 10,
    "capital.initial_capital": 100_000,
    "risk.base_sl_points": 3,
    "risk.tp_points": [2, 4],
    "risk.tp_percents": [0.5, 0.5],
    "risk.max_positions_per_day": 100_000,
    "risk.max_rejects": 1000,
    "broker.reconcile_s": 5,
    "broker.settle_s": 20,  # of quick time: a second of a busy machine's
    "broker.channel_max_s": 3600,
    "broker.shadow": False,
    "feed.halt_after_s": 3600,
    "journal.snapshot_interval_s": 5,
}


class QuickClock:
    """Time that runs faster; `origin_ns`: where it begins, of the machine's monotonic clock."""

    def __init__(self, origin_ns: int, quick: int) -> None:
        self.origin_ns, self.quick = origin_ns, quick

    def monotonic_ns(self) -> int:
        return (time.monotonic_ns() - self.origin_ns) * self.quick

    def wall_ns(self) -> int:
        return BEGIN_NS + self.monotonic_ns()


class _QuickSelector(selectors.DefaultSelector):
    quick = 1

    def select(self, timeout: float | None = None) -> Any:
        return super().select(timeout if timeout is None else timeout / self.quick)


class QuickLoop(asyncio.SelectorEventLoop):
    """A loop in quick time."""

    def __init__(self, clock: QuickClock) -> None:
        selector = _QuickSelector()
        selector.quick = clock.quick
        self._quick_clock = clock
        super().__init__(selector)

    def time(self) -> float:
        """Return the time, seconds."""
        return self._quick_clock.monotonic_ns() / SECOND_NS


class Market:
    """Prices as a function of the time: waves, and a seeded noise."""

    def __init__(self, seed: int) -> None:
        noise = np.random.default_rng(seed).integers(-6, 7, 100_000)
        turn = np.arange(100_000) % WAVE
        self._price = (20_000 + 5 * (np.minimum(turn, WAVE - turn) * 4 + noise)).tolist()

    def at(self, number: int) -> tuple[int, int, int, int]:
        """Return price, bid, ask and volume of a tick."""
        price = self._price[number % len(self._price)]
        return price, price - 5, price + 5, 75 * 40


# The lab.


def serve(folder: str, origin_ns: int, seed: int, quick: int, *dedupe: str) -> None:
    """Serve orders till killed; the address and the tokens go to the file `STATE`."""
    clock = QuickClock(origin_ns, quick)
    with asyncio.Runner(loop_factory=lambda: QuickLoop(clock)) as runner:
        runner.run(_serve(Path(folder), clock, Market(seed), Terms(participation=1.0, dedupe=bool(dedupe))))


async def _serve(folder: Path, clock: QuickClock, market: Market, terms: Terms) -> None:
    price = np.full(4, 20_000)
    times = BEGIN_NS + np.arange(4) * SECOND_NS
    day = market_day(DAY, [InstrumentName(SYMBOL)], times, price, price, price - 5, price + 5, np.zeros(4, np.int64))
    async with AngelOneLab(day, speed=1.0, terms=terms, clock=clock.wall_ns) as lab:
        known = lab.credentials
        code = TOTP(known.totp_secret).at(datetime.fromtimestamp(clock.wall_ns() / SECOND_NS, UTC))
        tokens: Any = lab._account.login(known.client_code, known.pin, code)
        token = lab.token_of(SYMBOL)[1]
        state = {
            "rest": lab.rest_url,
            "stream": lab.feed_url,
            "master": lab.master_url,
            "updates": lab.update_url,
            "token": token,
            "tokens": tokens._asdict(),
            "credentials": known._asdict(),
        }
        draft = folder / "draft"
        draft.write_text(json.dumps(state))
        draft.rename(folder / STATE)
        while True:
            lab.orders.take_price(token, *market.at(_number(clock)))
            await asyncio.sleep(TICK_S)


def _number(clock: QuickClock) -> int:
    return int(clock.monotonic_ns() / SECOND_NS / TICK_S)


# The session.


class Ticks:
    """A decoder whose frames say nothing: the market says it."""

    def __init__(self, market: Market, clock: QuickClock) -> None:
        self.words = np.zeros((1, BODY_WORDS), np.int64)
        self.counts = np.zeros(COUNTS, np.int64)
        self._market, self._quick, self._last = market, clock, (0, 0)

    def take(self, payload: memoryview, arrived_ns: int, wall_ns: int) -> int:
        assert not payload
        price, bid, ask, volume = self._market.at(_number(self._quick))
        event = Event(codes.TICK, 0, 0, wall_ns, wall_ns, price, volume, bid, ask, 0, 0, 0, 0)
        self.words[0, : len(event)] = event
        self._last = wall_ns, arrived_ns
        return TICKED

    def connect(self, number: int) -> None:
        assert number > 0

    def clock(self) -> tuple[int, int]:
        return self._last


class TickFeed:
    """A feed without a socket. It says when all is protected; `finish`: it has everything closed, and ends the session."""

    failure: BrokerError | None = None

    def __init__(self, loop: SessionLoop, engine: Engine, clock: QuickClock, began_ns: int, *, finish: bool) -> None:
        self._loop, self._engine, self._clock, self._began_ns, self._finish = loop, engine, clock, began_ns, finish
        self._is_told = False

    def start(self) -> None:
        self._loop.on_status(1, True, "receiving")
        self._task = asyncio.get_running_loop().create_task(self._play())
        self._task.add_done_callback(self._loop.watch_task)

    async def aclose(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _play(self) -> None:
        ticks = quiet = 0
        while True:
            if not self._finish or ticks:
                self._loop.on_frame(1, memoryview(b""), self._clock.monotonic_ns())
            ticks += 1
            if self._finish and ticks == 2:
                self._loop.supervisor.event(codes.OPERATOR, codes.ASK_FLATTEN)
            self._tell_protected()
            quiet = quiet + 1 if self._is_idle() else 0
            if self._finish and quiet * TICK_S > 2.0:
                signal.raise_signal(signal.SIGTERM)
                return
            await asyncio.sleep(TICK_S)

    def _is_idle(self) -> bool:
        core = self._engine.instruments[0]["core"]
        states = {int(core["order"]["state"]), int(core["stop_order"]["state"])}
        return not core["position"]["quantity"] and not states.intersection(AT_WORK)

    def _tell_protected(self) -> None:
        """Say how long it took till the books were looked at, and what is held has a sell at the broker."""
        if self._is_told or self._loop.supervisor.feed.healthy.get(-1) is False:
            return
        core = self._engine.instruments[0]["core"]
        sells = [each for each in (core["order"], core["stop_order"]) if each["side"] == codes.SELL]
        if core["position"]["quantity"] and not any(each["state"] in (WORKING, PARTIAL) for each in sells):
            return
        self._is_told = True
        held = int(core["position"]["quantity"])
        say(f"{FOUND} {(time.monotonic_ns() - self._began_ns) / 10**6:.1f} {held}")


def say(line: str) -> None:
    os.write(sys.stdout.fileno(), (line + "\n").encode())


def play(folder: str, origin_ns: int, seed: int, quick: int, began_ns: int, finish: int) -> int:
    """Go on with the session of a folder till killed; `finish`: till all is closed."""
    clock = QuickClock(origin_ns, quick)
    with asyncio.Runner(loop_factory=lambda: QuickLoop(clock)) as runner:
        return runner.run(_play(Path(folder), clock, Market(seed), began_ns, finish=bool(finish)))


async def _play(folder: Path, clock: QuickClock, market: Market, began_ns: int, *, finish: bool) -> int:
    state = json.loads((folder / STATE).read_text())
    instrument = BrokerInstrument(SYMBOL, "NFO", state["token"], 2, 75, 5)
    engine = new_engine()
    session = folder / "session"
    taken = take_up(session, engine, NoOrders(), HASHES, key=KEY, segment_records=SEGMENT_RECORDS, disk=DISK)
    say(AT_WORK_SAID)
    config, decoder, log = engine.loaded.config, Ticks(market, clock), Lines()
    offset_ns = None if taken.recovered is None else taken.recovered.offset_ns
    supervisor = Supervisor(
        taken.runner,
        taken.journal,
        [decoder],
        clock,
        ExchangeClock(clock, decoder.clock, offset_ns),
        log,
        save=lambda: save(engine, NoOrders(), taken.journal, session, HASHES, clock, DISK),
        snapshot_interval_ns=config.journal.snapshot_interval_s * SECOND_NS,
        durable_orders=False,
    )
    loop = SessionLoop(supervisor, session, "test", hours_of(engine), flatten_on_stop=False, hide=_hide_nothing)
    with ExitStack() as closing:
        closing.callback(taken.journal.close)
        fence = Fence.take(folder / "fence", "test", DISK)
        closing.callback(fence.close)
        async with _account(state, clock, instrument) as account:
            port = account.orders(config, KEY, monotonic_ns=clock.monotonic_ns)
            orders = BrokerOrders(engine, port, [instrument], fence, log)
            taken.runner.orders = orders
            loop.companion = BrokerSide(BrokerParts(port, orders, None, session, KEY, session), loop)
            code = await loop.run(TickFeed(loop, engine, clock, began_ns, finish=finish))
    for line in log.lines:
        say(str(line))
    return code


@asynccontextmanager
async def _account(
    state: Mapping[str, Any], clock: QuickClock, instrument: BrokerInstrument
) -> AsyncIterator[OpenAccount]:
    """Give the account with the tokens that it has."""
    endpoints = Endpoints(*(state[name] for name in ("rest", "stream", "master", "updates")))
    credentials = AngelOneCredentials(**state["credentials"])
    async with Http(Redactor(()), monotonic_ns=clock.monotonic_ns) as http:
        client = AngelOneClient(http, credentials, endpoints=endpoints, wall_s=lambda: clock.wall_ns() / SECOND_NS)
        given = state["tokens"]
        client.tokens = Tokens(given["jwt"], given["refresh"], given["feed"], DAY.isoformat(), "test")
        yield OpenAccount(client, (instrument,), (), ())


def new_engine() -> Engine:
    """Return the engine of every such session."""
    return Engine(settings(LIVELY), default_strategy(), (InstrumentName(SYMBOL),))


def _hide_nothing(_secret: str) -> None:
    """Leave logs as they are: they are nobody's."""
