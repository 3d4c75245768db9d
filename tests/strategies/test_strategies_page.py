"""docs/strategies.md says what is so: its tables are complete, its example runs, its errors are the real ones."""

import re
import tomllib
from pathlib import Path

import pytest

from myquant import indicators
from myquant.config.loading import load_config
from myquant.core.records import Context, Tick
from myquant.errors import ConfigError
from myquant.strategies.cache import ENGINES_KEPT
from myquant.strategies.check import ARGUMENTS, MEMORY_MAX
from myquant.strategies.lint import REFUSED
from myquant.strategies.loading import load_strategy
from strategies.texts import ENTRY, HEAD, UPDATE, entry_of, sound, update_of, write

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "strategies.md").read_text(encoding="utf-8")


def table(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    found = re.search(r"(?:^\|.*\n)+", PAGE.split(f"# {heading}\n", 1)[1], re.MULTILINE)
    assert found is not None
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in found[0].splitlines()[2:]]


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(("heading", "record"), [("The tick", Tick), ("The context", Context)])
def test_every_field_is_there(heading: str, record: type) -> None:
    assert [row[0] for row in table(heading)] == [f"`{field}`" for field in record._fields]  # type: ignore[attr-defined]


def test_every_indicator_is_there_with_its_arguments() -> None:
    shown = dict(cell.strip("`").rstrip(")").split("(") for cell, _ in table("Indicators"))
    functions = {name: getattr(indicators, name) for name in indicators.__all__ if name.islower()}
    assert shown.keys() == functions.keys()
    for name, function in functions.items():
        code = function.py_func.__code__
        arguments = code.co_varnames[: code.co_argcount]
        assert shown[name].replace("price_paise", "price") == ", ".join(arguments).replace("price_paise", "price")


def test_every_part_is_there() -> None:
    shown = [row[0].strip("`") for row in table("The parts")]
    calls = [f"{name}({', '.join(arguments)})" for name, arguments in ARGUMENTS.items()]
    assert sorted(shown) == sorted([*calls, "State", "Params", "MEMORY", "SECTION"])
    assert f"{MEMORY_MAX:,}" in PAGE
    assert f"The {ENGINES_KEPT} used last" in PAGE


def test_what_the_rules_refuse_is_refused() -> None:
    sentence = PAGE.split("- There is no ")[1].split("in them")[0]
    refused = {what for what, _ in REFUSED.values()}
    for what in ("try", "raise", "assert", "with", "global", "import", "f-string", "generator expression"):
        assert what in sentence
        assert any(what in each for each in refused)


def test_the_example_and_its_section_are_sound(tmp_path: Path) -> None:
    strategy = load_strategy(write(tmp_path, block("python"), "above_mean.py"))
    assert strategy.model is not None
    values = tomllib.loads(block("toml"))
    loaded = load_config(values=values, sections={strategy.section: strategy.model})
    assert strategy.parameters(dict(loaded.sections["above_mean"])) == (100, 1.0, 5.0)


MISTAKES = [
    entry_of("return tick.prise > 1"),
    sound(params="class Params(BaseModel):\n    period: int"),
    sound(state="class State(NamedTuple):\n    mean: float"),
    update_of("return state._replace(count=0.5)"),
    entry_of("tick.price > 1"),
    entry_of("if tick.n > 9:\n    x = 1.0\nreturn x > 1"),
    update_of("state.mean = 1.0\nreturn state"),
    entry_of("return LEVELS['a'] > tick.n if tick.n > 9999 else False", "LEVELS = {'a': 1}"),
    sound(
        update=UPDATE.replace("params)", "params, memory)", 1).replace(
            "    return", "    memory[tick.n] = 1\n    return"
        ),
        more="MEMORY = 20",
    ),
]


def test_the_errors_are_what_it_says(tmp_path: Path) -> None:
    shown = [row[0].strip("`") for row in table("When something is wrong")]
    assert ENTRY
    for text, expected in zip(MISTAKES, shown, strict=False):
        with pytest.raises(ConfigError) as caught:
            load_strategy(write(tmp_path, text))
        said = str(caught.value).removeprefix(f"{tmp_path}/")
        pattern = ".*".join(re.escape(part) for part in re.sub(r":\d+:", ":0:", expected).split("..."))
        assert re.fullmatch(pattern.replace(":0:", r":\d+:"), said), said
    strategy = load_strategy(write(tmp_path, sound()))
    assert strategy.model is not None
    with pytest.raises(ConfigError, match=re.escape(shown[-1])):
        load_config(assignments=["mine.period=501"], sections={"mine": strategy.model})
    assert len(shown) == len(MISTAKES) + 1


def test_annotations_come_from_the_package(tmp_path: Path) -> None:
    (line,) = re.findall(r"annotations, which are optional: `(.*)`", PAGE)
    text = sound(head=f"{HEAD}\n{line}\n").replace("tick,", "tick: Tick,").replace("context,", "context: Context,")
    assert load_strategy(write(tmp_path, text)).name == "mine"
