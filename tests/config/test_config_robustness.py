"""Whatever a file, a variable, an assignment or a caller says: it loads, or lines say what is wrong. Nothing else."""

import random
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from myquant.config.layers import Models
from myquant.config.loading import DEFAULTS, LoadedConfig, load_config
from myquant.config.schema import SECTIONS
from myquant.errors import ConfigError


class Own(BaseModel):
    window: int = Field(20, ge=2)
    width: float = 1.5
    name: str = "x"
    levels: tuple[Decimal, ...] = (Decimal(1),)


MODELS: Models = {"own": Own}
ALL_MODELS: Models = {**SECTIONS, **MODELS}
KEYS = [f"{section}.{key}" for section, model in ALL_MODELS.items() for key in model.model_fields]
NASTY = (
    *(
        "0",
        "-1",
        "1e400",
        "-0.0",
        "nan",
        "-inf",
        "9" * 30,
        "9" * 5000,
        "0x" + "f" * 5000,
        "1e-400",
        "1e999999999999999999",
    ),
    *(
        "true",
        '""',
        '"x"',
        "'''",
        "[]",
        "[[",
        "[" * 2000,
        "{}",
        "{a={b=1}}",
        "2025-10-03",
        "07:32:00",
        "[1, true, 'x']",
    ),
    *(
        '"\\u0000"',
        '"\\ud800"',
        '"\\n"',
        "[[risk]]",
        "[risk]",
        "[strategy.fast_ema]",
        "=",
        "#",
        "\n",
        "\r",
        "\x00",
        "é",
        "\u2028",
    ),
    *(
        "atr",
        "Asia",
        "../UTC",
        "0.1",
        "15.005",
        "[0.5, 0.5]",
        "[1e400]",
        "[nan]",
        "99999999999999999999",
        "1_0",
        "0b1",
        "\\",
    ),
)


def variable(key: str) -> str:
    return "MYQUANT_" + key.replace(".", "__").upper()


def loads_or_says(**layers: Any) -> LoadedConfig | None:
    try:
        loaded = load_config(sections=MODELS, **layers)
    except ConfigError as error:
        lines = str(error).split("\n")
        assert all(line and line.isprintable() and len(line) < 5000 for line in lines)
        return None
    table = tomllib.loads(loaded.to_toml(), parse_float=Decimal)
    assert load_config(sections=MODELS, values=table).hash == loaded.hash
    return loaded


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Return the file with one to four of its bytes, lines or values replaced, moved, cut or doubled."""
    for _ in range(rng.randint(1, 4)):
        lines = data.split(b"\n")
        at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
        kind = rng.randrange(7)
        if kind == 0 and b" = " in lines[at]:
            lines[at] = lines[at].split(b" = ")[0] + b" = " + rng.choice(NASTY).encode()
        elif kind == 1:
            lines.insert(at, rng.choice(NASTY).encode())
        elif kind == 2:
            lines[at], lines[other] = lines[other], lines[at]
        elif kind == 3:
            lines.insert(at, lines[other])
        elif kind == 4:
            del lines[at]
        data = b"\n".join(lines)
        place = rng.randrange(len(data) + 1)
        if kind == 5:
            data = data[:place] + bytes([rng.randrange(256)]) + data[place + rng.randrange(2) :]
        elif kind == 6:
            data = data[:place] if rng.randrange(4) == 0 else data[:place] + data[place + rng.randrange(9) :]
    return data


@pytest.mark.parametrize("block", range(5))
def test_mutated_files(tmp_path: Path, block: int) -> None:
    rng = random.Random(block)
    path = tmp_path / "mutated.toml"
    original = DEFAULTS.read_bytes()
    outcomes = set()
    for _ in range(120):
        path.write_bytes(mutated(rng, original))
        outcomes.add(loads_or_says(files=[path]) is None)
    assert outcomes == {True, False}  # the mutations are neither all harmless nor all fatal


@pytest.mark.parametrize("key", KEYS)
def test_nasty_values_of_every_key(key: str) -> None:
    assert None in [loads_or_says(assignments=[f"{key}={text}"]) for text in random.Random(key).sample(NASTY, 16)]


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.one_of(st.binary(max_size=200), st.text(max_size=100).map(lambda text: text.encode("utf-8", "ignore"))))
def test_any_bytes(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "any.toml"
    path.write_bytes(data)
    loads_or_says(files=[path])


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.one_of(st.text(), st.sampled_from(KEYS).map(variable)), st.text(), max_size=5))
def test_any_variables(environment: dict[str, str]) -> None:
    loads_or_says(environment=environment)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.text(), st.tuples(st.sampled_from(KEYS), st.text()).map("=".join)), max_size=5))
def test_any_assignments(assignments: list[str]) -> None:
    loads_or_says(assignments=assignments)


ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.decimals(), st.text(), st.binary(), st.dates()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(KEYS), ANYTHING)
def test_any_value_of_a_caller(key: str, value: object) -> None:
    section, name = key.split(".")
    loads_or_says(values={section: {name: value}})


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.one_of(st.text(), st.integers(), st.sampled_from(list(SECTIONS))), ANYTHING, max_size=3))
def test_any_mapping_of_a_caller(values: dict[Any, Any]) -> None:
    loads_or_says(values=values)
