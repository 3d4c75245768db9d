"""Logs that another process writes, as tests have them."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from myquant.brokers.secrets import Redactor
from myquant.session.log_async import AsyncLog, open_async_log
from myquant.session.log_files import Bounds

ZONE = ZoneInfo("Asia/Kolkata")
TIME_NS = 1_759_463_467_120_400_300
SECRET = "hunter22-and-more"  # noqa: S105  (a made-up one)
SMALL = 1 << 12  # bytes: the smallest ring
WAIT_S = 30.0
BOUNDS = Bounds(2**24, 2**28, is_daily=True)  # wider than any test


class Ticking:
    """A clock of which each look is a millisecond later."""

    def __init__(self) -> None:
        self.now_ns = TIME_NS

    def __call__(self) -> int:
        self.now_ns += 1_000_000
        return self.now_ns


def opened(folder: Path, redactor: Redactor, stderr: Any, **options: Any) -> AsyncLog:
    given = {"bounds": BOUNDS, **options}
    return open_async_log(folder, redactor, session="nifty", clock=Ticking(), zone=ZONE, stderr=stderr, **given)


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_bytes().splitlines()]


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < deadline, f"not true within {WAIT_S} s"
        time.sleep(0.005)


def until_awake(log: AsyncLog, folder: Path) -> None:
    """Wait until the writer has written a line."""
    log.info("awake")
    until(lambda: any(line["event"] == "awake" for line in lines(folder)))


def stop(log: AsyncLog, folder: Path) -> int:
    """Stop the writer where it holds no record, and return its process id."""
    until_awake(log, folder)
    pid = log._post._writer.pid
    os.kill(pid, signal.SIGSTOP)
    until(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
    return pid


def fill(log: AsyncLog) -> int:
    """Log lines until one is dropped, and return how many there is room for."""
    count = 0
    while not log.lost:
        log.info("filling", number=count)
        count += 1
    return count - 1
