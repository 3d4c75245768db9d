"""Laws: the same events give the same bytes, in any process, compiled or not, however they were cut or interrupted."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from laws import fingerprint
from laws.cases import CASES, tape
from laws.driver import Ticks, events, new_engine, replay, settings
from myquant.core import codes
from myquant.ticks.batch import TickBatch


@pytest.mark.parametrize("case", CASES)
def test_a_replay_is_identical(case: str) -> None:
    first, second = (replay(tape(1, case), settings(CASES[case]), instruments=3) for _ in range(2))
    assert first.commands.tobytes() == second.commands.tobytes()
    assert first.snapshot == second.snapshot
    assert (first.commands["kind"] == codes.TRADE_CLOSED).sum() >= 5


@pytest.mark.parametrize(
    "environment",
    [{"PYTHONHASHSEED": "0"}, {"PYTHONHASHSEED": "1"}, {"NUMBA_DISABLE_JIT": "1"}],
    ids=["hash seed 0", "hash seed 1", "plain Python"],
)
def test_another_process_gives_the_same_bytes(environment: dict[str, str]) -> None:
    count = 350  # for each of the cases
    command = [sys.executable, str(Path(fingerprint.__file__)), str(count)]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    digest, trades = done.stdout.split()
    assert f"{digest} {trades}" == fingerprint.fingerprint(count)
    assert int(trades) > 30


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seed", range(2))
def test_cuts_change_nothing(case: str, seed: int) -> None:
    ticks, loaded = tape(seed, case), settings(CASES[case])
    whole = replay(ticks, loaded, instruments=3)
    rng = np.random.default_rng(seed)
    for pieces in (1, 7, 300):
        cuts = np.sort(rng.integers(0, len(ticks.time_ns), pieces)).tolist()
        cut = replay(ticks, loaded, instruments=3, cuts=cuts)
        assert cut.commands.tobytes() == whole.commands.tobytes()
        assert cut.snapshot == whole.snapshot


@pytest.mark.parametrize("case", CASES)
def test_what_comes_later_changes_nothing_earlier(case: str) -> None:
    ticks, loaded = tape(2, case), settings(CASES[case])
    whole = replay(ticks, loaded, instruments=3).commands
    for known in (200, 777, 1300):
        ended = replay(ticks.head(known), loaded, instruments=3).commands
        other = tape(3, case)
        changed = Ticks(*(np.concatenate([a[:known], b[known:]]) for a, b in zip(ticks, other, strict=True)))
        fate = replay(changed, loaded, instruments=3).commands
        earlier = whole[whole["event_sequence"] < known].tobytes()
        assert ended.tobytes() == earlier
        assert fate[fate["event_sequence"] < known].tobytes() == earlier


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("stop", [1, 400, 751, 1499])
def test_a_restart_from_a_snapshot_goes_on_identically(case: str, stop: int) -> None:
    ticks, loaded = tape(4, case), settings(CASES[case])
    whole = replay(ticks, loaded, instruments=3)
    first, second = new_engine(loaded, 3), new_engine(loaded, 3)
    got: list[np.ndarray] = []
    rest = Ticks(*(column[stop:] for column in ticks))
    first.run(TickBatch(**ticks.head(stop)._asdict()), got.append)
    second.restore(first.snapshot(), first.inputs)
    second.run(TickBatch(**rest._asdict()), got.append)
    assert np.concatenate(got).tobytes() == whole.commands.tobytes()
    assert second.snapshot() == whole.snapshot


def test_the_number_of_marks_stays_in_bounds_on_any_stream() -> None:
    loaded = settings({"results.max_marks": 100, "results.mark_interval_s": 1})
    engine = new_engine(loaded)
    marks = 0
    for event in events(tape(5, count=3000)._replace(instrument=np.zeros(0, np.int64))):
        got: list[int] = []
        engine.step(event, lambda commands, got=got: got.extend(commands["kind"].tolist()))  # type: ignore[misc]  # mypy knows no such default
        marks += got.count(codes.MARK)
    doublings = engine.account().mark_doublings
    assert doublings > 3
    assert marks <= 100 + 51 * doublings
