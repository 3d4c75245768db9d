"""The monitor's own folder: one monitor at a time, how to reach it, and of which records the news were told.

.lock           held as long as it runs
monitor.json    where it listens, and the token that it asks for; only its owner can read it
told.json       by session, the last record whose news were handed over
"""

import fcntl
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from myquant.errors import MyquantError, cannot_write
from myquant.session.operator import put_private

CARD: Final = "monitor.json"
TOLD: Final = "told.json"
LOCK: Final = ".lock"
FORMAT: Final = 1
REMEDY: Final = "set MYQUANT_STATE to a folder of your own on a local disk"
FOLDER_MODE: Final = 0o700
DAY_NS: Final = 86_400_000_000_000


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
    """The folder of a monitor that runs. `until_wall_ns`: when an earlier monitor last looked; None: there was none lately."""

    folder: Path
    told: dict[str, Told] = field(default_factory=dict)  # by folder of the session
    until_wall_ns: int | None = None
    _lock: int = -1

    def told_of(self, folder: Path, created: str, now_wall_ns: int) -> Told:
        """Return until where the news of a session were told; one that is new: from when an earlier monitor last looked, or now."""
        key = str(folder.resolve())
        found = self.told.get(key)
        if found is None or found.created != created:
            found = self.told[key] = Told(created, 0, self.until_wall_ns or now_wall_ns)
        return found

    def save(self, now_wall_ns: int) -> None:
        """Put on disk until where news were told. Raises MyquantError."""
        table = {
            "format": FORMAT,
            "until_wall_ns": now_wall_ns,
            "sessions": {key: asdict(told) for key, told in self.told.items()},
        }
        _put(self.folder / TOLD, table)

    def forget(self, folders: set[str]) -> None:
        """Keep nothing of other sessions than these."""
        self.told = {key: told for key, told in self.told.items() if key in folders}

    def show(self, card: MonitorCard) -> None:
        """Say how this monitor is reached. Raises MyquantError."""
        _put(self.folder / CARD, asdict(card))

    def close(self) -> None:
        """Let another monitor have the folder."""
        with suppress(OSError):
            (self.folder / CARD).unlink()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def open_state(folder: Path, now_wall_ns: int) -> MonitorState:
    """Take the folder, make it where it is not there. Raises MyquantError where a monitor has it or it can't be written."""
    try:
        folder.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise cannot_write(folder, error, REMEDY) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        card = read_card(folder)
        who = f" (process {card.pid})" if card else ""
        raise MyquantError(
            f"{folder}: a monitor runs here already{who}: stop it first, or set MYQUANT_STATE to another folder"
        ) from None
    table = _read(folder / TOLD)
    told: dict[str, Told] = {}
    until: int | None = None
    with suppress(TypeError, ValueError, AttributeError):
        until = int(table.get("until_wall_ns", 0)) or None
        told = {str(key): Told(**each) for key, each in table.get("sessions", {}).items()}
    is_late = until is None or not 0 <= now_wall_ns - until < DAY_NS
    return MonitorState(folder, told, None if is_late else until, lock)


def read_card(folder: Path) -> MonitorCard | None:
    """Return how the monitor is reached that was last there; None: no card, or one that can't be read."""
    with suppress(TypeError):
        return MonitorCard(**_read(folder / CARD))
    return None


def _put(path: Path, table: Mapping[str, Any]) -> None:
    """Write a file that only its owner can read. Raises MyquantError."""
    try:
        put_private(path, json.dumps(table).encode())
    except OSError as error:
        raise cannot_write(path, error, REMEDY) from error


def _read(path: Path) -> dict[str, Any]:
    """Return what a file of ours holds; nothing where it is not there or damaged: it is written anew."""
    try:
        table = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return table if isinstance(table, dict) else {}
