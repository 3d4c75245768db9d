"""Law: a session whose process is killed at any moment, again and again, ends byte for byte like one that was not."""

import os
import signal
import time
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from session import kill_child
from session.forks import Child, forks
from session.sessions import day_inputs, decisions

LONG: Final = bool(os.environ.get("MYQUANT_LONG"))
KILLS: Final = 10_000 if LONG else 500
INPUTS: Final = 4000
OPENING_S: Final = 0.04  # about what it takes to take up a session
AT_WORK_S: Final = 0.012  # in so long a child takes a tenth of the inputs
LOOK_S: Final = 0.0005
WAYS: Final = [(settings, batch) for settings in ("at_once", "limit") for batch in (1, 64)]


def kill(child: Child, said: Path, rng: np.random.Generator) -> None:
    """Kill a child at a random moment: one in four while it takes the session up, the others at work."""
    if rng.random() < 0.25:
        time.sleep(rng.uniform(0, OPENING_S))
    else:
        while not said.exists() or not said.stat().st_size:
            assert child.poll() is None or said.stat().st_size
            time.sleep(LOOK_S)
        time.sleep(rng.uniform(0, AT_WORK_S))
    child.send(signal.SIGKILL)


def play(folder: Path, arguments: tuple[str, str, int], rng: np.random.Generator, most: int) -> int:
    """Let a session play till its end, killing its process at most so often; return how often."""
    said = folder.with_suffix(".said")
    for kills in range(most + 1):
        said.unlink(missing_ok=True)
        child = forks().start("session.kill_child:play", str(folder), *arguments, said=said)
        if kills < most:
            kill(child, said, rng)
        code = child.wait()
        if code != -signal.SIGKILL:
            assert code == 0, said.read_text()
            return kills
    raise AssertionError(f"{folder} was not played to its end")


@pytest.mark.parametrize(("settings", "batch"), WAYS, ids=[f"{settings}-{batch}" for settings, batch in WAYS])
def test_random_kills_change_nothing(settings: str, batch: int, disk_path: Path) -> None:
    kills = seed = 0
    while kills < KILLS // len(WAYS):
        seed += 1
        rng = np.random.default_rng(seed)
        inputs = disk_path / f"{seed}.npy"
        np.save(inputs, day_inputs(seed, count=INPUTS))
        arguments = (str(inputs), settings, batch)
        whole, killed = disk_path / f"whole-{seed}", disk_path / f"killed-{seed}"
        play(whole, arguments, rng, 0)
        kills += play(killed, arguments, rng, KILLS // len(WAYS) - kills)
        context = f"seed {seed}, after {kills} kills"
        assert np.array_equal(decisions(killed), decisions(whole)), context
        assert (killed / kill_child.STATE).read_bytes() == (whole / kill_child.STATE).read_bytes(), context
