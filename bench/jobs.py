"""The ticks and the engines that the sections measure, and the same trades as the C loops write them."""

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bench.limit import climit
from bench.limit.ticks import Ticks, read_day, tile
from myquant.config.loading import LoadedConfig, load_config
from myquant.core import codes
from myquant.core.layout import dtype_of
from myquant.core.records import Event
from myquant.session.collector import Collector
from myquant.session.engine import Engine
from myquant.session.rules import SECOND_NS
from myquant.strategies.loading import LoadedStrategy, default_strategy
from myquant.ticks.batch import InstrumentName, TickBatch
from myquant.ticks.generate import generate_ticks

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "bench" / "out"
REAL_DAY = ROOT.parent / "shared" / "data" / "nifty_option_2025-10-03.csv"
TICKS = 1_022_580  # 30 of the recorded day
DAY_MARKS_S = 86_400  # one point of the equity curve a day: the C loops draw none

# What the C loops hold: a session of fixed hours on every day, the percent charges, a lot of 75 at a tick of 0.05.
SAME_AS_C: dict[str, Any] = {
    "session.source": "config",
    "charges.model": "percent",
    "instrument.lot_size": 75,
    "instrument.tick_size": Decimal("0.05"),
    "results.mark_interval_s": DAY_MARKS_S,
}
REDUCED: dict[str, Any] = {
    "strategy.control_base_sl": False,
    "risk.tp_points": (12,),
    "risk.tp_percents": (1,),
    "charges.stt_percent": 0,
    "charges.exchange_charges_percent": 0,
    "charges.gst_percent": 0,
}
EVERY_SIGNAL: dict[str, Any] = {
    f"strategy.{name}": True
    for name in ("use_macd", "use_vwap", "use_rsi_filter", "use_htf_trend", "use_bollinger_bands", "use_stochastic")
}
ATR_STOP: dict[str, Any] = {"risk.stop_loss_mode": "atr"}

# The columns of climit.TRADE, in its order, as the engine's commands name them; `reason` is the last one of both.
TRADE_COLUMNS = (
    *("trade_id", "position_id", "entry_time_ns", "time_ns", "entry_price", "price", "quantity"),
    *("gross", "charges", "net"),
)


@dataclass(frozen=True)
class EngineRun:
    """A finished run in memory: the engine as it ended and its exits."""

    engine: Engine
    trades: np.ndarray[Any, Any]


@cache
def recorded_day() -> tuple[Ticks, str]:
    """Return a day of ticks and what it is: the recorded one, or a generated one where that is not at hand."""
    if REAL_DAY.is_file():
        return read_day(REAL_DAY), f"the recorded day {REAL_DAY.name}"
    day = generate_ticks(34_000, seed=1)
    return Ticks(day.time_ns, day.price, day.volume), f"34,000 generated ticks ({REAL_DAY.name} is not here)"


@cache
def ticks(count: int = TICKS) -> Ticks:
    """Return the day repeated on following days."""
    return tile(recorded_day()[0], count)


def batch_of(columns: Ticks) -> TickBatch:
    return TickBatch(time_ns=columns.time_ns, price=columns.price_paise, volume=columns.volume)


def load(changes: dict[str, Any], sections: dict[str, Any] | None = None) -> LoadedConfig:
    """Load the defaults with what the C loops hold and some further changes, keys as `section.key`."""
    values: dict[str, dict[str, Any]] = {}
    for name, value in {**SAME_AS_C, **changes}.items():
        section, key = name.split(".")
        values.setdefault(section, {})[key] = value
    return load_config(values=values, sections=sections)


def engine(changes: dict[str, Any], strategy: LoadedStrategy | None = None) -> Engine:
    strategy = strategy or default_strategy()
    sections = {} if strategy.model is None else {strategy.section: strategy.model}
    return Engine(load(changes, sections), strategy, (InstrumentName("NIFTY"),))


def run(made: Engine, batch: TickBatch) -> EngineRun:
    """Run a batch and keep the records of its trades, as a backtest does."""
    results = made.loaded.config.results
    collector = Collector(results.max_marks, results.mark_interval_s * SECOND_NS)
    made.run(batch, collector.take)
    return EngineRun(made, collector.commands(codes.TRADE_CLOSED))


def rows_of_engine(trades: np.ndarray[Any, Any]) -> list[tuple[Any, ...]]:
    columns = [trades[name].tolist() for name in TRADE_COLUMNS]
    return list(zip(*columns, [codes.EXIT_NAMES[reason] for reason in trades["reason"].tolist()], strict=True))


def rows_of_c(trades: np.ndarray[Any, Any]) -> list[tuple[Any, ...]]:
    return [(*row[:-1], climit.EXIT_REASONS[row[-1]]) for row in trades.tolist()]


def events_of(columns: Ticks) -> np.ndarray[Any, Any]:
    """Return ticks as an array of `Event` records, as a live feed would prepare them."""
    events = np.zeros(len(columns), dtype_of(Event))
    events["kind"] = codes.TICK
    events["sequence"] = np.arange(len(columns))
    events["time_ns"], events["price"], events["volume"] = columns.time_ns, columns.price_paise, columns.volume
    return events
