"""Law: a machine that loses its power takes the journal's last records with it, and with them orders that had left.

No tag is used twice, nothing is sold twice, and what was bought unknown to the journal halts the session by its name.
"""

import asyncio
import shutil
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from journal.journal_faults import Crash
from laws.broker_laws import Watch
from laws.broker_process import Process
from laws.broker_world import World
from laws.test_broker_crash_points import DOWN_S, EVERY_S, LAST_PRICE, MANY, PRINTS, TOKEN, VALUES
from myquant.core import codes
from myquant.lab.angelone.order_service import Terms
from myquant.session.reconciliation import Kind
from session.virtual import VirtualLoop, run_virtually

STRIDE = 5  # between the calls at which the power is cut
BACK = (2, 5, 9, 14)  # so many calls earlier the journal was last on the disk
PLAYED_S = 30.0
BARE_S = 8.0  # as long as one answer may take


@dataclass
class Cut:
    """A session that loses its power at call `at`; what it journaled since `back` calls before is lost."""

    folder: Path
    at: int
    back: int
    calls: int = 0
    cut_s: float = 0.0
    processes: list[Process] = field(default_factory=list)

    def go(self) -> tuple[World, Watch, Process]:
        loop = VirtualLoop()
        return run_virtually(self._play(loop), loop)

    async def _play(self, loop: VirtualLoop) -> tuple[World, Watch, Process]:
        world = World(loop, terms=Terms(cash_paise=100 * int(VALUES["capital.initial_capital"])))
        watch, prints = Watch(world), list(PRINTS)
        loop.set_exception_handler(lambda *_: None)  # of the death itself; a defect is kept by its process
        process = self._begin(world)
        while loop.time() < PLAYED_S:
            await asyncio.sleep(EVERY_S)
            price, volume = prints.pop(0) if prints else (LAST_PRICE, MANY)
            world.service.take_price(TOKEN, price, price - 5, price + 5, volume)
            if process.seam.is_dead and loop.time() > self.cut_s + DOWN_S:
                shutil.rmtree(self.folder)
                shutil.copytree(self._kept, self.folder)
                process = self._begin(world)
            if not process.seam.is_dead:
                process.hear(TOKEN, price, price - 5, price + 5, volume)
        assert process.failure is None, (self.at, self.back, process.failure)
        with suppress(Crash):
            await process.aclose()
        return world, watch, process

    @property
    def _kept(self) -> Path:
        return self.folder.with_name("kept")

    def _begin(self, world: World) -> Process:
        process = Process(world, self.folder, VALUES, count=1, seed=1)
        process.seam.on_call = lambda _name: self._on_call(world)
        process.start()
        self.processes.append(process)
        return process

    def _on_call(self, world: World) -> None:
        self.calls += 1
        if self.calls == self.at - self.back:
            shutil.copytree(self.folder, self._kept)
        if self.calls == self.at and not self.cut_s:
            self.cut_s = world.loop.time()
            self.processes[0].die()
            raise Crash


@pytest.mark.parametrize("back", BACK)
def test_a_power_cut_doubles_nothing_and_what_was_lost_is_named(tmp_path: Path, back: int) -> None:
    points = range(back + 3, 75, STRIDE)
    unknown = 0
    for at in points:
        (folder := tmp_path / f"{at}").mkdir()
        world, watch, process = Cut(folder / "s", at, back).go()
        about = at, back, process.log.lines
        book, held = world.service.book, int(process.engine.instruments["core"][0]["position"]["quantity"])
        tags = Counter(order.tag for order in book.orders if order.tag)
        assert max(tags.values()) == 1, about
        assert not watch.oversold, (watch.oversold, about)
        if book.held(TOKEN) == held:
            assert all(each.seconds <= BARE_S for each in watch.stretches()), (watch.stretches(), about)
        else:
            unknown += 1
            assert book.held(TOKEN) > held, about
            assert process.halt() == codes.BY_BOOKS, about
            named = [said for kind, line, said in process.log.lines if kind == "error" and line == Kind.LOST_ORDER]
            assert any(said["quantity"] > 0 for said in named), about
    assert unknown < len(points) // 2, (unknown, len(points))
