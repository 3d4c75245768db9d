"""What befalls a machine in a drill: a disk that fills up, a process that dies."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from monitor.watched import begun, put_session


def small_disk(place: Path, mib: int) -> AbstractContextManager[bool]:
    """Give a folder a disk of its own; yields whether that could be done: only a superuser who may mount can."""
    place.mkdir()
    return _mounted(place, "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs")


def read_only(place: Path) -> AbstractContextManager[bool]:
    """Let nothing be written to a folder; what is open in it stays so. Yields whether that could be done, as above."""
    return _mounted(place, "--bind", "-o", "ro", str(place))


@contextmanager
def _mounted(place: Path, *what: str) -> Iterator[bool]:
    mounting = ["mount", *what, str(place)]
    is_there = os.geteuid() == 0 and subprocess.run(mounting, check=False, capture_output=True).returncode == 0
    try:
        yield is_there
    finally:
        if is_there:
            subprocess.run(["umount", "-l", str(place)], check=True)  # noqa: S607  (where it is differs)


LEFT_BYTES = 65_536  # somebody writes there meanwhile


def fill(path: Path) -> int:
    """Take all that a disk has left; return when (the machine's clock, ns) it was full."""
    with path.open("wb", buffering=0) as file:
        disk = os.statvfs(path)
        with suppress(OSError):  # nearly all of it at once: a look while it is filled would find it low, and not full
            os.posix_fallocate(file.fileno(), 0, disk.f_bavail * disk.f_frsize - LEFT_BYTES)
        file.seek(0, os.SEEK_END)
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return time.time_ns()


@contextmanager
def a_victim(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Give a process whose death is a fault: by its folder it is a session."""
    with subprocess.Popen(["sleep", "600"]) as process:  # noqa: S607  (where it is differs)
        begun(put_session(folder), process.pid, wall_ns=time.time_ns()).close()
        yield process
        process.kill()
