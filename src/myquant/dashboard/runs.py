"""The list of every run, baseline and session in some folders, read again only where something has changed."""

import stat
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from myquant.errors import MyquantError
from myquant.evidence.report import load
from myquant.monitor.naming import Names
from myquant.results.index import (
    BASELINE_MARK,
    CARD,
    JOURNAL,
    SESSION_RESULTS,
    Found,
    RunEntry,
    find_runs,
    mode_of,
    read_entry,
)
from myquant.results.write import RUN_MARK
from myquant.session.operator import SOCKET, is_running

# Files of a run that a browser may open: where they are in its folder, and what they are.
FILES: Final = {
    "report.html": "report",
    "workbook.xlsx": "workbook",
    "results/report.html": "report",
    "results/workbook.xlsx": "workbook",
    "baseline.html": "baseline",
}
SORTS: Final = ("written", "name", "kind", "state", "strategy", "days", "ticks", "trades", "net_pnl", "max_drawdown")

IsRunning = Callable[[Path], bool]
LoadReport = Callable[[Path], object]
_Stamp = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True)
class ListedRun:
    """A run in the list.

    Attributes:
        key: tells it from all others, and stays the same; of a session it is the monitor's name for it.
        entry: its headline figures.
        files: those of `FILES` that it has.
    """

    key: str
    entry: RunEntry
    files: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where it is."""
        return Path(self.entry.folder)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"key": self.key, **asdict(self.entry), "files": list(self.files)}


@dataclass(frozen=True)
class Wanted:
    """Which runs are wanted, and in what order. "": any. `text` is looked for in names, symbols, days and reasons."""

    kind: str = ""
    state: str = ""
    strategy: str = ""
    text: str = ""
    sort: str = "written"
    is_descending: bool = True


class _Known(NamedTuple):
    """What was read of a folder, and the stamp of its files then."""

    stamp: _Stamp
    entry: RunEntry
    files: tuple[str, ...]


class RunBook:
    """Lists the runs in some folders. `refresh` does the work, and may be called in a worker thread, one call at a time.

    Args:
        directories: folders of runs; a run of the first is called as its folder is, one of another `<runs folder>/<run>`.
        is_running: says whether a process runs the session of a folder.
        load_report: reads a baseline's report.

    Attributes:
        rows: the runs, newest first, as of the last refresh.
        problems: which of the folders can't be read, a line each.
    """

    def __init__(
        self, directories: Sequence[Path], is_running: IsRunning = is_running, load_report: LoadReport = load
    ) -> None:
        self.directories = tuple(dict.fromkeys(each.absolute() for each in directories))
        self.rows: tuple[ListedRun, ...] = ()
        self.problems: tuple[str, ...] = ()
        self._names = Names(self.directories)
        self._is_running, self._load_report = is_running, load_report
        self._known: dict[Path, _Known] = {}
        self._by_key: dict[str, ListedRun] = {}

    def find(self, key: str) -> ListedRun | None:
        """Return the run of a key; None where there is none."""
        return self._by_key.get(key)

    def refresh(self) -> None:
        """Look at the folders again."""
        rows: list[ListedRun] = []
        problems: list[str] = []
        known: dict[Path, _Known] = {}
        keys: set[str] = set()
        for directory in self.directories:
            try:
                found = find_runs(directory)
            except MyquantError as error:
                problems.append(str(error))
                continue
            for each in found:
                known[each.folder] = self._read(each, directory)
                key = self._key(each.folder, directory)
                while key in keys:  # `b/day` of the first folder, and `day` of a folder b
                    key += "~"
                keys.add(key)
                rows.append(ListedRun(key, known[each.folder].entry, known[each.folder].files))
        rows.sort(key=lambda row: (row.entry.written or "", row.key), reverse=True)
        self._known = known
        self._by_key = {row.key: row for row in rows}
        self.rows, self.problems = tuple(rows), tuple(problems)

    def _key(self, folder: Path, directory: Path) -> str:
        first, *rest = folder.relative_to(directory).parts
        return "/".join((self._names.of(directory / first), *rest))

    def _read(self, found: Found, directory: Path) -> _Known:
        """Return what a folder holds: as it was read before, where nothing has changed and no process is at work in it."""
        stamp = _stamp(found)
        before = self._known.get(found.folder)
        if before is not None and before.stamp == stamp and not mode_of(found.folder / SOCKET):
            return before
        entry = read_entry(found, directory, self._is_running, self._load_report)
        return _Known(stamp, entry, tuple(name for name in FILES if stat.S_ISREG(mode_of(found.folder / name))))


def _stamp(found: Found) -> _Stamp:
    """Return what changes with whatever an entry is read from."""
    if found.mark is None:
        return (_file_stamp(found.folder),)
    if found.mark.match(BASELINE_MARK):
        names: tuple[str, ...] = ("baseline.html",)
    else:
        names = (f"{SESSION_RESULTS}/{RUN_MARK}", CARD, JOURNAL, SOCKET)
    return (_file_stamp(found.mark), _file_stamp(found.folder), *(_file_stamp(found.folder / name) for name in names))


def _file_stamp(path: Path) -> tuple[int, int, int] | None:
    """Return what tells a file's contents from those before; None: it is not there, or can't be looked at."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_ctime_ns


def choose(rows: Sequence[ListedRun], wanted: Wanted) -> list[ListedRun]:
    """Return the runs that are wanted, in the order that is; what is not known comes last in either order.

    Raises MyquantError for an order that there is not.
    """
    if wanted.sort not in SORTS:
        raise MyquantError(f"sort: {wanted.sort[:40]}: must be one of {', '.join(SORTS)}")
    chosen = [row for row in rows if _is_wanted(row.entry, wanted)]
    known = [row for row in chosen if _order_of(row, wanted.sort) is not None]
    known.sort(key=lambda row: (_order_of(row, wanted.sort), row.key), reverse=wanted.is_descending)
    return known + [row for row in chosen if _order_of(row, wanted.sort) is None]


def _is_wanted(entry: RunEntry, wanted: Wanted) -> bool:
    for name in ("kind", "state", "strategy"):
        value = getattr(wanted, name)
        if value and getattr(entry, name) != value:
            return False
    words = " ".join((entry.name, *entry.symbols, *entry.days, entry.reason)).casefold()
    return all(word in words for word in wanted.text.casefold().split())


def _order_of(row: ListedRun, sort: str) -> Any:
    """Return what a run is ordered by; None: it is not known."""
    value = getattr(row.entry, sort)
    return None if value in (None, ()) else value


def kinds_of(rows: Sequence[ListedRun], name: str) -> list[str]:
    """Return what there is of `kind`, `state` or `strategy`, in order: what one can choose from."""
    return sorted({value for row in rows if (value := getattr(row.entry, name))})


def safe_file(row: ListedRun, name: str) -> Path | None:
    """Return a file of a run that may be shown; None: it is none of `FILES`, is not there, or leads out of the run's folder."""
    if name not in FILES:
        return None
    path = row.folder / name
    try:
        is_inside = path.resolve(strict=True).is_relative_to(row.folder.resolve(strict=True))
    except OSError:
        return None
    return path if is_inside and stat.S_ISREG(mode_of(path)) else None
