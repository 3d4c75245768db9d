"""Verdicts on sessions that have ended or left: whether a replay decides the same, and what set it apart from the plain run.

Each is made by a process of its own that gives way to all others, one at a time, the newest session first, and is kept on disk.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import myquant
from myquant.dashboard.runs import ListedRun
from myquant.dashboard.verdict_worker import DIFFERS, FAILED, IDENTICAL
from myquant.errors import JournalError
from myquant.journal.reader import JournalReader
from myquant.monitor.replay_watch import FILE as REPLAYS
from myquant.monitor.replay_watch import FOLDER_MODE, LIMIT_NS, Child, QuietProcess, load_replays
from myquant.results.index import JOURNAL, RUNNING, SESSION_MARK, UNKNOWN, mode_of
from myquant.session.operator import put_private
from myquant.strategies.loading import default_strategy

FILE: Final = "verdicts.json"
OUTPUT: Final = "verdict.out"
KEPT_MAX: Final = 1000  # with more of them, those go whose session is not listed any more
PAUSE_NS: Final = 60 * 10**9  # from the end of one to the next, while a session runs
NOT_MADE: Final = "not known"
NOT_YET: Final = "not made yet"


@dataclass(frozen=True)
class SessionVerdict:
    """What is known of a session's replay and divergence.

    Attributes:
        state: `IDENTICAL`, `PARTLY`, `DIFFERS`, `NOT_COMPARABLE`, `FAILED` of `verdict_worker`, or `NOT_MADE`.
        text: what was compared, what differs and where, or why there is no verdict.
        records: of the journal, that it is of; None: not known.
        divergence: `Divergence.as_dict()`, paise; None: `why_no_divergence` says why.
        made_wall_ns: when it was made; 0: not by this.
        stamp: of the session's files and of the engine, when it was made.
    """

    state: str = NOT_MADE
    text: str = NOT_YET
    records: int | None = None
    divergence: Mapping[str, Any] | None = None
    why_no_divergence: str = NOT_YET
    made_wall_ns: int = 0
    stamp: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {name: value for name, value in asdict(self).items() if name != "stamp"}


@dataclass(frozen=True)
class Around:
    """What else goes on: a session runs; the market of one that runs is open."""

    is_any_running: bool = False
    is_market_open: bool = False


@dataclass
class _Work:
    """A verdict that is being made."""

    folder: str
    stamp: str
    child: Child
    began_ns: int
    was_asked: bool


@dataclass
class Verdicts:
    """Makes and keeps verdicts.

    `consider` looks at files and belongs into a worker thread; `look` begins and ends processes, a call a second or so.

    Args:
        folder: the monitor's state folder, where they are kept, and where those of its own replays are.
        is_automatic: make them without being asked; none is begun, and one that works is ended, while the market of a session
            that runs is open.
        launch: begins the work on a session.

    Attributes:
        working: the folder of the session that is worked on; "": none.
    """

    folder: Path
    is_automatic: bool
    launch: Callable[[Path], Child] | None = None
    working: str = ""
    _made: dict[str, SessionVerdict] = field(default_factory=dict)
    _shown: dict[str, SessionVerdict] = field(default_factory=dict)
    _stamps: dict[str, str] = field(default_factory=dict)  # of sessions that have left, newest first
    _asked: list[str] = field(default_factory=list)
    _work: _Work | None = None
    _rest_until_ns: int = 0

    def __post_init__(self) -> None:
        """Take up what was made before."""
        self._made = _load(self.folder / FILE)

    def of(self, folder: Path) -> SessionVerdict:
        """Return the verdict on the session in a folder."""
        return self._shown.get(str(folder), SessionVerdict())

    def is_waiting(self, folder: Path) -> bool:
        """Return whether a verdict that was asked for has not been begun yet."""
        return str(folder) in self._asked

    def ask(self, folder: Path) -> bool:
        """Have a verdict made, or made again, as the next one; return whether that can be: it is a session that has left."""
        name = str(folder)
        if name not in self._stamps:
            return False
        if name not in self._asked and name != self.working:
            self._asked.append(name)
        return True

    def consider(self, rows: Sequence[ListedRun]) -> None:
        """Look at which sessions of a list have left, and which verdicts still hold."""
        engine, replays = _engine(), load_replays(self.folder / REPLAYS)
        stamps, shown = {}, {}
        for row in rows:
            name = row.entry.folder
            if not mode_of(row.folder / SESSION_MARK):
                continue
            if row.entry.state in (RUNNING, UNKNOWN):
                shown[name] = SessionVerdict(text="it is made once the session has left")
                continue
            stamp = _stamp(row.folder, engine)
            if not stamp:
                shown[name] = SessionVerdict(text="it holds no journal")
                continue
            stamps[name] = stamp
            made = self._made.get(name)
            if made is not None and made.stamp == stamp:
                shown[name] = made
            elif (replayed := replays.get(name)) is not None and replayed.version == myquant.__version__:
                shown[name] = _of_monitor(row.folder, replayed.records, replayed.text, replayed.note)
            elif made is not None:
                shown[name] = SessionVerdict(text=f"{NOT_YET} of this engine and all its records; before: {made.state}")
        self._stamps, self._shown = stamps, shown

    def look(self, now_mono_ns: int, around: Around) -> None:
        """Take up what has ended, and begin what is due."""
        if self._work is not None:
            self._follow(self._work, now_mono_ns, around)
        if self._work is None and (name := self._next(now_mono_ns, around)):
            was_asked = name in self._asked
            begin = self.launch or self._launch
            self._work = _Work(name, self._stamps[name], begin(Path(name)), now_mono_ns, was_asked)
            self.working = name
            if was_asked:
                self._asked.remove(name)

    def close(self) -> None:
        """End the work that is under way."""
        if self._work is not None:
            self._work.child.kill()
        self._work, self.working = None, ""

    def _next(self, now_ns: int, around: Around) -> str:
        """Return the folder of the session that is due; "": none is."""
        if around.is_any_running and now_ns < self._rest_until_ns:
            return ""
        self._asked = [name for name in self._asked if name in self._stamps]
        if self._asked:
            return self._asked[0]
        if not self.is_automatic or around.is_market_open:
            return ""
        return next((name for name, stamp in self._stamps.items() if not self._is_made(name, stamp)), "")

    def _is_made(self, name: str, stamp: str) -> bool:
        made = self._made.get(name)
        return made is not None and made.stamp == stamp

    def _follow(self, work: _Work, now_ns: int, around: Around) -> None:
        code, is_late = work.child.poll(), now_ns - work.began_ns > LIMIT_NS
        must_go = around.is_market_open and not work.was_asked
        if code is None and not is_late and not must_go:
            return
        if code is None:
            work.child.kill()
        self._work, self.working, self._rest_until_ns = None, "", now_ns + PAUSE_NS
        if code is None and not is_late:
            return
        why = f"its replay took longer than {LIMIT_NS // 60_000_000_000} min" if code is None else ""
        found = SessionVerdict(FAILED, why, why_no_divergence=why) if code is None else _read(code, work.child.read())
        found = replace(found, made_wall_ns=time.time_ns(), stamp=work.stamp)
        self._made.pop(work.folder, None)
        self._made[work.folder] = self._shown[work.folder] = found
        gone = [name for name in self._made if name not in self._shown]
        for name in gone[: max(0, len(self._made) - KEPT_MAX)]:  # one that is listed would be made again
            del self._made[name]
        _save(self.folder / FILE, self._made)

    def _launch(self, session: Path) -> Child:
        command = [sys.executable, "-m", "myquant.dashboard.verdict_worker", str(session.absolute())]
        return QuietProcess(command, self.folder / OUTPUT)


def _engine() -> str:
    """Return what tells this myquant's engine from others."""
    return f"{myquant.__version__}/{default_strategy().engine_hash}"


def _stamp(folder: Path, engine: str) -> str:
    """Return what changes with a session's records, or with what replays it; "": it has no journal."""
    try:
        segments = sorted((folder / JOURNAL).glob("*.seg"))
        marks = [path.stat() for path in (folder / SESSION_MARK, *segments[-1:])]
    except OSError:
        return ""
    if not segments:
        return ""
    parts = [f"{mark.st_size}:{mark.st_mtime_ns}" for mark in marks]
    return f"{engine}/{len(segments)}/{'/'.join(parts)}"


def _of_monitor(folder: Path, records: int, text: str, note: str) -> SessionVerdict:
    """Return what the monitor's own replay of a session says, where that is of all its records."""
    try:
        is_of_all = JournalReader(folder, known=records).end(records).last == records
    except (JournalError, OSError):
        is_of_all = False
    if not is_of_all or note:
        return SessionVerdict()
    if text:
        return SessionVerdict(DIFFERS, f"the monitor has replayed it: {text}", records, None, "its replay: differs")
    return SessionVerdict(IDENTICAL, f"the monitor has replayed it: {records:,} records", records)


def _read(code: int, printed: str) -> SessionVerdict:
    """Return the verdict that a worker printed."""
    try:
        return SessionVerdict(**json.loads(printed))
    except (ValueError, TypeError):
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        why = f"its replay {how}: `myquant replay` and `myquant divergence` say why"
        return SessionVerdict(FAILED, why, why_no_divergence=why)


def _load(path: Path) -> dict[str, SessionVerdict]:
    with suppress(OSError, ValueError, TypeError, AttributeError):  # none, or of another version: they are made again
        table = json.loads(path.read_text(encoding="utf-8"))
        return {folder: SessionVerdict(**each) for folder, each in table.items()}
    return {}


def _save(path: Path, made: Mapping[str, SessionVerdict]) -> None:
    with suppress(OSError):  # they are made again after a restart
        path.parent.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
        put_private(path, json.dumps({folder: asdict(each) for folder, each in made.items()}).encode())
