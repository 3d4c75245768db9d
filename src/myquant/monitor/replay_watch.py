"""Replays each session that has ended or left, in a process of its own, once, while no market is open for another one."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Final, Protocol

import myquant
from myquant.monitor.tied import tied
from myquant.monitor.view import SessionView
from myquant.session.operator import put_private

FILE: Final = "replays.json"
OUTPUT: Final = "replay.out"
FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
LIMIT_NS: Final = 30 * 60 * 10**9
KEPT_MAX: Final = 500
OUTPUT_MAX: Final = 2**20
NICE: Final = 19
KEPT_VARIABLES: Final = ("MYQUANT_CACHE", "MYQUANT_STATE")


class Child(Protocol):
    """A replay at work."""

    def poll(self) -> int | None:
        """Return its exit code; None: it works."""

    def kill(self) -> None:
        """End it, and wait for that."""

    def read(self) -> str:
        """Return what it has printed."""


@dataclass(frozen=True)
class Replay:
    """What became of a session's replay: `text` is what differs, `note` why there is nothing to compare."""

    records: int
    version: str
    text: str
    note: str


class ReplayWatch:
    """Looks for what is to be replayed; sets `replay` of each session that was.

    It begins only while no session runs whose market is open, and one that opens meanwhile ends it: it is begun anew later.

    Args:
        folder: the monitor's, where results are kept so that nothing is replayed twice.
        launch: begins the replay of a folder.
    """

    def __init__(self, folder: Path, launch: Callable[[Path], Child] | None = None) -> None:
        self._path = folder / FILE
        self._launch = launch or (lambda session: ReplayProcess(session, folder))
        self._done: dict[str, Replay] = load_replays(self._path)
        self._child: Child | None = None
        self._of: tuple[str, int] | None = None  # the folder that is replayed, and its records
        self._began_ns = 0
        self._watched: set[str] = set()

    def look(self, views: Mapping[str, SessionView], now_mono_ns: int) -> None:
        """Take up what has ended, begin what is due, and tell the sessions."""
        is_busy = any(view.runs and view.is_market_open for view in views.values())
        self._watched = {str(view.folder) for view in views.values()}
        if self._child is not None:
            self._follow(self._child, now_mono_ns, is_busy=is_busy)
        if self._child is None and not is_busy:
            due = [view for view in views.values() if self._is_due(view)]
            if due:
                view = min(due, key=lambda each: each.began_wall_ns or 0)
                self._of, self._began_ns = (str(view.folder), view.records), now_mono_ns
                self._child = self._launch(view.folder)
        for view in views.values():
            done = self._done.get(str(view.folder))
            view.replay = done.text if done is not None else ""

    def close(self) -> None:
        """End a replay that is at work."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def _is_due(self, view: SessionView) -> bool:
        if view.runs or view.process is None or view.unread_since_ns is not None or not view.records:
            return False
        done = self._done.get(str(view.folder))
        return done is None or (done.records, done.version) != (view.records, myquant.__version__)

    def _follow(self, child: Child, now_ns: int, *, is_busy: bool) -> None:
        code = child.poll()
        is_late = now_ns - self._began_ns > LIMIT_NS
        if code is None and not is_busy and not is_late:
            return
        if code is None:
            child.kill()
        self._child = None
        if self._of is None or (code is None and not is_late):
            return
        folder, records = self._of
        text, note = ("", "the replay took too long") if code is None else _verdict(code, child.read())
        self._done.pop(folder, None)
        self._done[folder] = Replay(records, myquant.__version__, text, note)
        gone = [name for name in self._done if name not in self._watched]  # one that is watched would be replayed again
        for name in gone[: max(0, len(self._done) - KEPT_MAX)]:
            del self._done[name]
        _save(self._path, self._done)


class QuietProcess:
    """A command in a process of its own that gives way to all others and ends with this one, without this one's secrets. `output`: what it prints goes there."""

    def __init__(self, command: Sequence[str], output: Path) -> None:
        output.parent.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
        descriptor = os.open(output, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
        os.fchmod(descriptor, FILE_MODE)  # one that is there has another mode perhaps
        self._output: IO[Any] = os.fdopen(descriptor, "w+b")
        self._process = subprocess.Popen(  # noqa: S603  (our own command)
            tied(command),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.DEVNULL,
            env={name: value for name, value in os.environ.items() if _is_passed_on(name)},
            start_new_session=True,
        )
        with suppress(OSError):  # it has ended already
            os.setpriority(os.PRIO_PROCESS, self._process.pid, NICE)

    def poll(self) -> int | None:
        """Return its exit code; None: it works."""
        return self._process.poll()

    def kill(self) -> None:
        """End it and what it has begun."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._output.close()

    def read(self) -> str:
        """Return what it has printed."""
        with self._output as output:
            output.seek(0)
            return str(output.read(OUTPUT_MAX), "utf-8", "replace")


class ReplayProcess(QuietProcess):
    """`myquant replay` in such a process."""

    def __init__(self, session: Path, folder: Path, command: Sequence[str] = (sys.executable, "-m", "myquant")) -> None:
        super().__init__([*command, "replay", str(session.absolute()), "--json"], folder / OUTPUT)


def _is_passed_on(name: str) -> bool:
    return not name.startswith("MYQUANT_") or name in KEPT_VARIABLES


def _verdict(code: int, printed: str) -> tuple[str, str]:
    """Return what differs, and why there is nothing to compare."""
    try:
        found = json.loads(printed)
        difference, is_damaged = found["difference"], found["is_damaged"]
    except (ValueError, TypeError, KeyError):
        if code < 0:
            return f"its replay was ended by signal {-code}", ""
        return "", f"its replay could not be made (exit code {code}): another engine made it, or it can't be read"
    if difference is not None:
        return f"its replay differs at record {difference['record']}: {difference['what']}", ""
    return "", "only the sound records were replayed" if is_damaged else ""


def load_replays(path: Path) -> dict[str, Replay]:
    """Return what a monitor has kept in its `FILE`, by the session's folder; nothing where it can't be read."""
    with suppress(OSError, ValueError, TypeError, AttributeError):  # none, or of another version: all is replayed again
        return {folder: Replay(**each) for folder, each in json.loads(path.read_text(encoding="utf-8")).items()}
    return {}


def _save(path: Path, done: Mapping[str, Replay]) -> None:
    with suppress(OSError):  # it is replayed again after a restart
        path.parent.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
        put_private(path, json.dumps({folder: asdict(each) for folder, each in done.items()}).encode())
