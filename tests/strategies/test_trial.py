"""The trial in plain Python: what it shows, what it leaves alone."""

from itertools import pairwise
from pathlib import Path

import pytest

from myquant.strategies import trial
from myquant.strategies.loading import load_strategy
from myquant.strategies.trial import made_up_ticks
from strategies.texts import Refused, entry_of, sound, update_of, write

STOP = "def stop(state, tick, context, params):\n    %s\n"
EXIT = "def exit(state, tick, context, params):\n    %s\n"


@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        (entry_of("return tick.prise > 1"), "prise", "in entry: Tick has no prise; did you mean price?"),
        (entry_of("return params.perod > 1"), "perod", "in entry: Params has no perod; did you mean period?"),
        (entry_of("return context.qty > 1"), "qty", "in entry: Context has no qty"),
        (
            entry_of("return helper(tick)", "def helper(tick):\n    return tick.prise > 1"),
            "tick.prise",
            "Tick has no prise",
        ),
        (entry_of("tick.price > 1"), "def entry", "entry returned None; it must return True or False on every path"),
        (entry_of("return tick.price"), "def entry", "entry returned 100.05; it must return True or False"),
        (
            entry_of("if context.last_exit == 0:\n    return False"),
            "def entry",
            "entry returned None; it must return True or",
        ),
        (
            update_of("state._replace(count=1)"),
            "def update",
            "update returned None; it must return a State, as in state._rep",
        ),
        (update_of("return (1.0, 2)"), "def update", "update returned (1.0, 2); it must return a State"),
        (
            update_of("return state._replace(count=0.5)"),
            "def update",
            "update returned State.count = 0.5; it is declared int",
        ),
        (
            update_of("return state._replace(mean=None)"),
            "def update",
            "update returned State.mean = None; it is declared float",
        ),
        (update_of("return state._replace(meen=1.0)"), "    return state._replace(meen", "meen"),
        (
            sound(more=STOP % "return True"),
            "def stop",
            "stop returned True; it must return a price in rupees on every path",
        ),
        (sound(more=STOP % "pass"), "def stop", "stop returned None; it must return a price in rupees on every path"),
        (sound(more=EXIT % "return 1"), "def exit", "exit returned 1; it must return True or False on every path"),
        (
            sound(more=EXIT % "return context.entry > 1"),
            "context.entry",
            "in exit: Context has no entry; did you mean entry_p",
        ),
    ],
)
def test_a_mistake_that_shows_on_made_up_ticks(refused: Refused, text: str, at: str, words: str) -> None:
    assert words in refused(text, at)


def test_a_place_outside_the_memory(refused: Refused) -> None:
    update = "def update(state, tick, params, memory):\n    memory[tick.n - 1] = tick.price\n    return state\n"
    words = refused(sound(update=update, more="MEMORY = 120"), "memory[tick")
    assert words.startswith("in update: IndexError: index 120 is out of bounds")
    assert words.endswith("is MEMORY large enough for the periods?")


def test_a_window_longer_than_the_memory(refused: Refused) -> None:
    update = "def update(state, tick, params, memory):\n"
    update += "    return state._replace(mean=rolling_mean(memory, 0, tick.n, tick.price, 121))\n"
    words = refused(sound(update=update, more="MEMORY = 120"), "rolling_mean(memory")
    assert words.startswith("in update: IndexError: index 120 is out of bounds")


@pytest.mark.parametrize(
    "value",
    [
        "1.0 / (tick.n - 3)",
        "1.0 % (tick.n - 3)",
        "math.sqrt(3.0 - tick.n)",
        "math.log(3.0 - tick.n)",
        "1 // (tick.n - 3)",
    ],
)
def test_arithmetic_that_only_plain_python_refuses_is_left_alone(tmp_path: Path, value: str) -> None:
    load_strategy(write(tmp_path, entry_of(f"return {value} > 1.0")))


def test_it_says_so_when_it_does_not_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(trial, "PATIENCE_S", 0.0)
    body = "x = 0\nwhile x < 300_000:\n    x = x + 1\nreturn x > 1"
    load_strategy(write(tmp_path, entry_of(body)))
    assert "py: its functions still run on made-up ticks after 0 s; does every loop end?\n" in capsys.readouterr().err
    monkeypatch.undo()
    load_strategy(write(tmp_path, entry_of("return tick.price > 17.0")))
    assert capsys.readouterr().err == ""


def test_what_it_prints_is_not_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load_strategy(write(tmp_path, entry_of("print(tick.price)\nreturn tick.price > 1.0")))
    assert capsys.readouterr() == ("", "")


def test_the_made_up_ticks_are_a_sound_tape() -> None:
    ticks = list(made_up_ticks(60))
    assert [tick.n for tick in ticks] == list(range(1, 61))
    assert [tick.n for tick in ticks if tick.new_day] == [1, 31]
    assert all(earlier.time_ns <= later.time_ns for earlier, later in pairwise(ticks))
    assert all(tick.price == tick.price_paise / 100 for tick in ticks)
    moves = {(later.price > earlier.price) - (later.price < earlier.price) for earlier, later in pairwise(ticks)}
    assert moves == {-1, 0, 1}
    assert {tick.volume for tick in ticks} == {0, 75, 150, 225}
    assert {tick.bid > 0 for tick in ticks} == {True, False}
