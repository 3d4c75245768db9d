"""Each file a run of its own, over all cores: own process, own account, own folder."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import active_children, get_context
from pathlib import Path

from myquant.cli.failures import FAILED, Failure, failure
from myquant.cli.folder import run_folder, run_name
from myquant.cli.progress import progress_bar
from myquant.cli.run import Finished, Outcome, Request, announce_compiling, run
from myquant.cli.settings import load_settings
from myquant.errors import ConfigError, cannot_write
from myquant.results.write import ELSEWHERE, RUN_MARK, refuse_unusable
from myquant.strategies.loading import load_strategy


def run_separately(request: Request) -> list[Outcome]:
    """Run every file of a request by itself and return the outcomes in the order of the files.

    The results are those of single runs. Raises MyquantError for what concerns them all: configuration, strategy,
    folder.
    """
    if request.out is not None:
        _refuse_foreign(request.out)
    strategy = load_strategy(request.strategy)
    loaded = load_settings(strategy, config=request.config, assignments=request.assignments, flags=request.flags)
    with run_folder(request.out, loaded.config.results.directory, request.paths) as folder, _workers(request) as pool:
        parts = [*_parts(request, folder)]
        for part in parts:
            refuse_unusable(part.out or folder)
        announce_compiling(strategy)
        running: dict[Future[Finished], int] = {}
        for number, part in enumerate(parts):
            running[_submit(pool, part)] = number
            if not strategy.compiled:
                wait(running)  # the first run that gets as far as the engine compiles it for all
        outcomes: dict[int, Outcome] = {}
        with progress_bar("backtests", len(running)) as tell:
            for done in as_completed(running):
                number = running[done]
                outcomes[number] = Outcome(request.paths[number], _came(request.paths[number], done))
                tell(len(outcomes))
    return [outcomes[number] for number in sorted(outcomes)]


def _refuse_foreign(out: Path) -> None:
    """Raise ConfigError for a folder that is there and holds anything but folders of runs, or empty ones."""
    try:
        found = sorted(out.iterdir()) if out.is_dir() else []
        strange = [each.name for each in found if not each.is_dir()]
        unmarked = [each for each in found if each.is_dir() and not (each / RUN_MARK).exists()]
    except OSError as error:
        raise cannot_write(out, error, ELSEWHERE) from error
    if strange:
        raise ConfigError(f"{out}: holds {', '.join(strange[:3])} and is not a folder of runs: {ELSEWHERE}")
    for folder in unmarked:
        refuse_unusable(folder)


def _parts(request: Request, folder: Path) -> Iterator[Request]:
    """Yield the request of each file; files of one name get folders with a number behind it."""
    taken: set[str] = set()
    for path in request.paths:
        name = base = run_name([path])
        number = 1
        while name in taken:
            number += 1
            name = f"{base}-{number}"
        taken.add(name)
        yield replace(request, paths=(path,), out=folder / name)


@contextmanager
def _workers(request: Request) -> Iterator[ProcessPoolExecutor]:
    """Yield fresh processes (a fork of one with threads is not safe), at most one per core; an error ends them all."""
    count = min(len(request.paths), os.cpu_count() or 1)
    with ProcessPoolExecutor(count, get_context("spawn"), signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
        try:
            yield pool
        except BaseException:
            for worker in active_children():
                worker.terminate()
            raise


def _submit(pool: ProcessPoolExecutor, part: Request) -> "Future[Finished]":
    """Hand a run over, deaf to Ctrl-C for that moment: a process that this starts stays so, and is ended by us."""
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return pool.submit(run, part, quiet=True)
    finally:
        signal.signal(signal.SIGINT, handler)


def _came(path: Path, done: "Future[Finished]") -> Finished | Failure:
    error = done.exception()
    if error is None:
        return done.result()
    if isinstance(error, BrokenProcessPool):
        return Failure(FAILED, [f"{path}: the process of this run ended abruptly; is there memory enough?"])
    return failure(error)
