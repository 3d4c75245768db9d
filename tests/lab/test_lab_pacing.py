"""Sending by a schedule: each row once, in order, never before it is due, and held back by a full buffer."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import numpy as np
import pytest

from lab.labs import run, until
from myquant.lab.angelone.pacing import TOGETHER, Player, Sending
from myquant.lab.angelone.tape import Stretch

ROW_BYTES = 8
OPENING = b"opening"


class Taker:
    """Keeps what it is sent and when; is full after each `holds` writes, until it is told to go on."""

    def __init__(self, holds: int = 0) -> None:
        self.is_full = False
        self.is_open = True
        self.writes: list[tuple[int, bytes]] = []
        self._holds = holds

    def write(self, content: bytes | memoryview) -> None:
        self.writes.append((time.monotonic_ns(), bytes(content)))
        if self._holds and len(self.writes) % self._holds == 0:
            self.is_full = True

    def rows(self) -> list[int]:
        """Return the numbers of the rows that came, behind the opening."""
        content = b"".join(content for _, content in self.writes)
        assert content[: len(OPENING)] == OPENING
        found: list[int] = np.frombuffer(content[len(OPENING) :], np.int64).tolist()
        return found


def stretch(count: int) -> Stretch:
    """Return rows that hold their numbers."""
    return Stretch(np.arange(count).view(np.uint8).data, (ROW_BYTES * np.arange(1, count + 1)).data)


def sending(taker: Taker, count: int, rate: int | None) -> Sending:
    return Sending(taker, stretch(count), OPENING, 0 if rate is None else 10**9 // rate)


@asynccontextmanager
async def playing() -> AsyncIterator[Player]:
    player = Player()
    task = asyncio.ensure_future(player.run())
    try:
        yield player
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.mark.parametrize(("count", "rate"), [(1, 10), (30, 100), (100, 1_000), (2_000, 20_000), (5_000, 1_000_000)])
def test_each_row_leaves_once_in_order_and_not_before_it_is_due(count: int, rate: int) -> None:
    async def play() -> tuple[Taker, Sending]:
        taker = Taker()
        sent = sending(taker, count, rate)
        async with playing() as player:
            before_ns = time.monotonic_ns()
            player.start([sent])
            await sent.done.wait()
            assert sent.due_ns > before_ns
        return taker, sent

    taker, sent = run(play())
    assert taker.rows() == list(range(count))
    row = 0
    for when_ns, content in taker.writes[1:]:
        rows = len(content) // ROW_BYTES
        assert rows <= TOGETHER
        row += rows
        assert when_ns >= sent.due_ns + (row - 1) * sent.interval_ns
    late = sent.late_ns()
    assert late is not None
    assert 0 <= late[0] <= late[1] <= late[2]
    assert late[2] <= taker.writes[-1][0] - sent.due_ns


def test_the_opening_goes_ahead_of_the_first_row() -> None:
    async def play() -> None:
        taker = Taker()
        sent = sending(taker, 3, 1000)
        async with playing() as player:
            player.start([sent])
            assert [content for _, content in taker.writes] == [OPENING]
            await sent.done.wait()
        assert taker.writes[0][0] < sent.due_ns

    run(play())


def test_flat_out_means_full_writes_and_no_lateness() -> None:
    async def play() -> None:
        taker = Taker()
        sent = sending(taker, 1000, None)
        async with playing() as player:
            player.start([sent])
            await sent.done.wait()
        assert taker.rows() == list(range(1000))
        assert [len(content) // ROW_BYTES for _, content in taker.writes[1:]] == [TOGETHER] * 15 + [40]
        assert sent.late_ns() is None

    run(play())


@pytest.mark.parametrize("rate", [None, 50_000])
def test_a_full_buffer_holds_it_back_and_nothing_is_lost(rate: int | None) -> None:
    async def play() -> None:
        taker = Taker(holds=3)
        sent = sending(taker, 2000, rate)
        async with playing() as player:
            player.start([sent])
            while not sent.done.is_set():
                stood = len(taker.writes)
                await asyncio.sleep(0.001)
                if taker.is_full:
                    assert len(taker.writes) % 3 == 0
                    assert len(taker.writes) - stood <= 3
                    taker.is_full = False
                    player.tell()
        assert taker.rows() == list(range(2000))

    run(play())


def test_it_is_done_only_when_the_last_row_has_left_the_buffer() -> None:
    async def play() -> None:
        taker = Taker(holds=2)
        sent = sending(taker, 10, None)
        async with playing() as player:
            player.start([sent])
            await until(lambda: taker.is_full)
            await asyncio.sleep(0.01)
            assert sent.sent == 10
            assert not sent.done.is_set()
            taker.is_full = False
            player.tell()
            await sent.done.wait()

    run(play())


def test_several_begin_together_and_share_the_sender() -> None:
    async def play() -> None:
        takers = [Taker(), Taker(), Taker()]
        rates = (2_000, 5_000, None)
        sent = [sending(taker, 1000, rate) for taker, rate in zip(takers, rates, strict=True)]
        async with playing() as player:
            player.start(sent)
            for each in sent:
                await each.done.wait()
        assert len({each.due_ns for each in sent}) == 1
        for taker in takers:
            assert taker.rows() == list(range(1000))
        assert takers[1].writes[-1][0] < takers[0].writes[-1][0]

    run(play())


def test_another_may_begin_while_one_is_under_way() -> None:
    async def play() -> None:
        slow, quick = Taker(), Taker()
        first, second = sending(slow, 10_000, 100), sending(quick, 100, 10_000)
        async with playing() as player:
            player.start([first])
            await until(lambda: first.sent >= 3)
            player.start([second])
            await second.done.wait()
            assert not first.done.is_set()
            await until(lambda: slow.writes[-1][0] > quick.writes[-1][0])
        assert quick.rows() == list(range(100))
        assert slow.rows() == list(range(first.sent))

    run(play())


@pytest.mark.parametrize("is_full", [False, True])
def test_one_whose_taker_has_gone_is_over_and_the_others_go_on(is_full: bool) -> None:
    async def play() -> None:
        gone, stays = Taker(), Taker()
        lost, kept = sending(gone, 100_000, 1_000), sending(stays, 100, 1_000)
        async with playing() as player:
            player.start([lost, kept])
            await until(lambda: lost.sent >= 10)
            gone.is_full = is_full
            gone.is_open = False
            player.tell()
            await lost.done.wait()
            assert lost.sent < 100_000
            await kept.done.wait()
        assert stays.rows() == list(range(100))

    run(play())
