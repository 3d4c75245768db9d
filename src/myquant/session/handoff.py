"""How a feed's frames come to the session's thread: straight from the socket, or from a reader beside it.

- `callback`: the feed runs in the session's own loop; a frame is decided upon before the next is looked at.
- `queue`: a thread reads and puts a copy of each frame into a `queue.Queue`.
- `ring`: a process reads and writes each frame into shared memory, a lock-free ring.

Queue and ring are looked at every millisecond. All that a feed says comes through them in the order in which it was
said. A reader that dies is a failure of the feed; one that hangs makes the feed stale till it goes on.
"""

import asyncio
import fcntl
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import monotonic_ns
from typing import TYPE_CHECKING, Final, Protocol

from myquant.brokers.port import FeedCalls
from myquant.brokers.supervised import LagMeter
from myquant.errors import BrokerError
from myquant.session.channels import (
    FAILURE,
    FRAME,
    SLOW,
    STATUS,
    TEXT,
    Channel,
    HandoffCounts,
    QueueChannel,
    RingChannel,
)
from myquant.session.direct import Direct
from myquant.session.quick_loop import run_loop
from myquant.session.reader import FeedSource, Reader
from myquant.session.spsc import Ring

if TYPE_CHECKING:
    from myquant.session.log_async import Place
    from myquant.session.loop import FeedPort

POLL_S: Final = 0.001
TURN: Final = 500  # things taken at most before timers and signals have their turn
WATCH_NS: Final = 100_000_000  # from one look at the reader to the next
HANG_MIN_S: Final = 1.0
START_MIN_S: Final = 30.0  # for a reader to load what it needs and log in
LOSSES_NS: Final = 1_000_000_000  # likewise at what it lost
CLOSING_S: Final = 0.8  # for a reader to end, before a process is killed
ENDING_S: Final = 0.005
RING_BYTES: Final = 2**24
SPEC_BYTES: Final = 2**20

FIRST_CONNECTION: Final = 1

READER: Final = "myquant.session.reader"
HANGS: Final = "its reader does not answer"
NOT_BEGUN: Final = "its reader does not begin: its login or its start hangs"
GOES_ON: Final = "its reader answers again"
ENDED: Final = "its reader has ended"


class Handoff(Protocol):
    """A feed as the session runs it, wherever it is read.

    Attributes:
        handed_ns: when the reader handed over the frame that `on_frame` is called with, monotonic; 0: nobody did.
    """

    handed_ns: int

    @property
    def failure(self) -> BrokerError | None:
        """Why the feed does not try any more; None: it goes on."""

    def start(self) -> None:
        """Begin to connect, and go on by itself."""

    async def aclose(self) -> None:
        """End it within a second; what the reader has handed over is taken first, and no callback comes afterwards."""

    def counts(self) -> HandoffCounts:
        """Return how full the hand-off is."""

    def take_fullest(self) -> HandoffCounts:
        """Return the same, but as its depth the greatest since this was called last."""

    def rest(self) -> None:
        """Look at nothing until `go_on`."""

    def go_on(self) -> None:
        """Look again."""


class Polled:
    """The session's side of a reader.

    Args:
        calls: what is called in the session's thread, as the feed itself would.
        on_lost: takes how many frames were lost since it was called last, for want of room.
        stall_s: after so long without a sign of life, and a second at least, a reader counts as hanging; half a minute at
            least from its launch to the first.

    Attributes:
        failure: why the feed does not try any more; None: it goes on.
    """

    def __init__(self, channel: Channel, calls: FeedCalls, on_lost: Callable[[int], None], stall_s: float) -> None:
        self.handed_ns = 0
        self.failure: BrokerError | None = None
        self._channel = channel
        self._calls = calls
        self._on_lost = on_lost
        self._stall_ns = round(max(stall_s, HANG_MIN_S) * 1e9)
        self._start_ns = round(max(stall_s, START_MIN_S) * 1e9)
        self._launched_ns = 0
        self._healthy: dict[int, bool] = {}  # connections, as the reader last said
        self._tasks: list[asyncio.Task[None]] = []
        self._goes_on = asyncio.Event()
        self._goes_on.set()
        self._watch_ns = self._losses_ns = self._lost = 0
        self._beat_ns = 0
        self._hangs = False
        self._is_gone = False  # the reader, or as good as
        self._at_end: HandoffCounts | None = None
        self._fullest = 0

    def start(self) -> None:
        """Start the reader, and look at what it hands over."""
        self._channel.expects_data = self._calls.expects_data()
        self._launched_ns = monotonic_ns()
        self._launch()
        lag = LagMeter(self._calls.on_slow)
        self._tasks = [asyncio.ensure_future(each) for each in (self._poll(), lag.run())]
        self._tasks[0].add_done_callback(self._see_end)

    async def aclose(self) -> None:
        """End the reader, take what it has handed over, and let go of all."""
        tasks, self._tasks = self._tasks, []
        if tasks:
            self._is_gone = True  # that it ends is no news any more
            self._stop()
            deadline = monotonic_ns() + round(CLOSING_S * 1e9)
            while self._runs() and monotonic_ns() < deadline:  # noqa: ASYNC110  (nobody tells of a process's end)
                await asyncio.sleep(ENDING_S)
            self._kill()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            while self._take(TURN):  # noqa: ASYNC110  (it takes; others have their turn between)
                await asyncio.sleep(0)
            self._look_for_losses()
        if self._at_end is None:
            self._at_end = self._channel.counts()
            self._free()

    def counts(self) -> HandoffCounts:
        """Return how full the hand-off is; once it has ended, how it was then."""
        return self._channel.counts() if self._at_end is None else self._at_end

    def take_fullest(self) -> HandoffCounts:
        """Return the same, but as its depth the greatest since this was called last: seen at the begin of each turn."""
        counts, fullest, self._fullest = self.counts(), self._fullest, 0
        return counts._replace(depth=max(counts.depth, fullest))

    def _see_end(self, polling: "asyncio.Task[None]") -> None:
        """Take a defect in what takes frames for the end of the feed."""
        error = None if polling.cancelled() else polling.exception()
        if error is not None:
            self.failure = BrokerError(
                f"what takes the feed's frames broke: {type(error).__name__}: {error}: report it"
            )
            self._tell_all(healthy=False, reason=ENDED)

    def rest(self) -> None:
        """Look at nothing until `go_on`: what comes waits. For pipelines that are measured in turn."""
        self._goes_on.clear()

    def go_on(self) -> None:
        """Look again."""
        self._goes_on.set()

    async def _poll(self) -> None:
        while await self._goes_on.wait():
            depth = self._channel.counts().depth  # the call notes the high-water mark of a queue
            self._fullest = max(self._fullest, depth)
            taken = self._take(TURN)
            now = monotonic_ns()
            if now >= self._watch_ns:
                self._watch_ns = now + WATCH_NS
                self._watch(now)
            await asyncio.sleep(0 if taken == TURN else POLL_S)

    def _take(self, most: int) -> int:
        """Take what was handed over, at most so many things; return how many."""
        get, on_frame = self._channel.get, self._calls.on_frame
        for taken in range(most):
            found = get()
            if found is None:
                return taken
            kind, a, b, c, payload = found
            if kind == FRAME:
                self.handed_ns = c
                on_frame(a, payload, b)
            else:
                self._hear(kind, a, b, str(payload, "utf-8"))
        return most

    def _hear(self, kind: int, a: int, b: int, text: str) -> None:
        if kind == STATUS:
            self._healthy[a] = bool(b)
            self._calls.on_status(a, bool(b), text)
        elif kind == TEXT:
            self._calls.on_text(a, text)
        elif kind == SLOW:
            self._calls.on_slow(a)
        elif kind == FAILURE:
            self.failure = BrokerError(text)

    def _watch(self, now: int) -> None:
        """See to it that the reader lives, and knows what the session knows."""
        self._channel.expects_data = self._calls.expects_data()
        if now >= self._losses_ns:
            self._losses_ns = now + LOSSES_NS
            self._look_for_losses()
        if self._is_gone:
            return
        if not self._runs():
            while self._take(TURN):
                pass
            self._is_gone = True
            self.failure = self.failure or BrokerError(f"the feed: {ENDED}{self._how()}: start the session again")
            if not self._hangs:
                self._tell_all(healthy=False, reason=ENDED)
        else:
            self._look_for_life(now)

    def _look_for_life(self, now: int) -> None:
        """Take the feed for stale while its reader does nothing; seen twice, for it may be us who stood still."""
        before, self._beat_ns = self._beat_ns, self._channel.beat_ns
        since, patience_ns = (before, self._stall_ns) if before else (self._launched_ns, self._start_ns)
        hangs = self._beat_ns == before and now - since > patience_ns
        if hangs != self._hangs:
            self._hangs = hangs
            if hangs and not before:
                self._calls.on_status(FIRST_CONNECTION, False, NOT_BEGUN)  # the others are not known yet
            self._tell_all(healthy=not hangs, reason=HANGS if hangs else GOES_ON)

    def _tell_all(self, *, healthy: bool, reason: str) -> None:
        """Tell of all connections that the reader believes to be healthy."""
        for number, was_healthy in self._healthy.items():
            if was_healthy:
                self._calls.on_status(number, healthy, reason)

    def _look_for_losses(self) -> None:
        lost = self._channel.lost
        if lost != self._lost:
            new, self._lost = lost - self._lost, lost
            self._on_lost(new)

    # What differs between a thread and a process.

    def _launch(self) -> None:
        raise NotImplementedError

    def _stop(self) -> None:
        raise NotImplementedError

    def _runs(self) -> bool:
        raise NotImplementedError

    def _how(self) -> str:
        return ""

    def _kill(self) -> None:
        """End what did not end when it was told to."""

    def _free(self) -> None:
        """Let go of what both sides shared."""


class Threaded(Polled):
    """A reader in a thread of this process, with a loop of its own."""

    def __init__(
        self,
        source: FeedSource,
        environ: Mapping[str, str],
        calls: FeedCalls,
        on_lost: Callable[[int], None],
        stall_s: float,
    ) -> None:
        channel = QueueChannel()
        super().__init__(channel, calls, on_lost, stall_s)
        self._reader = Reader(source, channel, environ)
        self._thread = threading.Thread(target=self._run, name="feed reader", daemon=True)

    def _run(self) -> None:
        run_loop(self._reader.run())

    def _launch(self) -> None:
        self._thread.start()

    def _stop(self) -> None:
        self._reader.stop()

    def _runs(self) -> bool:
        return self._thread.is_alive()


class Spawned(Polled):
    """A reader in a process of its own. It inherits the environment, and with it the secrets that the feed needs.

    `place`: the session's log, for what the reader says when nobody takes it; None: there is none.
    """

    def __init__(
        self,
        source: FeedSource,
        environ: Mapping[str, str],
        calls: FeedCalls,
        on_lost: Callable[[int], None],
        stall_s: float,
        place: "Place | None" = None,
    ) -> None:
        self._ring = Ring.create(RING_BYTES)
        self._ends = RingChannel(self._ring)
        super().__init__(self._ends, calls, on_lost, stall_s)
        self._spec = pickle.dumps((source, None if place is None else tuple(place)))
        self._environ = {**os.environ, **environ}
        self._process: subprocess.Popen[bytes] | None = None

    def _launch(self) -> None:
        ring = self._ring
        command = (sys.executable, "-P", "-m", READER, str(ring.fd), str(ring.capacity))
        self._process = subprocess.Popen(  # noqa: S603  (our own module)
            command,
            stdin=subprocess.PIPE,
            pass_fds=(ring.fd,),
            env=self._environ,
            start_new_session=True,  # a signal of the terminal is the session's to heed
        )
        stdin = self._process.stdin
        if stdin is not None:
            with suppress(OSError):  # one that has died already is noticed
                fcntl.fcntl(stdin, fcntl.F_SETPIPE_SZ, SPEC_BYTES)  # so that the session need not wait until it is read
                stdin.write(self._spec)
                stdin.flush()

    def _stop(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._ends.end()
            with suppress(OSError):
                self._process.stdin.close()

    def _runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _how(self) -> str:
        return f" with code {self._process.returncode}" if self._process is not None else ""

    def _kill(self) -> None:
        if self._process is not None and self._runs():
            self._process.kill()
            self._process.wait()

    def _free(self) -> None:
        self._ring.close()


def hand_off(
    kind: str,
    calls: FeedCalls,
    here: Callable[[FeedCalls], "FeedPort"],
    elsewhere: FeedSource,
    environ: Mapping[str, str],
    *,
    on_lost: Callable[[int], None],
    stall_s: float,
    place: "Place | None" = None,
) -> Handoff:
    """Return the feed behind a hand-off of a kind: "callback", "queue" or "ring" (KeyError: another).

    `here` makes the feed for the session's own loop, `elsewhere` opens it in a reader, whose secrets are in `environ`.
    `place`: the session's log.
    """
    if kind == "callback":
        return Direct(here(calls))
    if kind == "ring":
        return Spawned(elsewhere, environ, calls, on_lost, stall_s, place)
    return {"queue": Threaded}[kind](elsewhere, environ, calls, on_lost, stall_s)
