"""The variants of the pipeline side by side: what each gains on the plain one, and how far the shipped one is past its promises.

Rigs as in `myquant gate --verify`, each with a connection of its own to one lab, take the same stretches of generated ticks in an
order drawn for each round. Paced: from the socket, the waiting for a poll included. Flat out: how much is done in a second.
"""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.measure import Goal, Row, Section, ratio, spread
from bench.session_jobs import scratch_folder
from myquant.config.loading import LoadedConfig, load_config
from myquant.evidence.ground import days_of, open_ground
from myquant.evidence.plan import PLAIN
from myquant.evidence.rig import Rig, RigPlan, Stretch, open_rig
from myquant.measure.collections import collector_at_rest
from myquant.measure.cycles import Cycles
from myquant.session.quick_loop import run_loop
from myquant.strategies.loading import default_strategy

ROUNDS_PACED, ROUNDS_QUICK = 30, 4
TICKS: Final = 200
WARM_UP: Final = 1_000
RATE: Final = 970.0
FLAT_OUT: Final = 2_500
NS_PER_US: Final = 1e3
LIMIT_S: Final = 600.0
SHIPPED: Final = "as shipped"
VARIANTS: Final = {
    "plain": PLAIN,
    "handoff = ring": PLAIN | {"pipeline.handoff": "ring"},
    "handoff = callback": PLAIN | {"pipeline.handoff": "callback"},
    "results = buffered": PLAIN | {"pipeline.results": "buffered"},
    "frames = batch": PLAIN | {"pipeline.frames": "batch"},
    "logging = async": PLAIN | {"pipeline.logging": "async"},
    SHIPPED: {},
}
MEAN_GOAL_US: Final = Goal(5.0, at_least=False)  # a thousandth of the 5 ms that are promised
RATE_GOAL: Final = Goal(100_000)  # a thousand times the promised 100 ticks a second
LAP_GOAL_NS: Final = Goal(50, at_least=False)

Stretches = dict[str, list[Stretch]]


def measure(rounds: int, *, quick: bool) -> Section:
    turns = ROUNDS_QUICK if quick else max(rounds, ROUNDS_PACED)
    with scratch_folder() as folder, collector_at_rest():
        paced, flat_out, decisions = run_loop(asyncio.wait_for(_all(folder, turns), LIMIT_S))
    section = Section("evidence: the pipeline's variants, from the socket to the end of all that follows a decision")
    for name in VARIANTS:
        section.rows += _paced_rows(name, paced)
    service = [_mean_us(stretch) for stretch in flat_out]
    section.rows += [
        Row(f"{SHIPPED}, flat out: a tick on average", "us", spread(service), goal=MEAN_GOAL_US),
        Row(f"{SHIPPED}, flat out: ticks a second", "", spread([1e6 / each for each in service]), goal=RATE_GOAL),
        Row("a span of the compiled core", "ns", spread(_lap_ns()), goal=LAP_GOAL_NS),
    ]
    same = len(set(decisions.values())) == 1
    section.notes.append(f"decisions of all variants are {'byte-identical' if same else 'NOT THE SAME'}")
    section.notes.append(f"{turns} rounds of {TICKS} ticks at {RATE:.0f} a second; lines of the log are not put off")
    return section


def _paced_rows(name: str, paced: Stretches) -> list[Row]:
    """Return how long ticks took, and the slowest in a hundred, beside the plain pipeline's."""
    rows = []
    for label, of in (("on average", _mean_us), ("p99", _p99_us)):
        mine, plain = ([of(stretch) for stretch in paced[each]] for each in (name, "plain"))
        compared = (
            {} if name == "plain" else {"other_name": "plain", "other": spread(plain), "ratio": ratio(mine, plain)}
        )
        rows.append(Row(f"{name}: a tick {label}", "us", spread(mine), **compared))  # type: ignore[arg-type]
    return rows


def _mean_us(stretch: Stretch) -> float:
    return float(stretch.service_ns.mean()) / NS_PER_US


def _p99_us(stretch: Stretch) -> float:
    """Return the 99th percentile of the time from when a tick was due."""
    return float(np.percentile(stretch.done_ns - stretch.intended_ns, 99)) / NS_PER_US


def _lap_ns() -> list[float]:
    cycles = Cycles(np.zeros(4, np.int64), 1)
    return [cycles.lap_ns() for _ in range(9)]


def _config(values: dict[str, str]) -> LoadedConfig:
    return load_config(
        assignments=["capital.initial_capital=1000000", *(f"{key}={value}" for key, value in values.items())]
    )


async def _all(folder: Path, turns: int) -> tuple[Stretches, list[Stretch], dict[str, str]]:
    random = np.random.default_rng(1)
    paced: Stretches = {name: [] for name in VARIANTS}
    rows = WARM_UP + turns * TICKS
    days = days_of((), rows + turns * FLAT_OUT, 55, "NIFTY")
    async with open_ground(days, "snap_quote") as ground, AsyncExitStack() as stack:
        rigs: list[tuple[str, Rig]] = []
        for connection, (name, values) in enumerate(VARIANTS.items()):
            plan = RigPlan(_config(values), default_strategy(), ground.source, folder / str(connection))
            rig: Any = await stack.enter_async_context(open_rig(plan))
            await rig.play(ground.feeder, connection, 0, WARM_UP, None)
            rigs.append((name, rig))
        for turn in range(turns):
            begin = WARM_UP + turn * TICKS
            for connection in random.permutation(len(rigs)).tolist():
                name, rig = rigs[connection]
                paced[name].append(await rig.play(ground.feeder, connection, begin, begin + TICKS, RATE))
        decisions = {name: rig.decided().digest for name, rig in rigs}
        last, (_, rig) = len(rigs) - 1, rigs[-1]
        flat_out = [
            await rig.play(ground.feeder, last, begin, begin + FLAT_OUT, None)
            for begin in range(rows, rows + turns * FLAT_OUT, FLAT_OUT)
        ]
    return paced, flat_out, decisions
