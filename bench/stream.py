"""A file that is streamed, against the same ticks in memory: speed and memory of a backtest by `compose`.

What is measured runs in processes of its own: `python -m bench.stream whole FILE COUNT`, `... memory FILE COUNT`,
`... compare FILE ROUNDS`.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from bench import company, jobs
from bench.company import quiet_rounds
from bench.limit.ticks import DAY_NS
from bench.measure import Goal, Row, Section, interleaved, ratio, spread
from myquant import compose
from myquant.config.loading import LoadedConfig
from myquant.strategies.loading import default_strategy
from myquant.ticks.batch import COLUMNS, InstrumentName, TickBatch, joined
from myquant.ticks.source import BATCH_ROWS, TickSource, open_ticks
from myquant.ticks.write import write_ticks

ZONE = "Asia/Kolkata"
COUNTS = {False: (100_000_000, 10_000_000), True: (5_000_000, 5_000_000)}  # quick: (whole, compared) ticks
WHOLE_RUNS = 5
WARM_BATCHES = 20
MEMORY_MAX_MIB = 1024.0
PER_NS = 1e9


@dataclass
class InMemory:
    """Ticks in memory in the batches that a file would give (see `ticks.source.TickSource`)."""

    ticks: TickBatch
    instruments: tuple[InstrumentName, ...] = (InstrumentName("NIFTY"),)
    symbols_are_labels: bool = False
    paths: tuple[Path, ...] = ()
    input_hash: str = "memory"

    def batches(self) -> Iterator[TickBatch]:
        for start in range(0, len(self.ticks), BATCH_ROWS):
            yield self.ticks.take(slice(start, start + BATCH_ROWS))


def measure(rounds: int, *, quick: bool) -> Section:
    whole, compared = COUNTS[quick]
    section = Section("stream: a backtest straight from a Parquet file")
    with TemporaryDirectory(dir=_folder()) as folder:
        paths = {count: Path(folder) / f"{count}.parquet" for count in {whole, compared}}
        for count, path in paths.items():
            began = perf_counter()
            write_ticks(path, days_of(count), time_zone=ZONE)
            os.sync()  # or the system would write it while we measure
            seconds, size_mb = perf_counter() - began, path.stat().st_size / 1e6
            section.notes.append(
                f"{count:,} ticks written in {seconds:.1f} s, {size_mb:,.0f} MB in the canonical layout"
            )
        found = _child("compare", paths[compared], rounds)
        company.add(found["tally"])
        section.rows += _compared(found["seconds"], compared)
        runs = quiet_rounds(
            lambda: (_child("whole", paths[whole], whole), _child("memory", paths[whole], whole)), WHOLE_RUNS
        )
        section.rows += _whole(runs, whole)
    speeds = (f"{row.name} {1e3 / row.ours.median:.0f}" for row in section.rows if row.unit == "ns/tick")
    section.notes.append("in M ticks a second: " + ", ".join(speeds))
    return section


def days_of(count: int) -> Iterator[TickBatch]:
    """Yield the day on as many following days as `count` ticks need."""
    day = jobs.batch_of(jobs.recorded_day()[0])
    for number in range(-(-count // len(day))):
        left = count - number * len(day)
        yield replace(day, time_ns=day.time_ns + number * DAY_NS).take(slice(0, left))


def _folder() -> Path:
    jobs.OUT.mkdir(parents=True, exist_ok=True)
    return jobs.OUT


def _child(mode: str, path: Path, count: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.stream", mode, str(path), str(count)]
    answer = subprocess.run(command, cwd=jobs.ROOT, check=True, capture_output=True, text=True).stdout
    found: dict[str, Any] = json.loads(answer.splitlines()[-1])
    return found


def _compared(seconds: dict[str, list[float]], count: int) -> list[Row]:
    per_tick = PER_NS / count
    memory = spread(seconds["memory"]).scaled(per_tick)
    of_memory = ratio(seconds["memory"], seconds["stream"])
    name = f"streamed, {count // 10**6} M ticks"
    reading = spread(seconds["reading"]).scaled(per_tick)
    return [
        Row(name, "ns/tick", spread(seconds["stream"]).scaled(per_tick), "in memory", memory, of_memory),
        Row("  the reading alone", "ns/tick", reading, note="decoding, one thread ahead of the engine"),
    ]


def _whole(runs: list[tuple[dict[str, Any], dict[str, Any]]], count: int) -> list[Row]:
    """The whole file, and as many ticks in memory, each in a fresh process."""
    streamed, in_memory = ([side["seconds"] for side in sides] for sides in zip(*runs, strict=True))
    name, note = f"streamed, {count // 10**6} M ticks, a fresh process", f"{runs[0][0]['trades']:,} trades"
    peak = spread([run["peak_mib"] for run, _ in runs])
    per_tick = PER_NS / count
    return [
        Row(
            name,
            "ns/tick",
            spread(streamed).scaled(per_tick),
            "in memory",
            spread(in_memory).scaled(per_tick),
            ratio(in_memory, streamed),
            Goal(0.5),
            note,
        ),
        Row("  its peak memory", "MiB", peak, goal=Goal(MEMORY_MAX_MIB, at_least=False)),
    ]


def settings() -> LoadedConfig:
    return jobs.load({})


def opened(path: Path) -> TickSource:
    return open_ticks(path, time_zone=ZONE, symbol="NIFTY")


def backtest_seconds(source: Any, loaded: LoadedConfig) -> tuple[float, int]:
    """Return what a backtest takes, its record included, and its trades."""
    began = perf_counter()
    record = compose.backtest(source, loaded, default_strategy())
    return perf_counter() - began, len(record.trades)


def run_whole(path: Path) -> dict[str, Any]:
    """Stream a file once, after the machine code is loaded and the reader has met its first pages of memory."""
    loaded = settings()
    backtest_seconds(InMemory(next(days_of(1000))), loaded)
    for _ in islice(opened(path).batches(), WARM_BATCHES):
        pass
    seconds, trades = backtest_seconds(opened(path), loaded)
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "trades": trades, "peak_mib": peak_mib}


def run_memory(count: int) -> dict[str, Any]:
    """Run as many ticks that are in memory."""
    loaded = settings()
    whole = joined(list(days_of(count)))
    backtest_seconds(InMemory(next(days_of(1000))), loaded)
    seconds, trades = backtest_seconds(InMemory(whole), loaded)
    return {"seconds": seconds, "trades": trades}


def run_compare(path: Path, rounds: int) -> dict[str, Any]:
    """Stream a file, run the same ticks in memory, and read without running, by turns."""
    loaded = settings()
    whole = joined(list(opened(path).batches()))
    memory = InMemory(TickBatch(**{name: getattr(whole, name) for name in COLUMNS}))
    if backtest_seconds(memory, loaded)[1] != backtest_seconds(opened(path), loaded)[1]:
        raise RuntimeError(f"{path.name}: streamed, it has other trades than in memory")

    def read() -> float:
        began = perf_counter()
        for _ in opened(path).batches():
            pass
        return perf_counter() - began

    sides = {
        "stream": lambda: backtest_seconds(opened(path), loaded)[0],
        "memory": lambda: backtest_seconds(memory, loaded)[0],
        "reading": read,
    }
    return {"seconds": interleaved(sides, rounds), "tally": vars(company.tally)}


if __name__ == "__main__":
    MODE, FILE, COUNT = sys.argv[1:]
    modes = {
        "whole": lambda: run_whole(Path(FILE)),
        "memory": lambda: run_memory(int(COUNT)),
        "compare": lambda: run_compare(Path(FILE), int(COUNT)),
    }
    print(json.dumps(modes[MODE]()))
