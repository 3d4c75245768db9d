"""A file of JSON lines of which none can be changed, taken out or put in without a trace: each holds the hash of the one before.

What does not show from the file alone: that its last lines were cut off whole, or that all of it was written anew.
Whoever must know keeps the hash of the last line elsewhere.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from myquant.errors import ConfigError, DataError, cannot_write

FIRST: Final = "0" * 64  # what the first line follows
BYTES_MAX: Final = 2**26
MODE: Final = 0o600
_NUMBER: Final = "number"
_PREVIOUS: Final = "previous"

Fields = dict[str, Any]


class Read(NamedTuple):
    """What a file holds.

    Attributes:
        entries: the lines that could be understood, in order.
        problems: what was changed, a line of text each; none: the chain is whole.
        last: the hash that the next line has to hold.
        lines: how many there are.
        whole: the bytes up to the end of the last line; what follows was cut while it was written, and never promised.
        cut: how many bytes follow.
    """

    entries: list[Fields]
    problems: list[str]
    last: str
    lines: int
    whole: int
    cut: int


class Chain:
    """The chain in one file. `remedy`: what to do where it is broken, or can't be written."""

    def __init__(self, path: Path, remedy: str) -> None:
        self.path = path
        self._remedy = remedy

    def read(self) -> Read:
        """Return what the file holds; one that is not there holds nothing. Raises DataError where it can't be read."""
        try:
            with self.path.open("rb") as file:
                return self._understood(file.read(BYTES_MAX + 1))
        except FileNotFoundError:
            return Read([], [], FIRST, 0, 0, 0)
        except OSError as error:
            raise DataError(f"{self.path}: can't be read ({error.strerror}): {self._remedy}") from None

    def append(self, compose: Callable[[list[Fields]], Fields]) -> Fields:
        """Write a line, durably, and return it; `compose` makes its fields from the lines before it.

        Two processes that write at once write one after the other. A line that was cut while it was written is removed.
        Raises DataError where the chain is broken, ConfigError or MyquantError where it can't be written.
        """
        try:
            with self._locked() as descriptor:
                found = self._understood(_content(descriptor))
                if found.problems:
                    raise DataError("\n".join(f"{problem}: {self._remedy}" for problem in found.problems))
                fields = {_NUMBER: found.lines + 1, **compose(found.entries), _PREVIOUS: found.last}
                line = json.dumps(fields, ensure_ascii=False, allow_nan=False).encode() + b"\n"
                os.ftruncate(descriptor, found.whole)
                _write_whole(descriptor, line, found.whole)
                os.fsync(descriptor)
        except OSError as error:
            raise cannot_write(self.path, error, self._remedy) from error
        return fields

    @contextmanager
    def _locked(self) -> Iterator[int]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)

    def _understood(self, content: bytes) -> Read:
        if len(content) > BYTES_MAX:
            raise ConfigError(f"{self.path}: larger than {BYTES_MAX >> 20} MiB: {self._remedy}")
        whole = content.rfind(b"\n") + 1
        lines = content[:whole].split(b"\n")[:-1]
        entries, problems, previous = [], [], FIRST
        for number, line in enumerate(lines, 1):
            fields = _fields(line)
            if fields is None:
                problems.append(f"{self.path}, line {number}: was changed: it is no line of this file")
            else:
                entries.append(fields)
                if fields.get(_PREVIOUS) != previous or fields.get(_NUMBER) != number:
                    problems.append(f"{self.path}, line {number}: does not follow from the line before it")
            previous = hashlib.sha256(line).hexdigest()
        return Read(entries, problems, previous, len(lines), whole, len(content) - whole)


def _fields(line: bytes) -> Fields | None:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        return None
    return fields if isinstance(fields, dict) else None


def _content(descriptor: int) -> bytes:
    parts, at = [], 0
    while at <= BYTES_MAX and (part := os.pread(descriptor, 2**20, at)):
        parts.append(part)
        at += len(part)
    return b"".join(parts)


def _write_whole(descriptor: int, content: bytes, at: int) -> None:
    while content:
        taken = os.pwrite(descriptor, content, at)
        content, at = content[taken:], at + taken
