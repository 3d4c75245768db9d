"""The reduced job in nautilus_trader: a Python strategy on trade ticks in its BacktestEngine.

Trades move the market (`trade_execution`), so a market order sent from `on_trade_tick` fills at that tick's price; the ticks
carry ample size, as the engine would else slip what exceeds it. The account's currency has six decimals instead of two,
so that fees are not rounded. Logging, the risk engine and the closing analysis are off, which is its fastest setting.
Building the engine and its ticks is not timed.
"""
# mypy: disable-error-code="import-not-found", allow-subclassing-any  # nautilus_trader has an environment of its own

from __future__ import annotations

from decimal import Decimal
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, RiskEngineConfig
from nautilus_trader.model.data import TradeTick
from nautilus_trader.model.enums import AccountType, AggressorSide, CurrencyType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import Equity
from nautilus_trader.model.objects import Currency, Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

from bench.peers import job

if TYPE_CHECKING:
    from collections.abc import Callable

VENUE = Venue("SIM")
RUPEE = Currency("RUP", 6, 0, "Rupee in millionths", CurrencyType.FIAT)
AMPLE = 1e7
INSTRUMENT = Equity(
    instrument_id=InstrumentId(Symbol("OPTION"), VENUE),
    raw_symbol=Symbol("OPTION"),
    currency=RUPEE,
    price_precision=2,
    price_increment=Price(0.05, 2),
    lot_size=Quantity(job.LOT, 0),
    maker_fee=Decimal(str(job.FEE)),
    taker_fee=Decimal(str(job.FEE)),
    ts_event=0,
    ts_init=0,
)


class Reduced(Strategy):
    """The job on trade ticks."""

    def on_start(self) -> None:
        self.seen = self.green = self.trades = 0
        self.fast = self.slow = self.previous = 0.0
        self.high = self.floor = self.target = self.activation = 0.0
        self.quantity: Any = None
        self.open_ns = self.close_ns = self.next_midnight_ns = self.entry_close_ns = 0
        self.account = self.portfolio.account(VENUE)
        self.subscribe_trade_ticks(INSTRUMENT.id)

    def on_trade_tick(self, tick: Any) -> None:
        price = tick.price.as_double()
        if self.seen == 0:
            self.fast = self.slow = self.previous = price
        self.seen += 1
        self.fast += job.FAST_ALPHA * (price - self.fast)
        self.slow += job.SLOW_ALPHA * (price - self.slow)
        self.green = self.green + 1 if price > self.previous else 0
        self.previous = price
        if self.quantity is not None:
            self.manage(price, tick.ts_event)
        elif self.green >= 3 and self.fast > self.slow and self.seen >= job.WARMUP_TICKS:
            self.consider_entry(price, tick.ts_event)

    def manage(self, price: float, now_ns: int) -> None:
        if price > self.high:
            self.high = price
            if price >= self.activation:
                self.floor = max(self.floor, price - job.DISTANCE + job.SLACK)
        if price <= self.floor or price >= self.target or now_ns >= self.entry_close_ns:
            self.submit_order(self.order_factory.market(INSTRUMENT.id, OrderSide.SELL, self.quantity))
            self.quantity = None
            self.trades += 1

    def consider_entry(self, price: float, now_ns: int) -> None:
        if now_ns >= self.next_midnight_ns:
            midnight_ns = now_ns - (now_ns + job.IST_OFFSET_NS) % job.DAY_NS
            self.next_midnight_ns = midnight_ns + job.DAY_NS
            self.open_ns, self.close_ns = midnight_ns + job.OPEN_NS, midnight_ns + job.CLOSE_NS
        if not self.open_ns <= now_ns < self.close_ns:
            return
        cash = self.account.balance_total(RUPEE).as_double()
        lots = int(cash * job.CASH_FRACTION / (job.LOT * price))
        if lots:
            self.quantity = Quantity(lots * job.LOT, 0)
            self.submit_order(self.order_factory.market(INSTRUMENT.id, OrderSide.BUY, self.quantity))
            self.high, self.entry_close_ns = price, self.close_ns
            self.floor = price - job.STOP + job.SLACK
            self.target = price + job.TARGET - job.SLACK
            self.activation = price + job.ACTIVATION - job.SLACK


def trade_ticks(ticks: job.Ticks) -> list[Any]:
    count = len(ticks.price)
    times_ns = ticks.time_ns.astype(np.uint64)
    sides = np.full(count, int(AggressorSide.NO_AGGRESSOR), np.uint8)
    ids = [str(i) for i in range(count)]
    sizes = np.full(count, AMPLE)
    result: list[Any] = TradeTick.from_raw_arrays_to_list(
        INSTRUMENT.id, 2, 0, ticks.price, sizes, sides, ids, times_ns, times_ns
    )
    return result


def prepare(ticks: job.Ticks) -> Callable[[], tuple[float, int, float]]:
    data = trade_ticks(ticks)

    def run_once() -> tuple[float, int, float]:
        engine = BacktestEngine(
            BacktestEngineConfig(
                logging=LoggingConfig(bypass_logging=True),
                risk_engine=RiskEngineConfig(bypass=True),
                run_analysis=False,
            )
        )
        engine.add_venue(
            VENUE, OmsType.NETTING, AccountType.CASH, [Money(job.CASH, RUPEE)], RUPEE, trade_execution=True
        )
        engine.add_instrument(INSTRUMENT)
        engine.add_data(data, sort=False)
        strategy = Reduced()
        engine.add_strategy(strategy)
        seconds, _ = job.timed(engine.run)
        cash = engine.portfolio.account(VENUE).balance_total(RUPEE).as_double()
        held = sum(float(position.quantity) for position in engine.cache.positions_open())
        net_pnl = cash + held * strategy.previous - job.CASH
        engine.dispose()
        return seconds, strategy.trades, net_pnl

    return run_once


if __name__ == "__main__":
    job.main("nautilus_trader", version("nautilus_trader"), prepare)
