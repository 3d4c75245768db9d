"""Sending stretches of frames to connections, each row when it is due."""

import asyncio
import contextlib
import random
import time
from typing import Final, Protocol

import numpy as np

from myquant.lab.angelone.tape import Stretch
from myquant.ticks.batch import Ints
from myquant.ticks.generate import SECOND_NS

SPIN_NS: Final = 300_000  # before a row is due: to wake from a sleep takes a while
SLEEP_NS: Final = 2_000_000  # at most so long the loop is held up by a sleep, which is more exact than its own
TURN_NS: Final = 1_000_000  # so often the loop's other work gets its turn, when there is room for it...
TURN_MAX_NS: Final = 5_000_000  # ...and so often at least
ROOM_NS: Final = 50_000
LEAD_NS: Final = 5_000_000  # from the opening of a stretch to its first row, and up to...
PHASE_NS: Final = 2_000_000  # ...so much more, at random: else a stretch begins in step with whoever asked for it
LEAD_PER_BYTE_NS: Final = 10  # likewise, of the opening, which the client has to take
TOGETHER: Final = 64  # rows in one write
PERCENTILES: Final = (50, 99, 100)


class Taker(Protocol):
    """Who gets a stretch."""

    @property
    def is_full(self) -> bool:
        """Whether it can't take any more at the moment."""

    @property
    def is_open(self) -> bool:
        """Whether it can be sent to at all."""

    def write(self, content: bytes | memoryview) -> None:
        """Send frames."""


class Sending:
    """A stretch on its way to a taker; row i, from 0, is due at `due_ns` + i * `interval_ns`, monotonic.

    Attributes:
        interval_ns: 0: as fast as it is taken.
        next_ns: when the next row is due.
        rows, sent: how many there are, and how many have left.
        done: set when all are, or when the taker has gone.
    """

    def __init__(self, taker: Taker, stretch: Stretch, opening: bytes, interval_ns: int) -> None:
        self.taker = taker
        self.interval_ns = interval_ns
        self.due_ns = self.next_ns = 0
        self.rows, self.sent = len(stretch.ends), 0
        self.done = asyncio.Event()
        self.opening = opening
        self._content, self._ends = stretch.content, stretch.ends
        self._left_ns: Ints = np.zeros(self.rows, np.int64)

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do."""
        return not self.taker.is_open or (self.sent == self.rows and not self.taker.is_full)

    @property
    def can_send(self) -> bool:
        """Whether there is something to send, and someone who takes it."""
        return self.sent < self.rows and not self.taker.is_full

    def open(self, due_ns: int) -> None:
        """Send what goes before; the first row is due then."""
        self.due_ns = self.next_ns = due_ns
        self.taker.write(self.opening)

    def send(self, now_ns: int) -> None:
        """Send the rows that are due; it has found that there is one."""
        begin = self.sent
        most = 1 + (now_ns - self.next_ns) // self.interval_ns if self.interval_ns else TOGETHER
        end = min(begin + most, begin + TOGETHER, self.rows)
        self._left_ns[begin:end] = now_ns
        self.taker.write(self._content[self._ends[begin - 1] if begin else 0 : self._ends[end - 1]])
        self.sent = end
        self.next_ns = self.next_ns + (end - begin) * self.interval_ns if self.interval_ns else now_ns

    def late_ns(self) -> list[float] | None:
        """Return how late the rows left: median, 99th percentile, maximum; None: they had no time."""
        if not self.interval_ns:
            return None
        due_ns = self.due_ns + np.arange(self.rows) * self.interval_ns
        found: list[float] = np.percentile(self._left_ns - due_ns, PERCENTILES).tolist()
        return found


class Player:
    """Sends all stretches that are under way, from one place, so that each row leaves as soon as can be."""

    def __init__(self) -> None:
        self._sendings: list[Sending] = []
        self._changed = asyncio.Event()

    def start(self, sendings: list[Sending]) -> None:
        """Begin with some more, all at the same time."""
        opening_bytes = sum(len(each.opening) for each in sendings)
        due_ns = time.monotonic_ns() + LEAD_NS + random.randrange(PHASE_NS) + opening_bytes * LEAD_PER_BYTE_NS  # noqa: S311  (any phase will do)
        for each in sendings:
            each.open(due_ns)
        self._sendings += sendings
        self.tell()

    def tell(self) -> None:
        """Say that a taker can take again, or has gone."""
        self._changed.set()

    async def run(self) -> None:
        """Send until cancelled."""
        turned_ns = time.monotonic_ns()
        while True:
            following = self._following()
            now_ns = time.monotonic_ns()
            if following is None or following.next_ns - now_ns > SLEEP_NS + TURN_NS:
                await self._pause(following, now_ns)
                turned_ns = now_ns
            elif now_ns - turned_ns > (TURN_NS if following.next_ns - now_ns > ROOM_NS else TURN_MAX_NS):
                await asyncio.sleep(0)
                turned_ns = now_ns
            else:
                following.send(_wait_for(following.next_ns))

    def _following(self) -> Sending | None:
        """Return what is to be sent to next, after taking leave of what is over."""
        found = None
        for each in tuple(self._sendings):
            if each.is_over:
                each.done.set()
                self._sendings.remove(each)
            elif each.can_send and (found is None or each.next_ns < found.next_ns):
                found = each
        return found

    async def _pause(self, following: Sending | None, now_ns: int) -> None:
        """Let the loop run until something changes, or until shortly before the next row is due."""
        self._changed.clear()
        if following is None:
            await self._changed.wait()
            return
        # The loop's own timers are late by up to a millisecond or two.
        seconds = (following.next_ns - now_ns - SLEEP_NS) / SECOND_NS
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)


def _wait_for(due_ns: int) -> int:
    """Wait until then, a few milliseconds at most, and return the time that it is."""
    while (now_ns := time.monotonic_ns()) < due_ns:
        if due_ns - now_ns > 2 * SPIN_NS:
            time.sleep((due_ns - now_ns - SPIN_NS) / SECOND_NS)
    return now_ns
