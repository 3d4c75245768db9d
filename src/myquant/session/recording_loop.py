"""The loop of a recorder: a broker's feed into a folder, day after day, without trading.

A day begins 20 minutes before the market's open with the day's login and instrument master; its feed is closed after the
market's close, its parts become one file, and the loop waits for the next trading day. That the exchange's day has ended
is said by the exchange's clock; when the next one begins, by the machine's.
"""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

import numpy as np

from myquant.brokers.packets import COUNTS, QUOTES, REASON_NAMES
from myquant.brokers.port import RequestError
from myquant.brokers.supervised import PASSING
from myquant.config.schema import Config
from myquant.errors import BrokerError, DataError, MyquantError
from myquant.market.contracts import parse_symbol
from myquant.session.clock import Clock
from myquant.session.hours import trading_hours
from myquant.session.loop import FeedPort
from myquant.session.needs import Log
from myquant.session.recording import ROWS, Recording
from myquant.session.recording_feed import OpenDay, RecordedFeed
from myquant.session.rules import SECOND_NS, local_date

TIMER_S: Final = 1.0
WRITE_NS: Final = 5 * SECOND_NS  # how often what came is put on disk: as much as a kill can cost
STATUS_NS: Final = 60 * SECOND_NS
LEAD_NS: Final = 20 * 60 * SECOND_NS  # before the open
RETRY_S: Final = 60.0
DAYS_AHEAD: Final = 30  # to look for a trading day

Result = TypeVar("Result")


@dataclass(frozen=True)
class Recorded:
    """What was recorded. `unused`: what of the feed was not, by reason; `quotes`: packets without a trade."""

    ticks: int
    quotes: int
    dropped: int
    waiting: int  # not on disk at the end
    gaps: int
    unused: dict[str, int]


class RecordingLoop:
    """Records until it is told to stop, or until all contracts have expired.

    Args:
        open_day: logs in and finds symbols as they are listed on a day. Raises MyquantError.
        log: for people.
    """

    def __init__(
        self,
        recording: Recording,
        symbols: Sequence[str],
        open_day: Callable[[Sequence[str], date], Coroutine[Any, Any, OpenDay]],
        config: Config,
        clock: Clock,
        log: Log,
    ) -> None:
        self._recording, self._symbols, self._open_day = recording, tuple(symbols), open_day
        self._config, self._clock = config, clock
        self._zone = ZoneInfo(config.session.timezone)
        self._date_of = local_date(config.session.timezone)
        self._log = log
        self._stop = asyncio.Event()
        self._counts = np.zeros(COUNTS, np.int64)
        self._gaps = 0
        self._trouble = ""  # why the last write failed
        self._told_ticks = 0
        self._due_ns = 0  # when the next day begins

    async def run(self) -> Recorded:
        """Record. Raises MyquantError: a broker that refuses, files that can't be read."""
        loop = asyncio.get_running_loop()
        signals = (signal.SIGTERM, signal.SIGINT)
        for number in signals:
            loop.add_signal_handler(number, self._stop.set)
        try:
            await self._record_days()
        finally:
            for number in signals:
                loop.remove_signal_handler(number)
        unused = {name: int(self._counts[place]) for place, name in REASON_NAMES.items() if self._counts[place]}
        quotes, recording = int(self._counts[QUOTES]), self._recording
        self._log.info("recording ended", ticks=recording.ticks, gaps=self._gaps, dropped=recording.dropped)
        return Recorded(recording.ticks, quotes, recording.dropped, recording.waiting, self._gaps, unused)

    def stop(self) -> None:
        """Ask it to end in order."""
        self._stop.set()

    async def _record_days(self) -> None:
        symbols, is_first = self._symbols, True
        while symbols and not self._stop.is_set():
            on = self._date_of(self._clock.wall_ns())
            opened = await self._unless_stopped(self._open(symbols, on, is_first=is_first))
            if opened is None:
                break
            await self._record_day(opened, symbols, is_first=is_first)
            await self._wait_until_due()
            on = self._date_of(self._clock.wall_ns())
            expired = [symbol for symbol in symbols if _has_expired(symbol, on)]
            symbols, is_first = tuple(symbol for symbol in symbols if symbol not in expired), False
            if expired and not self._stop.is_set():
                self._log.info("expired, not recorded any more", symbols=expired)

    async def _open(self, symbols: Sequence[str], on: date, *, is_first: bool) -> OpenDay:
        """Open the account. After the first day what may pass is waited for."""
        while True:
            try:
                opened = await self._open_day(symbols, on)
            except RequestError as error:
                if is_first or error.remedy not in PASSING:
                    raise
                self._log.warning("the account can't be opened", error=str(error), again_in_s=RETRY_S)
                await asyncio.sleep(RETRY_S)
            else:
                for note in opened.notes:
                    self._log.info("note", text=note)
                return opened

    async def _record_day(self, opened: OpenDay, symbols: Sequence[str], *, is_first: bool) -> None:
        """Record until the day is over, the next one begins, or a stop."""
        recording = self._recording
        hours = trading_hours(self._config, opened.names)
        last = recording.last_inputs(opened.names) if is_first else {}
        watched = RecordedFeed(recording, opened, last, self._clock, self._log, hours=hours, date_of=self._date_of)
        self._due_ns = self._next_day_ns(hours)
        recording.begin(opened.names)
        feed = opened.feed(watched)
        self._log.info("recording", symbols=list(symbols), into=str(recording.folder))
        try:
            feed.start()
            failure = await self._keep_writing(watched, feed)
        finally:
            await feed.aclose()
            watched.end()
            self._counts += watched.counts()
            self._gaps += watched.gaps
            self._tell_trouble(await asyncio.to_thread(recording.finish))
        if failure is not None:
            raise failure

    def _next_day_ns(self, hours: Callable[[date], Any]) -> int:
        """Return when the next trading day begins for us."""
        now = self._clock.wall_ns()
        for ahead in range(DAYS_AHEAD):
            found = hours(self._date_of(now) + timedelta(days=ahead))
            if found is not None and found.open_ns - LEAD_NS > now:
                return int(found.open_ns - LEAD_NS)
        raise DataError(
            f"the calendar knows no trading day within {DAYS_AHEAD} days: it ends too early, take a newer version"
        )

    async def _keep_writing(self, watched: RecordedFeed, feed: FeedPort) -> BrokerError | None:
        """Put on disk what comes, until something ends the day; return why the feed gave up, if that did."""
        written_ns = told_ns = self._clock.monotonic_ns()
        while not self._stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), TIMER_S)
            now = self._clock.monotonic_ns()
            if now - written_ns >= WRITE_NS or self._recording.waiting >= ROWS:
                written_ns = now
                self._tell_trouble(await asyncio.to_thread(self._recording.write))
            if now - told_ns >= STATUS_NS:
                told_ns = now
                self._log.info("recorded", **self._status(watched))
            failure = feed.failure
            if failure is not None or watched.day_is_over() or self._clock.wall_ns() >= self._due_ns:
                return failure
        return None

    async def _wait_until_due(self) -> None:
        """Wait for the next trading day; what could not be written is tried again."""
        if self._stop.is_set() or self._clock.wall_ns() >= self._due_ns:
            return
        self._log.info("the day is over", next=f"{self._local(self._due_ns):%Y-%m-%d %H:%M}")
        while not self._stop.is_set() and self._clock.wall_ns() < self._due_ns:
            left_s = (self._due_ns - self._clock.wall_ns()) / SECOND_NS
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), min(RETRY_S, left_s))
            if self._trouble:
                self._tell_trouble(await asyncio.to_thread(self._recording.finish))

    async def _unless_stopped(self, work: Coroutine[Any, Any, Result]) -> Result | None:
        """Await something; None: a stop came first."""
        task, stop = asyncio.ensure_future(work), asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            stop.cancel()
            if not task.done():
                task.cancel()
                await asyncio.wait({task})

    def _status(self, watched: RecordedFeed) -> dict[str, Any]:
        """Return how it goes, as fields of a line."""
        recording = self._recording
        new, self._told_ticks = recording.ticks - self._told_ticks, recording.ticks
        fields: dict[str, Any] = {"ticks": recording.ticks, "new": new, "feed": "healthy"}
        if watched.stale:
            fields["feed"] = f"stale since {self._local(watched.since_ns):%H:%M:%S} ({watched.reason})"
        fields |= {"day": str(watched.day()), "part": recording.part, "waiting": recording.waiting}
        seldom = {"dropped": recording.dropped, "trouble": self._trouble}
        return fields | {name: value for name, value in seldom.items() if value}

    def _tell_trouble(self, error: MyquantError | None) -> None:
        """Say once that the disk takes nothing, and once that it does again."""
        text = "" if error is None else str(error)
        if text and not self._trouble:
            self._log.error("the disk takes no ticks", error=text, kept=self._recording.waiting)
        elif self._trouble and not text:
            self._log.info("the disk takes ticks again", dropped=self._recording.dropped)
        self._trouble = text

    def _local(self, time_ns: int) -> datetime:
        return datetime.fromtimestamp(time_ns // SECOND_NS, UTC).astimezone(self._zone)


def _has_expired(symbol: str, on: date) -> bool:
    parsed = parse_symbol(symbol)
    return parsed is not None and parsed.expiry is not None and parsed.expiry < on
