"""The seam between the journal and the disk (Linux): each system call of the room is a small method here.

A test or a simulator puts a `Disk` of its own in its place, whose calls fail or end the process as it likes.
"""

import errno
import fcntl
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from myquant.errors import JournalError

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700

_REMEDIES: Final = {
    errno.ENOSPC: "free the disk",
    errno.EDQUOT: "free the disk, or raise the quota",
    errno.EROFS: "mount the disk writable",
    errno.EIO: "the disk fails: copy the session's folder to another one",
    errno.EACCES: "take the owner's account, or correct the permissions",
    errno.EPERM: "take the owner's account, or correct the permissions",
    errno.ENOENT: "name the folder of a session",
    errno.ENOTDIR: "name the folder of a session",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}


@contextmanager
def explained(path: Path, doing: str) -> Iterator[None]:
    """Turn an OSError into a JournalError that says what of `path` failed (`doing`: "can't be read"), and the remedy."""
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "see to the disk, then run again")
        raise JournalError(f"{path}: {doing} ({error.strerror or error}): {remedy}") from error


class Disk:
    """The real one. Each method is one system call and raises OSError; descriptors are not inherited by children."""

    def make_folder(self, path: Path) -> None:
        """Make a folder that only its owner can enter; its parent is there."""
        path.mkdir(FOLDER_MODE)

    def is_folder(self, path: Path) -> bool:
        """Return whether this is a folder; False also where it can't be looked at."""
        return path.is_dir()

    def names(self, folder: Path) -> list[str]:
        """Return the names in a folder, sorted."""
        return sorted(os.listdir(folder))  # noqa: PTH208  (names are what is wanted)

    def create(self, path: Path) -> int:
        """Create a file that must not be there, readable by its owner only, and return its descriptor."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, FILE_MODE)

    def open_or_create(self, path: Path) -> int:
        """Open a file for reading and writing; an empty one is made where there is none."""
        return os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE)

    def open_to_write(self, path: Path) -> int:
        """Open a file that is there for reading and writing."""
        return os.open(path, os.O_RDWR)

    def open_to_read(self, path: Path) -> int:
        """Open a file that is there for reading."""
        return os.open(path, os.O_RDONLY)

    def size(self, descriptor: int) -> int:
        """Return the length of an open file in bytes."""
        return os.fstat(descriptor).st_size

    def read(self, descriptor: int, count: int, offset: int) -> bytes:
        """Return up to `count` bytes from `offset`; fewer at the end of the file."""
        return os.pread(descriptor, count, offset)

    def write(self, descriptor: int, content: bytes | memoryview, offset: int) -> int:
        """Write at `offset` and return how many bytes were taken, which may be fewer than were given."""
        return os.pwrite(descriptor, content, offset)

    def allocate(self, descriptor: int, size: int) -> None:
        """Give a file its length and all its blocks, so that no store into its mapping can meet a full disk."""
        os.posix_fallocate(descriptor, 0, size)

    def map_to_write(self, descriptor: int, size: int) -> mmap.mmap:
        """Map a file; stores into it are in the file at once, for every process, even when this one is killed."""
        return mmap.mmap(descriptor, size)

    def map_to_read(self, descriptor: int, size: int) -> mmap.mmap:
        """Map a file for reading."""
        return mmap.mmap(descriptor, size, access=mmap.ACCESS_READ)

    def sync_data(self, descriptor: int) -> None:
        """Wait until a file's content, mapped stores included, is on the disk."""
        os.fdatasync(descriptor)

    def sync(self, descriptor: int) -> None:
        """Wait until a file, or the names in a folder, are on the disk."""
        os.fsync(descriptor)

    def lock(self, descriptor: int) -> None:
        """Take a file for this process alone until it is closed or dies; BlockingIOError when another holds it."""
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def rename(self, path: Path, target: Path) -> None:
        """Give a file another name in its folder; what had that name is replaced."""
        path.rename(target)

    def link(self, path: Path, target: Path) -> None:
        """Give a file a second name."""
        target.hardlink_to(path)

    def unlink(self, path: Path) -> None:
        """Remove a file."""
        path.unlink()

    def close(self, descriptor: int) -> None:
        """Close a descriptor."""
        os.close(descriptor)


DISK: Final = Disk()


def write_whole(disk: Disk, descriptor: int, content: bytes, offset: int = 0) -> None:
    """Write all of `content`, however many calls it takes; raise OSError ENOSPC where the disk takes nothing more."""
    left = memoryview(content)
    while left:
        taken = disk.write(descriptor, left, offset)
        if taken <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left, offset = left[taken:], offset + taken


def read_whole(disk: Disk, descriptor: int, count: int) -> bytes:
    """Return the first `count` bytes of a file; fewer where it is shorter."""
    parts: list[bytes] = []
    have = 0
    while have < count and (part := disk.read(descriptor, count - have, have)):
        parts.append(part)
        have += len(part)
    return b"".join(parts)


def sync_folder(disk: Disk, folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    descriptor = disk.open_to_read(folder)
    try:
        disk.sync(descriptor)
    finally:
        let_go(disk, descriptor)


def put_file(disk: Disk, path: Path, draft: Path) -> None:
    """Give a synced draft its name, durably: after a crash there is the whole file or none."""
    disk.rename(draft, path)
    sync_folder(disk, path.parent)


def let_go(disk: Disk, descriptor: int) -> None:
    """Close a descriptor; it is gone even where the disk complains, and what matters was synced before."""
    try:
        disk.close(descriptor)
    except OSError:
        return


def discard(disk: Disk, path: Path) -> None:
    """Remove a draft that is not to be finished, if it is there; one that stays behind does no harm."""
    try:
        disk.unlink(path)
    except OSError:
        return
