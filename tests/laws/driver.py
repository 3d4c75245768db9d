"""Runs the compiled engine and the reference model on the same ticks under the same settings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from model.reference import run
from model.reference_charges import DatedCharges, ModelCharges, PercentCharges
from model.reference_types import ModelDay, ModelResult, ModelSettings, ModelTick
from myquant import compose
from myquant.config.loading import LoadedConfig, load_config
from myquant.core import codes
from myquant.core.layout import dtype_of
from myquant.core.orders import SENT
from myquant.core.records import Command, Event
from myquant.results.record import RunRecord
from myquant.session.engine import Engine
from myquant.session.rules import day_rules
from myquant.strategies.loading import LoadedStrategy, default_strategy
from myquant.ticks.batch import InstrumentName, TickBatch

DAY_NS = 86_400_000_000_000
MINUTE_NS = 60_000_000_000
FIRST_DAY = date(2025, 10, 1)  # the calendar is switched off: the hours of the config hold on every day
FIRST_MIDNIGHT_NS = 1_759_257_000_000_000_000  # 2025-10-01 00:00 in Asia/Kolkata
EMPTY = np.zeros(0, np.int64)


class Ticks(NamedTuple):
    """Int64 columns; `bid`, `ask` and `instrument` may be empty."""

    time_ns: Any
    price: Any
    volume: Any
    bid: Any = EMPTY
    ask: Any = EMPTY
    instrument: Any = EMPTY

    def head(self, count: int) -> "Ticks":
        return Ticks(*(column[:count] for column in self))


@dataclass
class MemorySource:
    """A source of ticks that are in memory, cut into batches of a given size."""

    ticks: Ticks
    instruments: tuple[InstrumentName, ...]
    batch_rows: int = 1 << 30
    symbols_are_labels: bool = False
    paths: tuple[str, ...] = ("memory",)
    input_hash: str = "memory"
    total_bytes: int = 0

    def batches(self) -> Any:
        ticks = self.ticks
        for start in range(0, len(ticks.time_ns), self.batch_rows):
            part = slice(start, start + self.batch_rows)
            yield TickBatch(**{name: column[part] for name, column in ticks._asdict().items()})


def settings(values: Mapping[str, Any], strategy: LoadedStrategy | None = None) -> LoadedConfig:
    """Load the defaults with some keys changed, the calendar off and the lot fixed unless told otherwise."""
    own = {} if strategy is None or strategy.model is None else {strategy.section: strategy.model}
    fixed = {"session.source": "config", "instrument.lot_size": 75, "instrument.tick_size": Decimal("0.05")}
    merged: dict[str, dict[str, Any]] = {}
    for name, value in {**fixed, **values}.items():
        section, key = name.split(".")
        merged.setdefault(section, {})[key] = value
    if own:
        return load_config(values=merged, sections=own)
    known = repr(merged)
    if known not in _LOADED:
        _LOADED[known] = load_config(values=merged)
    return _LOADED[known]


_LOADED: dict[str, LoadedConfig] = {}  # it changes no more; some laws ask for the same one a thousand times


def run_engine(
    ticks: Ticks,
    loaded: LoadedConfig,
    *,
    instruments: int = 1,
    batch_rows: int = 1 << 30,
    strategy: LoadedStrategy | None = None,
) -> RunRecord:
    names = tuple(InstrumentName("NIFTY") for _ in range(instruments))
    source = MemorySource(ticks, names, batch_rows)
    return compose.backtest(source, loaded, strategy or default_strategy())  # type: ignore[arg-type]


def run_model(ticks: Ticks, loaded: LoadedConfig, *, instruments: int = 1) -> ModelResult:
    known = {field.name for field in fields(ModelSettings)}
    chosen = {name.split(".")[1]: value for name, value in loaded.values.items()}
    chosen = {name: value for name, value in chosen.items() if name in known}
    if chosen["max_exposure_percent"] == 100:
        chosen["max_exposure_percent"] = Decimal(0)
    last = int(ticks.time_ns[ticks.time_ns > 0].max())
    count = max(1, (last - FIRST_MIDNIGHT_NS) // DAY_NS + 1)
    days = [[_model_day(loaded, FIRST_DAY + timedelta(days=k)) for k in range(count)]] * instruments
    return run(_model_ticks(ticks), ModelSettings(**chosen), days, instruments)


def _model_ticks(ticks: Ticks) -> list[ModelTick]:
    zeros = np.zeros(len(ticks.time_ns), np.int64)
    columns = [
        ticks.time_ns,
        ticks.price,
        ticks.volume,
        ticks.bid if len(ticks.bid) else zeros,
        ticks.ask if len(ticks.ask) else zeros,
        ticks.instrument if len(ticks.instrument) else zeros,
    ]
    return [ModelTick(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def _model_day(loaded: LoadedConfig, on: date) -> ModelDay:
    rules = day_rules(loaded, "NIFTY", None, on)
    config, day = loaded.config, rules.day
    opens = day.start_ns + (config.session.start_hour * 60 + config.session.start_min) * MINUTE_NS
    closes = day.start_ns + (config.session.end_hour * 60 + config.session.end_min) * MINUTE_NS
    contract = rules.contract
    return ModelDay(
        day.start_ns,
        day.end_ns,
        opens,
        closes,
        contract.lot_size,
        contract.tick_size_paise,
        _model_charges(loaded, rules.rates),
        contract.freeze_quantity or 0,
    )


def _model_charges(loaded: LoadedConfig, rates: Any) -> ModelCharges:
    charges = loaded.config.charges
    if charges.model == "percent":
        return PercentCharges(
            commission_percent=charges.commission_percent,
            commission_per_trade=charges.commission_per_trade,
            stt_percent=charges.stt_percent,
            exchange_charges_percent=charges.exchange_charges_percent,
            gst_percent=charges.gst_percent,
        )
    return DatedCharges(
        brokerage_per_order=int(rates.brokerage_per_order * 100),
        exchange_percent=rates.exchange_percent,
        sebi_percent=rates.sebi_percent,
        stt_percent=rates.stt_sell_percent,
        stamp_percent=rates.stamp_buy_percent,
        gst_percent=rates.gst_percent,
    )


def rows_of(record: RunRecord) -> list[tuple[Any, ...]]:
    """Return the trades of a run as plain rows, in the order of `ModelTrade`."""
    names = [*("trade_id", "position_id", "instrument", "entry_time_ns", "time_ns", "entry_price", "price", "quantity")]
    names += ["gross", "charges", "net"]
    return [(*(int(row[name]) for name in names), codes.EXIT_NAMES[int(row["reason"])]) for row in record.trades]


def counted(counts: Any, first: int, names: Mapping[int, str]) -> dict[str, int]:
    """Return the counters that are not 0, by the names that people read."""
    total = counts.sum(axis=0)
    return {name: int(total[first + code]) for code, name in names.items() if total[first + code]}


def random_ticks(seed: int, *, count: int = 1500, days: int = 1, quotes: bool = False, instruments: int = 1) -> Ticks:
    """Make a lively, dirty tape: trends, jumps, equal times, bad prices, times going back, crossed quotes."""
    rng = np.random.default_rng(seed)
    per_day = count // days
    times, prices = [], []
    price = 20_000.0
    for day in range(days):
        start = FIRST_MIDNIGHT_NS + day * DAY_NS + (9 * 60 + 14) * MINUTE_NS
        times.append(start + np.sort(rng.integers(0, 22_700, per_day)) * 1_000_000_000)
        moves = rng.normal(0, 0.0025, per_day) + rng.choice([0.0, 0.03, -0.03], per_day, p=[0.98, 0.01, 0.01])
        path = price * np.cumprod(1 + moves + 0.0006 * np.sin(np.arange(per_day) / 40))
        prices.append(np.maximum(5, np.round(path / 5) * 5))
        price = float(np.clip(prices[-1][-1], 5_000, 60_000))
    time_ns = np.concatenate(times).astype(np.int64)
    paise = np.concatenate(prices).astype(np.int64)
    n = len(paise)
    paise[rng.random(n) < 0.01] += 2
    bad = rng.random(n) < 0.01
    paise[bad] = rng.choice([0, -1, -2], int(bad.sum()))
    back = rng.random(n) < 0.01
    time_ns[back] -= 30_000_000_000
    volume = rng.integers(0, 10, n) * 75
    bid = ask = instrument = EMPTY
    if quotes:
        bid = np.maximum(0, paise - rng.choice([0, 5, 10, 40], n))
        ask = paise + rng.choice([0, 5, 10, 40, -20], n)
        ask[rng.random(n) < 0.05] = 0
    if instruments > 1:
        instrument = rng.integers(0, instruments, n)
    return Ticks(time_ns, paise, volume, bid, ask, instrument)


class Replayed(NamedTuple):
    """What came of ticks: every command, marks included, and the state at the end."""

    commands: Any
    snapshot: bytes


def replay(ticks: Ticks, loaded: LoadedConfig, *, instruments: int = 1, cuts: Sequence[int] = ()) -> Replayed:
    """Run ticks as batches against the instant exchange, cut at some rows."""
    engine = new_engine(loaded, instruments)
    got: list[Any] = []
    for start, end in pairwise([0, *cuts, len(ticks.time_ns)]):
        part = {name: column[start:end] for name, column in ticks._asdict().items()}
        engine.run(TickBatch(**part), got.append)
    return Replayed(_joined(got), engine.snapshot())


def step_through(ticks: Ticks, loaded: LoadedConfig, *, instruments: int = 1) -> Replayed:
    """Take ticks one at a time, and answer every order with a fill at the price that it counted on."""
    engine = new_engine(loaded, instruments)
    got: list[Any] = []
    for i, event in enumerate(events(ticks)):
        engine.step(event._replace(sequence=i), got.append)
        while (order := engine.instruments[event.instrument]["core"]["order"])["state"] == SENT:
            engine.step(answer(engine, event._replace(sequence=i), order), got.append)
    return Replayed(_joined(got), engine.snapshot())


def new_engine(loaded: LoadedConfig, instruments: int = 1) -> Engine:
    return Engine(loaded, default_strategy(), (InstrumentName("NIFTY"),) * instruments)


def events(ticks: Ticks) -> Iterator[Event]:
    """Yield ticks as events."""
    none = np.zeros(len(ticks.time_ns), np.int64)
    columns = (column if len(column) else none for column in ticks)
    for time_ns, price, volume, bid, ask, who in zip(*(column.tolist() for column in columns), strict=True):
        yield Event(codes.TICK, who, 0, time_ns, 0, price, volume, bid, ask, 0, 0, 0, 0)


def answer(engine: Engine, event: Event, order: Any) -> Event:
    """Return the fill of an order as the instant exchange would give it."""
    last_ns = int(engine.instruments[event.instrument]["core"]["tape"]["last_ns"])
    quantity, price = int(order["quantity"]), int(order["price"])
    return event._replace(
        kind=codes.FILL, time_ns=last_ns, order_id=int(order["id"]), quantity=quantity, value=quantity * price
    )


def _joined(parts: list[Any]) -> Any:
    return np.concatenate([np.zeros(0, dtype_of(Command)), *parts])
