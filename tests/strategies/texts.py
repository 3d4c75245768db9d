"""Strategy files as text: a sound one, and its parts to be replaced by mistaken ones."""

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

Refused: TypeAlias = Callable[[str, str], str]  # see the fixture `refused`

HEAD = """\
import math
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, Field, field_validator, model_validator

from myquant.indicators import Rsi, ema, rolling_mean, update_rsi
"""
PARAMS = """\
class Params(BaseModel):
    period: int = Field(9, ge=2, le=500)
    width: float = 1.5
"""
STATE = """\
class State(NamedTuple):
    mean: float = 0.0
    count: int = 0
    rsi: Rsi = Rsi()
"""
UPDATE = """\
def update(state, tick, params):
    return state._replace(mean=ema(state.mean, tick.price, params.period))
"""
ENTRY = """\
def entry(state, tick, context, params):
    return tick.price > state.mean
"""
LATER = "tick.n > 100_000"  # a path that no trial takes


def sound(
    *,
    head: str = HEAD,
    params: str = PARAMS,
    state: str = STATE,
    update: str = UPDATE,
    entry: str = ENTRY,  # the whole function, as all the others
    more: str = "",
) -> str:
    return f"{head}\n{params}\n{state}\n{update}\n{entry}\n{more}"


def entry_text(body: str) -> str:
    return "def entry(state, tick, context, params):\n" + textwrap.indent(body, "    ")


def entry_of(body: str, more: str = "") -> str:
    """A sound file but for the body of `entry`."""
    return sound(entry=entry_text(body), more=more)


def update_of(body: str, more: str = "") -> str:
    """A sound file but for the body of `update`."""
    return sound(update="def update(state, tick, params):\n" + textwrap.indent(body, "    "), more=more)


def later(line: str, otherwise: str = "return False") -> str:
    """A body whose line is on a path that no trial takes."""
    return f"if {LATER}:\n    {line}\n{otherwise}"


def line_of(text: str, part: str) -> int:
    """The number of the first line that holds a text."""
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


def write(folder: Path, text: str, name: str = "mine.py") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
