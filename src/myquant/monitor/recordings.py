"""Which recordings' logs the monitor packs, and sends on where that is wished."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from myquant.session.recording_log import recordings_in

EVERY_S: Final = 10.0


class Recordings:
    """The recordings in some folders, looked for every ten seconds at most. `monotonic_s`: the clock."""

    def __init__(self, directories: Sequence[Path], monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._directories, self._monotonic_s = tuple(directories), monotonic_s
        self._folders: list[Path] = []
        self._due_s = float("-inf")

    def folders(self) -> list[Path]:
        """Return the folders that have a log; one that can't be listed has none."""
        now_s = self._monotonic_s()
        if now_s >= self._due_s:
            self._due_s = now_s + EVERY_S
            self._folders = [folder for directory in self._directories for folder in _found(directory)]
        return self._folders


def _found(directory: Path) -> list[Path]:
    try:
        return recordings_in(directory)
    except OSError:
        return []
