"""The reduced job in backtrader: a strategy whose orders fill at the close of the bar that sent them.

Every tick is a bar of one price. The strategy keeps its EMAs in plain floats and reads the ticks beside the framework's
lines, which are much slower. Timed from the strategy's start to its stop: the bars are loaded before.
"""
# backtrader lives in an environment of its own and is unknown to the type checker.
# mypy: disable-error-code="import-not-found, misc, var-annotated"

from __future__ import annotations

from importlib.metadata import version
from time import perf_counter
from typing import TYPE_CHECKING, Any

import backtrader as bt

from bench.peers import job

if TYPE_CHECKING:
    from collections.abc import Callable

EPOCH_DAY = 719_163.0  # 1970-01-01, as the framework counts days


class Feed(bt.feed.DataBase):
    """Bars of one price each, from lists."""

    params = (("prices", []), ("times_ns", []))

    def start(self) -> None:
        super().start()
        self.rows = zip(self.p.times_ns, self.p.prices, strict=True)

    def _load(self) -> bool:
        row = next(self.rows, None)
        if row is None:
            return False
        time_ns, price = row
        lines = self.lines
        lines.datetime[0] = EPOCH_DAY + time_ns / job.DAY_NS
        lines.open[0] = lines.high[0] = lines.low[0] = lines.close[0] = price
        lines.volume[0] = lines.openinterest[0] = 0.0
        return True


class Reduced(bt.Strategy):
    """The job."""

    params = (("prices", []), ("times_ns", []))

    def start(self) -> None:
        self.trader = job.Trader(self.p.prices[0])
        self.ticks = zip(self.p.prices, self.p.times_ns, strict=True)
        self.began = perf_counter()

    def stop(self) -> None:
        self.seconds = perf_counter() - self.began

    def next(self) -> None:
        price, time_ns = next(self.ticks)
        decision = self.trader.decide(price, time_ns)
        if decision < 0:
            self.sell(size=self.trader.leave())
        elif decision > 0 and (quantity := self.trader.enter(price, self.broker.getcash())):
            self.buy(size=quantity)


def prepare(ticks: job.Ticks) -> Callable[[], tuple[float, int, float]]:
    columns: dict[str, Any] = {"prices": ticks.price.tolist(), "times_ns": ticks.time_ns.tolist()}

    def run_once() -> tuple[float, int, float]:
        cerebro = bt.Cerebro(stdstats=False)
        cerebro.broker.setcash(job.CASH)
        cerebro.broker.setcommission(commission=job.FEE)
        cerebro.broker.set_coc(True)
        cerebro.adddata(Feed(**columns))
        cerebro.addstrategy(Reduced, **columns)
        strategy = cerebro.run()[0]
        return strategy.seconds, strategy.trader.closed, cerebro.broker.getvalue() - job.CASH

    return run_once


if __name__ == "__main__":
    job.main("backtrader", version("backtrader"), prepare)
