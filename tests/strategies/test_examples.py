"""The examples: they trade on a real day, the same each time and one tick at a time, with the settings they bring."""

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from laws.driver import Ticks, random_ticks
from myquant import compose
from myquant.config.loading import load_config
from myquant.results.record import RunRecord
from myquant.strategies.loading import load_strategy
from myquant.ticks.source import open_ticks
from strategies.runs import in_batch, new_engine

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))
TAPE = random_ticks(5, count=6000, days=2)
SINGLE = f"""\
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from laws.driver import random_ticks
from myquant.strategies.loading import load_strategy
from strategies.runs import new_engine, one_by_one
engine = new_engine(load_strategy(sys.argv[1]), eval(sys.argv[2]))
trades = one_by_one(engine, random_ticks(5, count=6000, days=2))
print((trades, *(engine.instruments[part].tobytes().hex() for part in ("strategy", "memory"))))
"""
# So that the tape, which is shorter and wilder than a real day, meets their conditions.
EAGER = {
    "opening_range_breakout": {"range_minutes": 30},
    "rsi_pullback": {"trend_ticks": 200, "rsi_length": 20, "dip": 45.0, "overbought": 58.0},
}


def run(name: str, real_day: Path) -> RunRecord:
    strategy = load_strategy(EXAMPLES / f"{name}.py")
    assert strategy.model is not None
    loaded = load_config(files=[EXAMPLES / f"{name}.toml"], sections={strategy.section: strategy.model})
    return compose.backtest(open_ticks([real_day], time_zone="Asia/Kolkata", symbol="NIFTY"), loaded, strategy)


def test_there_are_two() -> None:
    assert NAMES == ["opening_range_breakout", "rsi_pullback"]


@pytest.mark.parametrize(
    ("name", "reasons"),
    [("opening_range_breakout", {"stop_loss"}), ("rsi_pullback", {"strategy_exit"})],
)
def test_they_trade_on_a_real_day(real_day: Path, name: str, reasons: set[str]) -> None:
    first, second = run(name, real_day), run(name, real_day)
    assert len(first.trades) >= 3
    assert first.trades.tobytes() == second.trades.tobytes()
    assert first.marks.tobytes() == second.marks.tobytes()
    from myquant.results.trades import trades_frame  # noqa: PLC0415  (brings polars)

    assert reasons <= set(trades_frame(first)["exit_reason"])


@pytest.mark.parametrize("name", NAMES)
def test_a_compiled_batch_and_single_ticks_in_plain_python_agree(name: str) -> None:
    strategy = load_strategy(EXAMPLES / f"{name}.py")
    values = {strategy.section: EAGER[name], "strategy": {"consecutive_green_bars": 1}}
    batch = new_engine(strategy, values)
    trades = in_batch(batch, TAPE)
    assert len(trades) >= 3
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-W", "error", "-c", SINGLE, str(EXAMPLES / f"{name}.py"), repr(values)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    kept = [batch.instruments[part].tobytes().hex() for part in ("strategy", "memory")]
    assert eval(done.stdout) == (trades, *kept)  # noqa: S307  (our own output)


@pytest.mark.parametrize("name", NAMES)
def test_what_comes_later_changes_nothing_before(name: str) -> None:
    strategy = load_strategy(EXAMPLES / f"{name}.py")
    values = {strategy.section: EAGER[name]}
    half = len(TAPE.time_ns) // 2
    changed = Ticks(TAPE.time_ns, TAPE.price.copy(), TAPE.volume)
    changed.price[half:] = 5_000
    whole, other = (in_batch(new_engine(strategy, values), ticks) for ticks in (TAPE, changed))
    until = int(TAPE.time_ns[:half].max())
    assert [row for row in whole if row[3] < until] == [row for row in other if row[3] < until]


@pytest.mark.parametrize("name", NAMES)
def test_their_settings_are_theirs(name: str) -> None:
    strategy = load_strategy(EXAMPLES / f"{name}.py")
    assert strategy.model is not None
    assert strategy.section == name
    given = tomllib.loads((EXAMPLES / f"{name}.toml").read_text())[name]
    assert given.keys() == strategy.model.model_fields.keys()
    assert given == strategy.model().model_dump()


@pytest.mark.parametrize("name", NAMES)
def test_they_are_short(name: str) -> None:
    tree = ast.parse((EXAMPLES / f"{name}.py").read_text())
    lines = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    assert len(lines) < 50
