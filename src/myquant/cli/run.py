"""One backtest as a command line asks for it: from files to a folder of results."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from myquant import compose
from myquant.cli.failures import Failure
from myquant.cli.folder import run_folder
from myquant.cli.progress import progress_bar
from myquant.cli.settings import load_settings
from myquant.results.summary import summary
from myquant.results.write import refuse_unusable, write_results
from myquant.strategies.loading import LoadedStrategy, load_strategy
from myquant.ticks.source import open_ticks


@dataclass(frozen=True)
class Request:
    """What to run. `flags` maps an option that stands for a key to its assignment `section.key=value`."""

    paths: tuple[Path, ...]
    config: tuple[Path, ...] = ()
    assignments: tuple[str, ...] = ()
    flags: Mapping[str, str] = field(default_factory=dict)
    strategy: str | None = None
    out: Path | None = None


@dataclass(frozen=True)
class Finished:
    """A run that is done: its summary and the folder that holds its results."""

    figures: dict[str, Any]
    folder: Path


@dataclass(frozen=True)
class Outcome:
    """What came of one of several files: a finished run or a failure."""

    path: Path
    came: Finished | Failure


def run(request: Request, *, quiet: bool = False) -> Finished:
    """Run one backtest and write its results; `quiet`: nothing on stderr on the way. Raises MyquantError."""
    if request.out is not None:
        refuse_unusable(request.out)
    strategy = load_strategy(request.strategy)
    loaded = load_settings(strategy, config=request.config, assignments=request.assignments, flags=request.flags)
    config = loaded.config
    source = open_ticks(request.paths, time_zone=config.session.timezone, symbol=config.instrument.symbol)
    with run_folder(request.out, config.results.directory, request.paths) as folder:
        if not quiet:
            announce_compiling(strategy)
        with progress_bar("backtest", source.total_bytes, quiet=quiet) as tell:
            record = compose.backtest(source, loaded, strategy, lambda _: tell(source.consumed_bytes))
        write_results(record, folder, report=config.results.report, excel=config.results.excel)
    return Finished(summary(record), folder)


def announce_compiling(strategy: LoadedStrategy, *, ready: bool | None = None) -> None:
    """Say on stderr that the engine has to be compiled, when it has to be: the first run of a version takes long.

    `ready`: whether what will run is compiled; None: it is a backtest, look.
    """
    if not (strategy.compiled if ready is None else ready):
        print(
            f"compiling the engine for strategy {strategy.name}: up to a minute, once for each version of it",
            file=sys.stderr,
            flush=True,
        )
