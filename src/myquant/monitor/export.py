"""Sends what is logged to a collector, as OTLP over HTTP: OpenTelemetry's, Loki's (at /otlp/v1/logs), and others that take it.

It follows the files, so whatever the collector does, nobody waits for it, and what was not sent yet is on disk. Up to where
each log was sent is kept on disk, too: a restart repeats one batch at most.
"""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from pathlib import Path
from typing import Final

import aiohttp

from myquant.brokers.secrets import Keyring, SystemKeyring, read_secrets, variable
from myquant.config.watching import LogSettings
from myquant.monitor.log_reader import BEGINNING, LogPlace, LogReader
from myquant.monitor.otlp import request_of
from myquant.session.needs import Log

BATCH_LINES: Final = 512
BATCH_BYTES: Final = 2**20
BATCH_S: Final = 2.0  # from one look at the logs to the next
ATTEMPT_S: Final = 15.0
RETRY_S: Final = 1.0  # doubled each time
RETRY_MAX_S: Final = 60.0
ASKED_MAX_S: Final = 300.0  # the longest wait that a collector may ask for
ANSWER_BYTES: Final = 2**16
AGAIN: Final = frozenset((401, 403, 404, 408, 429))  # statuses below 500 after which the same batch is tried again
SECOND_NS: Final = 1_000_000_000


@dataclass
class ExportCounts:
    """What became of lines: `sent` and taken, `failed` (the collector refused them for good); `attempts` that failed."""

    sent: int = 0
    failed: int = 0
    attempts_failed: int = 0
    waiting: int = 0  # lines of the batch that is being sent
    waiting_bytes: int = 0  # on disk, behind it
    gaps: int = 0  # files that were removed before they were sent
    is_up: bool | None = None  # None: nothing was sent yet


def export_token(environ: Mapping[str, str], keyring: Keyring | None = None) -> str | None:
    """Return the secret MYQUANT_LOGS_EXPORT_TOKEN, of the environment or the keyring; None: there is none.

    Raises ConfigError where it holds white space.
    """
    source = keyring if keyring is not None else SystemKeyring()
    name = "EXPORT_TOKEN"
    if not environ.get(variable("logs", name)) and not source.get_password("myquant-logs", name):
        return None
    return read_secrets("logs", (name,), environ, source)[name]


def export_of(
    settings: LogSettings,
    folders: Callable[[], Sequence[Path]],
    place: Path,
    log: Log,
    environ: Mapping[str, str],
    keyring: Keyring | None = None,
) -> "LogExport | None":
    """Return what sends logs as configured; None: they stay here. Arguments as of `LogExport`, and where its secret is."""
    if not settings.export_url:
        return None
    return LogExport(settings.export_url, folders, place, log, token=export_token(environ, keyring))


class LogExport:
    """Sends the logs of some folders to an address, until it is cancelled.

    Args:
        url: where to, such as http://127.0.0.1:4318/v1/logs.
        folders: returns the folders whose logs are sent; asked at each look.
        place: the file in which is kept how far each log was sent.
        log: where failures and their ends are told, once each.
        token: goes along as `Authorization: Bearer`; None: nothing does.
        sleep: `asyncio.sleep`, or a test's.

    Attributes:
        url: where to.
        counts: what became of lines.
    """

    def __init__(
        self,
        url: str,
        folders: Callable[[], Sequence[Path]],
        place: Path,
        log: Log,
        *,
        token: str | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.counts = ExportCounts()
        self.url = url
        self._folders = folders
        self._place = place
        self._log = log
        self._headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        self._sleep = sleep
        self._wall_ns = wall_ns
        self._places: dict[str, LogPlace] = {}
        self._readers: dict[str, LogReader] = {}
        self._is_refused = False
        self._told_disk = ""

    async def run(self) -> None:
        """Send what is there and what comes."""
        self._places = await asyncio.to_thread(self._load)
        timeout = aiohttp.ClientTimeout(total=ATTEMPT_S)
        try:
            async with aiohttp.ClientSession(timeout=timeout, headers=self._headers) as http:
                while True:
                    while await self._send_some(http):
                        pass
                    await self._sleep(BATCH_S)
        finally:
            for reader in self._readers.values():
                reader.close()

    async def _send_some(self, http: aiohttp.ClientSession) -> bool:
        """Send a batch of each log; return whether there was anything."""
        found = False
        for folder in self._folders():
            name = str(folder)
            if name not in self._readers:
                self._readers[name] = LogReader(folder, self._places.get(name, BEGINNING))
            reader = self._readers[name]
            lines = await asyncio.to_thread(self._batch, reader)
            if lines:
                found = True
                self.counts.waiting = len(lines)
                await self._send(http, request_of(folder.name, lines, self._wall_ns()), len(lines))
                self.counts.waiting = 0
                self._places[name] = reader.place
                await asyncio.to_thread(self._save)
        self.counts.gaps = sum(reader.gaps for reader in self._readers.values())
        self.counts.waiting_bytes = await asyncio.to_thread(
            lambda: sum(reader.unread_bytes for reader in self._readers.values())
        )
        return found

    def _batch(self, reader: LogReader) -> list[bytes]:
        """Return the next lines of a log; none where its folder can't be read just now."""
        lines: list[bytes] = []
        size = 0
        try:
            for line in islice(reader.lines(), BATCH_LINES):
                lines.append(line)
                size += len(line)
                if size >= BATCH_BYTES:
                    break
        except OSError as error:
            self._tell_disk(f"{reader.folder}: {error.strerror}")
        return lines

    async def _send(self, http: aiohttp.ClientSession, body: bytes, count: int) -> None:
        """Send a batch until the collector has taken it, or refused it for good."""
        wait_s = RETRY_S
        while True:
            status, why, asked_s = await self._attempt(http, body)
            if status is not None and 200 <= status < 300:
                self._note_taken(why, count)
                return
            if status is not None and 300 <= status < 500 and status not in AGAIN:
                self._note_refused(why, count)
                return
            self.counts.attempts_failed += 1
            self._note_down(why)
            await self._sleep(wait_s if asked_s is None else max(wait_s, min(asked_s, ASKED_MAX_S)))
            wait_s = min(2 * wait_s, RETRY_MAX_S)

    async def _attempt(self, http: aiohttp.ClientSession, body: bytes) -> tuple[int | None, str, float | None]:
        """Send a batch once; return the status (None: no answer), what was said, and after how long to try again (s)."""
        try:
            async with http.post(self.url, data=body, allow_redirects=False) as reply:
                said = (await reply.content.read(ANSWER_BYTES)).decode("utf-8", "replace")
                after = self._seconds_of(reply.headers.get("Retry-After"))
                return reply.status, said if reply.status < 300 else f"HTTP {reply.status} {said[:200]!r}", after
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return None, f"{type(error).__name__}: {error}", None

    def _seconds_of(self, after: str | None) -> float | None:
        """Return what `Retry-After` asks for, as seconds; None: nothing that can be understood."""
        if after is None:
            return None
        if after.isascii() and after.isdigit():
            return float(after[:9])
        try:
            due = parsedate_to_datetime(after)
        except ValueError:
            return None
        due = due if due.tzinfo is not None else due.replace(tzinfo=UTC)
        return max(0.0, (due - datetime.fromtimestamp(self._wall_ns() / SECOND_NS, UTC)).total_seconds())

    def _note_taken(self, said: str, count: int) -> None:
        refused = min(_rejected(said), count)
        if self.counts.is_up is False:
            self._log.info("logs are exported again")
        self.counts.is_up = True
        self.counts.sent += count - refused
        self.counts.failed += refused
        if refused:
            self._tell_refused("the collector took a part only", refused)
        else:
            self._is_refused = False

    def _note_refused(self, why: str, count: int) -> None:
        self.counts.failed += count
        self._tell_refused(why, count)

    def _tell_refused(self, why: str, count: int) -> None:
        """Tell the first batch in a row: the line is exported itself, and may be refused as well."""
        if not self._is_refused:
            self._is_refused = True
            self._log.error("lines of logs are not exported: the collector refuses them", why=why, lines=count)

    def _note_down(self, why: str) -> None:
        if self.counts.is_up is not False:
            self.counts.is_up = False
            self._log.warning("logs can't be exported: they wait on disk", why=why)

    def _load(self) -> dict[str, LogPlace]:
        """Return how far each log was sent. Where that can't be read, all is sent again: twice is better than never."""
        try:
            found = json.loads(self._place.read_text(encoding="utf-8"))
            return {str(name): LogPlace(str(file), int(at)) for name, (file, at) in found.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            self._log.warning("how far logs were exported can't be read: all is sent again", why=str(error))
            return {}

    def _save(self) -> None:
        """Keep how far each log was sent that is still there."""
        places = {name: list(place) for name, place in self._places.items() if Path(name).is_dir()}
        fresh = self._place.with_name(f"{self._place.name}.new")
        try:
            with fresh.open("w", encoding="utf-8") as file:
                json.dump(places, file)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._place)
            self._told_disk = ""
        except OSError as error:
            self._tell_disk(f"{self._place}: {error.strerror}")

    def _tell_disk(self, why: str) -> None:
        if why != self._told_disk:
            self._told_disk = why
            self._log.error("the export of logs meets a file that it can't read or write", why=why)


def _rejected(said: str) -> int:
    """Return how many lines a collector that has answered with success did not take: none, where it does not say."""
    try:
        return max(0, int(json.loads(said)["partialSuccess"]["rejectedLogRecords"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        return 0
