"""Files of ticks described by their statistics, side by side."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from rich.table import Table

from myquant.cli.output import NOTHING, console
from myquant.cli.progress import progress_bar
from myquant.cli.tick_check import Guard
from myquant.cli.tick_generate import contract_of
from myquant.config.schema import Config
from myquant.core.codes import ACCEPTED
from myquant.errors import DataError
from myquant.ticks.batch import TickBatch, joined
from myquant.ticks.source import TickSource, open_ticks
from myquant.ticks.statistics import TickStatistics, side_by_side, tick_statistics

SECOND_NS = 1_000_000_000
COLUMNS_MAX = 3  # beside each other in 80 columns


class Series(NamedTuple):
    """One instrument of one file; `zone`: the name of that of its times."""

    title: str
    zone: str
    first: str
    last: str
    lot_size: int
    statistics: TickStatistics


def describe_files(files: Sequence[Path], config: Config) -> None:
    """Print the statistics of each file's instruments. Raises DataError, or ConfigError where a lot is not known."""
    series = [each for path in files for each in _series(path, config)]
    for first in range(0, len(series), COLUMNS_MAX):
        console().print(_table(series[first : first + COLUMNS_MAX]))


def _series(path: Path, config: Config) -> Iterator[Series]:
    source = open_ticks([path], time_zone=config.session.timezone, symbol=config.instrument.symbol)
    batch = _accepted(source)
    zone = ZoneInfo(config.session.timezone)
    for place, (symbol, _) in enumerate(source.instruments):
        ticks = batch.take(np.flatnonzero(batch.instrument == place)) if len(batch.instrument) else batch
        if not len(ticks):
            raise DataError(f"{path}: {symbol} has no valid tick; `myquant ticks check` counts what is wrong")
        first, last = (datetime.fromtimestamp(int(ns) // SECOND_NS, zone) for ns in ticks.time_ns[[0, -1]])
        lot_size = config.instrument.lot_size or contract_of(config, symbol, first.date()).lot_size
        title = f"{path.name} {symbol}" if len(source.instruments) > 1 else path.name
        statistics = tick_statistics(ticks.time_ns, ticks.price, ticks.volume, lot_size=lot_size)
        yield Series(
            title, f"{first:%Z}", f"{first:%Y-%m-%d %H:%M:%S}", f"{last:%Y-%m-%d %H:%M:%S}", lot_size, statistics
        )


def _accepted(source: TickSource) -> TickBatch:
    guard = Guard(source)
    with progress_bar(source.paths[0].name, source.total_bytes) as tell:
        parts = []
        for batch in source.batches():
            parts.append(batch.take(np.flatnonzero(guard.reasons(batch) == ACCEPTED)))
            tell(source.consumed_bytes)
    return joined(parts)


def _table(series: Sequence[Series]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    for _ in series:
        grid.add_column(justify="right", overflow="fold")
    grid.add_row("", *(each.title for each in series), style="bold")
    grid.add_row(f"first tick, {series[0].zone}", *(each.first for each in series))
    grid.add_row(f"last tick, {series[0].zone}", *(each.last for each in series))
    grid.add_row("lot size", *(str(each.lot_size) for each in series))
    columns = [side_by_side(series[0].statistics, each.statistics) for each in series]
    for rows in zip(*columns, strict=True):
        grid.add_row(rows[0][0], *(_number(value) for _, _, value in rows))
    return grid


def _number(value: float | None) -> str:
    if value is None:
        return NOTHING
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
