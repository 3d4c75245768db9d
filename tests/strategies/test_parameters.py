"""A strategy's parameters: their form, their defaults, their validators."""

from pathlib import Path

import pytest

from myquant.config.loading import load_config
from myquant.errors import ConfigError
from myquant.strategies.loading import LoadedStrategy, load_strategy
from strategies.texts import Refused, line_of, sound, write

VALIDATOR = """\
class Params(BaseModel):
    period: int = 20

    @field_validator("period")
    @classmethod
    def check(cls, value):
        %s
"""
BOTH = """\
class Params(BaseModel):
    fast: int = 9
    period: int = 20

    @model_validator(mode="after")
    def check(self):
        %s
"""


@pytest.mark.parametrize(
    ("params", "at", "words"),
    [
        ("class Params:\n    period = 3", "class Params", "Params must be a pydantic model: class Params(BaseModel)"),
        ("Params = 3", "Params = 3", "Params must be a pydantic model"),
        ("class Params(BaseModel):\n    period = 3", "class Params", "`period = 3`; give it a type"),
        (
            "class Params(BaseModel):\n    period: int",
            "period: int",
            "Params.period needs a default, as in period: int =",
        ),
        (
            "class Params(BaseModel):\n    period: str = ''",
            "period: str",
            "Params.period must be an int, a float or a bool",
        ),
        ("class Params(BaseModel):\n    period: int | None = 3", "period: int", "must be an int, a float or a bool"),
        ("class Params(BaseModel):\n    period: tuple[int, ...] = (3,)", "period: tuple", "must be an int, a float or"),
        (
            "class Params(BaseModel):\n    period: int = Field(1, ge=2)",
            "period",
            "mine.period = 1 (its default): must be a who",
        ),
        (
            "class Params(BaseModel):\n    period: int = 2.5",
            "period",
            "mine.period = 2.5 (its default): must be a whole numb",
        ),
        (
            "class Params(BaseModel):\n    period: float = float('nan')",
            "period",
            "mine.period = nan (its default): must be",
        ),
        ("class Params(BaseModel):\n    period: int = Field(3, alias='p')", "period", "must have no alias"),
        (VALIDATOR % "return {}[value]", "return {}", "KeyError: 20"),
        (VALIDATOR % "pass", "class Params", "mine.period: a validator of Params made None of it, which is no int"),
        (VALIDATOR % "return str(value)", "class Params", "a validator of Params made '20' of it"),
        (VALIDATOR % "return 2**63", "class Params", "a validator of Params made 9223372036854775808 of it"),
        (VALIDATOR % "raise ValueError('too odd')", "period: int", "mine.period = 20 (its default): too odd"),
        (BOTH % "return 1 / (self.fast - 9)", "return 1", "ZeroDivisionError: division by zero"),
        (BOTH % "pass", "class Params", "a validator of Params returned None; it must return self"),
    ],
)
def test_parameters_that_are_wrong(refused: Refused, params: str, at: str, words: str) -> None:
    assert words in refused(sound(params=params), at)


@pytest.mark.filterwarnings("ignore:Using extra keyword arguments:DeprecationWarning")
def test_a_bound_that_pydantic_does_not_know(refused: Refused) -> None:
    text = sound(params="class Params(BaseModel):\n    period: int = Field(3, gte=2)")
    assert "Params.period has bounds that pydantic does not know: gte" in refused(text, "period: int")


def settings(strategy: LoadedStrategy, **values: object) -> object:
    assert strategy.model is not None
    loaded = load_config(
        values={strategy.section: values} if values else {}, sections={strategy.section: strategy.model}
    )
    return strategy.parameters(dict(loaded.sections[strategy.section]))


def test_values_come_from_the_strategys_own_section(tmp_path: Path) -> None:
    params = "from decimal import Decimal\nclass Params(BaseModel):\n"
    params += "    period: int = Field(9, le=50)\n    width: Decimal = Decimal('0.1')\n    on: bool = True\n"
    strategy = load_strategy(write(tmp_path, sound(params=params)))
    assert settings(strategy) == (9, 0.1, True)
    found = settings(strategy, period=50, width=2, on=False)
    assert found == (50, 2.0, False)
    assert list(map(type, found)) == [int, float, bool]


def test_a_value_out_of_bounds_is_the_configurations_error(tmp_path: Path) -> None:
    strategy = load_strategy(write(tmp_path, sound()))
    with pytest.raises(ConfigError, match=r"^mine\.period = 501 \(argument\): must be a whole number from 2 to 500$"):
        settings(strategy, period=501)


def test_a_validator_that_fails_on_a_given_value_has_its_line(tmp_path: Path) -> None:
    text = sound(params=VALIDATOR % "return {20: 20}[value]")
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match=rf"^\[mine\]: {path}:{line_of(text, '{20: 20}')}: KeyError: 21$"):
        settings(load_strategy(path), period=21)


def test_a_validator_that_spoils_a_given_value(tmp_path: Path) -> None:
    strategy = load_strategy(write(tmp_path, sound(params=VALIDATOR % "return value if value < 21 else None")))
    with pytest.raises(ConfigError, match=r"^mine\.period: a validator of Params made None of it, which is no int"):
        settings(strategy, period=21)
