"""The reduced job in hftbacktest: a Numba strategy against a book that is built from the ticks.

A tick becomes a trade that the strategy sees and quotes that only the exchange sees. The book cannot be locked, so both
sides of the market cannot stand at the tick's price at once: first the ask stands there, one nanosecond after the trade
the bid. A buy is sent at once and meets the ask, a sell is sent one nanosecond later and meets the bid: both fill at
the tick's price. Ticks that share a second are spread over it, as the feed's order of equal times would else be lost.
No latency, full fills, fee in percent of turnover on both sides. Loading the events and compiling are not timed.
"""
# hftbacktest lives in an environment of its own and is unknown to the type checker.
# mypy: disable-error-code="import-not-found, untyped-decorator"

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from hftbacktest import (
    BUY_EVENT,
    DEPTH_EVENT,
    EXCH_EVENT,
    GTC,
    LOCAL_EVENT,
    MARKET,
    SELL_EVENT,
    TRADE_EVENT,
    BacktestAsset,
    ROIVectorMarketDepthBacktest,
    event_dtype,
)
from numba import njit

from bench.peers import job

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

TICK = 0.01  # the exchange's grid: a paisa, so that the helping bid stands as near as can be
SPACING_NS = 4  # between ticks of one second


def events_of(ticks: job.Ticks) -> npt.NDArray[np.void]:
    """Three rows a tick, four where the price rose: bid a paisa below, ask, trade (seen), bid at the price.

    The bid below clears the asks that a rise has left behind, so no row has to take an old level away.
    """
    count = len(ticks.price)
    starts = np.flatnonzero(np.diff(ticks.time_ns, prepend=ticks.time_ns[0] - 1))
    place = np.arange(count) - np.repeat(starts, np.diff(np.append(starts, count)))
    time_ns = ticks.time_ns + SPACING_NS * place
    kinds = (
        (EXCH_EVENT | DEPTH_EVENT | BUY_EVENT, -TICK, 0),
        (EXCH_EVENT | DEPTH_EVENT | SELL_EVENT, 0.0, 0),
        (LOCAL_EVENT | TRADE_EVENT | BUY_EVENT, 0.0, 0),
        (EXCH_EVENT | DEPTH_EVENT | BUY_EVENT, 0.0, 1),
    )
    events = np.zeros((count, len(kinds)), event_dtype)
    for row, (kind, above, delay_ns) in enumerate(kinds):
        events["ev"][:, row] = kind
        events["exch_ts"][:, row] = events["local_ts"][:, row] = time_ns + delay_ns
        events["px"][:, row] = ticks.price + above
        events["qty"][:, row] = 1.0
    kept = np.ones((count, len(kinds)), bool)
    kept[1:, 0] = ticks.price[1:] > ticks.price[:-1]
    return events[kept]


@njit
def strategy(hbt: Any) -> tuple[int, float]:  # noqa: C901  # one loop, so that its state stays in registers
    """Trades and net P&L."""
    fast = slow = previous = high = activation = target = floor = 0.0
    quantity = 0.0
    trades = green = seen = order_id = 0
    open_ns = close_ns = next_midnight_ns = entry_close_ns = 0
    while hbt.wait_next_feed(False, job.DAY_NS * 365) == 2:
        price = hbt.last_trades(0)[0].px
        hbt.clear_last_trades(0)
        if seen == 0:
            fast = slow = previous = price
        seen += 1
        fast += job.FAST_ALPHA * (price - fast)
        slow += job.SLOW_ALPHA * (price - slow)
        green = green + 1 if price > previous else 0
        previous = price
        if quantity > 0:
            if price > high:
                high = price
                if price >= activation:
                    floor = max(floor, price - job.DISTANCE + job.SLACK)
            if price <= floor or price >= target or hbt.current_timestamp >= entry_close_ns:
                hbt.elapse(1)
                order_id += 1
                hbt.submit_sell_order(0, order_id, price, quantity, GTC, MARKET, True)
                hbt.clear_inactive_orders(0)
                quantity = 0.0
                trades += 1
        elif green >= job.GREEN_TICKS and fast > slow and seen >= job.WARMUP_TICKS:
            now_ns = hbt.current_timestamp
            if now_ns >= next_midnight_ns:
                midnight_ns = now_ns - (now_ns + job.IST_OFFSET_NS) % job.DAY_NS
                next_midnight_ns = midnight_ns + job.DAY_NS
                open_ns, close_ns = midnight_ns + job.OPEN_NS, midnight_ns + job.CLOSE_NS
            if open_ns <= now_ns < close_ns:
                state = hbt.state_values(0)
                cash = job.CASH + state.balance - state.fee
                quantity = np.floor(cash * job.CASH_FRACTION / (job.LOT * price)) * job.LOT
                if quantity > 0:
                    order_id += 1
                    hbt.submit_buy_order(0, order_id, price, quantity, GTC, MARKET, True)
                    hbt.clear_inactive_orders(0)
                    high, entry_close_ns = price, close_ns
                    floor = price - job.STOP + job.SLACK
                    target = price + job.TARGET - job.SLACK
                    activation = price + job.ACTIVATION - job.SLACK
    state = hbt.state_values(0)
    return trades, state.balance - state.fee + state.position * previous


def prepare(ticks: job.Ticks) -> Callable[[], tuple[float, int, float]]:
    low, high = float(ticks.price.min()) - 1.0, float(ticks.price.max()) + 1.0

    def backtest(events: npt.NDArray[np.void]) -> Any:
        asset = (
            BacktestAsset()
            .data([events])
            .linear_asset(1.0)
            .constant_order_latency(0, 0)
            .risk_adverse_queue_model()
            .no_partial_fill_exchange()
            .trading_value_fee_model(job.FEE, job.FEE)
            .tick_size(TICK)
            .lot_size(1.0)
            .roi_lb(low)
            .roi_ub(high)
            .last_trades_capacity(1)
        )
        return ROIVectorMarketDepthBacktest([asset])

    events = events_of(ticks)
    strategy(backtest(events[:100]))  # compiles

    def run_once() -> tuple[float, int, float]:
        hbt = backtest(events)
        seconds, (trades, net_pnl) = job.timed(lambda: strategy(hbt))
        hbt.close()
        return seconds, trades, net_pnl

    return run_once


if __name__ == "__main__":
    job.main("hftbacktest", version("hftbacktest"), prepare)
