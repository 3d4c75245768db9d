"""All that judges, remembers and tells, wired: what the monitor's looks go through, and what runs beside them."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from myquant.config.loading import LoadedConfig
from myquant.config.watching import MonitorSettings
from myquant.errors import ConfigError
from myquant.monitor.alerting import Alerting
from myquant.monitor.book import Book
from myquant.monitor.channels import channel_names, read_channels, secret_parts
from myquant.monitor.courier import Courier, stop_in_order
from myquant.monitor.drift_watch import DriftWatch
from myquant.monitor.execution_watch import ExecutionWatch
from myquant.monitor.expected import Expected
from myquant.monitor.export import export_of
from myquant.monitor.faults import Around, Memory
from myquant.monitor.finding import CRITICAL, Finding
from myquant.monitor.folder_watch import FolderWatch
from myquant.monitor.heartbeat import Heartbeat, read_heartbeat
from myquant.monitor.judge import judge
from myquant.monitor.loop import Log
from myquant.monitor.message import Message
from myquant.monitor.metrics import AlertCounts
from myquant.monitor.pages import Pages
from myquant.monitor.replay_watch import ReplayWatch
from myquant.monitor.rules import RULE_FAILED
from myquant.monitor.spool import Spool
from myquant.monitor.view import News, SessionView
from myquant.session.log_files import start_packing

LEAVE_S: Final = 5.0  # at the end: for what waits to be delivered
AGAIN_S: Final = 5.0  # from a defect in what runs beside the looks to its next start
STEADY_S: Final = 60.0  # one that has not failed for so long is at work
PACK_S: Final = 60.0
PACKER_S: Final = 1.0  # from the start of one packer to the next: a hundred at once would take the machine
TAKEN: Final = "CRITICAL monitor: another monitor has its state folder, and it leaves"
REPORT: Final = "keep the monitor's log and report it"
DELIVERY: Final = "the delivery of alerts"


class Stumble(NamedTuple):
    """When something failed: first, by the machine's clock, and last, by the monotonic one."""

    since_ns: int
    last_s: float


class Station:
    """Judges what is seen, and tells people.

    Args:
        loaded: the settings.
        folder: the monitor's own.
        environ: where the addresses of channels are, which are secrets.
        log: the monitor's.
        can_tell: whether the looks come in time, and what they find gets here.
        folders: returns the folders whose logs are packed, and sent where that is wished.
        watch: looks after the folder; None: nobody does.
        pages: keeps the process of the pages alive; None: there are none.

    Attributes:
        channels: their names.
        secrets: what no log may show of addresses.

    Raises ConfigError for settings that can't be followed.
    """

    def __init__(
        self,
        loaded: LoadedConfig,
        folder: Path,
        environ: Mapping[str, str],
        log: Log,
        *,
        can_tell: Callable[[], bool],
        folders: Callable[[], Sequence[Path]],
        watch: FolderWatch | None = None,
        pages: Pages | None = None,
    ) -> None:
        config = loaded.config
        alerts, self._settings = config.alerts, config.monitor
        self._log, self._folders, self._can_tell, self._watch = log, folders, can_tell, watch
        self._pages = pages
        channels = read_channels(channel_names(alerts), environ)
        if channels and all(each.problem for each in channels):
            raise ConfigError("; ".join(["no alert could be delivered", *(each.problem for each in channels)]))
        self._spool = Spool(folder, time.time_ns)
        self._book = Book(folder)
        self._courier = Courier(channels, alerts, self._spool, log, environ)
        self._alerting = Alerting(alerts, ZoneInfo(config.session.timezone), self._book, self._courier.post)
        if rows := self._alerting.not_understood:
            log.error("rows of alerts.sqlite can't be understood and are left out", rows=rows)
        url = read_heartbeat(environ)
        self._heartbeat = Heartbeat(url, float(config.monitor.heartbeat_s), self.is_at_work, log) if url else None
        self._export = export_of(config.logs, folders, folder / "export.json", log, environ)
        self._workers = ThreadPoolExecutor(1, thread_name_prefix="baseline")
        self._drift = DriftWatch(folder, self._workers) if config.monitor.drift else None
        self._replays = ReplayWatch(folder) if config.monitor.replay else None
        self._executions = ExecutionWatch(folder)
        self._memory, self._expected = Memory(), Expected(config)
        self._is_judged = False  # else nothing that was found before is over
        self._failing: dict[str, int] = {}  # since when, by what
        self._stumbled: dict[str, Stumble] = {}  # what runs beside the looks and has failed, by what
        self._beside: list[asyncio.Task[None]] = []
        self._delivering: asyncio.Task[None] | None = None
        self._loudest = tuple(alerts.critical or alerts.warning or alerts.info)
        self.channels = [each.name for each in channels]
        addresses = [*(each.address for each in channels), url]
        self.secrets = [part for address in addresses for part in secret_parts(address)]

    def judge(
        self, views: Mapping[str, SessionView], settings: MonitorSettings, now_wall_ns: int, now_mono_ns: int
    ) -> list[Finding]:
        """Return what is wrong now."""
        self._is_judged = False
        self._look_after(now_wall_ns, now_mono_ns)
        failed = [
            Finding(
                RULE_FAILED, "", where, CRITICAL, f"the monitor has a defect in {where}: see its log", REPORT, since_ns
            )
            for where, since_ns in {**self._compare(views, now_wall_ns, now_mono_ns), **self._fallen()}.items()
        ]
        around = Around(
            expected=self._expected,
            down=self._courier.down(),
            heartbeat=self._heartbeat.failing() if self._heartbeat is not None else None,
            spool=self._unkept(),
            folder=self._watch.trouble if self._watch is not None else None,
            pages=self._pages.failing() if self._pages is not None else None,
        )
        found = judge(views, settings, now_wall_ns, now_mono_ns, memory=self._memory, around=around)
        self._is_judged = True
        return failed + found

    def unready(self) -> str:
        """Return why this monitor can't be relied upon, in a few words that anybody may read; "": it can."""
        if self._watch is not None and not self._watch.is_whole:
            return "its state folder is gone"
        return "its state folder can't be written" if self._unkept() else ""

    def _unkept(self) -> tuple[int, str] | None:
        """Return since when (ns) something can't be written to the disk, and why; None: all can."""
        unwritten = self._watch.unwritten if self._watch is not None else None
        return self._courier.trouble() or self._book.trouble or unwritten

    def _look_after(self, now_wall_ns: int, now_mono_ns: int) -> None:
        """See to the folder; where another monitor has it, tell so, as the last that this one tells."""
        if self._watch is None or not self._watch.look(self._spool, self._book, now_wall_ns, now_mono_ns):
            return
        body = f"{self._watch.taken}.\nLook: myquant health"
        for channel in self._loudest:
            self._courier.post(Message(channel, CRITICAL, TAKEN, body, (), now_wall_ns))

    def _compare(self, views: Mapping[str, SessionView], now_wall_ns: int, now_mono_ns: int) -> dict[str, int]:
        """Hold sessions against their baselines and replays, and have their orders reported; return what fails of that, and since when (ns).

        A full disk, say, on which no replay can begin must not keep the rules from being asked.
        """
        works: dict[str, Callable[[], None]] = {}
        if (drift := self._drift) is not None:
            works["the baselines"] = lambda: drift.look(views)
        if (replays := self._replays) is not None:
            works["the replays"] = lambda: replays.look(views, now_mono_ns)
        works["the execution reports"] = lambda: self._executions.look(views, now_mono_ns)
        for where, work in works.items():
            try:
                work()
            except Exception as error:  # noqa: BLE001  (whatever fails here, sessions are judged)
                if where not in self._failing:
                    self._log.error("a defect in the monitor", where=where, exc_info=error)
                self._failing.setdefault(where, now_wall_ns)
            else:
                self._failing.pop(where, None)
        return self._failing

    def tell(self, findings: Sequence[Finding], news: Sequence[News]) -> None:
        """Take what is wrong now, and what has happened since the last look."""
        unasked = self._memory.unasked if self._is_judged else None
        self._alerting.take(findings, news, time.time_ns(), unasked, self._memory.watched)

    def is_at_work(self) -> bool:
        """Return whether looks come in time, are judged and alerted, and alerts are delivered."""
        return self._can_tell() and DELIVERY not in self._fallen()

    def _fallen(self) -> dict[str, int]:
        """Return what beside the looks has failed lately, and since when (ns)."""
        now_s = time.monotonic()
        self._stumbled = {name: each for name, each in self._stumbled.items() if now_s - each.last_s < STEADY_S}
        return {name: each.since_ns for name, each in self._stumbled.items()}

    def counts(self) -> AlertCounts:
        """Return what became of alerts, and how often the pages have ended."""
        counts, ends = self._courier.counts(), self._pages.deaths if self._pages is not None else None
        return AlertCounts(self._alerting.firing(), counts.deliveries, counts.spool, counts.up, ends)

    def start(self) -> None:
        """Begin what runs beside the looks."""
        self._delivering = asyncio.create_task(self._kept_up(DELIVERY, self._courier.run))
        works: list[tuple[str, Callable[[], Coroutine[Any, Any, None]]]] = [("the packing of logs", self._pack)]
        if self._heartbeat is not None:
            works.append(("the outgoing heartbeat", self._heartbeat.run))
        if self._export is not None:
            works.append(("the export of logs", self._export.run))
        if self._pages is not None:
            works.append(("the process of the pages", self._pages.run))
        self._beside = [asyncio.create_task(self._kept_up(name, work)) for name, work in works]

    async def aclose(self) -> None:
        """End it all; what waits to be delivered goes out first, for a few seconds."""
        for task in self._beside:
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)
        if self._delivering is not None:
            await stop_in_order(self._courier, self._delivering, LEAVE_S)
        if self._replays is not None:
            self._replays.close()
        self._executions.close()
        self._workers.shutdown(wait=False, cancel_futures=True)
        self._book.close()
        self._spool.close()

    async def _kept_up(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do some work until it ends; a defect in it is logged, and it begins anew."""
        while True:
            try:
                await work()
            except Exception as error:  # noqa: BLE001  (whatever fails here, the looks go on, and so does the rest)
                self._log.error("a defect in the monitor", where=name, exc_info=error)
                since_ns = self._fallen().get(name, time.time_ns())
                self._stumbled[name] = Stumble(since_ns, time.monotonic())
                await asyncio.sleep(AGAIN_S)
            else:
                return

    async def _pack(self) -> None:
        """Have the log files that are written to no more packed, by processes of their own."""
        while True:
            for folder in self._folders():
                await asyncio.sleep(PACKER_S if start_packing(folder) else 0)
            await asyncio.sleep(PACK_S)
