"""A feed's reader: runs a feed in a thread or a process of its own, and puts into a channel all that the feed calls.

python -m myquant.session.reader FD SIZE    reads into the ring with this file descriptor; a `FeedSource` comes pickled
through stdin, whose end is the reader's, too: so it ends with the session, however that ends
"""

import asyncio
import gc
import os
import pickle
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from time import monotonic_ns
from typing import TYPE_CHECKING, Any, Final, Protocol

from myquant.brokers.port import FeedCalls
from myquant.errors import MyquantError
from myquant.session.channels import FAILURE, FRAME, SLOW, STATUS, TEXT, Channel, RingChannel
from myquant.session.quick_loop import run_loop
from myquant.session.spsc import Ring

if TYPE_CHECKING:
    from types import TracebackType

    from myquant.brokers.secrets import Redactor
    from myquant.session.loop import FeedPort

LOOK_S: Final = 0.05
LAST_WORDS: Final = 50  # times that long at most to put in what a full channel had no room for
NOT_ASKED: Final = 1


class FeedSource(Protocol):
    """Opens a feed wherever it is read. For another process it is pickled, so it holds no secrets."""

    def open(self, calls: FeedCalls, environ: Mapping[str, str]) -> "AbstractAsyncContextManager[FeedPort]":
        """Open all that the feed needs, in the running loop; the feed is not started. Raises MyquantError.

        `environ`: where the secrets are, if it needs any.
        """

    def redactor(self, environ: Mapping[str, str]) -> "Redactor":
        """Return what takes the feed's secrets out of texts. Raises MyquantError where they can't be found."""


class Reader:
    """Runs a feed in the loop that calls `run`, until it is told to stop: `is_told`."""

    def __init__(self, source: FeedSource, channel: Channel, environ: Mapping[str, str]) -> None:
        self._source = source
        self._channel = channel
        self._environ = environ
        self._put = channel.put
        self._waiting: deque[tuple[int, int, int, int, bytes]] = deque()  # what is no frame, and found no room
        self._failure = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reading: asyncio.Task[None] | None = None
        self.is_told = False

    async def run(self) -> None:
        """Open the feed and run it; what ends it otherwise than `stop` is put into the channel as its failure."""
        self._loop = asyncio.get_running_loop()
        self._reading = asyncio.ensure_future(self._read())
        if self.is_told:
            self._reading.cancel()
        await asyncio.wait((self._reading,))
        error = None if self._reading.cancelled() else self._reading.exception()
        if error is not None:
            self._fail(_told(error))
        for _ in range(LAST_WORDS):
            if self._flush() or self.is_told:
                break
            await asyncio.sleep(LOOK_S)

    def stop(self) -> None:
        """End it soon; from any thread, and more than once."""
        self.is_told = True
        if self._loop is not None:
            with suppress(RuntimeError):  # it has ended meanwhile
                self._loop.call_soon_threadsafe(self._cancel)

    def note(self, _loop: object, context: Mapping[str, Any]) -> None:
        """Tell of an error that nobody awaits: for the loop's `set_exception_handler`."""
        error = context.get("exception")
        self._on_text(0, _told(error) if error is not None else str(context.get("message")))

    def unheard(self) -> list[tuple[int, int, int, str]]:
        """Return what found no room to the end, beside frames: kind, its two words, text."""
        return [(kind, a, b, str(text, "utf-8")) for kind, a, b, _, text in self._waiting]

    def _cancel(self) -> None:
        if self._reading is not None:
            self._reading.cancel()

    async def _read(self) -> None:
        calls = FeedCalls(self._on_frame, self._on_status, self._on_text, self._on_slow, self._expects_data)
        async with self._source.open(calls, self._environ) as feed:
            feed.start()
            try:
                while True:
                    self._channel.beat_ns = monotonic_ns()
                    self._flush()
                    if feed.failure is not None:
                        self._fail(str(feed.failure))
                    await asyncio.sleep(LOOK_S)
            finally:
                await feed.aclose()

    def _on_frame(self, connection: int, payload: memoryview, arrived_ns: int) -> None:
        """Hand a frame over: the hot path."""
        if (self._waiting and not self._flush()) or not self._put(
            FRAME, connection, arrived_ns, monotonic_ns(), payload
        ):
            self._channel.lost += 1

    def _on_status(self, connection: int, healthy: bool, reason: str) -> None:
        self._tell(STATUS, connection, int(healthy), reason)

    def _on_text(self, connection: int, text: str) -> None:
        self._tell(TEXT, connection, 0, text)

    def _on_slow(self, late_ns: int) -> None:
        self._tell(SLOW, late_ns, 0, "")

    def _fail(self, failure: str) -> None:
        if failure != self._failure:
            self._failure = failure
            self._tell(FAILURE, 0, 0, failure)

    def _expects_data(self) -> bool:
        return self._channel.expects_data

    def _tell(self, kind: int, a: int, b: int, text: str) -> None:
        """Put in what must not be lost, now or once there is room, and before any later frame."""
        self._waiting.append((kind, a, b, 0, text.encode("utf-8", "replace")))
        self._flush()

    def _flush(self) -> bool:
        """Put in what waits; return whether nothing waits any more."""
        while self._waiting:
            if not self._put(*self._waiting[0]):
                return False
            self._waiting.popleft()
        return True


def _told(error: BaseException) -> str:
    """Return what to say of an error; of a defect only where it arose: its text might hold anything."""
    if isinstance(error, MyquantError):
        return str(error)
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else f" in {trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}"
    return f"the feed's reader broke: {type(error).__name__}{place}: report it"


def main(fd: int, size_bytes: int) -> int:
    """Run a reader process; return its exit code."""
    try:
        spec: tuple[FeedSource, Any] = pickle.load(sys.stdin.buffer)  # noqa: S301  (the session itself has written it)
    except EOFError:  # the session has gone already
        return NOT_ASKED
    source, place = spec
    if place is not None:
        sys.excepthook = partial(_tell_crash, source, place)
    channel = RingChannel(Ring.attach(fd, size_bytes))
    reader = Reader(source, channel, os.environ)
    run_loop(_until_stdin_ends(reader))
    unheard, is_alone = reader.unheard(), not channel.is_ending and reader.is_told
    if is_alone:
        unheard = [*_untaken(channel), *unheard]
    if place is not None and (unheard or is_alone):
        _tell_unheard(source, place, unheard, is_alone=is_alone)
    return 0


def _untaken(channel: RingChannel) -> Iterator[tuple[int, int, int, str]]:
    """Yield what a session that is gone has not taken, beside frames."""
    while (found := channel.get()) is not None:
        kind, a, b, _, payload = found
        if kind != FRAME:
            yield kind, a, b, str(payload, "utf-8")


def _tell_unheard(
    source: FeedSource, place: tuple[Any, ...], said: list[tuple[int, int, int, str]], *, is_alone: bool
) -> None:
    from myquant.session.log_async import Place  # noqa: PLC0415  (a log is for those whom nobody hears)
    from myquant.session.reader_log import FULL, GONE, Said, tell_unheard  # noqa: PLC0415  (likewise)

    why = GONE if is_alone else FULL
    tell_unheard(Place(*place), source.redactor(os.environ), why, [Said(*each) for each in said])


def _tell_crash(
    source: FeedSource,
    place: tuple[Any, ...],
    kind: type[BaseException],
    error: BaseException,
    trace: "TracebackType | None",
) -> None:
    from myquant.session.log_async import Place  # noqa: PLC0415  (likewise)
    from myquant.session.reader_log import tell_crash  # noqa: PLC0415  (likewise)

    tell_crash(Place(*place), source.redactor(os.environ), kind, error, trace)


async def _until_stdin_ends(reader: Reader) -> None:
    loop, stdin = asyncio.get_running_loop(), sys.stdin.fileno()

    def end() -> None:
        loop.remove_reader(stdin)
        reader.stop()

    loop.add_reader(stdin, end)
    loop.set_exception_handler(reader.note)
    gc.collect()
    gc.freeze()  # what is loaded now lives as long as this process
    await reader.run()


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:3])))
