"""Has the execution report of each session made once its day is over or it has left, while no market is open for another one."""

import json
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from myquant.monitor.replay_watch import FOLDER_MODE, Child, QuietProcess
from myquant.monitor.view import SessionView
from myquant.session.hours import Hours, trading_hours
from myquant.session.operator import put_private
from myquant.ticks.batch import InstrumentName

FOLDER: Final = "execution"  # in the monitor's: a folder for each session
FILE: Final = "executions.json"
OUTPUT: Final = "execution.out"
LIMIT_NS: Final = 10 * 60 * 10**9
KEPT_MAX: Final = 500
KEPT_S: Final = 90 * 86_400
CLEAN_NS: Final = 3600 * 10**9
DAYS_MAX: Final = 10  # of a session, the last ones: those without a report get theirs
CLOSED_MAX: Final = 30  # so many days back is looked for one with hours
REPORT_BYTES_MAX: Final = 2**25
SECOND_NS: Final = 10**9

Launch = Callable[[Path, Path, str], Child]


class Reported(NamedTuple):
    """Up to where a session was reported: its records, and the last day whose market had closed, ISO; "": not known."""

    records: int
    day: str


class _Work(NamedTuple):
    """A session whose days are reported."""

    folder: Path
    out: Path
    then: Reported  # once it is done


class ExecutionWatch:
    """Looks for what is to be reported, and has one report made at a time, by `myquant execution` at the lowest priority.

    Behind the report of a session's last day those of earlier days are made that are missing, as no monitor was at work then.

    Args:
        folder: the monitor's, where the reports are kept for 90 days.
        launch: begins the report of a session's folder into another one, of a day; "": of the last one.
        wall_s: the machine's clock.
    """

    def __init__(self, folder: Path, launch: Launch | None = None, wall_s: Callable[[], float] = time.time) -> None:
        self._folder, self._path, self._wall_s = folder / FOLDER, folder / FILE, wall_s
        self._launch = launch or (
            lambda *about: QuietProcess([sys.executable, "-m", "myquant", *words_of(*about)], folder / OUTPUT)
        )
        self._done = _load(self._path)  # by the session's folder
        self._hours: dict[str, Callable[[date], Hours | None]] = {}  # likewise
        self._child: Child | None = None
        self._work: _Work | None = None
        self._missing: list[str] | None = None  # days of it that are still to be reported; None: its last one is
        self._began_ns = self._cleaned_ns = 0

    def look(self, views: Mapping[str, SessionView], now_mono_ns: int) -> None:
        """Take up what is made, begin what is due, and remove what is old. Raises OSError where nothing can be begun."""
        if self._child is not None:
            self._follow(self._child, views, now_mono_ns)
        if not self._cleaned_ns or now_mono_ns - self._cleaned_ns >= CLEAN_NS:
            self._cleaned_ns = now_mono_ns
            self._remove_old()
        if self._child is None and not any(view.runs and view.is_market_open for view in views.values()):
            self._begin(views, now_mono_ns)

    def close(self) -> None:
        """End a report that is being made."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def _begin(self, views: Mapping[str, SessionView], now_ns: int) -> None:
        """Begin the next report; what it is of counts as begun only then."""
        if self._work is not None and self._missing:
            self._child = self._launch(self._work.folder, self._work.out, self._missing[0])
            self._missing = self._missing[1:]
        else:
            due = [(view, then) for view in views.values() if (then := self._due(view, now_ns)) is not None]
            if not due:
                return
            view, then = min(due, key=lambda each: each[0].began_wall_ns or 0)
            work = _Work(view.folder, self._folder / view.name.replace("/", "_"), then)
            self._child = self._launch(work.folder, work.out, "")
            self._work, self._missing = work, None
        self._began_ns = now_ns

    def _due(self, view: SessionView, now_ns: int) -> Reported | None:
        """Return up to where a session is to be reported now; None: it is not."""
        if view.process is None or view.unread_since_ns is not None or not view.order_ends["sent"]:
            return None
        if view.runs and view.is_market_open is not False:  # it is open, or that is not known before its first beat
            return None
        done = self._done.get(str(view.folder), Reported(-1, ""))
        day = self._closed_day(view, now_ns)
        is_due = day not in {"", done.day} if view.runs else done.records != view.records
        return Reported(view.records, day) if is_due else None

    def _closed_day(self, view: SessionView, now_ns: int) -> str:
        """Return the last day whose market had closed, by the exchange's clock carried on from the last beat; "": not known."""
        if view.exchange_ns is None or view.beat_mono_ns is None:
            return ""
        name, settings = str(view.folder), view.config.config
        if name not in self._hours:
            names = tuple(map(InstrumentName, view.symbols, view.exchanges))
            self._hours[name] = trading_hours(settings, names)
        time_ns = view.exchange_ns + max(0, now_ns - view.beat_mono_ns)
        on = datetime.fromtimestamp(time_ns // SECOND_NS, ZoneInfo(settings.session.timezone)).date()
        for days in range(CLOSED_MAX):
            hours = self._hours[name](on - timedelta(days))
            if hours is not None and hours.close_ns <= time_ns:
                return (on - timedelta(days)).isoformat()
        return ""

    def _follow(self, child: Child, views: Mapping[str, SessionView], now_ns: int) -> None:
        """Take up a report that is made; one that can't be is not tried again before there is more to report."""
        is_late = False
        if child.poll() is None:
            is_late = now_ns - self._began_ns > LIMIT_NS
            if not is_late:
                return
            child.kill()
        else:
            child.read()
        self._child, work = None, self._work
        if work is None:
            return
        if is_late:
            self._missing = []
        elif self._missing is None:
            self._missing = _missing_days(work.out)
        if not self._missing:
            self._note(work, {str(view.folder) for view in views.values()})

    def _note(self, work: _Work, watched: set[str]) -> None:
        """Keep up to where a session was reported; of very many those go that nobody watches any more."""
        self._work = None
        self._done.pop(str(work.folder), None)
        self._done[str(work.folder)] = work.then
        gone = [name for name in self._done if name not in watched]
        for name in gone[: max(0, len(self._done) - KEPT_MAX)]:
            del self._done[name]
        self._hours = {name: hours for name, hours in self._hours.items() if name in watched}
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


def words_of(session: Path, out: Path, day: str) -> tuple[str, ...]:
    """Return the words behind `myquant` that report a session's day into a folder; "": its last one."""
    return ("execution", str(session.absolute()), "--out", str(out.absolute()), *(("--day", day) if day else ()))


def _missing_days(out: Path) -> list[str]:
    """Return which of a session's last days have no report in a folder, by the report of the newest."""
    made = {path.stem for path in out.glob("*.json")}
    with suppress(OSError, ValueError, TypeError, KeyError):  # none was made, or it can't be read
        newest = out / f"{max(made)}.json"
        if newest.stat().st_size <= REPORT_BYTES_MAX:
            days = json.loads(newest.read_text(encoding="utf-8"))["days"]
            return [day for day in days[-DAYS_MAX:] if day not in made]
    return []


def _load(path: Path) -> dict[str, Reported]:
    with suppress(OSError, ValueError, TypeError, AttributeError):  # none, or of another version: all is made again
        table = json.loads(path.read_text(encoding="utf-8"))
        return {str(folder): Reported(int(records), str(day)) for folder, (records, day) in table.items()}
    return {}
