"""What keeps the list of runs and the verdicts on sessions fresh, beside the looks at sessions: files are read in a worker thread."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from myquant.config.loading import LoadedConfig
from myquant.dashboard.runs import RunBook
from myquant.dashboard.verdicts import Around, Verdicts
from myquant.errors import MyquantError
from myquant.monitor.loop import Log
from myquant.monitor.view import SessionView

LOOK_S: Final = 1.0
REFRESH_S: Final = 5.0  # while somebody looks
IDLE_S: Final = 60.0  # else
LOOKED_S: Final = 15.0  # who has looked within so long still does
SHARE: Final = 20.0  # a list that takes long is read that much more seldom than it takes


class RunsWatch:
    """Keeps a list of runs and makes verdicts.

    Args:
        loaded: the settings.
        directories: folders of runs.
        folder: the monitor's state folder.
        views: returns what is known of sessions now.
        log: where failures are told.

    Attributes:
        book: the runs.
        verdicts: on sessions.
        refreshed_ns: when the list was read last, the machine's clock; 0: not yet.
    """

    def __init__(
        self,
        loaded: LoadedConfig,
        directories: Sequence[Path],
        folder: Path,
        views: Callable[[], Mapping[str, SessionView]],
        log: Log,
    ) -> None:
        self.book = RunBook(directories)
        self.verdicts = Verdicts(folder, is_automatic=loaded.config.dashboard.verdicts)
        self.refreshed_ns = 0
        self._views, self._log = views, log
        self._told: dict[str, str] = {}  # what failed at the last try, and was told
        self._looked_s = 0.0
        self._next_s = 0.0

    def note_look(self) -> None:
        """Note that somebody looks at the list."""
        self._looked_s = time.monotonic()

    async def run(self, end: asyncio.Event) -> None:
        """Keep list and verdicts fresh until `end` is set."""
        try:
            while not end.is_set():
                await self._try("the list of runs can't be read", self._refresh)
                await self._try("verdicts on sessions can't be made", self._look)
                with suppress(TimeoutError):
                    await asyncio.wait_for(end.wait(), LOOK_S)
        finally:
            self.verdicts.close()

    async def _try(self, what: str, work: Callable[[], Coroutine[Any, Any, bool]]) -> None:
        """Do something; what fails is told once and tried again, so that a folder or a full disk ends no looks."""
        try:
            if await work():
                self._told.pop(what, None)
        except Exception as error:  # noqa: BLE001  (whatever fails here, the looks go on)
            is_new, self._told[what] = self._told.get(what) != str(error), str(error)
            if is_new and isinstance(error, OSError | MyquantError):
                self._log.warning(what, error=str(error))
            elif is_new:
                self._log.error("a defect in the dashboard", where=what, exc_info=error)

    async def _look(self) -> bool:
        """Take up and begin verdicts. Raises OSError where no process can be begun, or the disk is full."""
        self.verdicts.look(time.monotonic_ns(), around_of(self._views()))
        return True

    async def _refresh(self) -> bool:
        """Read the list and consider verdicts; return whether that was due."""
        now_s = time.monotonic()
        due_s = self._next_s if now_s - self._looked_s < LOOKED_S else self._next_s + IDLE_S - REFRESH_S
        if self._next_s and now_s < due_s:
            return False
        try:
            await asyncio.to_thread(self._read)
            self.refreshed_ns = time.time_ns()
        finally:  # one that failed is tried again no sooner
            self._next_s = time.monotonic() + max(REFRESH_S, SHARE * (time.monotonic() - now_s))
        return True

    def _read(self) -> None:
        self.book.refresh()
        self.verdicts.consider(self.book.rows)


def around_of(views: Mapping[str, SessionView]) -> Around:
    """Return what of the sessions counts for when verdicts are made."""
    running = [view for view in views.values() if view.runs]
    return Around(bool(running), any(view.is_market_open for view in running))
