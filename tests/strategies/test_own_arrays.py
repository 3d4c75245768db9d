"""A strategy may make lists and arrays of its own, though the engine around it allocates nothing."""

from pathlib import Path

import numpy as np

from laws.driver import random_ticks
from myquant.strategies.loading import load_strategy
from strategies.runs import in_batch, new_engine

SOURCE = """
from typing import NamedTuple
import numpy as np

MEMORY = 8
WEIGHTS = np.array([0.5, 0.25, 0.25])

class State(NamedTuple):
    mean: float = 0.0
    best: float = 0.0

def update(state, tick, params, memory):
    memory[tick.n % 8] = tick.price
    made = np.zeros(3)
    for k in range(3):
        made[k] = memory[(tick.n - k) % 8]
    best = max([price for price in memory])
    return State((made * WEIGHTS).sum(), max(best, memory[:4].max()))

def entry(state, tick, context, params):
    return tick.price > state.mean
"""


def test_lists_and_arrays_in_a_strategy(tmp_path: Path) -> None:
    path = tmp_path / "own_arrays.py"
    path.write_text(SOURCE, encoding="utf-8")
    ticks = random_ticks(3)
    engine = new_engine(load_strategy(path))
    assert len(in_batch(engine, ticks)) > 3
    state, last = engine.instruments[0]["strategy"], ticks.price[-8:] / 100
    assert state["mean"] == (last[-1:-4:-1] * np.array([0.5, 0.25, 0.25])).sum()
    assert state["best"] == last.max()
