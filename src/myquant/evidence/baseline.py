"""The baseline: so many ticks through the whole pipeline, each measured, and what else a report says of the run.

    feeder process -- socket --> feed, hand-off, decoder, core, journal, orders, log, results, frames

With a broker's feed the ticks are those that come; all else is the same.
"""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from myquant.brokers.angelone.opening import credentials, open_account
from myquant.brokers.http import Http
from myquant.brokers.secrets import Redactor
from myquant.compose import today
from myquant.config.loading import LoadedConfig
from myquant.errors import ConfigError
from myquant.evidence.build import build_report
from myquant.evidence.facts import ExchangeClock, RunFacts, commit_of, this_machine
from myquant.evidence.ground import Ground, days_of, open_ground
from myquant.evidence.host_clock import host_clock
from myquant.evidence.measuring import CPU_TICKS, MEMORY_TICKS, Measuring, capacity_of, not_measured
from myquant.evidence.plan import BaselinePlan, BaselineResult, Tell
from myquant.evidence.rig import Rig, RigPlan, Stretch, open_rig
from myquant.evidence.sources import BrokerSource, Source
from myquant.market.contracts import parse_symbol
from myquant.measure.breakdown import Breakdown
from myquant.measure.collections import collector_at_rest
from myquant.session.quick_loop import run_loop
from myquant.strategies.cache import cache_folder

WARM_UP, PILOT = 1_000, 400  # ticks of the lab
FEED_WARM_UP, FEED_PILOT = 60, 40  # of a broker's feed, which come when they come
EXAMPLE: Final = "NIFTY24NOV2625000CE"
DELIVERY_TURNS: Final = 10
DELIVERY_TICKS: Final = 200
DELIVERY_RATE: Final = 1_000.0  # a second, where the run is flat out: a hand-off shows while the session waits
NOT_OF_NOW_NS: Final = 86_400 * 10**9  # from an exchange time of now to ours, at most

Array = np.ndarray[Any, Any]


def run_baseline(plan: BaselinePlan, tell: Tell) -> BaselineResult:
    """Measure a pipeline. Raises MyquantError for ticks that can't be had, and whatever ends a session."""
    with _scratch(plan.folder) as scratch:
        run = _run_on_lab if plan.feed is None else _run_on_feed
        result: BaselineResult = run_loop(run(plan, scratch, tell))
    return result


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """Give a folder for journals and the like, on the disk of the report's, and remove it at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".baseline-", dir=folder))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def rows_of(ticks: int) -> int:
    """Return how many ticks of the source a run takes that measures so many."""
    return max(WARM_UP + PILOT + ticks + CPU_TICKS + MEMORY_TICKS, DELIVERY_TURNS * DELIVERY_TICKS)


async def _run_on_lab(plan: BaselinePlan, scratch: Path, tell: Tell) -> BaselineResult:
    days = days_of(plan.inputs, rows_of(plan.ticks), plan.seed, plan.loaded.config.instrument.symbol)
    async with open_ground(days, plan.loaded.config.feed.mode) as ground:
        at = 0

        async def play(rig: Rig, count: int, paced: bool) -> Stretch:
            nonlocal at
            begin, at = at, at + count
            return await rig.play(ground.feeder, 0, begin, at, plan.rate_per_s if paced else None)

        run = _Run(plan, ground.source, scratch)
        breakdown = await run.measure(play, WARM_UP, PILOT, tell)
        with collector_at_rest():
            delivery = await _delivery(plan, ground, scratch)
        clock = ExchangeClock(None, f"the ticks are those of {ground.feeder.days[0][0]}, played by the lab")
        source = _recorded(plan) if plan.inputs else f"generated, seed {plan.seed}"
        facts = run.facts(source, ground.feeder.digest, WARM_UP + PILOT, clock, delivery)
    return BaselineResult(build_report(breakdown, facts), breakdown)


def _recorded(plan: BaselinePlan) -> str:
    """Return what is to be said of files: how often they were played, where they have too few ticks."""
    ticks = sum(map(len, days_of(plan.inputs, 1, plan.seed, plan.loaded.config.instrument.symbol).days()))
    times = rows_of(plan.ticks) / ticks
    return (
        "recorded"
        if times <= 1
        else f"recorded, {ticks:,} ticks played {times:.1f} times, as days that follow each other"
    )


async def _run_on_feed(plan: BaselinePlan, scratch: Path, tell: Tell) -> BaselineResult:
    config = plan.loaded.config
    symbol = config.instrument.symbol
    parsed = parse_symbol(symbol)
    if parsed is None or parsed.expiry is None:
        raise ConfigError(
            f"instrument.symbol = {symbol}: is no contract: name one, as --set instrument.symbol={EXAMPLE}"
        )
    secrets = credentials(os.environ)
    cache = cache_folder() / str(plan.feed)

    async def play(rig: Rig, count: int, _paced: bool) -> Stretch:
        return await rig.take(count)

    async with Http(Redactor(secrets.secrets())) as http:
        on = today(config.session.timezone)
        account = await open_account(http, config, [symbol], secrets, cache=cache, today=on)
        run = _Run(plan, BrokerSource(account, config, cache), scratch)
        breakdown = await run.measure(play, FEED_WARM_UP, FEED_PILOT, tell)
    stamps = breakdown.stamps
    digest = hashlib.sha256(stamps["exchange_ns"].tobytes()).hexdigest()
    facts = run.facts(f"the feed of {plan.feed}", digest, FEED_WARM_UP + FEED_PILOT, _clock_of(stamps), {})
    return BaselineResult(build_report(breakdown, facts), breakdown)


def _clock_of(stamps: Array) -> ExchangeClock:
    """Return what is known of the exchange's time against ours."""
    epoch_ns = time.time_ns() - time.monotonic_ns()
    host = host_clock()
    apart_ns = np.abs(stamps["arrived_ns"] + epoch_ns - stamps["exchange_ns"])
    if len(stamps) and int(np.median(apart_ns)) > NOT_OF_NOW_NS:
        return ExchangeClock(None, "the ticks' exchange times are not of now")
    return ExchangeClock(epoch_ns, "", host.offset_ms, host.is_synchronised)


class _Run:
    """One run on a source of ticks, whichever it is."""

    def __init__(self, plan: BaselinePlan, source: Source, scratch: Path) -> None:
        self._plan, self._source = plan, source
        self._folder = scratch / "session"
        self._begun = datetime.now(UTC)
        self._measuring = Measuring(
            plan.ticks, plan.loaded.config.evidence.min_ticks, plan.seed, memory=plan.traces_memory
        )

    async def measure(self, play: Any, warm_up: int, pilot: int, tell: Tell) -> Breakdown:
        """Measure; see `Measuring.run`."""
        plan = self._plan
        rig_plan = RigPlan(
            plan.loaded, plan.strategy, self._source, self._folder, capacity=capacity_of(max(pilot, plan.ticks))
        )
        with collector_at_rest():
            async with open_rig(rig_plan) as rig:
                return await self._measuring.run(rig, play, warm_up, pilot, tell)

    def facts(
        self, source: str, input_hash: str, warm_up: int, clock: ExchangeClock, delivery: dict[str, Array]
    ) -> RunFacts:
        """Return what the report says beside the ticks' times."""
        plan, measuring = self._plan, self._measuring
        return RunFacts(
            run_id=plan.folder.name,
            begun=self._begun,
            commit=commit_of(Path(__file__).parent),
            seed=plan.seed,
            strategy=plan.strategy_name,
            source=source,
            feed=plan.feed,
            inputs=tuple(str(each.resolve()) for each in plan.inputs),
            symbols=tuple(each.symbol for each in self._source.instruments),
            loaded=plan.loaded,
            input_hash=input_hash,
            engine_hash=plan.strategy.engine_hash,
            rate_per_s=plan.rate_per_s,
            warm_up_ticks=warm_up,
            exchange=clock,
            machine=this_machine(),
            unrecorded_collections=measuring.pauses.unrecorded,
            reference_ns=np.array(measuring.references_ns),
            resources=measuring.resources,
            handoff=measuring.handoff,
            delivery=delivery,
            cpu_percent=measuring.cpu_percent,
            memory_bytes=measuring.memory_bytes,
            not_measured=not_measured(plan.loaded.config.pipeline),
        )


async def _delivery(plan: BaselinePlan, ground: Ground, scratch: Path) -> dict[str, Array]:
    """Return, by hand-off, how long frames took from the socket to the session's thread: side by side, turn by turn."""
    rate = plan.rate_per_s or DELIVERY_RATE
    random = np.random.default_rng(plan.seed)
    found: dict[str, list[Array]] = {}
    plans = {
        name: RigPlan(_with_pipeline(plan, variant), plan.strategy, ground.source, scratch / name)
        for name, variant in (("callback", "callback"), ("polling", "queue"))
    }
    async with AsyncExitStack() as stack:
        rigs = {}
        for connection, (name, rig_plan) in enumerate(plans.items(), 1):
            rigs[name] = connection, await stack.enter_async_context(open_rig(rig_plan))
            await rigs[name][1].play(ground.feeder, connection, 0, DELIVERY_TICKS, None)  # connected, and warm
        for turn in range(1, DELIVERY_TURNS):
            for name in random.permutation(list(rigs)).tolist():
                connection, rig = rigs[name]
                begin = turn * DELIVERY_TICKS
                stretch = await rig.play(ground.feeder, connection, begin, begin + DELIVERY_TICKS, rate)
                found.setdefault(name, []).append(stretch.begun_ns - stretch.arrived_ns)
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _with_pipeline(plan: BaselinePlan, handoff: str) -> LoadedConfig:
    """Return the plan's configuration with nothing in its pipeline but a hand-off."""
    config = plan.loaded.config
    bare = config.pipeline.model_copy(
        update={"handoff": handoff, "results": "off", "frames": "off", "tick_line_every": 0, "logging": "sync"}
    )
    return replace(plan.loaded, config=config.model_copy(update={"pipeline": bare}))
