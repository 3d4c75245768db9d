"""RSI pullback: in a rising market, buy when a dip is over; sell when the RSI says that the move has run its course.

The market rises while the price is above its mean of many ticks. Run it with

    myquant backtest TICKS --strategy examples/rsi_pullback.py --config examples/rsi_pullback.toml
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from myquant.core.records import Context, Tick
from myquant.indicators import Rsi, Window, rsi_value, update_rsi, update_window, window_mean

MEMORY = 5000  # prices of the window: the longest that trend_ticks allows
WAITING, DIPPED, RECOVERED = 0, 1, 2


class Params(BaseModel):
    trend_ticks: int = Field(1000, ge=2, le=MEMORY)
    rsi_length: int = Field(60, ge=2, le=5000)
    dip: float = Field(42.0, ge=0, le=100)
    recovery: float = Field(50.0, ge=0, le=100)
    overbought: float = Field(62.0, ge=0, le=100)


class State(NamedTuple):
    window: Window = Window()
    rsi: Rsi = Rsi()
    last_price: float = 0.0
    phase: int = WAITING


def update(state: State, tick: Tick, params: Params, memory: NDArray[np.float64]) -> State:
    window = update_window(state.window, memory, 0, tick.n, tick.price_paise, params.trend_ticks)
    if tick.n == 1:
        return State(window, last_price=tick.price)
    rsi = update_rsi(state.rsi, tick.price - state.last_price, params.rsi_length)
    phase, strength = state.phase, rsi_value(rsi)
    if rsi.changes < params.rsi_length or strength > params.overbought:
        phase = WAITING
    elif strength < params.dip:
        phase = DIPPED
    elif phase == DIPPED and strength > params.recovery:
        phase = RECOVERED
    return State(window, rsi, tick.price, phase)


def entry(state: State, tick: Tick, context: Context, params: Params) -> bool:  # noqa: ARG001  (the engine's call)
    rising = tick.n >= params.trend_ticks and tick.price > window_mean(state.window, params.trend_ticks)
    return rising and state.phase == RECOVERED


def exit(state: State, tick: Tick, context: Context, params: Params) -> bool:  # noqa: A001, ARG001  (the engine's call)
    return rsi_value(state.rsi) > params.overbought
