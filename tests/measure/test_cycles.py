from pathlib import Path
from time import monotonic_ns

import numpy as np

from measure.counted_runs import run
from myquant.core import codes
from myquant.core.probe import INDICATORS, JOURNALING, POSITION, REST, SIGNAL
from myquant.measure.cycles import Cycles
from session.sessions import day_inputs

KINDS = (codes.TICK, codes.QUOTE)


def test_a_measuring_engine_decides_as_any_other(tmp_path: Path) -> None:
    words = day_inputs(3)
    plain, _ = run(tmp_path / "plain", words, capacity=None)
    counted, _ = run(tmp_path / "counted", words, capacity=len(words))
    assert len(plain) > 20
    assert (plain == counted).all()


def test_every_tick_has_its_row_and_the_columns_are_what_it_did(tmp_path: Path) -> None:
    words = day_inputs(4)
    kinds = words[:, 0][np.isin(words[:, 0], KINDS)]
    began = monotonic_ns()
    _, cycles = run(tmp_path / "counted", words, capacity=len(words))
    took_ns = monotonic_ns() - began
    assert cycles is not None
    rows, lost = cycles.rows()
    assert (len(rows), lost) == (len(kinds), 0)
    is_tick = kinds == codes.TICK
    assert (rows[:, JOURNALING] > 0).all()
    assert (rows[:, POSITION] > 0).all()
    assert (rows[:, REST] > 0).all()
    assert (rows[is_tick][:, INDICATORS] > 0).mean() > 0.9  # of a tick that is refused there are none
    assert (rows[is_tick][:, SIGNAL] > 0).mean() > 0.9
    assert not rows[~is_tick][:, [INDICATORS, SIGNAL]].any()
    assert rows.sum() < took_ns


def test_what_has_no_room_is_counted_and_not_written(tmp_path: Path) -> None:
    words = day_inputs(5)
    ticks = int(np.isin(words[:, 0], KINDS).sum())
    _, cycles = run(tmp_path / "counted", words, capacity=100)
    assert cycles is not None
    rows, lost = cycles.rows()
    assert (len(rows), lost) == (100, ticks - 100)
    cycles.reset()
    rows, lost = cycles.rows()
    assert (len(rows), lost) == (0, 0)


def test_a_lap_costs_something_and_the_rate_is_that_of_a_processor() -> None:
    cycles = Cycles(np.zeros(4, np.int64), 1)
    lap_ns = cycles.lap_ns()
    assert lap_ns > 0
    assert cycles.cycles_per_ns() > 0
