"""The default strategy's signal as a user writes it: fast EMA above slow EMA."""

from typing import NamedTuple

from pydantic import BaseModel, Field

from myquant.core.indicators import ema
from myquant.core.records import Context, Tick

SECTION = "ema_crossover"


class Params(BaseModel):
    fast: int = Field(18, ge=2, le=500)
    slow: int = Field(42, ge=2, le=500)


class State(NamedTuple):
    fast: float = 0.0
    slow: float = 0.0


def update(state: State, tick: Tick, params: Params) -> State:
    if tick.n == 1:
        return State(tick.price, tick.price)
    return State(ema(state.fast, tick.price, params.fast), ema(state.slow, tick.price, params.slow))


def entry(state: State, tick: Tick, context: Context, params: Params) -> bool:  # noqa: ARG001  (the shape)
    return state.fast > state.slow
