"""Rigs on a lab of their own, and busy-waits planted into them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic_ns
from typing import Any

from myquant.config.loading import LoadedConfig, load_config
from myquant.evidence.ground import Ground, days_of, open_ground
from myquant.evidence.rig import Rig, RigPlan, open_rig
from myquant.session.quick_loop import run_loop
from myquant.strategies.loading import default_strategy

CAPITAL = {"capital.initial_capital": 1_000_000}
PLAIN = {
    "pipeline.handoff": "queue",
    "pipeline.logging": "sync",
    "pipeline.results": "direct",
    "pipeline.frames": "append",
    "pipeline.tick_line_every": 100,
}
LIMIT_S = 120.0


def config_of(values: dict[str, Any]) -> LoadedConfig:
    return load_config(assignments=[f"{key}={value}" for key, value in {**CAPITAL, **values}.items()])


@asynccontextmanager
async def ground_of(ticks: int, seed: int = 55) -> AsyncIterator[Ground]:
    async with open_ground(days_of((), ticks, seed, "NIFTY"), "snap_quote") as ground:
        yield ground


@asynccontextmanager
async def rig_of(ground: Ground, folder: Path, values: dict[str, Any], **more: Any) -> AsyncIterator[Rig]:
    plan = RigPlan(config_of(values), default_strategy(), ground.source, folder, **more)
    async with open_rig(plan) as rig:
        yield rig


def run(work: Callable[[], Awaitable[Any]]) -> Any:
    async def limited() -> Any:
        return await asyncio.wait_for(work(), LIMIT_S)

    return run_loop(limited())


def spin(duration_ns: int) -> None:
    """Keep the processor busy for so long."""
    until = monotonic_ns() + duration_ns
    while monotonic_ns() < until:
        pass


def plant(part: Any, duration_ns: int) -> None:
    """Make a part of a pipeline take so much longer for each tick."""
    take = part.take

    def slow(row: Any) -> None:
        take(row)
        spin(duration_ns)

    part.take = slow
