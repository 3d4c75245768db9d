"""The reduced job as a plain Python loop over lists, without any framework."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from bench.peers import job

if TYPE_CHECKING:
    from collections.abc import Callable


def run(times_ns: list[int], prices: list[float]) -> tuple[int, float]:
    """Trades and net P&L."""
    fast = slow = previous = prices[0]
    cash, quantity, trades, green = job.CASH, 0, 0, 0
    fast_alpha, slow_alpha = job.FAST_ALPHA, job.SLOW_ALPHA  # locals are cheaper than a module's names
    high = activation = target = floor = 0.0
    open_ns = close_ns = next_midnight_ns = entry_close_ns = 0
    first = job.WARMUP_TICKS - 1
    for i, price in enumerate(prices):
        fast += fast_alpha * (price - fast)
        slow += slow_alpha * (price - slow)
        green = green + 1 if price > previous else 0
        previous = price
        if quantity:
            if price > high:
                high = price
                if price >= activation:
                    floor = max(floor, price - job.DISTANCE + job.SLACK)
            if price <= floor or price >= target or times_ns[i] >= entry_close_ns:
                cash += quantity * price * (1 - job.FEE)
                quantity = 0
                trades += 1
        elif green >= 3 and fast > slow and i >= first:
            time_ns = times_ns[i]
            if time_ns >= next_midnight_ns:
                midnight_ns = time_ns - (time_ns + job.IST_OFFSET_NS) % job.DAY_NS
                next_midnight_ns = midnight_ns + job.DAY_NS
                open_ns, close_ns = midnight_ns + job.OPEN_NS, midnight_ns + job.CLOSE_NS
            if open_ns <= time_ns < close_ns:
                quantity = int(cash * job.CASH_FRACTION / (job.LOT * price)) * job.LOT
                if quantity:
                    cash -= quantity * price * (1 + job.FEE)
                    high, entry_close_ns = price, close_ns
                    floor = price - job.STOP + job.SLACK
                    target = price + job.TARGET - job.SLACK
                    activation = price + job.ACTIVATION - job.SLACK
    return trades, cash + quantity * prices[-1] - job.CASH


def prepare(ticks: job.Ticks) -> Callable[[], tuple[float, int, float]]:
    times_ns, prices = ticks.time_ns.tolist(), ticks.price.tolist()

    def run_once() -> tuple[float, int, float]:
        seconds, (trades, net_pnl) = job.timed(lambda: run(times_ns, prices))
        return seconds, trades, net_pnl

    return run_once


if __name__ == "__main__":
    job.main("python", platform.python_version(), prepare)
