"""A user's strategy in the engine: the same trades as the built-in one, never an old one's, loaded from disk when it can."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from laws.driver import random_ticks
from myquant.strategies.cache import cache_folder
from myquant.strategies.loading import LoadedStrategy, default_strategy, load_strategy
from myquant.strategies.specialise import ROOT, engine_name, source_hash
from strategies.runs import in_batch, new_engine, one_by_one
from strategies.texts import write

CROSSOVER = """\
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, Field

from myquant.indicators import ema
from signals import is_above

MEMORY = 8
WEIGHTS = np.array([0.5, 0.25, 0.25])


class Params(BaseModel):
    fast: int = Field(18, ge=1)
    slow: int = Field(42, ge=1)


class Averages(NamedTuple):
    fast: float = 0
    slow: float = 0


class State(NamedTuple):
    averages: Averages = Averages()
    last: tuple[float, float] = (0.0, 0.0)
    rising: bool = False
    mean: float = 0.0
    best: float = 0.0


def update(state, tick, params, memory):
    memory[tick.n % 8] = tick.price
    made = np.zeros(3)
    for k in range(3):
        made[k] = memory[(tick.n - k) % 8]
    mean, best = (made * WEIGHTS).sum(), max([price for price in memory])
    if tick.n == 1:
        return State(Averages(tick.price, tick.price), (0, tick.price), False, mean, best)
    fast = ema(state.averages.fast, tick.price, params.fast)
    slow = ema(state.averages.slow, tick.price, params.slow)
    last = (state.last[1], tick.price)
    return State(Averages(fast, slow), last, last[1] > last[0], mean, max(best, memory[:4].max()))


def entry(state, tick, context, params):
    return is_above(state.averages) and (state.rising or not state.rising)
"""
SIGNALS = "def is_above(averages):\n    return averages.fast > averages.slow\n"
MARGIN = "def is_above(averages):\n    return averages.fast > averages.slow + 0.5\n"
TICKS = random_ticks(11, count=3000, days=2)
RICH = {"capital": {"initial_capital": 1_000_000}}

RUN = f"""\
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from laws.driver import random_ticks
from myquant.strategies.loading import load_strategy
from strategies.runs import in_batch, new_engine
strategy = load_strategy(sys.argv[1])
before = strategy.compiled
trades = in_batch(new_engine(strategy, {RICH!r}), random_ticks(11, count=3000, days=2))
print([strategy.engine_hash, before, strategy.compiled, trades])
"""


@pytest.fixture
def crossover(tmp_path: Path) -> Path:
    write(tmp_path, SIGNALS, "signals.py")
    return write(tmp_path, CROSSOVER)


def run_elsewhere(path: Path, **environment: str) -> tuple[str, bool, bool, list[tuple[int, ...]]]:
    """Run in a process of its own; return the engine's hash, whether it was compiled before and after, the trades."""
    command = [sys.executable, "-W", "error", "-c", RUN, str(path)]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found: tuple[str, bool, bool, list[tuple[int, ...]]] = tuple(eval(done.stdout))  # noqa: S307  (our own output)
    return found


def test_the_default_strategy_from_a_file_makes_the_same_trades(crossover: Path) -> None:
    expected = in_batch(new_engine(default_strategy(), RICH), TICKS)
    assert len(expected) > 20
    assert in_batch(new_engine(load_strategy(crossover), RICH), TICKS) == expected


def test_it_may_make_lists_and_arrays_of_its_own_though_the_engine_around_it_allocates_nothing(crossover: Path) -> None:
    engine = new_engine(load_strategy(crossover), RICH)
    assert len(in_batch(engine, TICKS)) > 20
    state, last = engine.instruments[0]["strategy"], TICKS.price[-8:] / 100
    assert state["mean"] == (last[-1:-4:-1] * np.array([0.5, 0.25, 0.25])).sum()
    assert state["best"] == last.max()


def test_a_changed_module_beside_it_is_another_engine_and_another_result(crossover: Path) -> None:
    """The other engine takes its ticks one at a time, and in plain Python as a batch: the same trades."""
    first = load_strategy(crossover)
    trades = in_batch(new_engine(first, RICH), TICKS)
    write(crossover.parent, MARGIN, "signals.py")
    second = load_strategy(crossover)
    assert second.engine_hash != first.engine_hash
    changed = one_by_one(new_engine(second, RICH), TICKS)
    assert changed
    assert changed != trades
    assert run_elsewhere(crossover, NUMBA_DISABLE_JIT="1") == (second.engine_hash, True, True, changed)
    assert in_batch(new_engine(first, RICH), TICKS) == trades  # what was loaded before is what it was


def test_a_changed_helper_of_the_core_is_another_engine_and_another_result(crossover: Path, tmp_path: Path) -> None:
    mine = load_strategy(crossover)
    trades = in_batch(new_engine(mine, RICH), TICKS)
    package = Path(shutil.copytree(ROOT, tmp_path / "copy" / "myquant", ignore=shutil.ignore_patterns("__pycache__")))
    elsewhere = {"PYTHONPATH": str(package.parent)}
    assert run_elsewhere(crossover, **elsewhere) == (mine.engine_hash, True, True, trades)
    indicators = package / "core" / "indicators.py"
    text = indicators.read_text()
    indicators.write_text(text.replace("value + 2.0 /", "value + 0.5 /"))
    assert indicators.read_text() != text
    assert source_hash(mine.adapter, package) != mine.engine_hash
    engine_hash, _, compiled, changed = run_elsewhere(crossover, **elsewhere)
    assert (engine_hash, compiled) == (source_hash(mine.adapter, package), True)
    assert changed
    assert changed != trades


def test_machine_code_that_is_missing_or_damaged_is_not_called_compiled(
    crossover: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strategy = load_strategy(crossover)
    in_batch(new_engine(strategy, RICH), TICKS)
    assert strategy.compiled
    name = engine_name(strategy.adapter)
    own = tmp_path / "cache" / name
    shutil.copytree(cache_folder() / name, own)
    monkeypatch.setenv("MYQUANT_CACHE", str(own.parent))

    def is_compiled_here() -> bool:
        for part in ("strategy", "engine", "drive"):
            monkeypatch.delitem(sys.modules, f"{name}_{part}")
        loaded = load_strategy(crossover)
        assert Path(str(loaded.drive.__file__)).parent == own
        return loaded.compiled

    assert is_compiled_here()
    code = next((own / "__pycache__").glob("*run*.nbc"))
    code.write_bytes(code.read_bytes()[:1000])
    assert not is_compiled_here()
    shutil.rmtree(own / "__pycache__")
    assert not is_compiled_here()
    shutil.rmtree(own)
    assert not is_compiled_here()


def test_it_runs_uncompiled_for_debugging(crossover: Path) -> None:
    found = run_elsewhere(crossover, NUMBA_DISABLE_JIT="1")
    assert found == (
        load_strategy(crossover).engine_hash,
        True,
        True,
        in_batch(new_engine(default_strategy(), RICH), TICKS),
    )


def test_what_compiled_code_raises_is_told_as_the_strategys(crossover: Path) -> None:
    strategy: LoadedStrategy = load_strategy(crossover)
    told = str(strategy.failure(IndexError("index is out of bounds")))
    assert told.startswith(f"{crossover}: strategy mine stopped the run: a place outside the memory (MEMORY = 8)")
    assert str(default_strategy().failure(ValueError("a\nb"))) == "default: strategy default stopped the run: a b"


def test_no_name_is_the_default_strategy() -> None:
    assert load_strategy(None) == default_strategy()
