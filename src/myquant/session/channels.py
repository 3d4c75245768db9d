"""What carries a feed from the thread or process that reads it to the session's thread: a queue, or a ring.

Both keep the order in which the reader put things in: frames, changes of state, texts, failures. Both are bounded; what
finds no room is the reader's to count or to put in later.
"""

import queue
from typing import Final, NamedTuple, Protocol

from myquant.session.spsc import Ring

# Kinds of what is carried, and their three words.
FRAME: Final = 1  # connection, monotonic ns of arrival, monotonic ns of the hand-over; the payload is the broker's
STATUS: Final = 2  # connection, whether it is healthy; why
TEXT: Final = 3  # connection; the text
SLOW: Final = 4  # by how much the reader's loop was late, ns
FAILURE: Final = 5  # why the feed has given up, or could not be opened

QUEUE_MAX: Final = 100_000  # things

# Flags of a ring.
_EXPECTS: Final = 0  # set by the session
_BEAT: Final = 1  # by the reader
_LOST: Final = 2
_ENDING: Final = 3  # by the session

Carried = tuple[int, int, int, int, memoryview]


class HandoffCounts(NamedTuple):
    """How full a hand-off is, in things of a queue, in bytes of a ring; all zero where there is none."""

    depth: int
    high_water: int
    capacity: int
    dropped: int  # frames for which there was no room


class Channel(Protocol):
    """From one reader to one session.

    Attributes:
        expects_data: whether packets must be coming now, as the session last said.
        beat_ns: when the reader last showed that it is alive, monotonic; 0: not yet.
        lost: frames that the reader had no room for.
    """

    expects_data: bool
    beat_ns: int
    lost: int

    def put(self, kind: int, a: int, b: int, c: int, payload: bytes | memoryview) -> bool:
        """Put something in; False: there is no room. The reader's side."""

    def get(self) -> Carried | None:
        """Take the oldest out; its payload is valid until the next is taken. The session's side."""

    def counts(self) -> HandoffCounts:
        """Return how full it is. The session's side."""


class QueueChannel:
    """To another thread: the standard library's queue, and a copy of each payload."""

    def __init__(self, most: int = QUEUE_MAX) -> None:
        self.expects_data = False
        self.beat_ns = self.lost = 0
        self._most = most
        self._queue: queue.Queue[Carried] = queue.Queue(most)
        self._high_water = 0

    def put(self, kind: int, a: int, b: int, c: int, payload: bytes | memoryview) -> bool:
        """Put something in; False: there is no room."""
        try:
            self._queue.put_nowait((kind, a, b, c, memoryview(bytes(payload))))
        except queue.Full:
            return False
        return True

    def get(self) -> Carried | None:
        """Take the oldest out."""
        try:
            return self._queue.get_nowait()
        except queue.Empty:
            return None

    def counts(self) -> HandoffCounts:
        """Return how full it is; the high-water mark is the highest that was seen here, once per poll."""
        depth = self._queue.qsize()
        self._high_water = max(self._high_water, depth)
        return HandoffCounts(depth, self._high_water, self._most, self.lost)


class RingChannel:
    """To another process: a ring in shared memory; a payload is read where the reader has written it."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._flags = ring.flags
        self.put = ring.push
        self.get = ring.pop

    @property
    def expects_data(self) -> bool:
        """Whether packets must be coming now."""
        return bool(self._flags[_EXPECTS])

    @expects_data.setter
    def expects_data(self, expects: bool) -> None:
        self._flags[_EXPECTS] = int(expects)

    @property
    def beat_ns(self) -> int:
        """When the reader last showed that it is alive."""
        return self._flags[_BEAT]

    @beat_ns.setter
    def beat_ns(self, now: int) -> None:
        self._flags[_BEAT] = now

    @property
    def lost(self) -> int:
        """Frames that the reader had no room for."""
        return self._flags[_LOST]

    @lost.setter
    def lost(self, lost: int) -> None:
        self._flags[_LOST] = lost

    @property
    def is_ending(self) -> bool:
        """Whether the session ends its reader: else a reader whose input ends has lost its session."""
        return bool(self._flags[_ENDING])

    def end(self) -> None:
        """Say that the session is about to end its reader."""
        self._flags[_ENDING] = 1

    def counts(self) -> HandoffCounts:
        """Return how full it is."""
        ring = self._ring
        return HandoffCounts(ring.depth, ring.high_water, ring.capacity, self.lost)
