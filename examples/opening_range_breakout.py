"""Opening range breakout: buy when the price leaves the range of the day's first minutes upwards.

The stop lies inside the range; the trailing stop and the take-profit tiers are the engine's ([risk]). Run it with

    myquant backtest TICKS --strategy examples/opening_range_breakout.py --config examples/opening_range_breakout.toml
"""

from typing import NamedTuple

from pydantic import BaseModel, Field

from myquant.core.records import Context, Tick

OPEN_MINUTE = 9 * 60 + 15  # the exchange opens, minutes from midnight in India
INDIA_MINUTES = 5 * 60 + 30  # India's time ahead of UTC


class Params(BaseModel):
    range_minutes: int = Field(15, ge=1, le=180)
    stop_share: float = Field(0.4, gt=0, le=1)  # how far below the range's high the stop lies; 1: at its low


class State(NamedTuple):
    high: float = 0.0  # of the opening range, rupees; 0: not seen yet
    low: float = 0.0


def in_range(tick: Tick, params: Params) -> bool:
    minute = (tick.time_ns // 60_000_000_000 + INDIA_MINUTES) % 1440
    return OPEN_MINUTE <= minute < OPEN_MINUTE + params.range_minutes


def update(state: State, tick: Tick, params: Params) -> State:
    if tick.new_day:
        state = State()
    if not in_range(tick, params):
        return state
    if state.high == 0.0:
        return State(tick.price, tick.price)
    return State(max(state.high, tick.price), min(state.low, tick.price))


def entry(state: State, tick: Tick, context: Context, params: Params) -> bool:  # noqa: ARG001  (the engine's call)
    return 0.0 < state.high < tick.price and not in_range(tick, params)


def stop(state: State, tick: Tick, context: Context, params: Params) -> float:  # noqa: ARG001  (the engine's call)
    return state.high - params.stop_share * (state.high - state.low)
