"""A strategy's state: its form, its first values."""

from pathlib import Path

import pytest

from myquant.strategies.loading import load_strategy
from strategies.texts import HEAD, Refused, sound, write


@pytest.mark.parametrize(
    ("state", "at", "words"),
    [
        ("", "", "strategy mine has no State; declare class State(NamedTuple)"),
        ("class State:\n    mean = 0.0", "class State", "State must be a NamedTuple: class State(NamedTuple)"),
        ("State = 3", "State = 3", "State must be a NamedTuple"),
        ("class State(NamedTuple):\n    pass", "class State", "State has no field; give it one"),
        (
            "class State(NamedTuple):\n    mean: float",
            "mean: float",
            "State.mean needs a default: its value before the first",
        ),
        (
            "class State(NamedTuple):\n    mean: list = []",
            "mean: list",
            "State.mean is list; a field is int, float, bool, a",
        ),
        ("class State(NamedTuple):\n    mean: str = ''", "mean: str", "State.mean is str; a field is int"),
        (
            "class State(NamedTuple):\n    mean: float | None = 0.0",
            "mean: float",
            "State.mean is float | None; a field is",
        ),
        (
            "class State(NamedTuple):\n    mean: tuple[float, ...] = ()",
            "    mean",
            "State.mean is tuple[float, ...]; a field is",
        ),
        (
            "class State(NamedTuple):\n    mean: 'Flaot' = 0.0",
            "class State",
            "Flaot is not defined; did you mean float?",
        ),
        (
            "class State(NamedTuple):\n    mean: float = None",
            "    mean",
            "State.mean = None: its default must be of its type, fl",
        ),
        (
            "class State(NamedTuple):\n    mean: float = True",
            "    mean",
            "State.mean = True: its default must be of its type, fl",
        ),
        (
            "class State(NamedTuple):\n    mean: int = 0.5",
            "    mean",
            "State.mean = 0.5: its default must be of its type, int",
        ),
        ("class State(NamedTuple):\n    mean: int = 2**63", "    mean", "its default must be of its type, int"),
        (
            "class State(NamedTuple):\n    mean: bool = 1",
            "    mean",
            "State.mean = 1: its default must be of its type, bool",
        ),
        ("class State(NamedTuple):\n    mean: Rsi = (0, 0, 0)", "    mean", "its default must be of its type, Rsi"),
        (
            "class State(NamedTuple):\n    mean: Rsi = Rsi('a')",
            "    mean",
            "State.mean.changes = 'a': its default must be of",
        ),
        (
            "class State(NamedTuple):\n    mean: tuple[int, int] = (1,)",
            "    mean",
            "must be of its type, tuple[int, int]",
        ),
    ],
)
def test_a_state_that_is_wrong(refused: Refused, state: str, at: str, words: str) -> None:
    assert words in refused(sound(state=state), at)


def test_a_field_of_a_tuple_inside_has_its_line(refused: Refused) -> None:
    inner = "class Inner(NamedTuple):\n    name: str = 'a'\n\n"
    text = sound(state=inner + "class State(NamedTuple):\n    mean: float = 0.0\n    inner: Inner = Inner()")
    assert refused(text, "name: str").startswith(
        "Inner.name is str; a field is int, float, bool, a NamedTuple of these"
    )


def test_every_first_value_is_of_its_type(tmp_path: Path) -> None:
    state = "class Inner(NamedTuple):\n    level: float = 1\n\nclass State(NamedTuple):\n    mean: float = 0\n"
    state += "    on: bool = False\n    inner: Inner = Inner()\n    pair: tuple[float, float] = (1, 2)\n"
    first = load_strategy(write(tmp_path, sound(state=state))).first_state
    assert repr(first) == "State(mean=0.0, on=False, inner=Inner(level=1.0), pair=(1.0, 2.0))"


def test_annotations_may_be_postponed(tmp_path: Path) -> None:
    loaded = load_strategy(write(tmp_path, sound(head="from __future__ import annotations\n" + HEAD)))
    assert loaded.instrument_dtype()["strategy"].names == ("mean", "count", "rsi")
