"""Law: a session at a broker that dies at any point - at each call to its disk, around each request, after each answer -
and is started again loses no order and doubles none, and ends with the position that the broker's book has.

What was on its way to the broker when it died gets there in one run and gets lost in the other.
"""

import asyncio
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from journal.journal_faults import Crash, Fault, FaultyDisk
from laws.broker_laws import Journal, Watch, hold
from laws.broker_process import LIVELY, Process
from laws.broker_runs import Failures
from laws.broker_world import LOT, SYMBOLS, World
from myquant.brokers.angelone.orders import AngelOneOrders
from myquant.core import codes
from myquant.errors import BrokerError
from myquant.lab.angelone.order_service import Terms
from session.virtual import VirtualLoop, run_virtually

TOKEN: Final = next(iter(SYMBOLS))
EVERY_S: Final = 0.5  # between prints
DOWN_S: Final = 2.0  # from a death to the next start
SETTLE_S: Final = 45.0  # after the last print, till all is known and what is left is closed
QUIET_S: Final = 100.0  # at most, till that is done
VALUES: Final[dict[str, Any]] = {
    **LIVELY,
    "capital.initial_capital": 140_000,
    "risk.base_sl_points": 2,
    "risk.tp_points": [4, 6],
    "risk.tp_percents": [0.5, 0.5],
    "risk.trail_activation_points": 1,
    "risk.trail_distance_points": 1,
    "journal.snapshot_interval_s": 5,
}
MANY: Final = 40 * LOT  # a print of which an order may take four lots
FEW: Final = 10 * LOT  # likewise one

# Bought in part, the rest given up; the stop order follows, a tier is sold, a new stop order follows and is reached in part,
# and re-priced; then another position, which ends by its tiers.
PRINTS: Final = [
    *[(10_000, MANY), (10_005, MANY), (10_250, FEW), (10_245, FEW), (10_240, FEW), (10_260, FEW), (10_300, FEW)],
    *[(10_290, FEW), (10_350, FEW), (10_345, FEW), (10_410, MANY), (10_405, MANY), (10_440, FEW), (10_430, FEW)],
    *[(10_500, FEW), (10_490, FEW), (10_385, FEW), (10_120, FEW), (10_110, FEW), (10_100, FEW), (10_090, MANY)],
    *[(10_080, FEW), (10_090, MANY), (10_090, MANY), (10_080, MANY), (10_200, FEW), (10_195, FEW), (10_250, FEW)],
    *[(10_495, MANY), (10_490, MANY), (10_560, FEW), (10_550, FEW), (10_700, MANY), (10_690, MANY), (10_680, MANY)],
]


LAST_PRICE: Final = 10_680
SENDS: Final = 20
CHANGE: Final = (
    "allocate",
    "create",
    "make_folder",
    "open_or_create",
    "rename",
    "sync",
    "unlink",
)  # what is on the disk
FAULTS: Final[tuple[Fault, ...]] = ("crash before", "crash after", "crash half way")
STRIDE: Final = 1 if os.environ.get("MYQUANT_LONG") else 3


@dataclass
class Death:
    """When a process dies: at a call of its seam or of its disk, by number; and whether what is under way gets lost.

    At a call of the seam `crash half way` takes the last record away.
    """

    at_call: int = 0
    at_disk: int = 0
    fault: Fault = "crash before"
    lost: bool = False


@dataclass
class Run:
    """A scenario in the making. `deaths`: of the processes, one after the other; then comes one that does not die."""

    folder: Path
    deaths: list[Death]
    died: int = 0
    calls: list[str] = field(default_factory=list)
    disk: FaultyDisk = field(default_factory=FaultyDisk)

    def go(self) -> tuple[World, Process, Watch]:
        loop = VirtualLoop()
        return run_virtually(self._play(loop), loop)

    async def _play(self, loop: VirtualLoop) -> tuple[World, Process, Watch]:
        failures = Failures(loop)
        world = World(loop, terms=Terms(cash_paise=100 * int(VALUES["capital.initial_capital"])))
        watch = Watch(world)
        prints = list(PRINTS)
        process = self._begin(world)
        over_s = len(PRINTS) * EVERY_S + SETTLE_S
        while loop.time() < over_s + QUIET_S:
            await asyncio.sleep(EVERY_S)
            price, volume = prints.pop(0) if prints else (LAST_PRICE, MANY)
            world.service.take_price(TOKEN, price, price - 5, price + 5, volume)
            if process is not None and not process.seam.is_dead:
                process.hear(TOKEN, price, price - 5, price + 5, volume)
                if loop.time() >= over_s:
                    process.ask(codes.ASK_FLATTEN)
                if loop.time() > over_s + EVERY_S and process.is_idle():
                    break
            elif loop.time() >= self.back_s:
                process = self._begin(world)
            assert not failures.found, (self.deaths, failures.found)
        assert process is not None, self.deaths
        with suppress(Crash):
            await process.aclose()
        return world, process, watch

    def _begin(self, world: World) -> Process | None:
        """Start a process; None: it dies meanwhile."""
        death = self.deaths[self.died] if self.died < len(self.deaths) else Death()
        self.disk = disk = DyingDisk(death.at_disk, death.fault)
        born: list[Process] = []
        calls = self.calls = []

        def die() -> None:
            if born:
                born[0].die(lost=death.lost)
            disk.die()
            self.died += 1
            self.back_s = world.loop.time() + DOWN_S
            world.befallen.append((TOKEN, world.wall_ns(), True))

        def on_call(name: str) -> None:
            calls.append(name)
            if len(calls) == death.at_call:
                if death.fault == "crash half way":
                    born[0].tear()
                die()
                raise Crash

        disk.on_crash = die
        try:
            process = Process(world, self.folder, VALUES, count=1, seed=1, disk=disk)
            born.append(process)
            process.seam.on_call = on_call
            process.start()
        except Crash:
            return None
        return process


class DyingDisk(FaultyDisk):
    """A disk that says at once that its process has died."""

    on_crash: Callable[[], None]
    has_died = False

    def _call(self, name: str, method: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return super()._call(name, method, *arguments)
        except Crash:
            if not self.has_died:
                self.has_died = True
                self.on_crash()
            raise


@dataclass
class Reference:
    """What a session does that does not die."""

    calls: list[str]
    disk_calls: list[str]
    journal: Journal


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    run = Run(tmp_path_factory.mktemp("whole") / "s", [])
    world, process, watch = run.go()
    return Reference(run.calls, run.disk.calls, hold(world, process, watch, "whole"))


def dies(folder: Path, *deaths: Death) -> int:
    """Run with these deaths, and hold the laws; return how many of them there were."""
    run = Run(folder, list(deaths))
    try:
        world, process, watch = run.go()
        hold(world, process, watch, deaths)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return run.died


def test_the_scenario_has_all_that_an_order_can_meet(reference: Reference) -> None:
    rows = reference.journal.rows
    kinds = set(rows["kind"].tolist())
    assert {codes.SUBMIT, codes.MODIFY, codes.CANCEL, codes.POSITION_OPENED, codes.TRADE_CLOSED} <= kinds
    submitted = list(reference.journal.submitted.values())
    assert any(row["stop"] for row in submitted)
    assert {codes.TAKE_PROFIT, codes.TAKE_PROFIT + 1} <= {int(row["reason"]) for row in submitted}
    assert reference.calls.count("before write") >= SENDS
    assert codes.CANCELLED in {each.kind for each in reference.journal.ended.values()}
    assert not reference.journal.halts


@pytest.mark.parametrize("lost", [False, True])
def test_a_death_around_any_request_or_answer(tmp_path: Path, reference: Reference, lost: bool) -> None:
    points = list(enumerate(reference.calls, 1))
    for at, name in points:
        faults: list[Fault] = (
            ["crash before", "crash half way"] if name == "before order" and lost else ["crash before"]
        )
        for fault in faults:
            assert dies(tmp_path / f"{at}", Death(at_call=at, fault=fault, lost=lost)) == 1, (at, name, len(points))


def test_a_death_at_any_call_to_the_disk(tmp_path: Path, reference: Reference) -> None:
    points = [
        (at, name, fault)
        for at, name in enumerate(reference.disk_calls, 1)
        for fault in (FAULTS if name == "write" else FAULTS[:2] if name in CHANGE else FAULTS[:1])
    ]
    for count, (at, name, fault) in enumerate(points):
        death = Death(at_disk=at, fault=fault, lost=bool(count % 3))
        assert dies(tmp_path / f"{count}", death) == 1, (death, name, len(points))


def test_a_death_while_the_one_before_is_recovered_from(tmp_path: Path, reference: Reference) -> None:
    again, points = 0, range(5, len(reference.calls), STRIDE)
    for at in points:
        second = Death(at_disk=1 + at * 7 % 60, fault="crash after") if at % 2 else Death(at_call=1 + at % 9, lost=True)
        again += dies(tmp_path / f"{at}", Death(at_call=at, lost=bool(at % 3)), second) == 2
    assert again > len(points) // 2, (again, len(points))


def test_a_start_that_forgets_what_may_have_been_sent_is_found(
    tmp_path: Path, reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AngelOneOrders, "adopt", lambda *_: None)
    at = 1 + reference.calls.index("after write")
    with pytest.raises((AssertionError, BrokerError)):
        dies(tmp_path / "s", Death(at_call=at))
