"""Playing a day: when each row is due, and its frames, encoded ahead in blocks.

One play serves all connections. With a speed, the day's clock runs from the first subscription on, whoever listens; as
fast as possible, it stands still while nobody takes packets. In both, a connection whose buffer is full holds the day
back, and nothing is dropped: with a speed, what is overdue then comes at once.
"""

import asyncio
from collections import Counter
from typing import Final, Protocol

import numpy as np

from myquant.lab.angelone.day import Day, Rows
from myquant.lab.angelone.disturb import CODES, NAMES, Mask, frames_of
from myquant.lab.angelone.packet import frames
from myquant.ticks.batch import Ints
from myquant.ticks.generate import SECOND_NS

BLOCK: Final = 1024  # rows encoded at once
CHUNK: Final = 128  # rows sent before other work of the loop gets its turn
SETTLE_S: Final = 0.1  # from the first subscription to the first row, so that a client's others are in by then


class Block:
    """Some rows of the day, places `begin` to `end`, and their frames."""

    def __init__(self, day: Day, begin: int, seed: int) -> None:
        self.begin = begin
        self.end = min(begin + BLOCK, len(day.rows))
        self.who: Ints = np.ascontiguousarray(day.rows["who"][begin : self.end])
        self._day, self._seed = day, seed
        self._frames: dict[int, list[bytes]] = {}

    def frames(self, mode: int) -> list[bytes]:
        """Return each row's frame in a mode."""
        if mode not in self._frames:
            rows = self._day.rows[self.begin : self.end]
            self._frames[mode] = frames_of(self._day, rows, self.begin, mode, self._seed)
        return self._frames[mode]


class Listener(Protocol):
    """Who takes packets."""

    @property
    def takes(self) -> bool:
        """Whether packets can go to it."""

    @property
    def is_full(self) -> bool:
        """Whether it can't take any at the moment."""

    def take(self, block: Block, begin: int, end: int) -> Mask:
        """Send what it subscribed to of the rows `begin` to `end`; return which are sent, or withheld and counted."""


class Play:
    """One day, played once; `at` is the place of the next row."""

    def __init__(self, day: Day, speed: float | None, seed: int, counts: Counter[str]) -> None:
        """Play at this many times the speed of the exchange; None: as fast as possible."""
        self.day = day
        self.at = 0
        self.listeners: list[Listener] = []
        self._speed, self._seed, self._counts = speed, seed, counts
        self._opening = day.opening()
        self._latest = np.full(len(day.instruments), -1, np.int64)  # place of each instrument's last row
        self._changed = asyncio.Event()

    @property
    def is_over(self) -> bool:
        """Whether the last row was sent."""
        return self.at == len(self.day.rows)

    def state(self, who: int) -> Rows:
        """Return an instrument's last row, shape (1,)."""
        place = int(self._latest[who])
        return self._opening[who : who + 1] if place < 0 else self.day.rows[place : place + 1]

    def snapshot(self, who: int, mode: int) -> bytes:
        """Return an instrument's last state as a frame."""
        return frames(self.day.packets(self.state(who)), mode)[0]

    def tell(self) -> None:
        """Say that a listener came, went, or can take again."""
        self._changed.set()

    async def run(self) -> None:
        """Play the day from the first subscription to its last row."""
        while not any(listener.takes for listener in self.listeners):
            await self._change()
        await asyncio.sleep(SETTLE_S)
        block = Block(self.day, 0, self._seed)
        started = asyncio.get_running_loop().time()
        due_ns = np.ascontiguousarray(self.day.rows["due_ns"])
        while not self.is_over:
            end = await self._due(due_ns, started)
            while self.at < end:
                await self._writable()
                if self.at == block.end:
                    block = Block(self.day, self.at, self._seed)
                self._send(block, min(end, block.end, self.at + CHUNK))
                await asyncio.sleep(0)

    async def _due(self, due_ns: Ints, started: float) -> int:
        """Wait until some rows are due, and return the end of those that are."""
        if self._speed is None:
            while not any(listener.takes for listener in self.listeners):
                await self._change()
            return min(self.at + CHUNK, len(due_ns))
        while True:
            played_s = (asyncio.get_running_loop().time() - started) * self._speed
            now_ns = int(due_ns[0]) + int(played_s * SECOND_NS)
            end = int(np.searchsorted(due_ns, now_ns, side="right"))
            if end > self.at:
                return end
            await asyncio.sleep(int(due_ns[self.at] - now_ns) / SECOND_NS / self._speed)

    async def _writable(self) -> None:
        while any(listener.is_full for listener in self.listeners):
            await self._change()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _send(self, block: Block, end: int) -> None:
        begin, self.at = self.at, end
        is_heard = np.zeros(end - begin, bool)
        for listener in list(self.listeners):
            is_heard |= listener.take(block, begin, end)
        who, faults = block.who[begin - block.begin : end - block.begin], self.day.rows["fault"][begin:end]
        self._latest[who] = np.arange(begin, end)
        for code in faults[faults > 0].tolist():
            self._counts[NAMES[code]] += 1
        is_packet = ~self.day.static["is_index"][who] & (faults != CODES["gap"])
        unheard = int(np.count_nonzero(is_packet & ~is_heard))
        if unheard:
            self._counts["packets_unheard"] += unheard
