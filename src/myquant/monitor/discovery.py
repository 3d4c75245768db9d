"""Finds the sessions in the folders of runs: those that run, and those that were written to within a day."""

import json
import os
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Final

from myquant.monitor.finding import plain
from myquant.monitor.follow import Followed
from myquant.monitor.process import process_stat
from myquant.monitor.state import Told
from myquant.monitor.view import SessionView
from myquant.session.archive import MARK

DAY_NS: Final = 86_400_000_000_000
UNENDED_NS: Final = 8 * DAY_NS  # it may hold something: a weekend of holidays must not make that forgotten
CARD: Final = "operator.json"
_PARTS: Final = ("", MARK, CARD, "log.jsonl", "journal", "snapshots", "results")  # what changes while a session runs

WATCHED: Final = "watched"
OLD: Final = "old"  # ended or left long ago: not read
UNREADABLE: Final = "unreadable"


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
        self._told_of, self._wall_ns = told_of, wall_ns
        self._old: dict[Path, int] = {}  # when the folder of an old session has changed last

    def look(self) -> None:
        """Take up sessions that are new, and let go of those that are old or gone."""
        self.problems = {}
        found = [folder for directory in self._directories for folder in self._sessions_in(directory)]
        self.counts = Counter()
        known = {each.view.folder: name for name, each in self.followed.items()}
        old, self._old = self._old, {}
        for folder in found:
            name = known.pop(folder, None)
            changed_ns = _changed_ns(folder)
            if name is None and old.get(folder) == changed_ns:  # a process that takes it up makes a file there
                self.counts[OLD] += 1
                self._old[folder] = changed_ns
                continue
            if not self._is_recent(folder) and (name is None or _may_go(self.followed[name].view)):
                self.counts[OLD] += 1
                self._old[folder] = changed_ns
                if name is not None:
                    self.followed.pop(name).close()
            elif name is not None or self._take_up(folder):
                self.counts[WATCHED] += 1
            else:
                self.counts[UNREADABLE] += 1
        for name in known.values():  # its folder is gone
            self.followed.pop(name).close()

    def close(self) -> None:
        """Let go of all."""
        for each in self.followed.values():
            each.close()

    def _sessions_in(self, directory: Path) -> Iterator[Path]:
        try:
            with os.scandir(directory) as entries:
                listed = [entry for entry in entries if not entry.name.startswith(".")]
        except FileNotFoundError:
            return
        except OSError as error:
            self.problems[directory] = f"can't be listed ({error.strerror})"
            return
        for entry in sorted(listed, key=lambda each: each.name):
            folder = directory / entry.name
            try:
                if entry.is_dir() and _is_session(folder):
                    yield folder
            except OSError as error:
                self.problems[folder] = f"can't be looked at ({error.strerror})"

    def _take_up(self, folder: Path) -> bool:
        name = plain(folder.name if plain(folder.name) not in self.followed else str(folder))
        try:
            created = str(json.loads((folder / MARK).read_bytes())["created"])
            self.followed[name] = Followed(name, folder, self._told_of(folder, created))
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


def _is_session(folder: Path) -> bool:
    """Return whether a folder is one of a session. Raises OSError where that can't be told."""
    try:
        return not stat.S_ISFIFO(os.stat(folder / MARK).st_mode)  # noqa: PTH116  (Path.exists says no where it may not look)
    except FileNotFoundError:
        return False


def _changed_ns(folder: Path) -> int:
    """Return when something was made in a folder or taken away; 0: not known."""
    with suppress(OSError):
        return folder.stat().st_mtime_ns
    return 0
