"""Has the execution report of each session made once its day is over or it has left, while no market is open for another one."""

import json
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from myquant.monitor.replay_watch import FOLDER_MODE, Child, QuietProcess
from myquant.monitor.view import SessionView
from myquant.session.operator import put_private

FOLDER: Final = "execution"  # in the monitor's: a folder for each session
FILE: Final = "executions.json"
OUTPUT: Final = "execution.out"
LIMIT_NS: Final = 10 * 60 * 10**9
KEPT_MAX: Final = 500
KEPT_S: Final = 90 * 86_400
CLEAN_NS: Final = 3600 * 10**9


class ExecutionWatch:
    """Looks for what is to be reported, and has one report made at a time, by `myquant execution` at the lowest priority.

    Args:
        folder: the monitor's, where the reports are kept for 90 days.
        launch: begins the report of a session's folder into another one.
        wall_s: the machine's clock.
    """

    def __init__(
        self,
        folder: Path,
        launch: Callable[[Path, Path], Child] | None = None,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._folder, self._path, self._wall_s = folder / FOLDER, folder / FILE, wall_s
        self._launch = launch or (
            lambda session, out: QuietProcess(
                [sys.executable, "-m", "myquant", *words_of(session, out)], folder / OUTPUT
            )
        )
        self._done = _load(self._path)  # records that were reported, by folder
        self._open: set[str] = set()  # folders of sessions whose market was open at the last look
        self._closed: set[str] = set()  # likewise, of those whose day is over and not reported yet
        self._child: Child | None = None
        self._of = ("", 0)  # the folder that is reported, and its records
        self._began_ns = self._cleaned_ns = 0

    def look(self, views: Mapping[str, SessionView], now_mono_ns: int) -> None:
        """Take up what is made, begin what is due, and remove what is old."""
        self._follow_hours(views)
        if self._child is not None:
            self._follow(self._child, now_mono_ns)
        is_busy = any(view.runs and view.is_market_open for view in views.values())
        due = [view for view in views.values() if self._is_due(view)]
        if self._child is None and due and not is_busy:
            view = min(due, key=lambda each: each.began_wall_ns or 0)
            self._closed.discard(str(view.folder))
            self._of, self._began_ns = (str(view.folder), view.records), now_mono_ns
            self._child = self._launch(view.folder, self._folder / view.name.replace("/", "_"))
        if not self._cleaned_ns or now_mono_ns - self._cleaned_ns >= CLEAN_NS:
            self._cleaned_ns = now_mono_ns
            self._remove_old()

    def close(self) -> None:
        """End a report that is being made."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def _follow_hours(self, views: Mapping[str, SessionView]) -> None:
        is_open = {str(view.folder) for view in views.values() if view.runs and view.is_market_open}
        self._closed |= {str(view.folder) for view in views.values() if view.runs} & (self._open - is_open)
        self._open = is_open

    def _is_due(self, view: SessionView) -> bool:
        if view.process is None or view.unread_since_ns is not None or not view.order_ends["sent"]:
            return False
        is_new = self._done.get(str(view.folder)) != view.records
        return is_new and (not view.runs or str(view.folder) in self._closed)

    def _follow(self, child: Child, now_ns: int) -> None:
        """Take up a report that is made; one that can't be is not tried again before there is more to report."""
        if child.poll() is None:
            if now_ns - self._began_ns <= LIMIT_NS:
                return
            child.kill()
        else:
            child.read()
        self._child = None
        folder, records = self._of
        self._done.pop(folder, None)
        self._done[folder] = records
        self._done = dict(list(self._done.items())[-KEPT_MAX:])
        with suppress(OSError):  # it is made again after a restart
            self._path.parent.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
            put_private(self._path, json.dumps(self._done).encode())

    def _remove_old(self) -> None:
        oldest_s = self._wall_s() - KEPT_S
        for path in self._folder.glob("*/*"):
            with suppress(OSError):
                if path.stat().st_mtime < oldest_s:
                    path.unlink()
        for folder in self._folder.glob("*"):
            with suppress(OSError):  # it holds reports
                folder.rmdir()


def words_of(session: Path, out: Path) -> tuple[str, ...]:
    """Return the words behind `myquant` that report a session into a folder."""
    return ("execution", str(session.absolute()), "--out", str(out.absolute()))


def _load(path: Path) -> dict[str, int]:
    with suppress(OSError, ValueError, TypeError, AttributeError):  # none, or of another version: all is made again
        return {str(folder): int(records) for folder, records in json.loads(path.read_text(encoding="utf-8")).items()}
    return {}
