"""The monitor at work: it looks at sessions, has them judged, hands on what was found, and goes on whatever fails meanwhile."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from myquant.config.watching import MonitorSettings
from myquant.errors import MyquantError
from myquant.monitor.discovery import Discovery
from myquant.monitor.finding import CRITICAL, WARNING, Finding
from myquant.monitor.follow import Followed
from myquant.monitor.histogram import Histogram
from myquant.monitor.log_tail import PIECE_BYTES
from myquant.monitor.state import MonitorState, Told
from myquant.monitor.view import News, SessionView
from myquant.session.log_files import FILE as LOG

SECOND_NS: Final = 1_000_000_000
DISCOVER_NS: Final = SECOND_NS
SAVE_NS: Final = 5 * SECOND_NS
CATCH_UP_NS: Final = 30 * SECOND_NS  # after its start people are told of what is known, however much is unread
BLOCKS_MAX: Final = 32  # of a session and look: half a million records; the rest waits for the next
LOG_BYTES_MAX: Final = 1 << 21  # of all logs and a look: a tenth of a second; the rest waits for the next
LATE_LOOKS: Final = 8  # looks come late when one takes as long as so many should
LATE_MIN_NS: Final = 2 * SECOND_NS
LOOK_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)

JUDGING: Final = "judging"
ALERTING: Final = "alerting"

Judge = Callable[[Mapping[str, SessionView], MonitorSettings, int, int], list[Finding]]
Alerting = Callable[[Sequence[Finding], Sequence[News]], None]


class Log(Protocol):
    """Where the monitor says what happens."""

    def info(self, event: str, **fields: object) -> None:
        """Say something that is as it should be."""

    def warning(self, event: str, **fields: object) -> None:
        """Say something that a person should know."""

    def error(self, event: str, **fields: object) -> None:
        """Say something that a person should act on."""


class Manager(Protocol):
    """The service manager; see `sd_notify`."""

    def ready(self) -> None:
        """Say that the process is at work."""

    def alive(self, status: str = "") -> None:
        """Say that the process lives."""

    def stopping(self) -> None:
        """Say that the process ends by itself."""


class NoManager:
    """Nobody who asked to be told."""

    def ready(self) -> None:
        """Do nothing."""

    def alive(self, status: str = "") -> None:
        """Do nothing."""

    def stopping(self) -> None:
        """Do nothing."""


@dataclass
class Looks:
    """How the looks went."""

    count: int = 0
    last_mono_ns: int | None = None  # when the last one was done
    began_mono_ns: int | None = None  # when the first one began
    seconds: Histogram = field(default_factory=lambda: Histogram(LOOK_S))
    errors: Counter[str] = field(default_factory=Counter)  # by where


class Monitor:
    """Looks at the sessions of some folders, again and again.

    Args:
        directories: folders of runs.
        settings: of the monitor.
        judge: makes findings of views, settings, and the time by both clocks (wall, monotonic).
        alerting: takes all findings of a look and the news since the last one.
        log: where it says what it finds.
        state: its folder; None: a single look, which keeps nothing.
        wall_ns: the machine's clock.
        mono_ns: its monotonic clock.
        pause: behind a block of a journal, where there is more, it leaves the process to others for so many times what the block took;
            and of what a look has no time for it reads a block of each session. 0: it does neither.

    Attributes:
        directories: as given.
        findings: of the last look.
        looks: how they went.
        shortfalls: what this monitor can't do as long as it runs, for those who ask how it does.
    """

    def __init__(
        self,
        directories: Sequence[Path],
        settings: MonitorSettings,
        *,
        judge: Judge,
        alerting: Alerting,
        log: Log,
        state: MonitorState | None = None,
        wall_ns: Callable[[], int] = time.time_ns,
        mono_ns: Callable[[], int] = time.monotonic_ns,
        pause: float = 0.0,
    ) -> None:
        self.settings = settings
        self.directories = list(directories)
        self.findings: list[Finding] = []
        self.looks = Looks()
        self.shortfalls: list[str] = []
        self.discovery = Discovery(directories, self._told_of, wall_ns)
        self._judge, self._alerting, self._log, self._state = judge, alerting, log, state
        self._wall_ns, self._mono_ns, self._pause = wall_ns, mono_ns, pause
        self._discovered_ns = self._saved_ns = -DISCOVER_NS - SAVE_NS
        self._since: dict[tuple[str, str, str], int] = {}  # of the monitor's own findings
        self._failing: set[str] = set()  # told once, until it works again
        self._has_caught_up = False  # what was there when it began is read

    @property
    def views(self) -> dict[str, SessionView]:
        """What is known of each session, by name."""
        return {name: each.view for name, each in self.discovery.followed.items()}

    @property
    def unreadable(self) -> dict[str, str]:
        """What can't be read, by its path, and why."""
        logs = {str(each.view.folder / LOG): each.trouble for each in self.discovery.followed.values() if each.trouble}
        return {str(path): why for path, why in self.discovery.problems.items()} | logs

    async def run(self, end: asyncio.Event, manager: Manager | None = None) -> None:
        """Look every `monitor.look_s`, until `end` is set."""
        manager = manager or NoManager()
        spacing_s = float(self.settings.look_s)
        while not end.is_set():
            began_ns = self._mono_ns()
            await self.look()
            if self.looks.count == 1:
                manager.ready()
            manager.alive(self.summary())
            took_s = (self._mono_ns() - began_ns) / SECOND_NS
            try:
                await asyncio.wait_for(end.wait(), max(0.0, spacing_s - took_s))
            except TimeoutError:
                continue
        manager.stopping()
        self._save(self._wall_ns(), self._mono_ns())

    async def look(self) -> None:
        """Look at all sessions once, as far as `BLOCKS_MAX` goes, and hand on what was found."""
        looks, began_ns = self.looks, self._mono_ns()
        looks.began_mono_ns = looks.began_mono_ns or began_ns
        if began_ns - self._discovered_ns >= DISCOVER_NS:
            self._discovered_ns = began_ns
            self._guarded("discovery", self.discovery.look)
        for name, each in list(self.discovery.followed.items()):
            await self._read(name, each, began_ns)
        await self._read_logs()
        self._conclude()
        done_ns = self._mono_ns()
        looks.count += 1
        looks.last_mono_ns = done_ns
        looks.seconds.add((done_ns - began_ns) / SECOND_NS)

    def is_late(self) -> bool:
        """Return whether looks come late, or none is done yet."""
        last_ns = self.looks.last_mono_ns
        if last_ns is None:
            return True
        limit_ns = max(LATE_MIN_NS, int(LATE_LOOKS * self.settings.look_s * SECOND_NS))
        return self._mono_ns() - last_ns > limit_ns

    @property
    def can_tell(self) -> bool:
        """Whether looks come in time, and what they find is judged and handed to those who tell people."""
        return not self.is_late() and self._failing.isdisjoint({JUDGING, ALERTING})

    def summary(self) -> str:
        """Return in a line what is watched and found."""
        running = sum(view.runs for view in self.views.values())
        return f"{running} of {len(self.views)} sessions run, {len(self.findings)} findings"

    def close(self) -> None:
        """Let go of all sessions."""
        self.discovery.close()

    async def _read(self, name: str, each: Followed, look_ns: int) -> None:
        """Read a session's journal, a block at a time, so that whoever asks meanwhile is answered."""
        if not self._guarded(f"the process of {name}", each.before):
            return
        is_all_read, more = False, [True]
        for _ in range(BLOCKS_MAX):
            began_ns = self._mono_ns()
            if not self._guarded(f"the journal of {name}", partial(self._read_block, each, more)):
                return
            is_all_read = not more[-1]
            is_over = self._pause and self._mono_ns() - look_ns >= self.settings.look_s * SECOND_NS
            if is_all_read or is_over:
                break
            await asyncio.sleep(self._pause * (self._mono_ns() - began_ns) / SECOND_NS)
        wall_ns, mono_ns = self._wall_ns(), self._mono_ns()
        self._guarded(f"the rest of {name}", lambda: each.after(wall_ns, mono_ns, is_all_read=is_all_read))

    async def _read_logs(self) -> None:
        """Read what is new in the logs, those first whose session runs, as far as `LOG_BYTES_MAX` goes."""
        left = LOG_BYTES_MAX
        for name, each in sorted(self.discovery.followed.items(), key=lambda item: not item[1].view.runs):
            taken = [1]
            while left > 0 and taken[-1]:
                piece = partial(each.read_log, min(PIECE_BYTES, left))
                if not self._guarded(f"the log of {name}", lambda: taken.append(piece())):  # noqa: B023  (called at once)
                    break
                left -= taken[-1]
                if taken[-1] == PIECE_BYTES:
                    await asyncio.sleep(0)
            self._guarded(f"the files of {name}", partial(each.rest, self._mono_ns()))

    def _read_block(self, each: Followed, more: list[bool]) -> None:
        more.append(each.read(self._mono_ns()))

    def _conclude(self) -> None:
        """Have the views judged, and hand on findings and news."""
        wall_ns, mono_ns = self._wall_ns(), self._mono_ns()
        views = self.views
        judged: list[Finding] = []
        self._guarded(JUDGING, lambda: judged.extend(self._judge(views, self.settings, wall_ns, mono_ns)))
        known = {each.key for each in judged}
        own = [each for each in self._own_findings(wall_ns) if each.key not in known]
        before, self.findings = self.findings, judged + own
        for view in views.values():
            view.spent.clear()
        self._say(before)
        if self._is_caught_up(mono_ns):  # before that, what an earlier monitor has raised might seem to be over
            self._hand_on(wall_ns, mono_ns)

    def _hand_on(self, wall_ns: int, mono_ns: int) -> None:
        """Hand findings and news to those who tell people."""
        news = sorted((each for view in self.views.values() for each in view.news), key=lambda each: each.wall_ns)
        if self._guarded(ALERTING, lambda: self._alerting(self.findings, news)):
            for followed in self.discovery.followed.values():
                followed.note_told()
        if news or mono_ns - self._saved_ns >= SAVE_NS:
            self._save(wall_ns, mono_ns)

    def _is_caught_up(self, mono_ns: int) -> bool:
        """Return whether all journals were read to their ends once, or that has taken too long."""
        if not self._has_caught_up:
            is_all_read = self.looks.count > 0 and all(view.unread_since_ns is None for view in self.views.values())
            began_ns = mono_ns if self.looks.began_mono_ns is None else self.looks.began_mono_ns
            self._has_caught_up = is_all_read or mono_ns - began_ns >= CATCH_UP_NS
        return self._has_caught_up

    def _own_findings(self, wall_ns: int) -> list[Finding]:
        """Return what is wrong with the watching itself."""
        found = [
            (
                "unreadable",
                path,
                WARNING,
                f"{path} can't be read: {why}",
                "let the monitor's user read it, or take it away",
            )
            for path, why in self.unreadable.items()
        ]
        found += [
            ("rule_failed", where, CRITICAL, f"the monitor has a defect in {where}: see its log", "report it")
            for where in sorted(self._failing)
        ]
        keys = {(rule, "", subject) for rule, subject, *_ in found}
        self._since = {key: self._since.get(key, wall_ns) for key in keys}
        return [
            Finding(rule, "", subject, severity, text, remedy, self._since[rule, "", subject]).made_plain()
            for rule, subject, severity, text, remedy in found
        ]

    def _say(self, before: Sequence[Finding]) -> None:
        """Log what is found now and was not, and what is not any more."""
        were, are = {each.key for each in before}, {each.key for each in self.findings}
        for each in self.findings:
            if each.key not in were:
                said = self._log.error if each.severity == CRITICAL else self._log.warning
                said("found", rule=each.rule, of=each.session, subject=each.subject, text=each.text)
        for each in before:
            if each.key not in are:
                self._log.info("no longer found", rule=each.rule, of=each.session, subject=each.subject)

    def _save(self, wall_ns: int, mono_ns: int) -> None:
        """Keep until where news were told; where that fails they may be told again after a restart."""
        self._saved_ns = mono_ns
        if self._state is None:
            return
        self._state.forget({str(each.view.folder.resolve()) for each in self.discovery.followed.values()})
        try:
            self._state.save(wall_ns)
        except MyquantError as error:
            self.looks.errors["state"] += 1
            self._log.error("state not saved", error=str(error))

    def _told_of(self, folder: Path, created: str) -> Told:
        now_ns = self._wall_ns()
        return Told(created, 0, now_ns) if self._state is None else self._state.told_of(folder, created, now_ns)

    def _guarded(self, where: str, call: Callable[[], object]) -> bool:
        """Call, and return whether that went well: a defect is logged and counted, and the watching goes on."""
        try:
            call()
        except Exception as error:  # noqa: BLE001  (whatever fails here, the other sessions are watched on)
            self.looks.errors[where] += 1
            if where not in self._failing:
                self._failing.add(where)
                self._log.error("a defect in the monitor", where=where, exc_info=error)
            return False
        self._failing.discard(where)
        return True
