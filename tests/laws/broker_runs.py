"""Storms: sessions at the broker's world, with faults, until so many orders were sent; then calm, and the laws."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from journal.journal_faults import Crash
from laws.broker_laws import Watch, hold, positions_right
from laws.broker_process import LIVELY, Process
from laws.broker_world import Market, World
from myquant.core import codes
from myquant.lab.angelone.faults import parse_faults
from myquant.lab.angelone.order_service import Terms
from session.virtual import VirtualLoop, run_virtually

SLICE_S = 5.0  # between two looks at how far it is
RESUME_S = 6.0  # so long an operator takes to resume
DAY_S = 4 * 3600.0  # at most
SETTLE_S = 120.0  # of calm, till everything is known
REPAIRED = {codes.HALT_NAMES[code] for code in (codes.BY_BOOKS, codes.BY_FOREIGN_TRADE)}
QUIET_S = 300.0  # at most, from the last fault on, till all has come to its end


@dataclass
class Storm:
    """What happens in a run. `deaf_s`: how long the order-update socket is away at a time, on average once a minute."""

    faults: tuple[str, ...] = ()
    dedupe: bool = False
    seed: int = 1
    orders: int = 100
    instruments: int = 2
    deaf_s: float = 0.0
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Told:
    """What came of a run."""

    orders: int
    seconds: float  # of this machine
    virtual_s: float
    held: int  # by the engine when all had settled
    counts: Counter[str]
    halts: Counter[str]
    log: list[Any]
    watch: Watch
    journal: Any


class Failures:
    """What went wrong in callbacks of the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.found: list[BaseException | str] = []
        loop.set_exception_handler(self._take)

    def _take(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, Crash):
            self.found.append(error or context["message"])


def run(folder: Path, storm: Storm) -> Told:
    """Run a storm in virtual time, and assert the laws."""
    begun = time.perf_counter()
    loop = VirtualLoop()
    told = run_virtually(_storm(loop, folder, storm), loop)
    told.seconds = time.perf_counter() - begun
    return told


async def _storm(loop: VirtualLoop, folder: Path, storm: Storm) -> Told:
    failures = Failures(loop)
    values = {**LIVELY, **storm.values}
    cash = round(float(values["capital.initial_capital"]) * 100)
    terms = Terms(cash_paise=cash, dedupe=storm.dedupe)
    world = World(loop, faults=parse_faults(storm.faults, storm.seed), terms=terms, seed=storm.seed)
    watch = Watch(world)
    process = Process(world, folder, values, count=storm.instruments, seed=storm.seed)
    market = Market(world, list(process.tokens), storm.seed)
    market.listen = process.hear
    process.start()
    market.start()
    rng = Random(storm.seed)
    while process.engine.account().orders < storm.orders and loop.time() < DAY_S:
        await asyncio.sleep(SLICE_S)
        if process.halt() and rng.random() < SLICE_S / RESUME_S:
            _resume(world, process, watch)
        if storm.deaf_s and rng.random() < SLICE_S / 60:
            process.turn_updates(hears=False)
            loop.call_later(rng.uniform(0, 2 * storm.deaf_s), lambda: process.turn_updates(hears=True))
        if failures.found:
            raise AssertionError((storm, failures.found)) from _first(failures)
    virtual_s = loop.time()
    held = await _settle(world, process, watch, market, storm)
    await _quiet(world, process)
    assert not failures.found, (storm, failures.found)
    market.is_open = False
    await process.aclose()
    journal = hold(world, process, watch, storm)
    return Told(
        process.engine.account().orders,
        0.0,
        virtual_s,
        held,
        world.counts,
        journal.halts,
        process.log.lines,
        watch,
        journal,
    )


def _resume(world: World, process: Process, watch: Watch) -> None:
    """Do what an operator does: bring positions right where the books differ or others have traded, and resume."""
    said = {fields.get("reason") for _, event, fields in process.log.lines if event == "halted"}
    if said & REPAIRED and not repair(world, process, watch):
        return
    process.log.lines.clear()
    process.ask(codes.ASK_RESUME)


def repair(world: World, process: Process, watch: Watch) -> bool:
    """Trade from the phone what the account has too much or too little; return whether no order was in the way."""
    book, watch.repairs, done = world.service.book, True, True
    for token, who in process.tokens.items():
        ours = int(process.engine.instruments[who]["core"]["position"]["quantity"])
        wrong = ours + watch.theirs[token] - book.held(token)
        if wrong and (book.working(token) or process.works(who)):
            done = False
        elif wrong:
            world.service.manual_trade(token, wrong)
    watch.repairs = False
    return done


async def _settle(world: World, process: Process, watch: Watch, market: Market, about: Any) -> int:
    """Let faults and prices stop, wait till what was under way is known, and assert that positions are right."""
    world.calm()
    process.turn_updates(hears=True)
    market.is_open = False
    await asyncio.sleep(SETTLE_S)
    if process.halt():
        repair(world, process, watch)
    held = positions_right(world, process, watch, about)
    market.is_open = True
    market.start()
    return held


def _first(failures: Failures) -> BaseException | None:
    return next((each for each in failures.found if isinstance(each, BaseException)), None)


async def _quiet(world: World, process: Process) -> None:
    """Close all positions, and wait till all has come to its end."""
    begun = world.loop.time()
    process.ask(codes.ASK_FLATTEN)
    while world.loop.time() - begun < QUIET_S:
        await asyncio.sleep(SLICE_S)
        if process.is_idle() and world.loop.time() - begun > 60:
            return
