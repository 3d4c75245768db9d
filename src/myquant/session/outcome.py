"""What a run leaves: its record, made from the engine at the end and from what was collected on the way."""

import platform
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np

import myquant
from myquant.core import codes
from myquant.errors import DataError
from myquant.results.record import OpenPosition, RejectedExample, RunRecord
from myquant.results.text import counted
from myquant.session.collector import Collector
from myquant.session.engine import Engine
from myquant.session.rules import paise
from myquant.ticks.batch import TickBatch

Examples = dict[int, list[RejectedExample]]  # by reason


class Rejects:
    """Where the first refused ticks of each reason stood."""

    def __init__(self, strict: bool, keep: int) -> None:
        self.strict = strict
        self.keep = keep
        self.examples: Examples = {}
        self._batch: TickBatch | None = None
        self._row_of: Callable[[int], int] = int

    def begin(self, batch: TickBatch, row_of: Callable[[int], int]) -> None:
        """Take the rows that come next; `row_of` finds the one of an input's sequence number."""
        self._batch, self._row_of = batch, row_of

    def take(self, commands: np.ndarray[Any, Any]) -> None:
        """Take some commands in order. Raises DataError at a refused tick where all must be usable."""
        refused = commands[commands["kind"] == codes.TICK_REJECTED]
        if self._batch is None or not len(refused):
            return
        for reason in np.unique(refused["reason"]):
            known = self.examples.setdefault(int(reason), [])
            of_reason = refused[refused["reason"] == reason]
            for command in of_reason[: self.keep - len(known)] if len(known) < self.keep else ():
                known.append(RejectedExample(*self._batch.where(self._row_of(int(command["event_sequence"])))))
        if self.strict:
            first = refused[0]
            file, line = self._batch.where(self._row_of(int(first["event_sequence"])))
            name = codes.REJECTION_NAMES[int(first["reason"])]
            raise DataError(f"{file}:{line}: {name}; mend the row, or run without --strict to count and skip such rows")

    def nothing_valid(self, files: list[str], rows: int) -> str:
        """Return what to say of files without a usable tick."""
        reasons = ", ".join(
            f"{codes.REJECTION_NAMES[reason]} (first: {places[0].file}:{places[0].line})"
            if places
            else codes.REJECTION_NAMES[reason]
            for reason, places in sorted(self.examples.items())
        )
        return f"{', '.join(files)}: none of {counted(rows, 'row')} is a usable tick: {reasons or 'there are none'}"


def run_record(
    engine: Engine, collector: Collector, examples: Examples, input_hash: str, said: tuple[str, ...]
) -> RunRecord:
    """Return the record of a run that has ended; `said` are the notices."""
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
        rejected_examples={codes.REJECTION_NAMES[reason]: tuple(places) for reason, places in sorted(examples.items())},
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
        input_hash=input_hash,
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
