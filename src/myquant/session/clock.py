"""Clocks: the machine's, behind one small object, and the exchange's, carried on from the last packet."""

import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final, Protocol
from zoneinfo import ZoneInfo

SECOND_NS: Final = 10**9


def zone_offset_ns(zone: str) -> int:
    """Return local time less UTC in a zone, as it is now; India has no daylight saving time."""
    offset = datetime.now(ZoneInfo(zone)).utcoffset()
    return 0 if offset is None else int(offset.total_seconds()) * SECOND_NS


class Clock(Protocol):
    """The machine's clocks; a simulator has its own."""

    def wall_ns(self) -> int:
        """Return the time since the epoch, UTC. It may jump."""

    def monotonic_ns(self) -> int:
        """Return a time that never jumps, of no known beginning."""


class MachineClock:
    """The real one."""

    wall_ns = staticmethod(time.time_ns)
    monotonic_ns = staticmethod(time.monotonic_ns)


class ExchangeClock:
    """The exchange's time: that of the latest packet, carried on by the monotonic clock. It never goes back.

    `latest` returns the exchange time of the feed's latest packet (0: there was none) and the monotonic time of its
    arrival. Until then the wall clock has to do, with the offset that the session last saw.
    """

    def __init__(self, clock: Clock, latest: Callable[[], tuple[int, int]], offset_ns: int | None = None) -> None:
        self._clock = clock
        self._latest = latest
        self._offset_ns = offset_ns
        self._latest_ns = 0
        self._asked_ns = 0

    @property
    def known(self) -> bool:
        """Whether the exchange has told its time, in this process or an earlier one of the session."""
        return self._latest_ns > 0 or self._latest()[0] > 0 or self._offset_ns is not None

    def now_ns(self) -> int:
        """Return the exchange's time, ns since the epoch."""
        time_ns, arrived_ns = self._latest()
        now, wall = self._clock.monotonic_ns(), self._clock.wall_ns()
        if time_ns:
            self._latest_ns = max(self._latest_ns, time_ns + now - arrived_ns)
        elif self._latest_ns:  # the feed is away: what was known goes on
            self._latest_ns += now - self._asked_ns
        else:
            return wall + (self._offset_ns or 0)
        self._asked_ns = now
        return self._latest_ns


def latest_of(clocks: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """Return the furthest of several connections' clocks: exchange time and monotonic time of its arrival."""
    return max(
        ((time_ns - arrived_ns, time_ns, arrived_ns) for time_ns, arrived_ns in clocks if time_ns), default=(0, 0, 0)
    )[1:]
