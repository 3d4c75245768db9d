"""A session with the monitor watching, against the same session with the monitor standing still: does a tick take longer?

One session on a lab, one monitor that follows it. In windows of some seconds the monitor works or is stopped by a signal,
two windows a pair, which of them first is drawn. How long each tick took is what the session's own journal says of it.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from bench.measure import Row, Section, Spread, spread
from bench.session_jobs import scratch_folder
from myquant.evidence.pairs import Comparison, compare, order
from myquant.journal.reader import JournalReader, inputs
from myquant.lab.market_day import DEFAULT_SYMBOL

PAIRS, QUICK_PAIRS = 40, 10
WINDOW_S: Final = 2.0
SETTLE_S: Final = 0.25  # after the monitor was stopped or let go on: not measured
READY_S: Final = 120.0
SPEED: Final = 60.0  # of the lab's day, which then lasts longer than all pairs: some fifty packets a second
SECOND_NS: Final = 10**9
NAME: Final = "watched"
SETTINGS: Final = {"capital.initial_capital": 1_000_000, "results.report": "false"}
EXPORT: Final = re.compile(r"^export (\w+)=(.*)$", re.MULTILINE)


class Window(NamedTuple):
    """A stretch of time, the machine's clock, and whether the monitor was at work in it."""

    is_watched: bool
    from_ns: int
    to_ns: int


def measure(rounds: int, *, quick: bool) -> Section:  # noqa: ARG001  (every section takes them)
    """Pairs of windows, and what the comparison of `evidence` can prove of them."""
    pairs = QUICK_PAIRS if quick else PAIRS
    section = Section(f"session-watched: a tick with the monitor at work, against one that stands still, {pairs} pairs")
    with scratch_folder() as folder, _played(folder) as monitor:
        windows = _windows(monitor, pairs)
        arrived, spent = _ticks(folder / "runs" / NAME)
    sides = {
        is_watched: [_within(each, arrived, spent) for each in windows if each.is_watched is is_watched]
        for is_watched in (False, True)
    }
    ticks = sum(map(len, (*sides[False], *sides[True])))
    for name, percent in (("median of a tick", 50), ("99 of 100 below", 99)):
        absent, watched = (
            [float(np.percentile(window, percent)) / 1000 for window in sides[is_watched]]
            for is_watched in (False, True)
        )
        found = compare(np.array(absent), np.array(watched))
        section.rows.append(_row(name, absent, watched, found))
        section.notes.append(
            f"{name}: {found.verdict} at {100 * found.level:.0f} %, ratio {found.ratio:.3f}"
            f" [{found.ratio_low:.3f}, {found.ratio_high:.3f}], p = {found.p_value:.3f}"
        )
    section.notes.append(
        f"{ticks:,} ticks; lab, session and monitor are three processes on {os.cpu_count()} processors; a tick from its bytes at"
        " hand to the end of all it led to, by the session's journal"
    )
    return section


def _row(name: str, absent: list[float], watched: list[float], found: Comparison) -> Row:
    interval = Spread(found.ratio, found.ratio_low, found.ratio_high, found.n)
    return Row(name, "us", spread(watched), "monitor stopped", spread(absent), interval)


@contextmanager
def _played(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a lab, a session on it and a monitor; yield the monitor once the session is fed and followed."""
    environ = {**os.environ, "MYQUANT_STATE": str(folder / "state")}
    processes: list[subprocess.Popen[bytes]] = []
    try:
        lab = ("lab", "--broker", "angelone", "--generate", "--speed", str(SPEED), "--port", "0", "--feed-port", "0")
        processes.append(_start(folder, "lab", lab, environ))
        _wait(lambda: "lab: ready" in _said(folder, "lab"), processes, folder)
        environ |= dict(EXPORT.findall(_said(folder, "lab")))
        options = [part for name, value in SETTINGS.items() for part in ("--set", f"{name}={value}")]
        words = ("paper", "--broker", "angelone", DEFAULT_SYMBOL, "--session", NAME, *options)
        processes.append(_start(folder, "session", words, environ))
        _wait(lambda: "healthy=True" in _said(folder, "session"), processes, folder)
        processes.append(monitor := _start(folder, "monitor", ("monitor", "--port", "0", "--no-dashboard"), environ))
        _wait((folder / "state" / "monitor" / "monitor.json").exists, processes, folder)
        time.sleep(WINDOW_S)  # what was there before it began is read
        yield monitor
    finally:
        for process in reversed(processes):
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGINT)
        for process in processes:
            process.wait(READY_S)


def _start(folder: Path, name: str, words: tuple[str, ...], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "myquant", *words]
    with (folder / f"{name}.said").open("wb") as said:
        return subprocess.Popen(command, cwd=folder, env=environ, stdout=said, stderr=said)


def _said(folder: Path, name: str) -> str:
    return (folder / f"{name}.said").read_text()


def _wait(true: Callable[[], bool], processes: list[subprocess.Popen[bytes]], folder: Path) -> None:
    deadline = time.monotonic() + READY_S
    while not true():
        if time.monotonic() > deadline or any(process.poll() is not None for process in processes):
            names = ("lab", "session", "monitor")[: len(processes)]
            sys.exit("\n".join(f"{name}: {_said(folder, name)[-2000:]}" for name in names))
        time.sleep(0.1)


def _windows(monitor: subprocess.Popen[bytes], pairs: int) -> list[Window]:
    found = []
    for absent_first in order(pairs, seed=1):
        for is_watched in (not absent_first, bool(absent_first)):
            monitor.send_signal(signal.SIGCONT if is_watched else signal.SIGSTOP)
            time.sleep(SETTLE_S)
            begins = time.time_ns()
            time.sleep(WINDOW_S)
            found.append(Window(bool(is_watched), begins, time.time_ns()))
    return found


def _ticks(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return when each input that was a packet came, and how long it took, ns: the input behind it says so."""
    rows = [inputs(block)["body"].copy() for block in JournalReader(folder).blocks()]
    found = np.concatenate(rows)
    arrived, took = found["event"]["receive_ns"][:-1], found["origin"]["spent_ns"][1:]
    is_told = (found["origin"]["arrived_ns"][:-1] > 0) & (took > 0)
    return arrived[is_told], took[is_told]


def _within(window: Window, arrived: np.ndarray, took: np.ndarray) -> np.ndarray:
    return took[(arrived >= window.from_ns) & (arrived < window.to_ns)]
