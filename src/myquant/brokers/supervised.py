"""A feed's connection kept alive: connect, subscribe, watch for silence, and begin again when it ends.

What it promises, whatever the broker: frames go to the callback as they come, in order, and none of a connection that has
been given up. `on_status` is called once per change: stale as soon as a connection ends or falls silent, healthy again
after it was made anew, subscribed, and has delivered its first packet. Every connection starts as stale and says so.
Attempts are spaced by exponential backoff with full jitter; nothing is tried for ever that a person has to correct.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Any, Final, NamedTuple, Protocol

from myquant.brokers.backoff import Backoff
from myquant.brokers.port import FeedState, OnFrame, OnStatus, OnText, Remedy, RequestError
from myquant.errors import BrokerError

RECONNECTS_KEPT: Final = 4096
TICK_S: Final = 0.25  # how often at least a connection is looked at
TURNS: Final = 3  # of the loop, after which what waited in a socket has been read
FLAPPING: Final = 2  # a connection that delivered but did not last waits as after so many attempts, at most
CLOSING_S: Final = 0.5
SECOND_NS: Final = 1_000_000_000
NOT_CONNECTED: Final = "not connected yet"
RECEIVING: Final = "receiving"

# Failures of a login that another attempt may mend.
PASSING: Final = {Remedy.RETRY, Remedy.RATE_LIMIT, Remedy.AMBIGUOUS, Remedy.RELOGIN}

Sleep = Callable[[float], Awaitable[None]]


class Cause(StrEnum):
    """Why a connection ended, or was not made."""

    STALLED = "stalled"  # no packet for `stall_s` while there should be
    SILENT = "silent"  # nothing at all for `patience_s`
    DROPPED = "dropped"
    CLOSED = "closed"  # by the broker, with a close frame
    UNREACHABLE = "unreachable"
    NOT_TRUSTED = "not_trusted"  # its certificate
    UNAUTHORISED = "unauthorised"
    TOO_MANY = "too_many"
    REFUSED = "refused"
    ERROR_FRAME = "error_frame"
    PROTOCOL = "protocol"
    HANDLER = "handler"  # the callback raised


class Ended(NamedTuple):
    """How a connection ended."""

    cause: Cause
    reason: str  # one line, redacted
    error: BaseException | None = None  # what the callback raised


class NotConnectedError(Exception):
    """A connection could not be made."""

    def __init__(self, cause: Cause, reason: str) -> None:
        super().__init__(reason)
        self.ended = Ended(cause, reason)


class Socket(Protocol):
    """An open connection."""

    def send(self, text: bytes) -> None:
        """Send a text frame."""

    def abort(self) -> None:
        """Cut it off; `SupervisedConnection.end` is called once it is gone."""


class Dial(Protocol):
    """How to connect: raises NotConnectedError, and hands what comes to `take`, `text` and `end` of the connection."""

    async def __call__(self, connection: "SupervisedConnection") -> Socket:
        """Return an open connection."""


@dataclass(frozen=True)
class Timing:
    """The times of a connection, seconds."""

    stall_s: float = 3.0  # silence after which a connection that should deliver counts as stale
    patience_s: float = 25.0  # likewise when no data is expected, heartbeats counted
    ping_s: float = 10.0
    connect_s: float = 10.0
    steady_s: float = 5.0  # a connection that was healthy for so long failed anew, not again
    backoff_s: float = 0.25
    backoff_max_s: float = 30.0
    too_many_s: float = 2.0  # the least wait after the broker said that there are too many


@dataclass
class Counts:
    """What became of a connection so far."""

    connects: int = 0
    ends: Counter[str] = field(default_factory=Counter)  # by `Cause`, failed attempts included
    frames: int = 0
    bytes: int = 0
    late_frames: int = 0  # came after the connection was given up, and were not handed on
    texts: int = 0
    heartbeats: int = 0
    reconnects_ns: deque[int] = field(default_factory=lambda: deque(maxlen=RECONNECTS_KEPT))  # stale to healthy


class SupervisedConnection:
    """One connection, numbered from 1.

    Args:
        subscriptions: the text frames to send after connecting.
        heartbeat: the text frame sent every `ping_s`; `heartbeat_answer` is what comes back.
        judge: takes any other text frame and says why the connection is useless, or None.
        expects_data: whether packets must be coming now.
        reauthorise: replaces the session; takes how often it was refused in a row. RequestError where it can't.

    Attributes:
        healthy, reason: as last told.
        monotonic_ns: the clock by which frames arrive.
        failure: why no further attempt is made; None: it goes on.
    """

    def __init__(
        self,
        number: int,
        dial: Dial,
        *,
        subscriptions: Sequence[bytes],
        heartbeat: bytes,
        heartbeat_answer: str,
        judge: Callable[[str], str | None],
        on_frame: OnFrame,
        on_status: OnStatus,
        on_text: OnText,
        expects_data: Callable[[], bool],
        reauthorise: Callable[[int], Awaitable[None]],
        timing: Timing,
        rng: Random,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.number = number
        self.counts = Counts()
        self.healthy = False
        self.reason = NOT_CONNECTED
        self.failure: BrokerError | None = None
        self.backoff = Backoff(timing.backoff_s, timing.backoff_max_s, rng)
        self._dial, self._reauthorise = dial, reauthorise
        self._subscriptions = tuple(subscriptions)
        self._heartbeat, self._heartbeat_answer, self._judge = heartbeat, heartbeat_answer, judge
        self._on_frame, self._on_status, self._on_text = on_frame, on_status, on_text
        self._expects_data = expects_data
        self._timing = timing
        self.monotonic_ns, self._sleep = monotonic_ns, sleep
        self._ended: asyncio.Future[Ended] | None = None
        self._gone = asyncio.Event()
        self._is_up = False
        self._subscribed = False
        self._is_expected = False
        self._data_ns = self._text_ns = self._expected_ns = 0
        self._stale_ns = self._healthy_ns = 0
        self._refusals = 0

    def state(self) -> FeedState:
        """Return how it is."""
        return FeedState(self.number, self.healthy, self.reason)

    # What the socket calls.

    def take(self, payload: memoryview, arrived_ns: int) -> None:
        """Take a binary frame, and when it could be read from the socket: the hot path."""
        if not self._is_up:
            self.counts.late_frames += 1
            return
        counts = self.counts
        counts.frames += 1
        counts.bytes += len(payload)
        self._data_ns = arrived_ns
        self._is_up = False  # and stays so when the callback raises
        self._on_frame(self.number, payload, arrived_ns)
        self._is_up = True
        if not self.healthy and self._subscribed:
            self._become_healthy(arrived_ns)

    def text(self, content: str) -> None:
        """Take a text frame: an answer to the heartbeat, or what the broker has to say."""
        if not self._is_up:
            self.counts.late_frames += 1
            return
        self._text_ns = self.monotonic_ns()
        if content == self._heartbeat_answer:
            self.counts.heartbeats += 1
            return
        self.counts.texts += 1
        self._on_text(self.number, content)
        useless = self._judge(content)
        if useless is not None:
            self._end(Ended(Cause.ERROR_FRAME, useless))

    def end(self, ended: Ended) -> None:
        """Take it that the socket is gone."""
        self._gone.set()
        self._end(ended)

    def silence(self) -> None:
        """Call nobody back any more about the present connection."""
        self._is_up = False
        if self._ended is not None and not self._ended.done():
            self._ended.cancel()

    # The life of a connection.

    async def run(self) -> None:
        """Keep the connection alive until cancelled, or until `failure` says why nothing more is tried."""
        self._stale_ns = self.monotonic_ns()
        self._on_status(self.number, False, self.reason)
        while self.failure is None:
            ended = await self._one_life()
            if ended.cause is Cause.HANDLER:
                self.failure = BrokerError(f"connection {self.number}: {ended.reason}: see the log, then start again")
                self.failure.__cause__ = ended.error
            else:
                await self._recover(ended)

    async def _one_life(self) -> Ended:
        """Connect, and return how that ended."""
        loop = asyncio.get_running_loop()
        self._ended, self._gone = loop.create_future(), asyncio.Event()
        self._subscribed, self._is_expected, self._is_up = False, False, True
        self._expected_ns = self._data_ns = self._text_ns = self.monotonic_ns()
        try:
            socket = await self._dial(self)
        except NotConnectedError as error:
            self._end(error.ended)
            return error.ended
        self.counts.connects += 1
        try:
            for request in self._subscriptions:
                socket.send(request)
            self._subscribed = True
            ended = await self._watch(socket, self._ended)
            self._end(ended)
            return ended
        finally:
            self.silence()  # where it was cancelled; else it has ended already
            socket.abort()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), CLOSING_S)

    async def _watch(self, socket: Socket, ended: "asyncio.Future[Ended]") -> Ended:
        """Send heartbeats and look for silence until the connection ends or is given up."""
        timing = self._timing
        ping_ns = now = self.monotonic_ns()
        while True:
            if now >= ping_ns:
                socket.send(self._heartbeat)
                ping_ns = now + round(timing.ping_s * SECOND_NS)
            silent = self._silence(now)
            if silent is not None:
                for _ in range(TURNS):  # the loop may have been busy, and packets may wait in the socket
                    await self._sleep(0)
                silent = self._silence(self.monotonic_ns())
            if ended.done():
                return ended.result()
            if silent is not None:
                return silent
            await self._pause(min(TICK_S, (min(self._due_ns(), ping_ns) - now) / SECOND_NS), ended)
            now = self.monotonic_ns()

    def _silence(self, now: int) -> Ended | None:
        """Return how a connection ended that has been silent for too long."""
        timing = self._timing
        was_expected, self._is_expected = self._is_expected, self._expects_data()
        if not self._is_expected:
            quiet_s = (now - max(self._data_ns, self._text_ns)) / SECOND_NS
            return Ended(Cause.SILENT, f"silent for {quiet_s:.1f} s") if quiet_s >= timing.patience_s else None
        if not was_expected:
            self._expected_ns = now
        quiet_s = (now - max(self._data_ns, self._expected_ns)) / SECOND_NS
        return Ended(Cause.STALLED, f"no packet for {quiet_s:.1f} s") if quiet_s >= timing.stall_s else None

    def _due_ns(self) -> int:
        """Return when the present silence will be too long."""
        if self._is_expected:
            return max(self._data_ns, self._expected_ns) + round(self._timing.stall_s * SECOND_NS)
        return max(self._data_ns, self._text_ns) + round(self._timing.patience_s * SECOND_NS)

    async def _pause(self, wait_s: float, ended: "asyncio.Future[Ended]") -> None:
        """Sleep, but not beyond the end of the connection."""
        sleeping: asyncio.Future[Any] = asyncio.ensure_future(self._sleep(max(wait_s, 0.0)))
        either: set[asyncio.Future[Any]] = {sleeping, ended}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()

    def _end(self, ended: Ended) -> None:
        """Note the end of a connection, or of an attempt at one, once."""
        if self._ended is None or self._ended.done():
            return
        self._ended.set_result(ended)
        self._is_up = False
        self.counts.ends[ended.cause] += 1
        self.reason = ended.reason
        if self.healthy:
            self.healthy = False
            self._stale_ns = self.monotonic_ns()
            lasted_s = (self._stale_ns - self._healthy_ns) / SECOND_NS
            if lasted_s >= self._timing.steady_s:
                self.backoff.reset()
            elif ended.cause is not Cause.ERROR_FRAME:
                self.backoff.reset(FLAPPING)
            self._on_status(self.number, False, ended.reason)

    def _become_healthy(self, now: int) -> None:
        self.healthy, self._healthy_ns = True, now
        self._refusals = 0
        self.reason = RECEIVING
        self.counts.reconnects_ns.append(now - self._stale_ns)
        self._on_status(self.number, True, RECEIVING)

    async def _recover(self, ended: Ended) -> None:
        """Do what has to be done before the next attempt, and wait."""
        if ended.cause is Cause.UNAUTHORISED:
            self._refusals += 1
            try:
                await self._reauthorise(self._refusals)
            except RequestError as error:
                self.reason = str(error)
                if error.remedy not in PASSING:
                    self.failure = error
                    return
        await self._sleep(self.backoff.next_s(self._timing.too_many_s if ended.cause is Cause.TOO_MANY else 0.0))


@dataclass
class LagMeter:
    """How late the event loop is: while it is, frames wait in the sockets. Nothing is dropped here.

    Attributes:
        last_ns, max_ns: lateness of the last tick, and the largest so far.
        slow: ticks that were later than `slow_s`; `on_slow` is told of each, with its lateness in ns.
    """

    on_slow: Callable[[int], None]
    slow_s: float = 0.25
    tick_s: float = 0.25
    monotonic_ns: Callable[[], int] = time.monotonic_ns
    sleep: Sleep = asyncio.sleep
    last_ns: int = 0
    max_ns: int = 0
    slow: int = 0

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            due = self.monotonic_ns() + round(self.tick_s * SECOND_NS)
            await self.sleep(self.tick_s)
            self.last_ns = max(0, self.monotonic_ns() - due)
            self.max_ns = max(self.max_ns, self.last_ns)
            if self.last_ns > self.slow_s * SECOND_NS:
                self.slow += 1
                self.on_slow(self.last_ns)
