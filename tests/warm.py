"""Compile the default engine once, before the tests start in parallel; nothing to do when it is on disk.

Two processes share the work; what is compiled there no test compiles.
"""

import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from laws.driver import random_ticks, run_engine, settings, step_through
from measure.counted_runs import run
from session.sessions import day_inputs
from session.warming import warm

PROCESSES = 2


def warm_measured() -> None:
    """Compile the engine that the baselines measure."""
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder) / "s", day_inputs(1, count=60), capacity=60)


def warm_run() -> None:
    run_engine(random_ticks(1, count=200), settings({}))


def warm_step() -> None:
    step_through(random_ticks(1, count=200), settings({}))


WORK: tuple[Callable[[], None], ...] = (warm, warm_measured, warm_run, warm_step)  # the longest first

if __name__ == "__main__":
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        for each in [pool.submit(work) for work in WORK]:
            each.result()
