"""Notices that a file which a running session was made from has changed on disk. The session goes on with what it has."""

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from myquant.config.layers import FILE_BYTES_MAX, VARIABLE_PREFIX
from myquant.config.loading import DEFAULT, LoadedConfig
from myquant.session.needs import Log
from myquant.strategies.loading import LoadedStrategy

GONE: Final = "gone"
UNREADABLE: Final = "unreadable"
_NO_FILES: Final = (DEFAULT, "argument")  # origins of values that are no files

Stamp = (
    tuple[int, int, int, int] | None
)  # what tells a changed file at the cost of one call; None: it can't be looked at


def files_of(loaded: LoadedConfig, strategy: LoadedStrategy) -> list[Path]:
    """Return the files of settings that gave a value, and those of the strategy."""
    origins = dict.fromkeys(loaded.origins.values())
    named = (each for each in origins if each not in _NO_FILES and not each.startswith((VARIABLE_PREFIX, "--")))
    settings = [path for path in map(Path, named) if path.is_file()]
    folder = None if strategy.path is None else strategy.path.parent
    return settings + ([] if folder is None else [folder / name for name in strategy.files])


class ConfigWatch:
    """Looks at files, and warns once per change of what is in them. Nothing here raises for a file's sake.

    `known` has what was read of a file, where the caller has it: then a change from before this object is noticed, too.
    """

    def __init__(self, paths: Iterable[Path], log: Log, known: Mapping[Path, bytes] | None = None) -> None:
        self._log = log
        read = known or {}
        self._stamps: dict[Path, Stamp] = {}
        self._digests: dict[Path, str] = {}
        for path in paths:
            self._stamps[path] = None if path in read else _stamp(path)
            self._digests[path] = _hex(read[path]) if path in read else _digest(path)

    def look(self) -> None:
        """Look at each file: one system call, 2 us, unless it was touched; to be called once a second."""
        for path, before in self._stamps.items():
            stamp = _stamp(path)
            if stamp is None or stamp != before:
                self._stamps[path] = stamp
                self._compare(path)

    def _compare(self, path: Path) -> None:
        digest, before = _digest(path), self._digests[path]
        if digest != before:
            self._digests[path] = digest
            self._log.warning(
                "file changed while the session runs: noticed and ignored",
                file=str(path),
                was=_short(before),
                now=_short(digest),
                remedy="it counts from the next session on",
            )


def watch_of(loaded: LoadedConfig, strategy: LoadedStrategy, log: Log) -> ConfigWatch:
    """Return what watches the files of a session."""
    folder = None if strategy.path is None else strategy.path.parent
    known = {} if folder is None else {folder / name: content for name, content in strategy.files.items()}
    return ConfigWatch(files_of(loaded, strategy), log, known)


def _stamp(path: Path) -> Stamp:
    try:
        status = os.stat(path)  # noqa: PTH116  (each second: Path.stat costs twice as much)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def _digest(path: Path) -> str:
    """Return the hash of a file's first MiB (no file of settings is longer), or why there is none."""
    try:
        with path.open("rb") as file:
            return _hex(file.read(FILE_BYTES_MAX))
    except FileNotFoundError:
        return GONE
    except OSError:
        return UNREADABLE


def _short(digest: str) -> str:
    return digest if digest in {GONE, UNREADABLE} else digest[:8]


def _hex(content: bytes) -> str:
    return hashlib.sha256(content[:FILE_BYTES_MAX]).hexdigest()
