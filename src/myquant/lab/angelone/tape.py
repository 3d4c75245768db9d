"""The ticks of one or more days as one row of packets, numbered from 0, and stretches of it as bytes.

A row's frame is always the same, whoever gets it and however often; its `sequence` is its number plus 1. Indices tick
where they are needed only: a client tells silence from a lost connection by them, and takes no packet that is far ahead of
the exchange's time. So one goes before a stretch, and where the rows' time leaps, over a quiet hour or over night, they
step through the time between, as they would tick on the exchange.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Final

import numpy as np

from myquant.lab.angelone.day import Day, Rows, day_of
from myquant.lab.angelone.instruments import Listed
from myquant.lab.angelone.packet import Bytes, framed
from myquant.lab.market_day import MarketDay
from myquant.ticks.batch import Ints

BLOCK: Final = 8192  # rows encoded at once


@dataclass(frozen=True, slots=True)
class Stretch:
    """Frames one after the other: that of row i ends, with the indices that come before the next one, at `ends[i]`."""

    content: memoryview  # of bytes
    ends: memoryview  # of int64


class Tape:
    """The contracts' rows of some days; places are numbers of rows.

    Attributes:
        contracts, indices: what ticks.
        days: each day, and the number of its first row.
        time_ms: the rows' exchange time, ms since the epoch, shape (n,).
        digest: SHA-256 of the rows, hex.
    """

    def __init__(self, days: Sequence[MarketDay], leap_ms: int) -> None:
        """Lay days in rising order behind one another; a client takes leaps of the exchange's time up to `leap_ms`."""
        self._leap_ms = leap_ms
        self._days: list[Day] = []
        self._rows: list[Rows] = []
        index_rows: list[Rows] = []
        for each in days:
            day = day_of(each)
            is_index = day.static["is_index"][day.rows["who"]]
            first_index = len(day.instruments) - sum(listed.is_index for listed in day.instruments)
            index_rows.append(day.rows[day.rows["who"] == first_index])
            self._days.append(day)
            self._rows.append(day.rows[~is_index])
        self._begins = np.cumsum([0, *map(len, self._rows)])
        for begin, rows in zip(self._begins.tolist(), self._rows, strict=False):
            rows["sequence"] = np.arange(begin + 1, begin + len(rows) + 1)
        self._index = np.concatenate(index_rows)
        instruments = self._days[0].instruments
        self.contracts: tuple[Listed, ...] = tuple(each for each in instruments if not each.is_index)
        self.indices: tuple[Listed, ...] = tuple(each for each in instruments if each.is_index)
        self.days: list[tuple[date, int]] = [
            (each.day, int(begin)) for each, begin in zip(days, self._begins, strict=False)
        ]
        self.time_ms: Ints = np.concatenate([rows["exchange_ms"] for rows in self._rows])
        self.digest = hashlib.sha256(b"".join(rows.tobytes() for rows in self._rows)).hexdigest()

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self._begins[-1])

    def stretch(self, begin: int, end: int, mode: int) -> Stretch:
        """Return the frames of the rows `begin` to `end`, at least one, in a mode."""
        bridges = self._bridges(begin, end, mode)
        sizes = np.full(end - begin, self._framed(begin, begin + 1, mode).size)
        for row, bridge in bridges.items():
            sizes[row - begin] += bridge.size
        ends = np.cumsum(sizes)
        starts = ends - sizes
        content = np.empty(ends[-1], np.uint8)
        edges = {begin, end, *range(begin, end, BLOCK), *(row + 1 for row in bridges)}
        edges.update(place for place in self._begins.tolist() if begin < place < end)
        for first, last in pairwise(sorted(edges)):
            frames = self._framed(first, last, mode).reshape(-1)
            at = starts[first - begin] + frames.size
            content[at - frames.size : at] = frames
            if last - 1 in bridges:
                content[at : at + bridges[last - 1].size] = bridges[last - 1]
        return Stretch(content.data, ends.data)

    def opening(self, begin: int, mode: int, after_ms: int) -> bytes:
        """Return what goes before row `begin`: an index's frame of the same time.

        For a client that was told of the time `after_ms` (0: of none), frames before it where that is a leap.
        """
        now_ms = int(self.time_ms[begin])
        steps = self._steps(after_ms, now_ms) if after_ms else np.zeros(0, np.int64)
        return self._index_frames(np.append(steps, now_ms), mode).tobytes()

    def _bridges(self, begin: int, end: int, mode: int) -> dict[int, Bytes]:
        """Return, by row, the index frames that go behind it, as its next one is a leap away."""
        time_ms = self.time_ms[begin:end]
        rows = np.flatnonzero(np.diff(time_ms) > self._leap_ms)
        return {
            begin + row: self._index_frames(self._steps(int(time_ms[row]), int(time_ms[row + 1])), mode)
            for row in rows.tolist()
        }

    def _steps(self, from_ms: int, to_ms: int) -> Ints:
        return np.arange(from_ms + self._leap_ms, to_ms, self._leap_ms)

    def _framed(self, begin: int, end: int, mode: int) -> Bytes:
        """Return the frames of rows of one day."""
        which = int(np.searchsorted(self._begins, begin, side="right")) - 1
        first = int(self._begins[which])
        return framed(self._days[which].packets(self._rows[which][begin - first : end - first]), mode)

    def _index_frames(self, time_ms: Ints, mode: int) -> Bytes:
        """Return an index's frames at these times, with the level that it last had, flat."""
        place = np.searchsorted(self._index["exchange_ms"], time_ms, side="right") - 1
        rows = self._index[np.maximum(place, 0)]
        rows["exchange_ms"], rows["traded_s"] = time_ms, time_ms // 1000
        return framed(self._days[0].packets(rows), mode).reshape(-1)
