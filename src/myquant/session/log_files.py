"""The files of a log: `log.jsonl` now, before it `log-2026-11-23.1.jsonl`..., packed to `.jsonl.gz` by a process of its own.

A file that is not written to any more is packed beside it, renamed, and only then removed: a packer that is killed leaves
the file as it was, or both. Whoever writes to a file holds a shared lock on it, a packer an exclusive one, so no line gets
lost and two packers do no harm. The date is that of a file's first line, in the session's zone.

python -m myquant.session.log_files FOLDER    packs what is to be packed in a folder, at idle priority
"""

import fcntl
import gzip
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from myquant.config.watching import LogSettings

FILE: Final = "log.jsonl"
PART: Final = ".part"
MIB: Final = 2**20
FILE_MODE: Final = 0o600
NICE: Final = 19
FAILED: Final = 1

_EARLIER: Final = re.compile(r"log-(\d{4}-\d{2}-\d{2})\.(\d{1,9})\.jsonl(\.gz)?")
_PACKERS: "Final[list[subprocess.Popen[bytes]]]" = []  # that this process started and has not seen end


class Bounds(NamedTuple):
    """How far a log may grow: bytes of a file, of all files, and whether each day has files of its own."""

    file_bytes: int
    total_bytes: int
    is_daily: bool


NO_BOUNDS: Final = Bounds(sys.maxsize, sys.maxsize, is_daily=False)  # of one who must not rename: another does


class Removed(NamedTuple):
    """Files that had to go, and the bytes that they had on disk."""

    files: int
    size_bytes: int


class Packed(NamedTuple):
    """What a packer has done: files, their bytes before and after, and of each that it could not pack, why."""

    files: int
    before_bytes: int
    after_bytes: int
    failures: tuple[str, ...]


def bounds_of(settings: "LogSettings") -> Bounds:
    """Return the bounds that are configured; two files fit into the total at least."""
    total = settings.total_mib * MIB
    return Bounds(min(settings.file_mib * MIB, total // 2), total, settings.daily)


def is_earlier(name: str) -> bool:
    """Return whether a file's name is that of an earlier file of a log, packed or not."""
    return _EARLIER.fullmatch(name) is not None


def earlier_files(folder: Path) -> list[Path]:
    """Return the files of a log before `log.jsonl`, oldest first; of one that is there packed and not, only the latter.

    Raises OSError where the folder can't be read.
    """
    found: dict[tuple[str, int], str] = {}
    for name in sorted(
        (path.name for path in folder.iterdir()), reverse=True
    ):  # the packed one before the other, which replaces it
        if (match := _EARLIER.fullmatch(name)) is not None:
            found[match[1], int(match[2])] = name
    return [folder / found[key] for key in sorted(found)]


def next_name(folder: Path, day: str) -> Path:
    """Return the name under which a file whose first line is of a day is kept; behind all that there are of that day."""
    numbers = [
        int(match[2]) for each in earlier_files(folder) if (match := _EARLIER.fullmatch(each.name)) and match[1] == day
    ]
    return folder / f"log-{day}.{max(numbers, default=0) + 1}.jsonl"


def remove_old(folder: Path, bounds: Bounds) -> Removed:
    """Remove the oldest files until the rest and a full `log.jsonl` are within the bounds."""
    sizes = [(path, path.stat().st_size) for path in earlier_files(folder)]
    files, freed = 0, 0
    excess = sum(size for _, size in sizes) - (bounds.total_bytes - bounds.file_bytes)
    for path, size in sizes:
        if freed >= excess:
            break
        path.unlink(missing_ok=True)
        files, freed = files + 1, freed + size
    return Removed(files, freed)


def pack(folder: Path) -> Packed:
    """Pack all files of a log that nobody writes to any more; from any process, and more than one at a time.

    It takes its time (0.5 s for 16 MiB): a loop calls it in a thread, or `start_packing`.
    """
    files, before, after, failures = 0, 0, 0, []
    try:
        _remove_parts(folder)
        waiting = [path for path in earlier_files(folder) if path.suffix != ".gz"]
    except OSError as error:
        return Packed(0, 0, 0, (f"{folder}: {error.strerror}",))
    for path in waiting:
        try:
            with _alone(path) as source:
                if source >= 0:
                    sizes = _pack_one(path, source)
                    files, before, after = files + 1, before + sizes[0], after + sizes[1]
        except OSError as error:
            failures.append(f"{path}: {error.strerror}")
    return Packed(files, before, after, tuple(failures))


def start_packing(folder: Path) -> bool:
    """Start a process that packs, if there is something to pack; return whether there is. It ends by itself.

    One that can't be started is no fault of a session's: what it would have packed stays, within the bounds, for the next.
    """
    _PACKERS[:] = [packer for packer in _PACKERS if packer.poll() is None]
    try:
        if not any(path.suffix != ".gz" for path in earlier_files(folder)):
            return False
        environ = {name: value for name, value in os.environ.items() if not name.startswith("MYQUANT_")}
        packer = subprocess.Popen(  # noqa: S603  (our own command)
            (sys.executable, "-P", "-m", "myquant.session.log_files", str(folder.resolve())),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=environ,
            start_new_session=True,
        )
    except OSError:
        return False
    _PACKERS.append(packer)
    return True


def is_packing() -> bool:
    """Return whether a process that `start_packing` has started is still at work."""
    return any(packer.poll() is None for packer in _PACKERS)


@contextmanager
def _alone(path: Path) -> Iterator[int]:
    """Open a file that nobody else writes to or packs; -1: somebody does, or it has gone meanwhile."""
    try:
        source = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield -1
        return
    try:
        fcntl.flock(source, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield source if os.fstat(source).st_nlink else -1
    except BlockingIOError:
        yield -1
    finally:
        os.close(source)


def _pack_one(path: Path, source: int) -> tuple[int, int]:
    """Pack a file; return its bytes before and after. What another left of it, torn or whole, is written anew."""
    part, packed = path.with_name(f"{path.name}.gz{PART}"), path.with_name(f"{path.name}.gz")
    status = os.fstat(source)
    target = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
    with os.fdopen(target, "wb") as file:
        with (
            os.fdopen(os.dup(source), "rb") as lines,
            gzip.GzipFile("", "wb", 6, file, mtime=int(status.st_mtime)) as gz,
        ):
            shutil.copyfileobj(lines, gz, MIB)
        file.flush()
        os.fsync(target)
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))  # when its last line was written
        size = os.fstat(target).st_size
    part.replace(packed)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    path.unlink(missing_ok=True)
    return status.st_size, size


def _remove_parts(folder: Path) -> None:
    """Remove what a killed packer has left of files that are gone."""
    for part in folder.glob(f"log-*.jsonl.gz{PART}"):
        if not part.with_name(part.name.removesuffix(f".gz{PART}")).exists():
            part.unlink(missing_ok=True)


def main(folder: str) -> int:
    """Pack a folder's files while the machine has nothing else to do; return the exit code."""
    with suppress(OSError):
        os.nice(NICE)
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    done = pack(Path(folder))
    for failure in done.failures:
        sys.stderr.write(f"a log file can't be packed: {failure}\n")
    return FAILED if done.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
