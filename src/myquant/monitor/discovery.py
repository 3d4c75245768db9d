"""Finds the sessions in the folders of runs: those that run, and those that were written to within a day."""

import errno
import json
import os
import stat
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from myquant.errors import MyquantError
from myquant.monitor.finding import plain
from myquant.monitor.follow import Followed
from myquant.monitor.naming import Names
from myquant.monitor.process import process_stat
from myquant.monitor.state import Told
from myquant.monitor.view import SessionView
from myquant.session.archive import MARK

DAY_NS: Final = 86_400_000_000_000
UNENDED_NS: Final = 8 * DAY_NS  # it may hold something: a weekend of holidays must not make that forgotten
SETTLED_NS: Final = 2_000_000_000  # times of files are coarse
CARD: Final = "operator.json"
_PARTS: Final = ("", MARK, CARD, "log.jsonl", "journal", "snapshots", "results")  # what changes while a session runs

WATCHED: Final = "watched"
OLD: Final = "old"  # ended or left long ago: not read
UNREADABLE: Final = "unreadable"
NONE: Final = "none"  # no session


class _Identity(NamedTuple):
    """What tells a session from another one that was made in the same place."""

    device: int  # of the folder
    inode: int
    created: str  # as session.json says
    key: str  # likewise


class _Seen(NamedTuple):
    """A session as it was taken up. `stamp`: as long as that is the same, so is the identity."""

    stamp: tuple[int, ...]
    identity: _Identity


class Discovery:
    """Keeps the sessions of some folders.

    Args:
        directories: folders of runs; one that is not there yet may come.
        told_of: returns until where the news of a session were told, by its folder and when it was made.
        wall_ns: the machine's clock.

    Attributes:
        followed: the sessions that are read, by name.
        problems: what can't be read, by its path, and why.
        counts: how many sessions there are, watched and not.
    """

    def __init__(
        self,
        directories: Sequence[Path],
        told_of: Callable[[Path, str], Told],
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.followed: dict[str, Followed] = {}
        self.problems: dict[Path, str] = {}
        self.counts: Counter[str] = Counter()
        self._directories = list(dict.fromkeys(directory.resolve() for directory in directories))
        self._names = Names(self._directories)
        self._told_of, self._wall_ns = told_of, wall_ns
        self._seen: dict[str, _Seen] = {}  # of each that is followed
        self._displaced: set[str] = set()  # of these, whose folder is another session's by now
        self._listed: set[Path] = set()  # folders of runs that were there once
        self._passed: dict[str, tuple[int, str]] = {}  # folders that are not read: when they changed last, and why

    def look(self) -> None:
        """Take up sessions that are new, and let go of those that are old or gone.

        One that can't be looked at is kept as it was. One whose folder is gone though it may still hold something, is kept, too.
        """
        self.problems, self.counts = {}, Counter()
        gone = [name for name in list(self.followed) if not self._is_there(name)]
        known = {str(each.view.folder) for name, each in self.followed.items() if name not in self._displaced}
        passed, self._passed = self._passed, {}
        for directory in self._directories:
            for path in self._folders_in(directory):
                if path not in known:
                    self._meet(path, passed.get(path))
        for name in gone:
            self._keep_or_let_go(name)
        if self.followed:
            self.counts[WATCHED] = len(self.followed)

    def close(self) -> None:
        """Let go of all."""
        for each in self.followed.values():
            each.close()

    def _is_there(self, name: str) -> bool:
        """Look at a session that is followed; return whether its folder is still its own. What can't be known is taken for yes."""
        view, seen = self.followed[name].view, self._seen[name]
        if name in self._displaced:
            return False
        try:
            stamp = _stamp(view.folder)
            view.gone_since_ns = None
            if stamp != seen.stamp:
                identity = _identity(view.folder)
                if identity != seen.identity:
                    self._make_room(name, identity)
                    return name in self.followed
                self._seen[name] = _Seen(stamp, identity)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            self.problems[view.folder] = f"can't be looked at ({error.strerror})"
        except (ValueError, KeyError, TypeError, RecursionError):
            self.problems[view.folder] = f"its {MARK} can't be understood any more"
        else:
            if _may_go(view) and not self._is_recent(view.folder):
                self._let_go(name)
        return True

    def _make_room(self, name: str, identity: _Identity) -> None:
        """Let go of a session whose folder is another one's now; one that may still hold something is kept, by another name."""
        before, each = self._seen[name].identity, self.followed[name]
        is_same = (before.created, before.key) == (identity.created, identity.key)  # restored, or mounted again
        if is_same or not (each.view.runs or each.view.holds):
            self._let_go(name)
            return
        other = plain(f"{name} (of {before.created})")
        if other in self.followed:
            self._let_go(other)
        each.view.name = other
        self.followed[other], self._seen[other] = self.followed.pop(name), self._seen.pop(name)
        self._displaced.add(other)
        self._keep_or_let_go(other)

    def _keep_or_let_go(self, name: str) -> None:
        """Keep a session whose folder is gone while it runs; a day where it died, and longer where it holds something."""
        view, identity = self.followed[name].view, self._seen[name].identity
        is_moved = any(seen.identity == identity for other, seen in self._seen.items() if other != name)
        gone_ns = view.gone_since_ns if view.gone_since_ns is not None else self._wall_ns()
        is_dead = view.is_dead and view.ended_code is None
        kept_ns = UNENDED_NS if view.holds else DAY_NS if is_dead else 0
        if is_moved or not (view.runs or self._wall_ns() - gone_ns < kept_ns):
            self._let_go(name)
        else:
            view.gone_since_ns = gone_ns

    def _let_go(self, name: str) -> None:
        del self._seen[name]
        self._displaced.discard(name)
        self.followed.pop(name).close()

    def _folders_in(self, directory: Path) -> list[str]:
        try:
            with os.scandir(directory) as entries:
                found = sorted(entry.path for entry in entries if not entry.name.startswith(".") and _is_folder(entry))
        except FileNotFoundError:
            if directory in self._listed:
                self.problems[directory] = "it was there and is gone; is its disk mounted?"
            return []
        except OSError as error:
            self.problems[directory] = f"can't be listed ({error.strerror})"
            return []
        self._listed.add(directory)
        return found

    def _meet(self, path: str, passed: tuple[int, str] | None) -> None:
        """Look at a folder that is not followed. One that was passed by is told by its time: who takes it up makes a file there."""
        try:
            changed_ns = os.stat(path).st_mtime_ns  # noqa: PTH116  (of thousands, each second: a Path takes longer than the call)
            if passed is not None and passed[0] == changed_ns:
                what = passed[1]
            elif not _is_session(path):
                what = NONE
            else:
                folder = Path(path)
                what = (WATCHED if self._take_up(folder) else UNREADABLE) if self._is_recent(folder) else OLD
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            self.problems[Path(path)] = f"can't be looked at ({error.strerror})"
            return
        # A file that is made in the same moment as the folder was looked at leaves its time as it is.
        if what == OLD or (what == NONE and self._wall_ns() - changed_ns > SETTLED_NS):
            self._passed[path] = changed_ns, what
        if what in (OLD, UNREADABLE):
            self.counts[what] += 1

    def _take_up(self, folder: Path) -> bool:
        name = self._names.of(folder)
        try:
            if name in self.followed:
                raise MyquantError(f"another session is called {name}, too: rename the folder")  # noqa: TRY301  (told as all else)
            seen = _Seen(_stamp(folder), _identity(folder))
            self.followed[name] = Followed(name, folder, self._told_of(folder, seen.identity.created))
            self._seen[name] = seen
        except Exception as error:  # noqa: BLE001  (whatever one folder holds, the others are watched)
            self.problems[folder] = plain(str(error) or type(error).__name__)
            return False
        return True

    def _is_recent(self, folder: Path) -> bool:
        """Return whether a session was written to within a day, or lately and has not ended, or has a process."""
        written = 0
        for part in _PARTS:
            with suppress(OSError):
                written = max(written, (folder / part).stat().st_mtime_ns)
        age_ns = self._wall_ns() - written
        if age_ns < DAY_NS or (age_ns < UNENDED_NS and not _has_ended(folder, written)):
            return True
        with suppress(OSError, ValueError, KeyError, TypeError):
            return process_stat(int(json.loads((folder / CARD).read_bytes())["pid"])) is not None
        return False


@lru_cache(1024)
def _has_ended(folder: Path, _written_ns: int) -> bool:
    """Return whether a session is over, by its folder as it was written then; one that can't be read is not."""
    with suppress(OSError, ValueError, AttributeError, RecursionError):
        return json.loads((folder / MARK).read_bytes()).get("ended") is not None
    return False


def _may_go(view: SessionView) -> bool:
    """Whether nothing of a session that was last written to long ago can be a fault any more."""
    return not view.runs and (view.ended_code is not None or not view.holds)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether this may be a folder; what can't be told is, so that a look at it says why."""
    try:
        return entry.is_dir()
    except OSError:
        return True


def _is_session(folder: str) -> bool:
    """Return whether a folder is one of a session. Raises OSError where that can't be told."""
    try:
        return not stat.S_ISFIFO(os.stat(f"{folder}/{MARK}").st_mode)  # noqa: PTH116  (Path.exists says no where it may not look)
    except FileNotFoundError:
        return False


def _stamp(folder: Path) -> tuple[int, ...]:
    """Return what changes when another session is made in a folder. Raises OSError; FileNotFoundError: it is none any more."""
    status, mark = folder.stat(), (folder / MARK).stat()
    if not stat.S_ISREG(mark.st_mode):
        raise OSError(errno.EINVAL, f"{MARK} is no file")
    return status.st_dev, status.st_ino, mark.st_ino, mark.st_mtime_ns


def _identity(folder: Path) -> _Identity:
    """Return what tells the session in a folder. Raises OSError, and ValueError, KeyError or TypeError for one that is none."""
    status, table = folder.stat(), json.loads((folder / MARK).read_bytes())
    return _Identity(status.st_dev, status.st_ino, str(table["created"]), str(table.get("key")))
