"""Disks that fail: at one call of all that a scenario makes, in one way."""

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Literal, TypeAlias

from journal.journal_samples import QuickDisk
from myquant.journal.disk import Disk

Fault: TypeAlias = int | Literal["crash before", "crash after", "crash half way", "short write"]

WRITING = ("make_folder", "create", "open_or_create", "write", "allocate", "rename", "link", "sync", "sync_data")
_METHODS = {name for name in vars(Disk) if not name.startswith("_")}
_OPENS = {"create", "open_or_create", "open_to_write", "open_to_read"}


class Crash(BaseException):
    """The process is dead; nothing that it does from now on reaches the disk."""


class FaultyDisk(QuickDisk):
    """A disk that does `fault` at call number `at`: an OSError of that errno, or a crash; and else what it should.

    Attributes:
        calls: names of the calls so far.
    """

    def __init__(self, at: int = 0, fault: Fault = "crash before") -> None:
        self.calls: list[str] = []
        self._at = at
        self._fault = fault
        self._dead = False
        self._open: set[int] = set()

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        return partial(self._call, name, found) if name in _METHODS else found

    def die(self) -> None:
        """Close what a process that dies has open, as the kernel would."""
        for descriptor in self._open:
            os.close(descriptor)
        self._open.clear()

    def _call(self, name: str, method: Callable[..., Any], *arguments: Any) -> Any:
        if self._dead:
            raise Crash
        self.calls.append(name)
        if len(self.calls) != self._at:
            return self._noted(name, method, arguments)
        if isinstance(self._fault, int):
            raise OSError(self._fault, os.strerror(self._fault))
        if self._fault in {"crash half way", "short write"} and name == "write":
            descriptor, content, offset = arguments
            arguments = (descriptor, content[: len(content) // 2], offset)
        if self._fault == "short write":
            return self._noted(name, method, arguments)
        self._dead = True
        if self._fault != "crash before":
            with suppress(OSError):
                self._noted(name, method, arguments)
        raise Crash

    def _noted(self, name: str, method: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        result = method(*arguments)
        if name in _OPENS:
            self._open.add(result)
        elif name == "close":
            self._open.discard(arguments[0])
        return result


class BrokenDisk(QuickDisk):
    """A disk on which some calls fail as long as `error` is set, or those of a path that holds `inside`."""

    def __init__(self, calls: tuple[str, ...] = WRITING, inside: str = "") -> None:
        self.error = 0
        self._calls, self._inside = calls, inside

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name.startswith("_") or name not in self._calls or not self.error:
            return found
        return partial(self._call, found)

    def _call(self, method: Callable[..., Any], *arguments: Any) -> Any:
        if self._inside in str(arguments[0]):
            raise OSError(self.error, "made to fail")
        return method(*arguments)
