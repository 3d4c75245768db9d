"""Scenarios of a strategy with a stop and an exit of its own. `test_own_strategy` runs them as plain Python.

Compiling an engine for this strategy alone would take up to a minute; that compiled and plain agree is shown elsewhere.
"""

from pathlib import Path

import pytest

from myquant.strategies.loading import LoadedStrategy, load_strategy
from session.play import Play

SOURCE = """
from typing import NamedTuple
from pydantic import BaseModel

class Params(BaseModel):
    below: float = 2.5
    enough: float = 3.0

class State(NamedTuple):
    low: float = 0.0

def update(state, tick, params):
    return State(low=tick.price if tick.n == 1 else min(state.low, tick.price))

def entry(state, tick, context, params):
    return tick.price > state.low and context.day_pnl < 1000

def stop(state, tick, context, params):
    return float("nan") if tick.n == 3 else state.low - params.below

def exit(state, tick, context, params):
    return context.quantity > 0 and tick.price - context.entry_price >= params.enough and tick.price < context.highest
"""


@pytest.fixture
def strategy(tmp_path: Path) -> LoadedStrategy:
    path = tmp_path / "own.py"
    path.write_text(SOURCE, encoding="utf-8")
    return load_strategy(path)


def test_its_stop_keeps_its_distance_below_the_fill(strategy: LoadedStrategy) -> None:
    Play(strategy=strategy).play("""
        10:00:00  tick 100                |
        10:00:01  tick 101                | buy 300 at 101.00 #1
        10:00:02  fill #1 300 at 102      | opened 300 at 102.00 stop 98.50
        10:00:03  tick 98.55              |
        10:00:04  tick 98.50              | sell 300 at 98.50 #2 stop_loss
    """)


def test_a_stop_that_is_not_ready_or_not_below_the_price_denies(strategy: LoadedStrategy) -> None:
    Play(strategy=strategy).play("""
        10:00:00  tick 100                |
        10:00:01  tick 100                |
        10:00:02  tick 101                | denied stop_not_warm
        10:00:03  tick 101.05             | buy 300 at 101.05 #1
    """)
    Play(strategy=strategy, own__below=-5.0).play("""
        10:00:00  tick 100                |
        10:00:01  tick 105                | denied stop_not_warm
        10:00:02  tick 105.05             | denied stop_not_warm
        10:00:03  tick 105.10             | buy 300 at 105.10 #1
    """)


def test_its_exit_comes_after_all_others(strategy: LoadedStrategy) -> None:
    Play(strategy=strategy).play("""
        10:00:00  tick 100                |
        10:00:01  tick 101                | buy 300 at 101.00 #1
        10:00:02  fill #1 300 at 101      | opened 300 at 101.00 stop 97.50
        10:00:03  tick 104.50             |
        10:00:04  tick 104.05             | sell 300 at 104.05 #2 strategy_exit
        10:00:05  fill #2 300 at 104.05   | closed 300 at 104.05 strategy_exit
        10:00:06  tick 104.10             | buy 300 at 104.10 #3
        10:00:07  fill #3 300 at 104.10   | opened 300 at 104.10 stop 97.50
        10:00:08  tick 110                | sell 75 at 110.00 #4 take_profit_1
        10:00:09  fill #4 75 at 110       | closed 75 at 110.00 take_profit_1
        10:00:10  tick 109                | sell 225 at 109.00 #5 strategy_exit
    """)


def test_it_knows_the_days_result(strategy: LoadedStrategy) -> None:
    Play(strategy=strategy, risk__tp_points=(10,), risk__tp_percents=(1,)).play("""
        10:00:00  tick 100                |
        10:00:01  tick 101                | buy 300 at 101.00 #1
        10:00:02  fill #1 300 at 101      | opened 300 at 101.00 stop 97.50
        10:00:03  tick 111                | sell 300 at 111.00 #2 take_profit_1
        10:00:04  fill #2 300 at 111      | closed 300 at 111.00 take_profit_1
        10:00:05  tick 112                |
    """)
