"""The lock that lets one process at a time write a journal. The kernel takes it back when that process dies."""

import os
from pathlib import Path
from typing import Final

from myquant.errors import JournalError
from myquant.journal.disk import Disk, explained, let_go, read_whole, write_whole
from myquant.journal.segment import FOLDER

NAME: Final = "lock"
_PID_BYTES: Final = 11  # as many as any pid takes: writing it over another's needs no space on the disk


def take_lock(folder: Path, disk: Disk) -> int:
    """Lock the journal of a session and return the lock's descriptor; closing it gives the journal free.

    Raises JournalError when another process holds it, and names that one.
    """
    path = folder / FOLDER / NAME
    with explained(path, "can't be opened"):
        descriptor = disk.open_or_create(path)
    try:
        with explained(path, "can't be locked"):
            try:
                disk.lock(descriptor)
            except BlockingIOError:
                raise JournalError(_held(folder, read_whole(disk, descriptor, _PID_BYTES))) from None
            write_whole(disk, descriptor, f"{os.getpid():<{_PID_BYTES - 1}}\n".encode())
    except JournalError:
        let_go(disk, descriptor)
        raise
    return descriptor


def _held(folder: Path, text: bytes) -> str:
    pid = text.decode("ascii", "replace").strip()
    who = f"process {pid}" if pid.isdigit() else "another process"
    return f"{folder}: {who} writes this journal: stop it first, or name another folder"
