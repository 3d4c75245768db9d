"""Law: a session whose process is killed at any moment, again and again, ends byte for byte like one that was not."""

import os
import signal
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from myquant.journal.record import COMMAND, HOLDS, INPUT
from session import kill_child
from session.forks import Forks
from session.sessions import day_inputs, decisions, recorded

LONG: Final = bool(os.environ.get("MYQUANT_LONG"))
KILLS: Final = 10_000 if LONG else 500
LATEST_S: Final = 0.06  # a child has come some way by then: to take up the session lasts about a third of it
INPUTS: Final = 4000
WAYS: Final = [(settings, batch) for settings in ("at_once", "limit") for batch in (1, 64)]


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    found = Forks()
    yield found
    found.close()


def play_and_kill(forks: Forks, folder: Path, arguments: tuple[str, str, int], rng: np.random.Generator, most: int) -> int:
    """Let a session play till its end, and kill its process at random moments, at most so often; return how often."""
    for kills in count():
        child = forks.start("session.kill_child:play", str(folder), *arguments, said=folder.with_suffix(".said"))
        if kills < most:
            time.sleep(rng.uniform(0, LATEST_S))
            child.send(signal.SIGKILL)
        code = child.wait()
        if code != -signal.SIGKILL:
            said = folder.with_suffix(".said").read_text()
            assert code == 0, said
            return kills
    raise AssertionError


@pytest.mark.parametrize(("settings", "batch"), WAYS, ids=[f"{settings}-{batch}" for settings, batch in WAYS])
def test_random_kills_change_nothing(settings: str, batch: int, tmp_path: Path, forks: Forks) -> None:
    kills = sessions = 0
    while kills < KILLS // len(WAYS):
        seed = sessions = sessions + 1
        rng = np.random.default_rng(seed)
        inputs = tmp_path / f"{seed}.npy"
        np.save(inputs, day_inputs(seed, count=INPUTS))
        arguments = (str(inputs), settings, batch)
        whole, killed = tmp_path / f"whole-{seed}", tmp_path / f"killed-{seed}"
        assert play_and_kill(forks, whole, arguments, rng, 0) == 0
        kills += play_and_kill(forks, killed, arguments, rng, KILLS // len(WAYS) - kills)
        context = f"seed {seed}, {kills} kills so far"
        assert np.array_equal(decisions(killed), decisions(whole)), context
        assert (killed / kill_child.STATE).read_bytes() == (whole / kill_child.STATE).read_bytes(), context
    print(f"{sessions} sessions")
