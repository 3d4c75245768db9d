"""`myquant config`: what is in force, why, and what differs."""

import tomllib
from pathlib import Path

import pytest

from cli.ended import Run
from myquant.config.loading import load_config

STRATEGY = """\
from typing import NamedTuple
from pydantic import BaseModel, Field

SECTION = "mine"

class Params(BaseModel):
    lookback: int = Field(20, ge=2, le=500)

class State(NamedTuple):
    seen: int = 0

def update(state, tick, params):
    return State(state.seen + 1)

def entry(state, tick, context, params):
    return state.seen > params.lookback
"""


@pytest.fixture
def mine() -> str:
    Path("mine.toml").write_text("[risk]\nbase_sl_points = 20\n[strategy]\nfast_ema = 9\n")
    return "mine.toml"


def test_show_prints_each_value_and_where_it_is_from(run: Run, mine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYQUANT_STRATEGY__FAST_EMA", "10")
    ended = run("config", "show", "--config", mine, "--set", "charges.model=percent")
    assert (ended.code, ended.err) == (0, "")
    lines = [" ".join(line.split()) for line in ended.out.splitlines()]
    assert len(lines) == len(load_config().values)
    assert [line for line in lines if "#" in line] == [
        "strategy.fast_ema = 10 # MYQUANT_STRATEGY__FAST_EMA",
        "risk.base_sl_points = 20.0 # mine.toml",
        'charges.model = "percent" # --set',
    ]
    assert "strategy.slow_ema = 42" in lines
    lines = [line for line in ended.out.splitlines() if "://" not in line]  # addresses are as long as they are
    assert max(map(len, lines)) <= 100


def test_a_later_file_overrides_an_earlier_one(run: Run, mine: str) -> None:
    Path("overlay.toml").write_text("[risk]\nbase_sl_points = 30\n")
    lines = run("config", "show", "--config", mine, "--config", "overlay.toml").out.splitlines()
    assert [" ".join(line.split()) for line in lines if "#" in line] == [
        "strategy.fast_ema = 9 # mine.toml",
        "risk.base_sl_points = 30.0 # overlay.toml",
    ]


def test_origins_names_the_defaults_too(run: Run, mine: str) -> None:
    lines = run("config", "show", "--config", mine, "--origins").out.splitlines()
    assert {line.split("# ")[1] for line in lines} == {"default", "mine.toml"}


@pytest.mark.parametrize("form", [(), ("--origins",), ("--toml",)])
def test_every_form_loads_back(run: Run, mine: str, form: tuple[str, ...]) -> None:
    Path("shown.toml").write_text(run("config", "show", "--config", mine, *form).out)
    assert load_config(files=[Path("shown.toml")]).hash == load_config(files=[Path(mine)]).hash
    assert run("config", "diff", mine, "shown.toml").out == "no difference\n"


def test_check_says_what_a_file_changes(run: Run, mine: str) -> None:
    ended = run("config", "check", mine)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        "mine.toml: valid; values other than the default: 2",
        "strategy.fast_ema   = 18 -> 9",
        "risk.base_sl_points = 15.0 -> 20.0",
    ]
    Path("same.toml").write_text("[risk]\nbase_sl_points = 15.00\n")
    assert run("config", "check", "same.toml").out == "same.toml: valid; values other than the default: 0\n"


def test_check_and_diff_leave_the_environment_out(run: Run, mine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = run("config", "check", mine).out, run("config", "diff", "defaults", mine).out
    monkeypatch.setenv("MYQUANT_RISK__BASE_SL_POINTS", "30")
    assert (run("config", "check", mine).out, run("config", "diff", "defaults", mine).out) == before


def test_diff_of_two_files(run: Run, mine: str) -> None:
    Path("other.toml").write_text("[risk]\nbase_sl_points = 25\n[strategy]\nfast_ema = 9\n")
    assert run("config", "diff", mine, "other.toml").out == "risk.base_sl_points = 20.0 -> 25.0\n"
    assert run("config", "diff", "other.toml", "defaults").out.splitlines() == [
        "strategy.fast_ema   = 9 -> 18",
        "risk.base_sl_points = 25.0 -> 15.0",
    ]


def test_a_strategy_brings_its_section(run: Run) -> None:
    Path("strategy.py").write_text(STRATEGY)
    Path("mine.toml").write_text("[mine]\nlookback = 30\n")
    assert run("config", "check", "mine.toml").code == 2
    assert run("config", "check", "mine.toml", "--strategy", "strategy.py").out.endswith("\nmine.lookback = 20 -> 30\n")
    assert (
        run("config", "diff", "defaults", "mine.toml", "--strategy", "strategy.py").out == "mine.lookback = 20 -> 30\n"
    )
    shown = run("config", "show", "--strategy", "strategy.py", "--set", "mine.lookback=40", "--toml").out
    assert tomllib.loads(shown)["mine"] == {"lookback": 40}
    ended = run("config", "show", "--strategy", "strategy.py", "--set", "mine.lookback=1")
    assert (ended.code, ended.errors) == (2, ["mine.lookback = 1 (--set): must be a whole number from 2 to 500"])
