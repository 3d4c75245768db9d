"""Where a setting of `[logs]` shows: what a log leaves on disk, when it says more, and where it is sent."""

import io
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from laws import wired
from laws.driver import settings
from myquant.brokers.secrets import Redactor
from myquant.monitor.export import export_of
from myquant.session import process
from myquant.session.channels import HandoffCounts
from myquant.session.clock import MachineClock
from myquant.session.pipeline import open_session_log
from session.adapting import Watched
from session.supervised import Lines

Values = Mapping[str, Any]
DAY_NS: Final = 86_400 * 10**9
TEXT: Final = "x" * 7_900
LINES: Final = 200  # of a day: 1.5 MiB


def files(values: Values) -> list[tuple[str, int]]:
    """Return the files, and their sizes, that are left of three days on which much is logged."""
    now_ns = 1_795_000_000 * 10**9
    with tempfile.TemporaryDirectory() as folder:
        with patch.object(MachineClock, "wall_ns", lambda: now_ns):
            log = open_session_log(Path(folder), settings(values).config, Redactor(()), "s", io.StringIO())
            for _ in range(3):
                for _ in range(LINES):
                    log.info("line", text=TEXT)
                now_ns += DAY_NS
            log.close()
        return sorted((each.name, each.stat().st_size) for each in os.scandir(folder))


def watched_at_work(values: Values) -> bool:
    """Return whether a whole session is watched for saying more."""
    with patch.object(process, "AdaptiveLogging") as made:
        wired.session(values)
    return bool(made.called)


def raised_s(values: Values) -> list[int]:
    """Return in which seconds more is said: errors, then a price that moves, then a queue that fills."""
    with tempfile.TemporaryDirectory() as folder:
        watched = Watched(Path(folder) / "s", dict(values))
        found = []
        for second in range(300):
            if second == 2:
                watched.fail(3)
            watched.price(100_00 if second < 100 else 103_00)
            if second == 200:
                watched.counts = HandoffCounts(60, 60, 100, 0)
            watched.seconds(1)
            if watched.adaptive.is_raised:
                found.append(second)
        watched.close()
        return found


def raised_lines(values: Values) -> int:
    """Return how many ticks are lines while more is said."""
    with tempfile.TemporaryDirectory() as folder:
        watched = Watched(Path(folder) / "s", dict(values))
        watched.fail(10)
        watched.seconds(1)
        watched.run.take(300)
        watched.close()
        return sum(line["event"] == "tick" for line in watched.lines())


def exported_to(values: Values) -> str | None:
    """Return where logs are sent; None: nowhere."""
    found = export_of(settings(values).config.logs, list, Path("place"), Lines(), {}, Nothing())
    return None if found is None else found.url


class Nothing:
    """A keyring that holds nothing."""

    def why_not(self) -> str:
        return ""

    def get_password(self, _service: str, _name: str) -> None:
        return None
