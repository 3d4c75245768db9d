"""Where the effect of a setting shows: each probe runs something under some settings and returns what it saw."""

import tempfile
from collections.abc import Callable, Mapping
from contextlib import chdir
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from laws.driver import Ticks, counted, random_ticks, rows_of, run_engine, settings
from myquant.cli.run import Request, run
from myquant.core import codes
from myquant.errors import MyquantError
from myquant.market import charges
from myquant.results.record import RunRecord
from myquant.session.rules import day_rules
from session.play import Play, in_words

Values = Mapping[str, Any]
TAPE: Final = random_ticks(11, count=3000, days=2, quotes=True)
BURST_NS: Final = 20 * 10**9
RICH: Final = {"capital.initial_capital": 1_000_000}


@cache
def bursts() -> Ticks:
    """Return ticks of three instruments that come many at a time."""
    ticks = random_ticks(11, count=3000, days=2, instruments=3)
    return ticks._replace(time_ns=ticks.time_ns // BURST_NS * BURST_NS)


def record(values: Values) -> RunRecord:
    return run_engine(TAPE, settings({**RICH, **values}))


def trades(values: Values) -> Any:
    return rows_of(record(values))


def exits(values: Values) -> Any:
    """Return how often positions were left for each reason."""
    rows = trades(values)
    return {reason: [row[-1] for row in rows].count(reason) for reason in {row[-1] for row in rows}}


def sizes(values: Values) -> Any:
    return [int(row["quantity"]) for row in record(values).openings]


def paid(values: Values) -> Any:
    account = record(values).account
    return {
        name: getattr(account, name)
        for name in ("brokerage", "exchange_charges", "sebi_fees", "stt", "stamp_duty", "gst")
    }


def gate(name: str) -> Callable[[Values], Any]:
    """Return the probe that sees how often a gate held an entry back."""
    return lambda values: counted(record(values).counts, codes.COUNT_GATES, codes.GATE_NAMES).get(name, 0)


def denied(name: str) -> Callable[[Values], Any]:
    """Return the probe that sees how often an entry was refused for a reason, with several instruments."""

    def probe(values: Values) -> Any:
        counts = run_engine(bursts(), settings({**RICH, **values}), instruments=3).counts
        return counted(counts, codes.COUNT_DENIED, codes.DENIAL_NAMES).get(name, 0)

    return probe


def off_grid(values: Values) -> Any:
    return int(record(values).counts[0, codes.COUNT_OFF_GRID])


def marks(values: Values) -> Any:
    return record(values).marks["time_ns"].tolist()


def still_open(values: Values) -> Any:
    return len(record(values).open_positions)


def examples(values: Values) -> Any:
    return {reason: len(places) for reason, places in record(values).rejected_examples.items()}


def error(values: Values) -> Any:
    """Return the error of a run, if there is one."""
    try:
        record(values)
    except MyquantError as refused:
        return str(refused)
    return None


def contract(values: Values) -> Any:
    """Return the contract that ticks without a symbol are taken for."""
    loaded = settings({"instrument.lot_size": 0, **values})
    return day_rules(loaded, loaded.config.instrument.symbol, None, date(2025, 10, 6)).contract


def brokerage(values: Values) -> Any:
    """Return the brokerage of the chosen plan. The plans of today cost the same, so each is given a price of its own."""
    plans = tuple(replace(plan, per_order=Decimal(number)) for number, plan in enumerate(charges.brokerages(), 1))
    with patch.object(charges, "brokerages", lambda: plans):
        return day_rules(settings(values), "NIFTY", None, date(2025, 10, 6)).rates.brokerage_per_order


def after(rows: tuple[str, ...]) -> Callable[[Values], Any]:
    """Return the probe that sees which commands each of these rows leads to; they begin with a second after ten."""

    def probe(values: Values) -> Any:
        stage = Play(**{name.replace(".", "__"): value for name, value in values.items()})
        return [[in_words(command) for command in stage.send(stage.event(f"10:00:{row}"))] for row in rows]

    return probe


def halt_after_rejects(values: Values) -> Any:
    """Return whether a rejected order halts entries."""
    stage = Play(**{name.replace(".", "__"): value for name, value in values.items()})
    for row in ("10:00:00 tick 100", "10:00:01 tick 100.05", "10:00:02 reject #1"):
        stage.send(stage.event(row))
    return stage.engine.account().halt


def state_after_silence(values: Values) -> Any:
    """Return what an order is that nobody answers for ten seconds."""
    stage = Play(**{name.replace(".", "__"): value for name, value in values.items()})
    for row in ("10:00:00 tick 100", "10:00:01 tick 100.05", "10:00:11 timer"):
        stage.send(stage.event(row))
    return stage.order()


def halt_of_a_stale_feed(values: Values) -> Any:
    """Return why entries are halted when a position has been open for ten seconds without a feed."""
    stage = Play(**{name.replace(".", "__"): value for name, value in values.items()})
    for row in (
        "10:00:00 tick 100",
        "10:00:01 tick 100.05",
        "10:00:01 fill #1 300 at 100.05",
        "10:00:02 feed stale",
        "10:00:12 timer",
    ):
        stage.send(stage.event(row))
    return stage.engine.account().halt


def files(values: Values) -> Any:
    """Return the files that a run from the command line leaves, by folder."""
    assignments = tuple(f"{name}={_toml(value)}" for name, value in values.items())
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        Path("ticks.csv").write_text(_csv(), encoding="utf-8")
        finished = run(Request((Path("ticks.csv"),), assignments=assignments), quiet=True)
        return finished.folder.parent.name, sorted(path.name for path in finished.folder.iterdir())


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@cache
def _csv() -> str:
    rows = (f"2025-10-06 10:{i // 60:02}:{i % 60:02},{100 + i % 7},75" for i in range(200))
    return "\n".join(["timestamp,price,volume", *rows, ""])
