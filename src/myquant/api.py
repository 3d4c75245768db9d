"""The Python interface: a backtest in one call, and what comes of it."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from myquant import compose
from myquant.config import loading
from myquant.config.loading import LoadedConfig
from myquant.errors import ConfigError
from myquant.results.record import RunRecord
from myquant.results.summary import summary
from myquant.results.text import grouped, percentage, whole
from myquant.results.trades import equity_frame, trades_frame
from myquant.results.write import refuse_unusable, write_results
from myquant.strategies.loading import LoadedStrategy, load_strategy
from myquant.ticks.frame import source_from_frame
from myquant.ticks.source import TickSource, open_ticks

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

    from myquant.ticks.batch import TickBatch

Ticks: TypeAlias = "str | Path | Sequence[str | Path] | pl.DataFrame | pd.DataFrame"
Settings: TypeAlias = "str | Path | Mapping[str, Any] | LoadedConfig | None"


@dataclass(frozen=True, repr=False)
class Result:
    """A finished backtest. In a notebook it shows its headline figures and what there is to note."""

    record: RunRecord
    config: LoadedConfig

    def __repr__(self) -> str:
        """Return one line: what ran, how many trades, what is left of them."""
        figures = self.summary
        names = ", ".join(self.record.symbols)
        return f"<Result {names}: {figures['trades']} trades, net P&L {figures['net_pnl']:.2f}, config {self.config.hash[:8]}>"

    @cached_property
    def trades(self) -> "pl.DataFrame":
        """One row per exit, with the columns of trades.csv; times in the session's zone, money in rupees."""
        return trades_frame(self.record)

    @cached_property
    def equity(self) -> "pl.DataFrame":
        """The account over time, with the columns of equity.csv; times and money as in `trades`."""
        return equity_frame(self.record)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """The figures of summary.json."""
        return summary(self.record)

    def save(self, folder: str | Path) -> list[Path]:
        """Write the folder that `myquant backtest` writes and return the paths of its files.

        `results.report` and `results.excel` of the configuration say whether the report and the workbook are among them.
        Raises ConfigError for a folder that cannot be written or holds something else than a run.
        """
        settings = self.config.config.results
        return write_results(self.record, Path(folder), report=settings.report, excel=settings.excel)

    def report(self, path: str | Path) -> Path:
        """Write the report, one self-contained HTML page, and return its path. Raises ConfigError where that fails."""
        from myquant.results.report import render_report  # noqa: PLC0415  (its templates only where one is wanted)

        path = Path(path)
        try:
            path.write_text(render_report(self.record, self.summary), encoding="utf-8", newline="\n")
        except OSError as error:
            raise ConfigError(
                f"{path}: the report cannot be written ({error.strerror}); choose another path"
            ) from error
        return path

    def _repr_html_(self) -> str:
        figures = self.summary
        rows = (
            ("Net P&L", grouped(figures["net_pnl"])),
            ("Charges", grouped(figures["charges"])),
            ("Return", percentage(figures["return_percent"])),
            ("Max. drawdown", grouped(figures["max_drawdown"])),
            ("Trades", whole(figures["trades"])),
            ("Win rate", percentage(figures["win_rate_percent"])),
        )
        cells = "".join(
            f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:right">{text}</td></tr>'
            for name, text in rows
        )
        title = escape(f"{', '.join(figures['symbols'])}: strategy {figures['strategy']}")
        notes = "".join(f"<p>Note: {escape(notice)}</p>" for notice in figures["notices"])
        return f"<table><caption>{title}</caption>{cells}</table>{notes}"


def backtest(
    ticks: Ticks,
    *,
    config: Settings = None,
    strategy: str | Path | None = None,
    out: str | Path | None = None,
    close_at_end: bool | None = None,
    progress: Callable[[int], None] | None = None,
) -> Result:
    """Run recorded ticks through a strategy, as `myquant backtest` does.

    The first call for a strategy compiles the engine, which takes up to a minute; the machine code is kept.

    Args:
        ticks: the path of a file, several paths (merged by time, one account), or a polars or pandas frame.
        config: the path of a TOML file, a mapping of sections (`{"risk": {"base_sl_points": 20}}`) or of dotted keys
            (`{"risk.base_sl_points": 20}`), or what `load_config` returned. Variables such as
            MYQUANT_RISK__BASE_SL_POINTS go before it, as they do on the command line.
        strategy: `FILE.py` or `FILE.py:Name`; None is the default strategy.
        out: a folder to write the results into, as `Result.save` does.
        close_at_end: whether to exit what is open after the last tick; None leaves it to the configuration.
        progress: called after every batch with the number of rows read so far.

    Raises:
        ConfigError: for a configuration, a strategy or a folder that can't be used.
        DataError: for ticks that can't be used, and days that no table of the market covers.
    """
    _refuse_other_kinds(config, strategy)
    if out is not None:
        refuse_unusable(Path(out))
    chosen = load_strategy(strategy)
    loaded = _settings(config, chosen, close_at_end)
    source = _source(ticks, loaded)
    rows = 0

    def count(batch: "TickBatch") -> None:
        nonlocal rows
        rows += len(batch)
        if progress is not None:
            progress(rows)

    result = Result(compose.backtest(source, loaded, chosen, count), loaded)
    if out is not None:
        result.save(out)
    return result


def load_config(config: Settings = None, *, strategy: str | Path | None = None) -> LoadedConfig:
    """Return the effective configuration that `backtest` would use for the same `config` and `strategy`.

    `LoadedConfig` has `config` (the sections), `values` and `origins` by `section.key`, `hash` and `to_toml()`. Raises
    ConfigError.
    """
    _refuse_other_kinds(config, strategy)
    return _settings(config, load_strategy(strategy), None)


def _refuse_other_kinds(config: object, strategy: object) -> None:
    """Raise ConfigError for a configuration or a strategy of a kind that nothing here can read."""
    if config is not None and not isinstance(config, str | Path | Mapping | LoadedConfig):
        raise ConfigError(
            f"config: expected the path of a TOML file, a mapping or a loaded configuration, got {type(config).__name__}"
        )
    if strategy is not None and not isinstance(strategy, str | Path):
        raise ConfigError(
            f"strategy: expected FILE.py or FILE.py:Name as text or path, got {type(strategy).__name__}; write the strategy"
            " into a file, or leave it away for the default one"
        )


def _settings(config: Settings, strategy: LoadedStrategy, close_at_end: bool | None) -> LoadedConfig:
    close = [] if close_at_end is None else [f"execution.close_at_end={str(close_at_end).lower()}"]
    if isinstance(config, LoadedConfig):
        if strategy.model is not None and strategy.section not in config.sections:
            raise ConfigError(
                f"config: was loaded without this strategy: load_config(..., strategy={str(strategy.path)!r})"
            )
        if close:
            raise ConfigError("close_at_end: set execution.close_at_end in the configuration that is loaded")
        return config
    loaded = loading.load_config(
        files=[Path(config)] if isinstance(config, str | Path) else (),
        values=_sections(config) if isinstance(config, Mapping) else None,
        environment=os.environ,
        assignments=close,
        sections={} if strategy.model is None else {strategy.section: strategy.model},
    )
    return replace(loaded, origins=loaded.origins | {"execution.close_at_end": "argument"}) if close else loaded


def _sections(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping of sections and of dotted keys as sections alone; of a key given twice the later value."""
    sections: dict[str, Any] = {}
    for name, value in settings.items():
        section, dot, key = str(name).partition(".")
        if isinstance(value, Mapping) and not dot:
            sections[section] = {**sections.get(section, {}), **value}
        elif dot:
            sections[section] = {**sections.get(section, {}), key: value}
        else:
            sections[section] = value  # outside any section: the configuration says so
    return sections


def _source(ticks: Ticks, loaded: LoadedConfig) -> TickSource:
    zone, symbol = loaded.config.session.timezone, loaded.config.instrument.symbol
    if isinstance(ticks, Sequence) and not all(isinstance(each, str | Path) for each in ticks):
        odd = next(each for each in ticks if not isinstance(each, str | Path))
        raise ConfigError(
            f"ticks: a list must hold paths, not {type(odd).__name__}; give a path, a list of paths, or one polars or pandas"
            " DataFrame (join several into one, with a symbol column)"
        )
    if isinstance(ticks, str | Path | Sequence):
        return open_ticks(ticks, time_zone=zone, symbol=symbol)
    return source_from_frame(ticks, time_zone=zone, symbol=symbol)
