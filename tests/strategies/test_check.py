"""What a file must hold: each mistake is one line that names the user's own."""

from pathlib import Path

import pytest

from myquant.errors import ConfigError
from myquant.strategies.loading import load_strategy
from strategies.texts import ENTRY, HEAD, PARAMS, STATE, UPDATE, Refused, sound, write

GROUPED = """\
from typing import NamedTuple

from pydantic import BaseModel, Field


class Fast:
    MEMORY = 3

    class Params(BaseModel):
        width: float = Field(1.0, gt=0)

    class State(NamedTuple):
        place: int = 0

    def update(state, tick, params, memory):
        memory[state.place] = tick.price
        return Fast.State(Fast.after(state.place))

    def after(place):
        return (place + 1) % Fast.MEMORY

    def entry(state, tick, context, params):
        return tick.price > params.width


class SlowRSIDip(Fast):
    SECTION = "dips"

    @staticmethod
    def stop(state, tick, context, params):
        return tick.price - params.width
"""


@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        (sound(entry=""), "", "strategy mine has no function entry(state, tick, context, params); every strategy"),
        (sound(update=""), "", "strategy mine has no function update(state, tick, params); every strategy"),
        (sound(entry=ENTRY.replace("entry", "entri")), "def entri", "is entri meant to be it?"),
        (
            sound(entry="entry = 3"),
            "entry = 3",
            "entry must be a plain function: def entry(state, tick, context, params)",
        ),
        (sound(entry="async " + ENTRY), "async def", "entry must be a plain function"),
        (
            sound(entry=ENTRY.replace("context, params", "params, context")),
            "def entry",
            "entry takes (state, tick, params, c",
        ),
        (
            sound(entry=ENTRY.replace("context, ", "")),
            "def entry",
            "the engine calls entry(state, tick, context, params)",
        ),
        (sound(entry=ENTRY.replace("(state", "(self, state")), "def entry", "leave self away"),
        (sound(entry="def entry(*args):\n    return True\n"), "def entry", "entry takes (*args)"),
        (
            sound(entry=ENTRY.replace("params)", "params=1)")),
            "def entry",
            "entry takes (state, tick, context, params=1)",
        ),
        (sound(more="SECTION = 'risk'"), "SECTION", "'risk' can't be the section"),
        (sound(more="SECTION = 'a b'"), "SECTION", "'a b' can't be the section"),
        (sound(more="SECTION = 3"), "SECTION", "3 can't be the section"),
        (sound(more="MEMORY = -1"), "MEMORY", "MEMORY = -1: must be a whole number from 0 to 1000000"),
        (sound(more="MEMORY = 2.5"), "MEMORY", "MEMORY = 2.5: must be a whole number"),
        (sound(more="MEMORY = 20"), "MEMORY", "which takes none"),
        (sound(update=UPDATE.replace("params)", "params, memory)")), "def update", "MEMORY = 200"),
    ],
)
def test_a_part_that_is_wrong(refused: Refused, text: str, at: str, words: str) -> None:
    assert words in refused(text, at)


def test_a_class_groups_a_strategy(tmp_path: Path) -> None:
    path = write(tmp_path, GROUPED)
    fast = load_strategy(f"{path}:Fast")
    assert (fast.name, fast.section, fast.memory, fast.has_stop) == ("Fast", "fast", 3, False)
    slow = load_strategy(f"{path}:SlowRSIDip")
    assert (slow.name, slow.section, slow.memory, slow.has_stop) == ("SlowRSIDip", "dips", 3, True)
    assert slow.engine_hash != fast.engine_hash


def test_the_name_of_a_class_that_is_not_there(tmp_path: Path) -> None:
    path = write(tmp_path, GROUPED)
    with pytest.raises(ConfigError, match=r"mine\.py: has no class Fats; did you mean Fast\?"):
        load_strategy(f"{path}:Fats")
    with pytest.raises(
        ConfigError, match=r"mine\.py: has no class Opening; name one of its classes, or leave :Opening"
    ):
        load_strategy(f"{path}:Opening")


def test_a_mistake_inside_a_class_has_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, GROUPED.replace("width: float", "width: str"))
    with pytest.raises(ConfigError, match=r"mine\.py:10: Params\.width must be an int, a float or a bool"):
        load_strategy(f"{path}:SlowRSIDip")
    write(tmp_path, GROUPED.replace("Fast.after(", "Fast.befor("))
    with pytest.raises(ConfigError, match=r"mine\.py:17: Fast has no befor"):
        load_strategy(f"{path}:Fast")


@pytest.mark.parametrize(
    ("name", "section"),
    [("opening_range.py", "opening_range"), ("EmaCross.py", "ema_cross"), ("my-strategy 2.py", "my_strategy_2")],
)
def test_the_section_is_named_after_the_file(tmp_path: Path, name: str, section: str) -> None:
    assert load_strategy(write(tmp_path, sound(), name)).section == section


@pytest.mark.parametrize("name", ["2ema.py", "risk.py", "परीक्षा.py"])
def test_a_file_name_that_makes_no_section(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, sound(), name)
    with pytest.raises(
        ConfigError, match="can't be the section of the strategy's parameters; choose another, as in SEC"
    ):
        load_strategy(path)
    write(tmp_path, sound(more="SECTION = 'mine'"), name)
    assert load_strategy(path).section == "mine"


def test_a_strategy_without_parameters_needs_no_section(tmp_path: Path) -> None:
    text = "\n".join([HEAD, STATE, UPDATE.replace("params.period", "9"), ENTRY])
    loaded = load_strategy(write(tmp_path, text, "2ema.py"))
    assert loaded.model is None
    assert loaded.parameters({})._fields == ("unused",)
    assert PARAMS not in text
