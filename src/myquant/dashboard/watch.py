"""What the pages show of sessions: looks of the monitor's own kind, once an update, which tell nobody and keep nothing."""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from nicegui import Event

from myquant.config.loading import LoadedConfig
from myquant.monitor.expected import Expected
from myquant.monitor.faults import Around, Memory
from myquant.monitor.finding import Finding
from myquant.monitor.health import verdict_of
from myquant.monitor.judge import judge
from myquant.monitor.loop import Log, Monitor
from myquant.monitor.state import is_taken
from myquant.monitor.view import News, SessionView

PAUSE: Final = 1.0  # pages are made by the same process: half of it is theirs while a long journal is read
WHO: Final = "the process of the pages"
NO_MONITOR: Final = "No monitor runs: nobody is told when something happens. Start `myquant monitor`."


class Watch:
    """Looks at the sessions of some folders of runs, and says so to the pages.

    Args:
        loaded: the settings.
        directories: folders of runs.
        monitor_folder: the state folder of the monitor that tells people.
        log: where defects are told.

    Attributes:
        monitor: what looks; its `views` and `findings` are those of the last look.
        looked_ns: when that was, the machine's clock; 0: not yet.
        is_told: whether a monitor runs that tells people.
        looked: happens after each look; pages that are open subscribe to it.
    """

    def __init__(self, loaded: LoadedConfig, directories: Sequence[Path], monitor_folder: Path, log: Log) -> None:
        settings = loaded.config.monitor.model_copy(update={"look_s": loaded.config.dashboard.update_s})
        judged = partial(judge, memory=Memory(), around=Around(expected=Expected(loaded.config), who=WHO))
        self.monitor = Monitor(directories, settings, judge=judged, alerting=self._take, log=log, pause=PAUSE)
        self.looked_ns = 0
        self.is_told = False
        self.looked: Event[[]] = Event()
        self._folder = monitor_folder

    @property
    def views(self) -> dict[str, SessionView]:
        """What is known of each session, by name."""
        return self.monitor.views

    def monotonic_ns(self) -> int:
        """Return the monotonic clock, which ages are counted by."""
        return time.monotonic_ns()

    def findings_of(self, session: str) -> list[Finding]:
        """Return what is wrong with a session; "": with the machine and the watching itself."""
        return [each for each in self.monitor.findings if each.session == session]

    def verdict_of(self, session: str) -> str:
        """Return the verdict on a session's health."""
        return verdict_of(self.findings_of(session))

    async def run(self, end: asyncio.Event) -> None:
        """Look, again and again, until `end` is set."""
        await self.monitor.run(end, _Heartbeat(self._note_look))

    def close(self) -> None:
        """Let go of all sessions."""
        self.monitor.close()

    def _note_look(self) -> None:
        self.looked_ns = time.time_ns()
        self.is_told = is_taken(self._folder)
        self.looked.emit()

    def _take(self, _findings: Sequence[Finding], _news: Sequence[News]) -> None:
        """Take what was found: pages show it, and nobody is told."""


class _Heartbeat:
    """Hears after each look that the looks go on."""

    def __init__(self, note: Callable[[], None]) -> None:
        self._note = note

    def ready(self) -> None:
        """Hear that the first look is done."""

    def alive(self, _status: str = "") -> None:
        """Hear that a look is done."""
        self._note()

    def stopping(self) -> None:
        """Hear that it was the last look."""
