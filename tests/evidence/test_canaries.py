"""What must be found is planted, and what must not be found is not: on the real pipeline, with the real clock."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evidence.rigs import PLAIN, ground_of, plant, rig_of, run
from myquant.evidence.measuring import Measuring, capacity_of
from myquant.evidence.pairs import Difference, compare, mean
from myquant.evidence.rig import Rig, Stretch
from myquant.measure.breakdown import Breakdown
from myquant.measure.collections import collector_at_rest
from myquant.measure.names import CSV_WRITE, DATAFRAME_OPS, LOGGING

PAIRS, TICKS, WARM_UP = 24, 60, 300
SLOWER_NS = 12_000  # beside some 60 us a tick
SURE = 0.9999  # so that of ten thousand runs one fails by chance
DIRECT = PLAIN | {"pipeline.handoff": "callback", "pipeline.frames": "off"}


def side_by_side(folder: Path, planted_ns: dict[str, int]) -> dict[str, Any]:
    """Return each side's times: `planted_ns` in every tick beside what the pipeline does."""

    async def work() -> dict[str, Any]:
        random = np.random.default_rng(7)
        found: dict[str, list[Any]] = {side: [] for side in planted_ns}
        async with ground_of(WARM_UP + PAIRS * TICKS) as ground, AsyncExitStack() as stack:
            rigs = []
            for connection, (side, duration_ns) in enumerate(planted_ns.items()):
                rig = await stack.enter_async_context(rig_of(ground, folder / side, DIRECT))
                assert rig.pipeline is not None
                plant(rig.pipeline.results, duration_ns)
                await rig.play(ground.feeder, connection, 0, WARM_UP, None)
                rigs.append((side, rig))
            for pair in range(PAIRS):
                begin = WARM_UP + pair * TICKS
                for connection in random.permutation(len(rigs)).tolist():
                    side, rig = rigs[connection]
                    stretch = await rig.play(ground.feeder, connection, begin, begin + TICKS, None)
                    found[side].append(stretch.service_ns)
        return {side: np.array(times) for side, times in found.items()}

    with collector_at_rest():
        times: dict[str, Any] = run(work)
    return times


def test_a_planted_slowdown_is_flagged_and_no_change_is_not(tmp_path: Path) -> None:
    times = side_by_side(tmp_path, {"before": 0, "control": 0, "slower": SLOWER_NS})
    assert compare(times["before"], times["slower"], mean).verdict is Difference.SLOWER
    assert compare(times["slower"], times["before"], mean).verdict is Difference.FASTER
    control = compare(times["before"], times["control"], mean, level=SURE)
    assert control.verdict is Difference.NO_DIFFERENCE_SHOWN


def measured(folder: Path, planted_ns: dict[str, int], ticks: int = 600) -> Breakdown:
    """Measure a pipeline with waits planted into some of its parts."""

    async def work() -> Breakdown:
        async with ground_of(1_000 + ticks) as ground:
            at = 0

            async def play(rig: Rig, count: int, _paced: bool) -> Stretch:
                nonlocal at
                begin, at = at, at + count
                return await rig.play(ground.feeder, 0, begin, at, None)

            values = DIRECT | {"pipeline.frames": "batch"}
            async with rig_of(ground, folder, values, capacity=capacity_of(ticks)) as rig:
                for name, duration_ns in planted_ns.items():
                    plant(getattr(rig.pipeline, name), duration_ns)
                return await Measuring(ticks, ticks, 1).run(rig, play, 300, 200, lambda _: None)

    with collector_at_rest():
        breakdown: Breakdown = run(work)
    return breakdown


@pytest.mark.parametrize(("name", "component"), [("results", CSV_WRITE), ("frames", DATAFRAME_OPS), ("lines", LOGGING)])
def test_a_planted_wait_is_found_in_its_component_and_in_no_other(tmp_path: Path, name: str, component: int) -> None:
    planted_ns = 200_000  # well above what the machine's mood changes between two runs
    without = np.median(measured(tmp_path / "without", {}).self_ns, axis=0)
    planted = np.median(measured(tmp_path / "with", {name: planted_ns}).self_ns, axis=0)
    more = planted - without
    assert more[component] == pytest.approx(planted_ns, rel=0.25)
    assert (np.delete(more, component) < planted_ns / 4).all()


def test_a_planted_span_of_5_us_shows(tmp_path: Path) -> None:
    without = measured(tmp_path / "without", {})
    planted = measured(tmp_path / "with", {"frames": 5_000})
    assert np.median(planted.self_ns[:, DATAFRAME_OPS]) - np.median(without.self_ns[:, DATAFRAME_OPS]) > 2_000
    assert np.median(planted.self_ns[:, DATAFRAME_OPS]) >= 5_000


def test_all_of_a_tick_is_accounted_for(tmp_path: Path) -> None:
    breakdown = measured(tmp_path / "rig", {"results": 20_000})
    total = breakdown.self_ns.sum() + breakdown.overhead_ns.sum()
    assert total == pytest.approx(breakdown.service_ns.sum(), rel=1e-3)
    shares = 100 * breakdown.self_ns.sum(axis=0) / breakdown.self_ns.sum()
    assert shares.sum() == pytest.approx(100, abs=0.1)
    assert breakdown.self_ns[:, CSV_WRITE].min() >= 20_000 * 0.99
