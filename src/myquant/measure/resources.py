"""What a process uses: sampled once a second by a thread of its own, never on the path of a tick.

A sample is made to hold Python's lock for well under a millisecond, as the session's thread waits for it meanwhile.
"""

import gc
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import psutil

from myquant.errors import ConfigError

INTERVAL_S: Final = 1.0
CAPACITY: Final = 86_400  # a day of them
MIB: Final = 1 << 20
STOP_S: Final = 5.0
GENERATIONS: Final = 3

Floats = np.ndarray[Any, np.dtype[np.float64]]


class ResourceSampler:
    """Samples this process while it is started, also as a context manager.

    Attributes:
        unrecorded: samples that had no room. failed: samples that the system or a gauge refused.
    """

    def __init__(
        self,
        gauges: Mapping[str, Callable[[], float]] | None = None,
        interval_s: float = INTERVAL_S,
        capacity: int = CAPACITY,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Sample every `interval_s`, and what the `gauges` say, such as the depth of a queue; a gauge must be quick."""
        if interval_s <= 0 or capacity < 1:
            raise ConfigError(
                f"a sample every {interval_s} s, {capacity} in all: give an interval, and room for one or more"
            )
        self.unrecorded = self.failed = 0
        self._gauges = dict(gauges or {})
        self._interval_s = interval_s
        self._clock = clock
        self._names = (
            *("time_ns", "rss_mib", "cpu_percent", "threads", "children"),
            *(f"collections_{generation}" for generation in range(GENERATIONS)),
            *self._gauges,
        )
        if len(set(self._names)) < len(self._names):
            raise ConfigError(f"gauges {', '.join(self._gauges)}: give each a name that no other resource has")
        self._rows = np.zeros((capacity, len(self._names)))
        self._count = 0
        self._process = psutil.Process()
        self._since = clock(), time.process_time_ns()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin: a sample every interval, and a last one when it is stopped."""
        self._over.clear()
        self._since = self._clock(), time.process_time_ns()
        self._thread = threading.Thread(target=self._run, name="resources", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take the last sample and end the thread."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(STOP_S)
            self._thread = None

    def sample(self) -> None:
        """Take one sample."""
        if self._count == len(self._rows):
            self.unrecorded += 1
            return
        try:
            with self._process.oneshot():
                row = (
                    self._clock(),
                    self._process.memory_info().rss / MIB,
                    self._cpu_percent(),
                    self._process.num_threads(),
                    children_of(self._process),
                    *(generation["collections"] for generation in gc.get_stats()[:GENERATIONS]),
                    *(gauge() for gauge in self._gauges.values()),
                )
        except (psutil.Error, OSError, ValueError):
            self.failed += 1
            return
        self._rows[self._count, : len(row)] = row
        self._count += 1

    def samples(self) -> dict[str, Floats]:
        """Return the samples so far by name, (m,) each.

        `time_ns`; `rss_mib`; `cpu_percent` of one core since the sample before; `threads`; `children` (processes);
        `collections_0` to `_2`: the collector's runs by generation since the process began; and the gauges.
        """
        return {name: self._rows[: self._count, at].copy() for at, name in enumerate(self._names)}

    def _cpu_percent(self) -> float:
        """Return how much of one core was used since the last call; psutil's own figure comes in steps of 10 ms."""
        before, self._since = self._since, (self._clock(), time.process_time_ns())
        return 100 * (self._since[1] - before[1]) / max(1, self._since[0] - before[0])

    def _run(self) -> None:
        while not self._over.wait(self._interval_s):
            self.sample()
        self.sample()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def children_of(process: psutil.Process) -> int:
    """Return the number of a process's children.

    Linux has a list of them; elsewhere all processes are looked through, for 5 ms of a machine with a hundred.
    """
    lists = list(Path(f"/proc/{process.pid}/task").glob("*/children"))
    if not lists:
        return len(process.children())
    found = 0
    for each in lists:
        try:
            found += len(each.read_text(encoding="ascii").split())
        except (FileNotFoundError, ProcessLookupError):  # the thread has ended
            continue
    return found
