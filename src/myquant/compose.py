"""The wirings: which feed, which exchange and which clock an engine gets. The only file that knows which one runs.

A backtest reads recorded ticks, fills at once on the simulated exchange and has no clock but the ticks'.
"""

import platform
from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

import myquant
from myquant.config.loading import LoadedConfig
from myquant.core import codes
from myquant.errors import DataError
from myquant.results.record import OpenPosition, RejectedExample, RunRecord
from myquant.results.text import counted
from myquant.session.collector import Collector
from myquant.session.engine import Engine
from myquant.session.explain import FirstOfSize, notices
from myquant.session.rules import SECOND_NS, paise
from myquant.strategies.loading import LoadedStrategy
from myquant.ticks.batch import TickBatch

if TYPE_CHECKING:
    from myquant.ticks.source import TickSource


def backtest(
    source: "TickSource",
    loaded: LoadedConfig,
    strategy: LoadedStrategy,
    on_progress: Callable[[TickBatch], None] | None = None,
) -> RunRecord:
    """Run a source of ticks through the engine and return the record of the run.

    Raises DataError when no tick was usable, or, with `data_quality.strict`, at the first that was refused; DataError or
    ConfigError where the market's tables do not cover a day.
    """
    config = loaded.config
    engine = Engine(loaded, strategy, source.instruments, symbols_are_labels=source.symbols_are_labels)
    collector = Collector(config.results.max_marks, config.results.mark_interval_s * SECOND_NS)
    rejects = _Rejects(config.data_quality.strict, config.data_quality.rejected_examples)
    first_of_size = FirstOfSize()
    for batch in source.batches():
        rejects.begin(batch, engine.inputs)

        def take(commands: np.ndarray[Any, Any]) -> None:
            rejects.take(commands)
            collector.take(commands)
            first_of_size.take(commands)

        engine.run(batch, take)
        if on_progress is not None:
            on_progress(batch)
    if not engine.instruments["counts"][:, codes.COUNT_TICKS].any():
        raise DataError(rejects.nothing_valid([str(path) for path in source.paths], engine.inputs))
    _end(engine, collector, close=config.execution.close_at_end)
    return _record(engine, collector, rejects, source, notices(engine, first_of_size))


class _Rejects:
    """Where the first refused ticks of each reason stood."""

    def __init__(self, strict: bool, keep: int) -> None:
        self.strict = strict
        self.keep = keep
        self.examples: dict[int, list[RejectedExample]] = {}
        self._batch: TickBatch | None = None
        self._first = 0

    def begin(self, batch: TickBatch, first_sequence: int) -> None:
        self._batch, self._first = batch, first_sequence

    def take(self, commands: np.ndarray[Any, Any]) -> None:
        refused = commands[commands["kind"] == codes.TICK_REJECTED]
        if self._batch is None or not len(refused):
            return
        for reason in np.unique(refused["reason"]):
            known = self.examples.setdefault(int(reason), [])
            of_reason = refused[refused["reason"] == reason]
            for command in of_reason[: self.keep - len(known)] if len(known) < self.keep else ():
                known.append(RejectedExample(*self._batch.where(int(command["event_sequence"]) - self._first)))
        if self.strict:
            first = refused[0]
            file, line = self._batch.where(int(first["event_sequence"]) - self._first)
            name = codes.REJECTION_NAMES[int(first["reason"])]
            raise DataError(f"{file}:{line}: {name}; mend the row, or run without --strict to count and skip such rows")

    def nothing_valid(self, files: list[str], rows: int) -> str:
        reasons = ", ".join(
            f"{codes.REJECTION_NAMES[reason]} (first: {places[0].file}:{places[0].line})"
            if places
            else codes.REJECTION_NAMES[reason]
            for reason, places in sorted(self.examples.items())
        )
        return f"{', '.join(files)}: none of {counted(rows, 'row')} is a usable tick: {reasons or 'there are none'}"


def _end(engine: Engine, collector: Collector, *, close: bool) -> None:
    """End the data: take the last marks; if asked, close what is open at its last price."""
    for who in range(len(engine.instruments)):
        if engine.instruments[who]["counts"][codes.COUNT_TICKS] == 0:
            continue
        if close:
            engine.end(who, codes.CLOSE_OPEN, collector.take)
        engine.end(who, codes.LAST_MARK, collector.take)


def _record(
    engine: Engine, collector: Collector, rejects: _Rejects, source: "TickSource", said: tuple[str, ...]
) -> RunRecord:
    loaded, strategy = engine.loaded, engine.strategy
    last = {who: rules for (who, _), rules in engine.day_rules.items()}
    used = engine.instruments[engine.instruments["counts"][:, codes.COUNT_TICKS] > 0]
    return RunRecord(
        symbols=tuple(name.symbol for name in engine.names),
        time_zone=loaded.config.session.timezone,
        initial_capital=paise(loaded.config.capital.initial_capital),
        account=engine.account(),
        trades=collector.commands(codes.TRADE_CLOSED),
        openings=collector.commands(codes.POSITION_OPENED),
        marks=collector.commands(codes.MARK),
        halts=collector.commands(codes.HALTED),
        counts=engine.instruments["counts"].copy(),
        open_positions=_open_positions(engine),
        rejected_examples={
            codes.REJECTION_NAMES[reason]: tuple(places) for reason, places in sorted(rejects.examples.items())
        },
        notices=said,
        first_ns=engine.account().first_ns,
        last_ns=int(used["core"]["tape"]["last_ns"].max()),
        days=tuple(sorted({on for _, on in engine.day_rules})),
        rates={key: rules.rates for key, rules in engine.day_rules.items()},
        lot_sizes=tuple(last[who].contract.lot_size if who in last else 0 for who in range(len(engine.names))),
        freeze_quantities=tuple(
            (last[who].contract.freeze_quantity or 0) if who in last else 0 for who in range(len(engine.names))
        ),
        config_toml=loaded.to_toml(),
        config_hash=loaded.hash,
        input_hash=source.input_hash,
        strategy=strategy.name,
        strategy_file=(strategy.path.name, strategy.text) if strategy.path else None,
        engine_hash=strategy.engine_hash,
        versions={
            "myquant": myquant.__version__,
            "python": platform.python_version(),
            **{package: version(package) for package in ("numpy", "numba", "polars")},
        },
    )


def _open_positions(engine: Engine) -> tuple[OpenPosition, ...]:
    found = []
    for name, record in zip(engine.names, engine.instruments["core"], strict=True):
        position, last_price = record["position"], int(record["tape"]["last_price"])
        if position["quantity"] == 0:
            continue
        paid = int(
            position["entry_value"] - position["value_out"] + position["entry_charges"] - position["charges_out"]
        )
        found.append(
            OpenPosition(
                int(position["id"]),
                name.symbol,
                int(position["quantity"]),
                int(position["opened_ns"]),
                int(position["entry_price"]),
                last_price,
                int(position["quantity"]) * last_price - paid,
            )
        )
    return tuple(found)
