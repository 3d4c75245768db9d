"""Clocks: the machine's, behind one small object, and the exchange's, carried on from the last packet."""

import time
from typing import Any, Protocol

import numpy as np


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

    `anchor` is an int64 array that the feed keeps: the exchange time of its latest packet and the monotonic time of its
    arrival, 0 before the first. Until then the wall clock has to do, with the offset that the session last saw.
    """

    def __init__(self, clock: Clock, anchor: np.ndarray[Any, Any], offset_ns: int | None = None) -> None:
        self._clock = clock
        self._anchor = anchor
        self._offset_ns = offset_ns
        self._latest_ns = 0

    @property
    def known(self) -> bool:
        """Whether the exchange has told its time, in this process or an earlier one of the session."""
        return bool(self._anchor[0]) or self._offset_ns is not None

    def now_ns(self) -> int:
        """Return the exchange's time, ns since the epoch."""
        if not self._anchor[0]:
            return self._clock.wall_ns() + (self._offset_ns or 0)
        now = int(self._anchor[0]) + self._clock.monotonic_ns() - int(self._anchor[1])
        self._latest_ns = max(self._latest_ns, now)
        return self._latest_ns
