"""Runs a strategy in an engine: as a batch, and one event at a time."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np

from laws.driver import Ticks, answer, events
from myquant.config.loading import LoadedConfig, load_config
from myquant.core import codes
from myquant.core.orders import SENT
from myquant.session.engine import Engine
from myquant.strategies.loading import LoadedStrategy
from myquant.ticks.batch import InstrumentName, TickBatch

HOURS = {"session": {"source": "config"}, "instrument": {"lot_size": 75, "tick_size": Decimal("0.05")}}


def settings(strategy: LoadedStrategy, values: Mapping[str, Any] | None = None) -> LoadedConfig:
    """The defaults with some sections changed, the calendar off and the lot fixed."""
    sections = {strategy.section: strategy.model} if strategy.model else {}
    return load_config(values={**HOURS, **(values or {})}, sections=sections)


def new_engine(strategy: LoadedStrategy, values: Mapping[str, Any] | None = None) -> Engine:
    return Engine(settings(strategy, values), strategy, (InstrumentName("NIFTY"),))


def in_batch(engine: Engine, ticks: Ticks) -> list[tuple[int, ...]]:
    """The trades of a batch."""
    got: list[Any] = []
    engine.run(TickBatch(**ticks._asdict()), got.append)
    return trades(got)


def one_by_one(engine: Engine, ticks: Ticks) -> list[tuple[int, ...]]:
    """The trades of ticks that come one at a time, every order filled at once."""
    got: list[Any] = []
    for i, event in enumerate(events(ticks)):
        engine.step(event._replace(sequence=i), got.append)
        while (order := engine.instruments[0]["core"]["order"])["state"] == SENT:
            engine.step(answer(engine, event._replace(sequence=i), order), got.append)
    return trades(got)


def trades(parts: list[Any]) -> list[tuple[int, ...]]:
    commands = np.concatenate(parts)
    return [tuple(row.tolist()) for row in commands[commands["kind"] == codes.TRADE_CLOSED]]
