"""A disk that fails while orders work at a broker: entries stop, exits and stop orders leave, it is told, nothing is lost."""

import asyncio
import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from journal.journal_faults import WRITING, BrokenDisk
from laws.broker_laws import Journal, Watch, hold
from laws.broker_process import LIVELY, Process
from laws.broker_world import BEGIN_NS, LOT, SECOND_NS, Market, World
from laws.driver import settings
from myquant.core import codes, orders
from myquant.errors import JournalError
from myquant.journal import record
from myquant.lab.angelone.order_service import Terms
from myquant.session import supervisor as supervisor_module
from myquant.session.reconciling import FILE
from myquant.session.supervisor import JOURNAL_TROUBLE
from session.stage import journal_of
from session.virtual import VirtualLoop, run_virtually

ERRORS = pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO], ids=["ENOSPC", "EIO"])
WAY_S = 0.1
LATE_S = 400.0


@pytest.fixture(autouse=True)
def _near_the_end_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor_module, "LAST_ROWS", 100)


class Room:
    """A session at the broker's world on a disk that can be broken."""

    def __init__(self, folder: Path, disk: BrokenDisk, *, durable: bool = False) -> None:
        self.loop, self.disk, self.folder = VirtualLoop(), disk, folder
        cash = round(float(settings(LIVELY).config.capital.initial_capital) * 100)
        self.world = World(self.loop, terms=Terms(cash_paise=cash))
        self.watch = Watch(self.world)
        self._durable = durable

    def play(self, scenario: Callable[["Room"], Any]) -> Journal:
        """Run a scenario, close what is open, and assert the laws of orders."""
        return run_virtually(self._play(scenario), self.loop)

    async def _play(self, scenario: Callable[["Room"], Any]) -> Journal:
        process = self.process = Process(self.world, self.folder, LIVELY, count=1, seed=1, disk=self.disk)
        if self._durable:
            process.runner.before_order = process.supervisor._make_durable
        market = Market(self.world, list(process.tokens), 1)
        market.listen = process.hear
        process.start()
        market.start()
        await scenario(self)
        process.ask(codes.ASK_FLATTEN)
        await self.until(process.is_idle)
        await asyncio.sleep(60)
        market.is_open = False
        await process.aclose()
        return hold(self.world, process, self.watch, "disk")

    async def until(self, true: Callable[[], bool], every_s: float = 0.05) -> None:
        """Wait until something is true, which is looked at so often."""
        while not true():
            assert self.loop.time() < LATE_S, self.process.log.lines[-5:]
            await asyncio.sleep(every_s)

    def is_protected(self) -> bool:
        core = self.process.engine.instruments["core"][0]
        return bool(core["position"]["quantity"] and core["stop_order"]["state"] == orders.WORKING)

    def is_halted(self) -> bool:
        halt = self.process.halt()
        assert halt in (codes.NOT_HALTED, codes.BY_JOURNAL)
        return halt == codes.BY_JOURNAL

    def is_flat(self) -> bool:
        return not self.process.engine.instruments["core"]["position"]["quantity"].any()

    def said(self, level: str) -> str:
        return "\n".join(self.process.log.of(level))

    def sent_since(self, side: int, begin_s: float) -> list[float]:
        """Return when orders of a side came to the broker, from a time on, s."""
        times = [
            (each.placed_ns - BEGIN_NS) / SECOND_NS for each in self.world.service.book.orders if each.side == side
        ]
        return [at_s for at_s in times if at_s > begin_s]

    def assert_exits_only(self, begin_s: float, end_s: float) -> None:
        """Hold that in a stretch of time no entry came to the broker, and that something was sold."""
        assert not [at_s for at_s in self.sent_since(codes.BUY, begin_s + WAY_S) if at_s < end_s]
        assert [at_s for at_s in self.sent_since(codes.SELL, begin_s) if at_s < end_s]


def troubles(folder: Path) -> list[int]:
    found: list[int] = journal_of(folder).notes_of(record.TROUBLE)["code"].tolist()
    return found


@ERRORS
@pytest.mark.parametrize("durable", [False, True], ids=["process", "power"])
def test_no_room_for_a_while(tmp_path: Path, error: int, *, durable: bool) -> None:
    async def scenario(room: Room) -> None:
        await room.until(room.is_protected)
        room.disk.error = error
        await room.until(lambda: room.is_halted() and room.is_protected())
        begin_s = room.loop.time()
        room.process.ask(codes.ASK_FLATTEN)
        await room.until(room.is_flat)
        await asyncio.sleep(5)
        room.assert_exits_only(begin_s, room.loop.time())
        assert "made to fail" in str(room.process.supervisor.last_error)
        assert "trouble" in room.said("error")
        room.disk.error = 0
        await asyncio.sleep(2)
        assert room.is_halted()
        room.process.ask(codes.ASK_RESUME)
        again_s = room.loop.time()
        await room.until(lambda: bool(room.sent_since(codes.BUY, again_s)))

    calls = ("allocate", "create") if durable else WRITING  # a sync that fails is another matter
    journal = Room(tmp_path / "s", BrokenDisk(calls), durable=durable).play(scenario)
    assert journal.halts == {"journal": 1}
    assert troubles(tmp_path / "s") == [JOURNAL_TROUBLE]


@ERRORS
def test_no_room_for_good(tmp_path: Path, error: int) -> None:
    async def scenario(room: Room) -> None:
        await room.until(room.is_protected)
        room.disk.error = error
        supervisor = room.process.supervisor
        await room.until(lambda: supervisor.stopping is not None)
        assert (supervisor.stopping, supervisor.closing) == (JournalError.exit_code, True)
        await room.until(room.process.is_idle)  # as the loop waits before it leaves
        assert room.process.journal.rows_left() > 0

    journal = Room(tmp_path / "s", BrokenDisk()).play(scenario)
    assert journal.halts["journal"] == 1
    assert troubles(tmp_path / "s")[0] == JOURNAL_TROUBLE


def test_a_sync_that_fails_lets_exits_and_stop_orders_out_and_no_entry(tmp_path: Path) -> None:
    async def scenario(room: Room) -> None:
        await room.until(room.is_protected)
        room.disk.error = errno.EIO
        begin_s = room.loop.time()
        room.process.ask(codes.ASK_FLATTEN)
        await room.until(room.is_flat)
        await room.until(room.is_halted)
        await asyncio.sleep(5)
        room.assert_exits_only(begin_s, room.loop.time())
        room.process.ask(codes.ASK_RESUME)  # what the kernel forgot does not come back
        await room.until(room.is_halted)
        room.assert_exits_only(begin_s, room.loop.time())

    journal = Room(tmp_path / "s", BrokenDisk(("sync_data",)), durable=True).play(scenario)
    refused = [each.code for each in journal.ended.values() if each.kind == codes.ORDER_REJECT]
    assert set(refused) == {codes.NOT_SENT}
    assert troubles(tmp_path / "s") == [JOURNAL_TROUBLE] * journal.halts["journal"]


def test_a_stop_order_leaves_for_an_entry_that_fills_after_the_disk_failed(tmp_path: Path) -> None:
    async def scenario(room: Room) -> None:
        await room.until(lambda: bool(room.sent_since(codes.BUY, 0)), every_s=0.001)
        room.disk.error = errno.EIO
        assert room.is_flat()
        await room.until(room.is_protected)
        assert room.is_halted()

    Room(tmp_path / "s", BrokenDisk(("sync_data",)), durable=True).play(scenario)


def test_what_is_known_of_others_can_not_be_kept_for_a_while(tmp_path: Path) -> None:
    """Somebody sells our position meanwhile: it is told, taken out of ours, and kept once there is room."""

    async def scenario(room: Room) -> None:
        await room.until(room.is_protected)
        room.disk.error = errno.ENOSPC
        (token,) = room.process.tokens
        room.world.service.manual_trade(token, -LOT)
        await room.until(lambda: room.process.halt() == codes.BY_FOREIGN_TRADE)
        assert "what others hold can't be kept" in room.said("error")
        kept = room.folder / FILE
        before = kept.read_text() if kept.exists() else ""
        room.disk.error = 0
        room.process.ask(codes.ASK_RESUME)
        await room.until(room.is_protected)
        room.world.service.manual_trade(token, -LOT)
        await room.until(lambda: kept.exists() and kept.read_text() != before)

    journal = Room(tmp_path / "s", BrokenDisk(inside=FILE.removesuffix(".json"))).play(scenario)
    assert journal.halts["foreign_trade"] == 2
    assert not journal.halts["journal"]
