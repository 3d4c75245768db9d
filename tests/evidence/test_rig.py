from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evidence.rigs import PLAIN, ground_of, rig_of, run
from myquant.errors import MyquantError
from myquant.evidence.ground import days_of, open_ground
from myquant.evidence.rig import INDEX, REFUSED, TICK

TICKS = 1_500

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": PLAIN,
    "bare": {},
    "ring": PLAIN | {"pipeline.handoff": "ring"},
    "callback": PLAIN | {"pipeline.handoff": "callback"},
    "buffered": PLAIN | {"pipeline.results": "buffered"},
    "batch": PLAIN | {"pipeline.frames": "batch", "pipeline.frame_every": 100},
    "async": PLAIN | {"pipeline.logging": "async"},
}


def lines_of(log: Path) -> list[str]:
    """Return what each line of a log says, without its time."""
    return [line.partition('", ')[2] for line in log.read_text(encoding="utf-8").splitlines()]


def test_all_variants_decide_alike_and_leave_the_same_files(tmp_path: Path) -> None:
    async def work() -> dict[str, tuple[Any, Any]]:
        found = {}
        async with ground_of(TICKS) as ground:
            for connection, (name, values) in enumerate(VARIANTS.items()):
                async with rig_of(ground, tmp_path / name, values) as rig:
                    await rig.play(ground.feeder, connection, 0, TICKS, None)
                    frame = rig.pipeline.frame() if rig.pipeline is not None and rig.pipeline.frames else None
                    found[name] = (rig.decided(), frame)
        return found

    found = run(work)
    assert len({decided for decided, _ in found.values()}) == 1
    assert found["plain"][0].commands > 100
    plain = tmp_path / "plain"
    assert (plain / "decisions.csv").read_text(encoding="utf-8").count("\n") > 10
    assert (plain / "ticks.csv").read_text(encoding="utf-8").count("\n") > TICKS / 2
    for name in VARIANTS.keys() - {"plain", "bare"}:
        for file in ("ticks.csv", "decisions.csv"):
            assert (tmp_path / name / file).read_bytes() == (plain / file).read_bytes(), (name, file)
        assert lines_of(tmp_path / name / "log.jsonl") == lines_of(plain / "log.jsonl"), name
    assert not (tmp_path / "bare" / "ticks.csv").exists()
    whole = found["plain"][1]
    batch = found["batch"][1]
    assert 0 < len(batch) <= len(whole)
    assert batch.equals(whole.head(len(batch)))


def test_decisions_do_not_depend_on_the_pace_and_every_tick_has_its_times(tmp_path: Path) -> None:
    async def work() -> list[Any]:
        found = []
        async with ground_of(600) as ground:
            for connection, rate in enumerate((None, 3_000.0)):
                async with rig_of(ground, tmp_path / str(connection), PLAIN) as rig:
                    stretch = await rig.play(ground.feeder, connection, 0, 600, rate)
                    found.append((rig.decided(), stretch, rig.kinds))
        return found

    (flat_out, fast, _), (paced, slow, kinds) = run(work)
    assert flat_out == paced
    assert len(fast.done_ns) == len(slow.done_ns) == kinds.count(TICK) == 600
    assert kinds.count(INDEX) >= 1
    assert not fast.intended_ns.any()
    assert np.ptp(np.diff(slow.intended_ns)) == 0
    for stretch in (fast, slow):
        assert (np.diff(stretch.done_ns) > 0).all()
        assert (stretch.arrived_ns <= stretch.begun_ns).all()
        assert (stretch.begun_ns <= stretch.done_ns).all()
        assert (stretch.service_ns > 0).all()
    assert (slow.intended_ns <= slow.arrived_ns).all()


def test_a_part_that_fails_ends_the_run_with_its_error(tmp_path: Path) -> None:
    def broken(_row: Any) -> None:
        raise MyquantError("no room")

    async def work() -> None:
        async with ground_of(200) as ground, rig_of(ground, tmp_path / "rig", PLAIN) as rig:
            assert rig.pipeline is not None
            assert rig.pipeline.results is not None
            rig.pipeline.results.take = broken  # type: ignore[method-assign,assignment]
            await rig.play(ground.feeder, 0, 0, 200, None)

    with pytest.raises(MyquantError, match="no room"):
        run(work)


def test_a_reader_that_dies_ends_the_wait(tmp_path: Path) -> None:
    async def work() -> None:
        async with ground_of(400) as ground, rig_of(ground, tmp_path / "rig", {"pipeline.handoff": "ring"}) as rig:
            await rig.play(ground.feeder, 0, 0, 100, None)
            process: Any = rig.handoff
            process._process.kill()
            await rig.take(100)

    with pytest.raises(MyquantError, match="its reader has ended with code -9"):
        run(work)


def test_ticks_that_are_refused_are_no_ticks_and_keep_nobody_waiting(tmp_path: Path) -> None:
    ticks = tmp_path / "NIFTY07OCT2524900CE.csv"
    lines = ["timestamp,price,volume"]
    for second in range(400):
        price = 3_000.0 if second % 50 == 49 else 100.0 + second % 7 * 0.05
        lines.append(f"2025-10-03T10:{second // 60:02d}:{second % 60:02d}+05:30,{price},75")
    ticks.write_text("\n".join(lines) + "\n", encoding="utf-8")

    async def work() -> tuple[int, int]:
        days = days_of([ticks], 400, 1, "NIFTY")
        async with open_ground(days, "snap_quote") as ground, rig_of(ground, tmp_path / "rig", {}) as rig:
            stretch = await rig.play(ground.feeder, 0, 0, 400, None)
            return len(stretch.done_ns), rig.kinds.count(REFUSED)

    assert run(work) == (392, 8)
