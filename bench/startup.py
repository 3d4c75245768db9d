"""From the command line to the end, each time in a fresh process: help, a backtest of the day, a first, compiling one."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from bench import jobs
from bench.company import quiet_rounds
from bench.measure import Goal, Row, Section, interleaved, spread
from bench.stream import ZONE
from myquant.ticks.write import write_ticks

FIRST_RUNS = {False: 3, True: 1}
SAYS = "compiling"


def measure(rounds: int, *, quick: bool) -> Section:
    with TemporaryDirectory(dir=jobs.OUT) as folder:
        day, out = _day(Path(folder)), Path(folder) / "out"
        backtest = ["backtest", str(day), "--out", str(out)]
        _run(backtest)  # compiles, if nobody has yet
        sides = {
            "help": lambda: _run(["--help"])[0],
            "warm": lambda: _run(backtest)[0],
            "without report": lambda: _run([*backtest, "--no-report"])[0],
        }
        seconds = interleaved(sides, rounds)
        firsts = quiet_rounds(lambda: _first(backtest), FIRST_RUNS[quick])
    rows = [
        Row("myquant --help", "s", spread(seconds["help"]), goal=Goal(0.3, at_least=False)),
        Row(f"warm backtest of {day.name}", "s", spread(seconds["warm"]), goal=Goal(2.0, at_least=False)),
        Row("  the same without its report", "s", spread(seconds["without report"])),
        Row("first backtest, compiling", "s", spread(firsts), goal=Goal(40.0, at_least=False), note="and it says so"),
    ]
    return Section("startup: from the command line to the end, in fresh processes", rows)


def _day(folder: Path) -> Path:
    if jobs.REAL_DAY.is_file():
        return jobs.REAL_DAY
    path = folder / "nifty_option_2025-10-03.csv"
    write_ticks(path, [jobs.batch_of(jobs.recorded_day()[0])], time_zone=ZONE)
    return path


def _run(arguments: list[str], environment: dict[str, str] | None = None) -> tuple[float, str]:
    """Return the seconds of a command from its start to its end, and what it said on stderr."""
    command = [sys.executable, "-m", "myquant", *arguments]
    began = perf_counter()
    done = subprocess.run(command, cwd=jobs.ROOT, env=environment, check=True, capture_output=True, text=True)
    return perf_counter() - began, done.stderr


def _first(arguments: list[str]) -> float:
    """Run with caches that hold nothing: neither the engine nor the tick readers are compiled."""
    with TemporaryDirectory(dir=jobs.OUT) as cache:
        caches = {"MYQUANT_CACHE": f"{cache}/myquant", "NUMBA_CACHE_DIR": f"{cache}/numba"}
        seconds, said = _run(arguments, {**os.environ, **caches})
    if SAYS not in said:
        raise RuntimeError(f"a first run did not say that it compiles: {said!r}")
    return seconds
