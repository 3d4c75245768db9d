"""The reduced job in vectorbt: `Portfolio.from_signals` with a Numba signal function that keeps its own state.

Its own stops are fractions of a bar's price and always trail from the entry, so the levels live in the signal function,
where orders fill at the tick's price. The engine sizes the order: a percentage of the cash, in lots; it means the percentage to
include the fee, hence the factor. The call is timed, with the indicators in it; compiling is not.
"""
# vectorbt lives in an environment of its own and is unknown to the type checker.
# mypy: disable-error-code="import-not-found, untyped-decorator"

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import vectorbt as vbt
from numba import njit

from bench.peers import job

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

LEVELS = np.dtype(
    [(name, "f8") for name in ("fast", "slow", "previous", "high", "activation", "target", "floor")]
    + [(name, "i8") for name in ("green", "open_ns", "close_ns", "next_midnight_ns", "entry_close_ns")]
)


@njit
def signals(
    c: Any, prices: npt.NDArray[np.float64], times_ns: npt.NDArray[np.int64], states: Any
) -> tuple[bool, bool, bool, bool]:
    """Whether to open and to close a long position; nothing is sold short."""
    price, state = prices[c.i], states[0]
    if c.i == 0:
        state.fast = state.slow = state.previous = price
    state.fast += job.FAST_ALPHA * (price - state.fast)
    state.slow += job.SLOW_ALPHA * (price - state.slow)
    state.green = state.green + 1 if price > state.previous else 0
    state.previous = price
    if c.position_now > 0:
        if price > state.high:
            state.high = price
            if price >= state.activation:
                state.floor = max(state.floor, price - job.DISTANCE + job.SLACK)
        leave = price <= state.floor or price >= state.target or times_ns[c.i] >= state.entry_close_ns
        return False, leave, False, False
    if state.green < job.GREEN_TICKS or state.fast <= state.slow or c.i + 1 < job.WARMUP_TICKS:
        return False, False, False, False
    now_ns = times_ns[c.i]
    if now_ns >= state.next_midnight_ns:
        midnight_ns = now_ns - (now_ns + job.IST_OFFSET_NS) % job.DAY_NS
        state.next_midnight_ns = midnight_ns + job.DAY_NS
        state.open_ns, state.close_ns = midnight_ns + job.OPEN_NS, midnight_ns + job.CLOSE_NS
    state.high, state.entry_close_ns = price, state.close_ns
    state.floor = price - job.STOP + job.SLACK
    state.target = price + job.TARGET - job.SLACK
    state.activation = price + job.ACTIVATION - job.SLACK
    return state.open_ns <= now_ns < state.close_ns, False, False, False


def simulate(ticks: job.Ticks) -> Any:
    states = np.zeros(1, LEVELS)
    return vbt.Portfolio.from_signals(
        ticks.price,
        signal_func_nb=signals,
        signal_args=(ticks.price, ticks.time_ns, states),
        size=job.CASH_FRACTION * (1 + job.FEE),
        size_type="percent",
        size_granularity=float(job.LOT),
        min_size=float(job.LOT),
        fees=job.FEE,
        init_cash=job.CASH,
        use_stops=False,
        max_orders=len(ticks.price) // 10 + 2,
    )


def prepare(ticks: job.Ticks) -> Callable[[], tuple[float, int, float]]:
    simulate(job.Ticks(ticks.time_ns[:100], ticks.price[:100], ticks.volume[:100]))  # compiles

    def run_once() -> tuple[float, int, float]:
        seconds, portfolio = job.timed(lambda: simulate(ticks))
        orders = portfolio.order_records
        sign = np.where(orders["side"] == 0, -1.0, 1.0)
        cash_flow = float(np.sum(sign * orders["size"] * orders["price"] - orders["fees"]))
        held = float(-np.sum(sign * orders["size"]))
        return seconds, int(np.sum(orders["side"] == 1)), cash_flow + held * float(ticks.price[-1])

    return run_once


if __name__ == "__main__":
    job.main("vectorbt", version("vectorbt"), prepare)
