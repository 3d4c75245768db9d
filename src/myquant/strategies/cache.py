"""The folder of compiled engines: one folder each, written atomically, the least recently used deleted.

Several processes may use it at once. Each holds the engines that it uses, and what is held is not deleted.
"""

import atexit
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

import platformdirs

from myquant.errors import ConfigError

if sys.platform != "win32":
    import fcntl

ENGINES_KEPT: Final = 20
FOLDER: Final = re.compile(r"myquant_[0-9a-f]{20}")
IN_USE: Final = "in_use"
ATTEMPTS: Final = 100
WRITTEN_S: Final = (
    1_000_000_000  # the time of every generated source: Numba compares it, and processes may write at once
)

_held: list[int] = []  # open files of the engines in use; the system closes them when the process ends


def cache_folder() -> Path:
    """Return where compiled engines are kept: `MYQUANT_CACHE`, else the user's cache folder."""
    chosen = os.environ.get("MYQUANT_CACHE")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("myquant"))


def engine_folder(name: str, files: Mapping[str, str]) -> Path:
    """Return the folder of an engine with its source files, in use until this process ends.

    Where the cache folder can't be written, it is a temporary one and a note on stderr says so; ConfigError where that
    fails, too.
    """
    root = cache_folder()
    try:
        return _open(root, name, files)
    except OSError as error:
        temporary = _temporary_folder(f"{root}: {error.strerror}")
    try:
        return _open(temporary, name, files)
    except OSError as error:
        raise ConfigError(
            f"{temporary}: {error.strerror}; set MYQUANT_CACHE to a folder that can be written"
        ) from error


@cache
def _temporary_folder(problem: str) -> Path:
    remedy = "set MYQUANT_CACHE to a folder that can be written"
    sys.stderr.write(f"note: compiled engines can't be kept ({problem}), so this run compiles its own; {remedy}\n")
    try:
        folder = Path(tempfile.mkdtemp(prefix="myquant-"))
    except OSError as error:
        raise ConfigError(f"{problem}, and no temporary folder: {error.strerror}; {remedy}") from error
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _open(root: Path, name: str, files: Mapping[str, str]) -> Path:
    folder = root / name
    is_new = not folder.exists()
    _hold(folder)
    for file, text in files.items():
        _write(folder / file, text.encode())
    os.utime(folder)  # used just now
    if is_new:
        _delete_oldest(root)
    return folder


def _hold(folder: Path) -> None:
    """Make a folder and hold it. One that another process is deleting is made anew."""
    for _ in range(ATTEMPTS):
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            handle = os.open(folder / IN_USE, os.O_RDWR | os.O_CREAT, 0o600)
            if sys.platform != "win32":
                fcntl.flock(handle, fcntl.LOCK_SH)
            try:
                kept = os.path.samestat(os.fstat(handle), (folder / IN_USE).stat())
            except FileNotFoundError:
                kept = False
            if kept:
                _held.append(handle)
                return
            os.close(handle)
    raise OSError(0, "the folder of the engine is deleted again and again", str(folder))


def _write(path: Path, content: bytes) -> None:
    """Write a file that others may be reading or writing: the whole of it or nothing appears."""
    with suppress(FileNotFoundError):
        if path.read_bytes() == content:
            return
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    os.utime(draft, (WRITTEN_S, WRITTEN_S))
    Path(draft).replace(path)


def _delete_oldest(root: Path) -> None:
    """Delete the engines beyond the most recently used ones, but none that is in use."""
    used = {}
    for folder in root.iterdir():
        if FOLDER.fullmatch(folder.name):
            with suppress(FileNotFoundError):
                used[folder] = folder.stat().st_mtime_ns
    for folder in sorted(used, key=used.__getitem__, reverse=True)[ENGINES_KEPT:]:
        with suppress(OSError):  # it is in use, or another process is deleting it
            _delete(folder)


def _delete(folder: Path) -> None:
    doomed = folder.with_name(f"deleted_{folder.name}_{os.getpid()}")
    if sys.platform == "win32":
        folder.rename(doomed)  # fails while anyone has a file of it open
    else:
        handle = os.open(folder / IN_USE, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            folder.rename(doomed)
        finally:
            os.close(handle)
    shutil.rmtree(doomed, ignore_errors=True)
