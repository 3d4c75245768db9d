"""The monitor's own folder: one monitor at a time, how to reach it, and of which records the news were told.

.lock           held as long as it runs
monitor.json    where it listens, and the token that it asks for; only its owner can read it
told.json       by session, the last record whose news were handed over
"""

import fcntl
import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from myquant.errors import MyquantError, cannot_write
from myquant.monitor.folder import FOLDER_MODE
from myquant.session.operator import put_private

CARD: Final = "monitor.json"
TOLD: Final = "told.json"
LOCK: Final = ".lock"
FORMAT: Final = 1
REMEDY: Final = "set MYQUANT_STATE to a folder of your own on a local disk"
LOCK_TRIES: Final = 5  # who asks whether a monitor runs has the lock for a moment
LOCK_TRY_S: Final = 0.05
DAY_NS: Final = 86_400_000_000_000


class FolderTakenError(MyquantError):
    """Another monitor has the folder."""


@dataclass(frozen=True)
class MonitorCard:
    """How to reach the monitor that runs."""

    host: str
    port: int
    pid: int
    token: str
    format: int = FORMAT


@dataclass
class Told:
    """Until where the news of a session were told."""

    created: str  # of the session, as session.json says: another one may get its folder
    record: int = 0  # number of the last record
    since_wall_ns: int = 0  # nothing that was before this is news


@dataclass
class MonitorState:
    """The folder of a monitor that runs.

    Attributes:
        until_wall_ns: when an earlier monitor last looked; None: there was none lately.
        trouble: since when (ns) it can't be written, and why; None: it can.
    """

    folder: Path
    told: dict[str, Told] = field(default_factory=dict)  # by folder of the session
    until_wall_ns: int | None = None
    trouble: tuple[int, str] | None = None
    _lock: int = -1
    _card: MonitorCard | None = None

    def told_of(self, folder: Path, created: str, now_wall_ns: int) -> Told:
        """Return until where the news of a session were told; one that is new: from when an earlier monitor last looked, or now."""
        key = str(folder.resolve())
        found = self.told.get(key)
        if found is None or found.created != created:
            found = self.told[key] = Told(created, 0, self.until_wall_ns or now_wall_ns)
        return found

    def save(self, now_wall_ns: int) -> None:
        """Put on disk until where news were told. Raises MyquantError, and keeps why as `trouble`."""
        table = {
            "format": FORMAT,
            "until_wall_ns": now_wall_ns,
            "sessions": {key: asdict(told) for key, told in self.told.items()},
        }
        try:
            self._put(TOLD, table)
        except MyquantError as error:
            if self.has_folder():  # else whoever looks after the folder tells that, and mends it
                self.trouble = now_wall_ns if self.trouble is None else self.trouble[0], str(error)
            raise
        self.trouble = None

    def forget(self, folders: set[str]) -> None:
        """Keep nothing of other sessions than these."""
        self.told = {key: told for key, told in self.told.items() if key in folders}

    def show(self, card: MonitorCard) -> None:
        """Say how this monitor is reached. Raises MyquantError."""
        self._card = card
        self._put(CARD, asdict(card))

    def show_again(self) -> bool:
        """Say it again where somebody has removed or changed it; return whether that was so. Raises MyquantError."""
        if self._card is None or read_card(self.folder) == self._card:
            return False
        self.show(self._card)
        return True

    def has_folder(self) -> bool:
        """Return whether the folder is still the one that was taken, with the lock that is held."""
        return _is_at(self._lock, self.folder / LOCK)

    def take_again(self) -> None:
        """Take the folder that is there now, or make it anew. Raises MyquantError where it can't be; FolderTakenError: another has."""
        lock = _locked(self.folder)
        os.close(self._lock)
        self._lock = lock

    def close(self) -> None:
        """Let another monitor have the folder."""
        if self._lock < 0:
            return
        if self.has_folder():
            with suppress(OSError):
                (self.folder / CARD).unlink()
        os.close(self._lock)
        self._lock = -1

    def _put(self, name: str, table: Mapping[str, Any]) -> None:
        """Write a file of the folder that only its owner can read. Raises MyquantError."""
        path = self.folder / name
        if not self.has_folder():  # what is there now may be another monitor's
            raise MyquantError(f"{path}: not written, as the folder was removed or replaced")
        try:
            put_private(path, json.dumps(table).encode())
        except OSError as error:
            raise cannot_write(path, error, REMEDY) from error


def open_state(folder: Path, now_wall_ns: int) -> MonitorState:
    """Take the folder, make it where it is not there. Raises MyquantError where a monitor has it or it can't be written."""
    lock = _locked(folder)
    with suppress(OSError):  # of a monitor that was killed: its process may be any by now
        (folder / CARD).unlink()
    table = _read(folder / TOLD)
    told: dict[str, Told] = {}
    until: int | None = None
    with suppress(TypeError, ValueError, AttributeError):
        until = int(table.get("until_wall_ns", 0)) or None
        told = {str(key): Told(**each) for key, each in table.get("sessions", {}).items()}
    is_late = until is None or not 0 <= now_wall_ns - until < DAY_NS
    return MonitorState(folder, told, None if is_late else until, _lock=lock)


def is_taken(folder: Path) -> bool:
    """Return whether a monitor has the folder. Where its lock can't be looked at: whether there is one."""
    try:
        lock = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)  # which gives it back
    return False


def read_card(folder: Path) -> MonitorCard | None:
    """Return how the monitor is reached that was last there; None: no card, or one that can't be read."""
    with suppress(TypeError):
        return MonitorCard(**_read(folder / CARD))
    return None


def _locked(folder: Path) -> int:
    """Take a folder's lock, the folder made where it is not there. Raises MyquantError, FolderTakenError where a monitor has it."""
    for left in reversed(range(LOCK_TRIES)):
        try:
            folder.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
            lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise cannot_write(folder, error, REMEDY) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pass
        else:
            if _is_at(lock, folder / LOCK):  # else it was removed meanwhile, and another may have the next
                return lock
        os.close(lock)
        if left:
            time.sleep(LOCK_TRY_S)
    card = read_card(folder)
    who = f" (process {card.pid})" if card else ""
    raise FolderTakenError(
        f"{folder}: a monitor runs here already{who}: stop it first, or set MYQUANT_STATE to another folder"
    )


def _is_at(file: int, path: Path) -> bool:
    """Return whether an open file is the one that stands at a path."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except OSError:
        return False


def _read(path: Path) -> dict[str, Any]:
    """Return what a file of ours holds; nothing where it is not there or damaged: it is written anew."""
    try:
        table = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return table if isinstance(table, dict) else {}
