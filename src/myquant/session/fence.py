"""The fence of an account on this machine: of all engines that could send orders to it, only the last that began may.

The folder of a fence belongs to one account of one broker. Its file `fence` is one word that all engines of the account map
into their memory: an epoch, which each of them raises when it begins. One that finds another epoch than its own has been
fenced off, and sends nothing any more, however late it wakes up. `flatten` raises the epoch, too.
"""

import json
import mmap
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from struct import Struct
from time import sleep
from typing import Final, NamedTuple, Self

from myquant.errors import JournalError
from myquant.journal.disk import Disk, discard, explained, let_go, put_file, read_whole, write_whole

EPOCH: Final = "fence"
HOLDER: Final = "holder.json"
LOCK: Final = "lock"
SIZE: Final = 8
HOLDER_MAX: Final = 2**15  # bytes; a path has 4,096 at most, each of which may be written as six
LOCK_TRIES: Final = 200
LOCK_WAIT_S: Final = 0.01
EPOCH_MAX: Final = 2**31 - 1

Pause = Callable[[float], object]

_WORD: Final = Struct("<q")
_EPOCH: Final = Struct("<i")


class NotSyncedError(JournalError):
    """The epoch was raised in the memory that all engines share, and the disk has not taken it."""


class Holder(NamedTuple):
    """Who raised the epoch last."""

    pid: int
    name: str  # a session, or a command
    session: str = ""  # path of the folder of the last session that held it; empty: not known


def pack(epoch: int) -> int:
    """Return the word of an epoch: it and its CRC-32, so that both change with one store."""
    check = zlib.crc32(_EPOCH.pack(epoch))
    return epoch << 32 | check


def unpack(word: int) -> int | None:
    """Return the epoch of a word; None: it is damaged."""
    epoch = word >> 32
    return epoch if 0 < epoch <= EPOCH_MAX and pack(epoch) == word else None


class Fence:
    """An epoch taken. `epoch`: its number, from 1."""

    def __init__(self, memory: mmap.mmap, mine: int) -> None:
        self._memory = memory
        self._view = memoryview(memory)
        self._word = self._view.cast("q")
        self._mine = mine
        self.epoch = mine >> 32

    @classmethod
    def take(cls, folder: Path, name: str, disk: Disk, pause: Pause = sleep, *, session: str = "") -> Self:
        """Raise the epoch and hold it; `name` and the path of its folder, `session`, are for messages and for who flattens.

        `pause` waits for so many seconds.

        Raises JournalError where the folder can't be written or the file is damaged. Others may be fenced off all the same.
        """
        with _locked(folder, disk, pause):
            memory, mine = _raise(folder, Holder(os.getpid(), name, session), disk)
        return cls(memory, mine)

    @staticmethod
    def raise_epoch(folder: Path, name: str, disk: Disk, pause: Pause = sleep, *, session: str = "") -> int:
        """Fence off whoever holds the epoch, and return the new one, which nobody holds; errors as `take`.

        After a NotSyncedError whoever holds the old one is fenced off as long as this machine keeps the page in its memory.
        """
        with _locked(folder, disk, pause):
            memory, mine = _raise(folder, Holder(os.getpid(), name, session), disk)
        memory.close()
        return mine >> 32

    def holds(self) -> bool:
        """Return whether the epoch is still this one: a read of memory."""
        return self._word[0] == self._mine

    def close(self) -> None:
        """Let go of the file; the epoch stays as it is."""
        self._word.release()
        self._view.release()
        self._memory.close()


def read_epoch(folder: Path, disk: Disk) -> int:
    """Return the epoch of an account; 0: none was taken yet. Raises JournalError at a damaged file."""
    return _read(folder, disk) if EPOCH in _names(folder, disk) else 0


def holder(folder: Path, disk: Disk) -> Holder | None:
    """Return who raised the epoch last; None where that is not known. It serves messages only."""
    if HOLDER not in _names(folder, disk):
        return None
    with explained(folder / HOLDER, "can't be read"):
        descriptor = disk.open_to_read(folder / HOLDER)
        try:
            text = read_whole(disk, descriptor, HOLDER_MAX)
        finally:
            let_go(disk, descriptor)
    try:
        table = json.loads(text)
        return Holder(int(table["pid"]), str(table["name"]), str(table.get("session", "")))
    except (ValueError, TypeError, KeyError):
        return None


def _names(folder: Path, disk: Disk) -> list[str]:
    with explained(folder, "can't be read"):
        return disk.names(folder) if disk.is_folder(folder) else []


@contextmanager
def _locked(folder: Path, disk: Disk, pause: Pause) -> Iterator[None]:
    """Keep all others from raising the epoch meanwhile; whoever dies lets go."""
    with explained(folder, "can't be written"):
        _make_folders(folder, disk)
        descriptor = disk.open_or_create(folder / LOCK)
    try:
        _wait_for_lock(folder, descriptor, disk, pause)
        yield
    finally:
        let_go(disk, descriptor)


def _make_folders(folder: Path, disk: Disk) -> None:
    if not disk.is_folder(folder):
        _make_folders(folder.parent, disk)
        try:
            disk.make_folder(folder)
        except FileExistsError:
            if not disk.is_folder(folder):
                raise


def _wait_for_lock(folder: Path, descriptor: int, disk: Disk, pause: Pause) -> None:
    for _ in range(LOCK_TRIES):
        try:
            with explained(folder / LOCK, "can't be locked"):
                disk.lock(descriptor)
        except JournalError as error:
            if not isinstance(error.__cause__, BlockingIOError):
                raise
            pause(LOCK_WAIT_S)
        else:
            return
    raise JournalError(f"{folder / LOCK}: another process has held it for too long: end that process, then run again")


def _raise(folder: Path, who: Holder, disk: Disk) -> tuple[mmap.mmap, int]:
    """Raise the epoch, wait until it is on the disk, and return the mapped file and the new word."""
    path = folder / EPOCH
    epoch = read_epoch(folder, disk) + 1
    if epoch > EPOCH_MAX:
        raise _damaged(path)
    mine = pack(epoch)
    with explained(path, "can't be written"):
        if epoch == 1:
            _replace(folder, EPOCH, _WORD.pack(mine), disk)
        descriptor = disk.open_to_write(path)
        try:
            memory = disk.map_to_write(descriptor, SIZE)
            with memoryview(memory) as view, view.cast("q") as word:
                word[0] = mine  # one aligned store: whoever dies here leaves the old epoch or the new one
            refused = _refused_sync(descriptor, disk)
        finally:
            let_go(disk, descriptor)
    _note_holder(folder, who, disk)
    if refused is not None:
        raise NotSyncedError(f"{path}: can't be written through ({refused.strerror or refused}): see to the disk")
    return memory, mine


def _refused_sync(descriptor: int, disk: Disk) -> OSError | None:
    try:
        disk.sync_data(descriptor)
    except OSError as error:
        return error
    return None


def _read(folder: Path, disk: Disk) -> int:
    path = folder / EPOCH
    with explained(path, "can't be read"):
        descriptor = disk.open_to_read(path)
        try:
            size, content = disk.size(descriptor), read_whole(disk, descriptor, SIZE)
        finally:
            let_go(disk, descriptor)
    epoch = unpack(_WORD.unpack(content)[0]) if size == len(content) == SIZE else None
    if epoch is None:
        raise _damaged(path)
    return epoch


def _damaged(path: Path) -> JournalError:
    return JournalError(f"{path}: damaged: end every session of this account, see that none runs, then remove the file")


def _replace(folder: Path, name: str, content: bytes, disk: Disk) -> None:
    """Write a small file under another name first, so that there is never half of it."""
    draft = folder / f"{name}.new"
    discard(disk, draft)
    descriptor = disk.create(draft)
    try:
        write_whole(disk, descriptor, content)
        disk.sync(descriptor)
    finally:
        let_go(disk, descriptor)
    put_file(disk, folder / name, draft)


def _note_holder(folder: Path, who: Holder, disk: Disk) -> None:
    """Note who raised the epoch; a full disk must not keep anyone from fencing others off."""
    try:
        _replace(folder, HOLDER, json.dumps(who._asdict()).encode(), disk)
    except OSError:
        discard(disk, folder / HOLDER)
