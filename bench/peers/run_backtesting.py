"""The reduced job in backtesting.py: a strategy whose orders fill at the close of the bar that sent them.

Every tick is a bar of one price. The strategy keeps its EMAs in plain floats and reads the ticks beside the framework's
arrays, which are much slower. `Backtest.run` is timed, with its closing statistics.
"""
# backtesting lives in an environment of its own and is unknown to the type checker.
# mypy: disable-error-code="import-not-found, misc"

from __future__ import annotations

import os
from importlib.metadata import version
from typing import TYPE_CHECKING

import pandas as pd
from backtesting import Backtest, Strategy

from bench.peers import job

if TYPE_CHECKING:
    from collections.abc import Callable


class Reduced(Strategy):
    """The job; `prices` and `times_ns` are set before a run."""

    prices: list[float]
    times_ns: list[int]

    def init(self) -> None:
        self.trader = job.Trader(self.prices[0])
        self.ticks = zip(self.prices, self.times_ns, strict=True)
        self.trader.decide(*next(self.ticks))  # the framework's first call is for the second bar

    def next(self) -> None:
        price, time_ns = next(self.ticks)
        decision = self.trader.decide(price, time_ns)
        if decision < 0:
            self.sell(size=self.trader.leave())
        elif decision > 0 and (quantity := self.trader.enter(price, self.equity)):
            self.buy(size=quantity)


def prepare(ticks: job.Ticks) -> Callable[[], tuple[float, int, float]]:
    os.environ["TQDM_DISABLE"] = "1"
    columns = dict.fromkeys(("Open", "High", "Low", "Close"), ticks.price)
    index = pd.to_datetime(ticks.time_ns, utc=True)
    bars = pd.DataFrame({**columns, "Volume": ticks.volume}, index=index)
    Reduced.prices, Reduced.times_ns = ticks.price.tolist(), ticks.time_ns.tolist()

    def run_once() -> tuple[float, int, float]:
        backtest = Backtest(bars, Reduced, cash=job.CASH, commission=job.FEE, trade_on_close=True)
        seconds, stats = job.timed(backtest.run)
        return seconds, len(stats["_trades"]), float(stats["Equity Final [$]"]) - job.CASH

    return run_once


if __name__ == "__main__":
    job.main("backtesting", version("backtesting"), prepare)
