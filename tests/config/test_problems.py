"""The lines that say what is wrong: the nearest name, the value, the origin, and a validator's own words."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, BaseModel, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from myquant.config.layers import Models, Setting
from myquant.config.problems import OWN_SECTION, Given, check, misplaced
from myquant.config.schema import SECTIONS


def custom(value: int) -> int:
    if value == 13:
        raise PydanticCustomError("unlucky", "must not be 13")
    return value


class Breakout(BaseModel):
    window: int = Field(20, ge=2, le=200)
    lucky: Annotated[int, AfterValidator(custom)] = 7
    side: Literal["long", "short"] = "long"
    levels: tuple[Annotated[float, Field(gt=0)], ...] = (1.0,)
    needed: int

    @field_validator("window")
    @classmethod
    def _even(cls, window: int) -> int:
        if window % 2:
            raise ValueError("give an even window")
        if window == 100:
            raise AssertionError  # as `assert` does, without a word
        return window

    @model_validator(mode="after")
    def _fits(self) -> "Breakout":
        if self.window == self.lucky:
            raise ValueError("window and lucky are the same")
        return self


MODELS: Models = {**SECTIONS, "breakout": Breakout}


@pytest.mark.parametrize(
    ("section", "key", "said"),
    [
        ("risk", "base_sl_point", "risk.base_sl_point = 5 (--set): unknown key; did you mean risk.base_sl_points?"),
        ("risk", "max_reject", "risk.max_reject = 5 (--set): unknown key; did you mean risk.max_rejects?"),
        ("strategy", "max_rejects", "strategy.max_rejects = 5 (--set): unknown key; did you mean risk.max_rejects?"),
        ("strategy", "max_reject", "strategy.max_reject = 5 (--set): unknown key; did you mean risk.max_rejects?"),
        ("risk", "windows", "risk.windows = 5 (--set): unknown key; did you mean breakout.window?"),
        ("risk", "qqq", "risk.qqq = 5 (--set): unknown key"),
        ("risk", "a\nb", r"risk.'a\nb' = 5 (--set): unknown key"),
        ("riks", "max_rejects", "[riks] (--set): unknown section; did you mean [risk]?"),
        ("a\nb", "max_rejects", r"['a\nb'] (--set): unknown section"),
        ("xyz", None, "[xyz] (--set): unknown section"),
        (None, "max_rejects", "max_rejects = 5 (--set): stands outside any section; did you mean risk.max_rejects?"),
        (None, "qqq", "qqq = 5 (--set): stands outside any section"),
        (None, "risk", "risk = 5 (--set): is a section; write [risk] and its keys below"),
        (None, None, "--set 5: must be section.key=value"),
        pytest.param("risk", "x" * 10**5, None, id="long key"),
        pytest.param("x" * 10**5, "y", None, id="long section"),
    ],
)
def test_a_misplaced_setting_is_named_with_the_nearest_name(
    section: str | None, key: str | None, said: str | None
) -> None:
    line = misplaced(Setting(section, key, 5, "--set"), MODELS)
    assert line is not None
    assert line.isprintable()
    assert len(line) < 5000
    assert said in (None, line)


def test_a_setting_in_place_is_not_misplaced() -> None:
    assert misplaced(Setting("risk", "max_rejects", "any", "--set"), MODELS) is None
    assert misplaced(Setting("risk", None, None, "--set"), MODELS) is None


GOOD: dict[str, Any] = {"window": 20, "lucky": 7, "side": "long", "levels": [1], "needed": 1}


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"window": 1}, ["breakout.window = 1 (--set): must be a whole number from 2 to 200"]),
        ({"window": 2.0}, ["breakout.window = 2.0 (--set): must be a whole number from 2 to 200"]),
        ({"window": 21}, ["breakout.window = 21 (--set): give an even window"]),
        ({"window": 100}, ["breakout.window = 100 (--set): must be a whole number from 2 to 200"]),
        ({"lucky": 13}, ["breakout.lucky = 13 (--set): must not be 13"]),
        ({"side": "flat"}, ['breakout.side = "flat" (--set): must be one of "long", "short"']),
        ({"levels": [1, 0, -1]}, ["breakout.levels = [1, 0, -1] (--set): must be a list, each a number above 0"]),
        ({"lucky": 20}, ["[breakout]: window and lucky are the same"]),
        (
            {"lucky": 13, "window": "7", "side": 1},
            [
                'breakout.window = "7" (--set): must be a whole number from 2 to 200',
                'breakout.side = 1 (--set): must be one of "long", "short"',
                "breakout.lucky = 13 (--set): must not be 13",
            ],
        ),
        # The whole is not judged by the default of a key that was refused: 20 is the default of `window`.
        ({"lucky": 20, "window": "7"}, ['breakout.window = "7" (--set): must be a whole number from 2 to 200']),
    ],
)
def test_a_section_is_checked_with_one_line_for_each_problem(changes: dict[str, Any], lines: list[str]) -> None:
    values = {**GOOD, **changes}
    _, settings, problems = check(Given("breakout", Breakout, values, {f"breakout.{key}": "--set" for key in values}))
    assert problems == lines
    assert settings is None


def test_a_needed_key_that_is_not_set_is_named() -> None:
    _, settings, problems = check(Given("breakout", Breakout, {}, {}))
    assert problems == ["breakout.needed is not set: must be a whole number"]
    assert settings is None


def test_a_good_section_is_converted() -> None:
    values, settings, problems = check(Given("breakout", Breakout, GOOD, {f"breakout.{key}": "x" for key in GOOD}))
    assert problems == []
    assert settings == Breakout(needed=1)
    assert values == {**GOOD, "levels": (1.0,)}


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("my_strategy", f"[my_strategy] (mine.toml): unknown section; did you mean [strategy]?{OWN_SECTION}"),
        ("breakout", f"[breakout] (mine.toml): unknown section{OWN_SECTION}"),
        ("riks", "[riks] (mine.toml): unknown section; did you mean [risk]?"),
    ],
)
def test_a_section_that_may_be_a_strategy_s_own_says_how_it_becomes_known(section: str, said: str) -> None:
    assert misplaced(Setting(section, "window", 5, "mine.toml"), SECTIONS) == said


@pytest.mark.parametrize(
    ("value", "form"),
    [("5,10", "[5,10]"), ("(0.5; 1.25)", "[0.5,1.25]"), (5, "[5]"), ("[5,-1", "[5,-1]"), ("many", None), ([0], None)],
)
def test_a_list_in_another_form_is_shown_as_it_has_to_be(value: Any, form: str | None) -> None:
    values = {"levels": value, "needed": 1}
    _, _, problems = check(
        Given("breakout", Breakout, values, dict.fromkeys(["breakout.levels", "breakout.needed"], "--set"))
    )
    (problem,) = problems
    assert problem.partition("; write a list as in ")[2] == (f"'breakout.levels={form}'" if form else "")
