"""Independent runs on all cores: `myquant backtest --separate` against one `myquant backtest` after the other."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import jobs
from bench.limit.ticks import Ticks
from bench.measure import Row, Section, interleaved, ratio, spread, timed
from bench.stream import ZONE
from myquant.ticks.write import write_ticks

FILES = 4
TICKS = {False: 8 * jobs.TICKS, True: 2 * jobs.TICKS}  # per file; quick: fewer
ASSIGNMENTS = [word for name, value in jobs.SAME_AS_C.items() for word in ("--set", f"{name}={value}")]


def measure(rounds: int, *, quick: bool) -> Section:
    count = TICKS[quick]
    with TemporaryDirectory(dir=jobs.OUT) as folder:
        paths = [Path(folder) / f"nifty_{number}.parquet" for number in range(FILES)]
        for number, path in enumerate(paths):
            write_ticks(path, [jobs.batch_of(_rotated(jobs.ticks(count), number))], time_zone=ZONE)
        sides = {
            "separate": lambda: timed(lambda: _backtest(Path(folder) / "all", [*paths], "--separate")),
            "in turn": lambda: timed(lambda: _in_turn(Path(folder), paths)),
        }
        seconds = interleaved(sides, rounds)
    row = Row(
        f"{FILES} files of {count / 1e6:.0f} M ticks, --separate",
        "s",
        spread(seconds["separate"]),
        "one after the other",
        spread(seconds["in turn"]),
        ratio(seconds["in turn"], seconds["separate"]),
        note=f"{os.cpu_count()} cores; processes, imports, reading and results (without report) are in both",
    )
    return Section("parallel: independent runs on all cores", [row])


def _rotated(columns: Ticks, number: int) -> Ticks:
    """Return other ticks of the same kind: the prices lifted by some rupees."""
    return Ticks(columns.time_ns, columns.price_paise + 100 * number, columns.volume)


def _in_turn(folder: Path, paths: list[Path]) -> None:
    for path in paths:
        _backtest(folder / path.stem, [path])


def _backtest(out: Path, paths: list[Path], *options: str) -> None:
    command = [sys.executable, "-m", "myquant", "backtest", *map(str, paths), "--out", str(out), "--no-report"]
    subprocess.run([*command, *ASSIGNMENTS, *options], cwd=jobs.ROOT, check=True, capture_output=True)
