"""What a run left behind, read for a comparison: headline figures, settings, trades, equity, latency; of any kind of run."""

import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from myquant.config.layers import read_toml
from myquant.dashboard.runs_journal import StageTimes, read_journal
from myquant.errors import MyquantError
from myquant.evidence.report import BaselineReport, load
from myquant.evidence.write import config_path
from myquant.results.index import (
    BYTES_MAX,
    DONE,
    JOURNAL,
    MEASURED,
    SESSION_MARK,
    SESSION_RESULTS,
    STOPPED,
    RunEntry,
    mode_of,
)
from myquant.results.write import RUN_MARK
from myquant.session import archive

CONFIG: Final = "config.toml"
TRADES: Final = "trades.csv"
EQUITY: Final = "equity.csv"
FIGURE_MAX: Final = 10**18  # what is larger is no figure of a run
TABLE_BYTES_MAX: Final = 2**29
MS_NS: Final = 1e6
ISO_8601: Final = "%Y-%m-%dT%H:%M:%S%.f%:z"

# Headline figures that two runs are compared by: the key in summary.json, its name, its unit.
HEADLINES: Final = {
    "net_pnl": ("Net P&L", "Rs"),
    "gross_pnl": ("Gross P&L", "Rs"),
    "charges": ("Charges", "Rs"),
    "trades": ("Trades", ""),
    "positions": ("Positions", ""),
    "win_rate_percent": ("Trades won", "%"),
    "profit_factor": ("Profit factor", ""),
    "expectancy": ("Expectancy", "Rs a trade"),
    "average_win": ("Average win", "Rs"),
    "average_loss": ("Average loss", "Rs"),
    "max_drawdown": ("Maximum drawdown", "Rs"),
    "max_drawdown_percent": ("Maximum drawdown", "%"),
    "return_percent": ("Return", "%"),
    "exposure_percent": ("Time in the market", "% of ticks"),
    "break_even_slippage_points": ("Slippage to break even", "points a side"),
}


class RunTrade(NamedTuple):
    """An exit. Times ns since the epoch, money and prices paise."""

    symbol: str
    entry_ns: int
    exit_ns: int
    quantity: int
    entry_price: int
    exit_price: int
    net: int
    reason: str


class EquityLine(NamedTuple):
    """The account over time: ns since the epoch, never going back, and paise; int64 (n,) both."""

    time_ns: NDArray[np.int64]
    equity: NDArray[np.int64]


@dataclass(frozen=True)
class RunContent:
    """What was read of a run. None: the run has none of it, or it can't be read: `missing` says why, by what is missing.

    `figures` are in the units of `HEADLINES`; `latency` is by stage; `engine_hash`, `input_hash`: None where not known.
    """

    key: str
    entry: RunEntry
    time_zone: str | None = None
    input_hash: str | None = None
    figures: Mapping[str, float | None] | None = None
    settings: Mapping[str, Any] | None = None
    trades: tuple[RunTrade, ...] | None = None
    equity: EquityLine | None = None
    latency: Mapping[str, StageTimes] | None = None
    report: BaselineReport | None = None
    missing: Mapping[str, str] = field(default_factory=dict)


def read_content(key: str, entry: RunEntry) -> RunContent:
    """Read a run of the list; what can't be read is missing, and keeps nothing else from being read."""
    folder = Path(entry.folder)
    if entry.kind == MEASURED:
        return _baseline(key, entry, folder)
    if mode_of(folder / SESSION_MARK):
        return _session(key, entry, folder)
    return _of_results(RunContent(key, entry), folder, folder / CONFIG)


def _baseline(key: str, entry: RunEntry, folder: Path) -> RunContent:
    missing = dict.fromkeys(("figures", "trades", "equity"), "a baseline trades nothing that counts")
    try:
        report = load(folder)
    except MyquantError as error:
        return RunContent(key, entry, missing={**missing, "settings": str(error), "latency": str(error)})
    stages = {
        stage.name: StageTimes(
            stage.n, *(stage.times.percentiles[name].value * MS_NS for name in ("p50", "p99", "p99.9"))
        )
        for stage in report.latency_chain
        if stage.times is not None
    }
    settings = _settings(config_path(folder, report), missing)
    return RunContent(
        key,
        entry,
        input_hash=report.environment.input_hash,
        settings=settings,
        latency=stages,
        report=report,
        missing=missing,
    )


def _session(key: str, entry: RunEntry, folder: Path) -> RunContent:
    """Read a session: of one that came to its end its results, else its journal; its latency is in its journal alone."""
    results = folder / SESSION_RESULTS
    content = RunContent(key, entry)
    if not stat.S_ISDIR(mode_of(folder / JOURNAL)):
        return _of_results(_with(content, missing={"latency": "it holds no journal"}), results, folder / CONFIG)
    missing: dict[str, str] = {}
    try:
        found = read_journal(folder)
    except (MyquantError, OSError) as error:
        content = _with(content, missing={"latency": f"its journal can't be read: {error}"})
        return _of_results(content, results, folder / CONFIG)
    if not found.latency:
        missing["latency"] = "no tick of it has times of its own"
    content = _with(content, latency=found.latency or None, missing=missing)
    if entry.state in (DONE, STOPPED) and mode_of(results / RUN_MARK):
        return _of_results(content, results, folder / CONFIG)
    try:
        symbols = archive.read(folder).symbols
    except MyquantError as error:
        return _with(content, missing={"trades": str(error), "equity": str(error), "figures": str(error)})
    trades = tuple(
        RunTrade(symbols[row.instrument] if 0 <= row.instrument < len(symbols) else "?", *row[1:])
        for row in found.trades
    )
    net = sum(trade.net for trade in trades)
    figures = {"net_pnl": net / 100, "trades": float(len(trades))}
    settings = _settings(folder / CONFIG, missing)
    return _with(
        content,
        figures=figures,
        settings=settings,
        time_zone=_zone_of(settings),
        trades=trades,
        equity=EquityLine(found.time_ns, found.equity) if len(found.time_ns) else None,
        missing=missing,
    )


def _of_results(content: RunContent, results: Path, config: Path) -> RunContent:
    """Add what the files of a run's results hold."""
    missing = dict(content.missing)
    settings = _settings(config, missing)
    try:
        summary = _json(results / RUN_MARK)
    except (OSError, ValueError, RecursionError) as error:
        why = f"{results / RUN_MARK}: {error}"
        missing |= dict.fromkeys(("figures", "trades", "equity"), why)
        return _with(content, settings=settings, time_zone=_zone_of(settings), missing=missing)
    trades, equity = _table(results / TRADES, "trades", missing), _table(results / EQUITY, "equity", missing)
    return _with(
        content,
        time_zone=str(summary.get("time_zone") or "") or _zone_of(settings),
        input_hash=_text(summary.get("input_hash")),
        figures={name: _number(summary.get(name)) for name in HEADLINES},
        settings=settings,
        trades=None if trades is None else _understood(_trades, trades, "trades", missing),
        equity=None if equity is None else _understood(_equity, equity, "equity", missing),
        missing=missing if content.latency is not None else {"latency": "a run over recorded ticks has none"} | missing,
    )


def _with(content: RunContent, **changes: Any) -> RunContent:
    changes["missing"] = {**content.missing, **changes.get("missing", {})}
    return RunContent(**{**content.__dict__, **changes})


def _json(path: Path) -> dict[str, Any]:
    """Return the table in a file. Raises OSError or ValueError."""
    with path.open("rb") as file:
        content = file.read(BYTES_MAX + 1)
    table = json.loads(content)
    if len(content) > BYTES_MAX or not isinstance(table, dict):
        raise ValueError("no table of figures")
    return table


def _settings(path: Path, missing: dict[str, str]) -> dict[str, Any] | None:
    """Return the values of a configuration by `section.key`; it was written whole, so no defaults are added."""
    try:
        table = read_toml(path)
    except MyquantError as error:
        missing["settings"] = str(error)
        return None
    return {
        f"{section}.{key}": value
        for section, body in table.items()
        if isinstance(body, dict)
        for key, value in body.items()
    }


def _zone_of(settings: Mapping[str, Any] | None) -> str | None:
    return None if settings is None else _text(settings.get("session.timezone"))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if abs(value) <= FIGURE_MAX else None


def _table(path: Path, what: str, missing: dict[str, str]) -> pl.DataFrame | None:
    """Return the rows of a CSV file as texts; None where it can't be read."""
    try:
        if path.stat().st_size > TABLE_BYTES_MAX:
            missing[what] = f"{path.name} is larger than {TABLE_BYTES_MAX >> 20} MiB"
            return None
        return pl.read_csv(path, infer_schema=False)
    except OSError as error:
        missing[what] = f"{path.name} can't be read ({error.strerror or error})"
    except pl.exceptions.PolarsError as error:
        missing[what] = f"{path.name} is damaged ({str(error).splitlines()[0]})"
    return None


def _understood(read: Any, table: pl.DataFrame, what: str, missing: dict[str, str]) -> Any:
    try:
        return read(table)
    except pl.exceptions.PolarsError as error:
        missing[what] = f"{what}.csv is damaged ({str(error).splitlines()[0]})"
        return None


def _time(name: str) -> pl.Expr:
    return pl.col(name).str.to_datetime(ISO_8601, time_unit="ns", time_zone="UTC").cast(pl.Int64).alias(name)


def _paise(name: str) -> pl.Expr:
    return (pl.col(name).cast(pl.Float64) * 100).round().cast(pl.Int64)


def _trades(table: pl.DataFrame) -> tuple[RunTrade, ...]:
    rows = table.select(
        pl.col("symbol"),
        _time("entry_time"),
        _time("exit_time"),
        pl.col("quantity").cast(pl.Int64),
        _paise("entry_price"),
        _paise("exit_price"),
        _paise("net_pnl"),
        pl.col("exit_reason"),
    )
    return tuple(map(RunTrade._make, rows.iter_rows()))


def _equity(table: pl.DataFrame) -> EquityLine:
    rows = table.select(_time("time"), _paise("equity"))
    if not len(rows):
        raise pl.exceptions.NoDataError("it holds no row")
    return EquityLine(rows["time"].to_numpy(), rows["equity"].to_numpy())
