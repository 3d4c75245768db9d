"""Hold the C loops to independent Python: `python -m bench.limit.check_limit DAY.csv` from the checkout's root.

Every exit row, count and amount must be equal, on the recorded day and on seeded random ticks with bad rows, several
days, slippage, gaps and large capital.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.limit import climit
from bench.limit.slow_engine import SlowEngine
from bench.limit.ticks import DAY_NS, Ticks, read_day, tile
from bench.peers import run_python

if TYPE_CHECKING:
    from collections.abc import Iterator

OPEN_NS = 1_759_463_100_000_000_000  # 2025-10-03 09:15 in India


def random_ticks(seed: int, count: int, days: int) -> Ticks:
    """Seeded days of whole seconds with jumps, off-grid prices, bad prices and times that go back."""
    rng = np.random.default_rng(seed)
    seconds = np.sort(rng.integers(0, 6 * 3600 + 1800, (days, count // days)), axis=1)
    time_ns = OPEN_NS + seconds * 1_000_000_000 + np.arange(days)[:, None] * DAY_NS
    usual = rng.choice([-60, -20, -5, 0, 5, 20, 61], size=time_ns.size, p=[0.1, 0.15, 0.2, 0.1, 0.2, 0.15, 0.1])
    steps = usual + rng.choice([0, 1_500, -1_500], size=time_ns.size, p=[0.998, 0.001, 0.001])
    price = np.maximum(20_000 + np.cumsum(steps), 1_000)
    price[rng.random(price.size) < 0.001] = 0
    time_ns = time_ns.ravel()
    time_ns[rng.random(time_ns.size) < 0.001] -= 60_000_000_000
    volume = np.where(rng.random(price.size) < 0.2, 0, rng.integers(1, 20, price.size) * 75)
    return Ticks(time_ns, price.astype(np.int64), volume)


def differences(ticks: Ticks, cash: int, slippage: int, every_signal: bool) -> Iterator[str]:
    """Name whatever the C loop and the slow engine disagree on."""
    slow = SlowEngine(cash, slippage, every_signal)
    for tick in zip(ticks.time_ns.tolist(), ticks.price_paise.tolist(), ticks.volume.tolist(), strict=True):
        slow.on_tick(*tick)
    rules = climit.default_rules(initial_cash=cash, slippage=slippage)
    run = (climit.run_indicators if every_signal else climit.run_default)(ticks, rules)
    rows = [(*row[:-1], climit.EXIT_REASONS[row[-1]]) for row in run.trades.tolist()]
    if rows != slow.rows:
        yield f"trades: {len(rows)} rows and {len(slow.rows)}, or other contents"
    expected = {
        "cash": slow.cash,
        "positions": slow.positions,
        "equity_peak": slow.equity_peak,
        "drawdown_max": slow.drawdown_max,
        "open_quantity": slow.position.left if slow.position else 0,
        **{name: slow.counts[name] for name in climit.RESULT.names or () if name.startswith(("gate_", "denied_"))},
        **{name: slow.counts[name] for name in ("accepted", "rejected_price", "rejected_time", "off_grid")},
        "ticks_in_position": slow.counts["ticks_in_position"],
    }
    for name, value in expected.items():
        if run.result[name] != value:
            yield f"{name}: {run.result[name]} in C, {value} in Python"
    if every_signal:
        yield from indicator_differences(run.result, slow)
    job = "every signal" if every_signal else "default"
    print(f"  {len(ticks)} ticks, {len(rows)} exits, slippage {slippage}, {job}")


def indicator_differences(result: climit.Records, slow: SlowEngine) -> Iterator[str]:
    """Compare the indicators after the last tick."""
    last = slow.indicators
    expected = {
        "ema_fast": last.averages["fast"],
        "ema_slow": last.averages["slow"],
        "macd": last.macd,
        "macd_signal": last.averages["macd_signal"],
        "vwap": last.vwap_turnover / last.vwap_volume / 100,
        "rsi": last.rsi(),
        "htf": last.averages["htf"],
        "bollinger_middle": last.middle / 100,
        "bollinger_deviation": last.deviation / 100,
        "stochastic_k": last.percent_ks[-1],
        "stochastic_d": last.percent_d,
        "atr": last.range / 100,
    }
    for name, value in expected.items():
        if not np.isclose(result[name], value, rtol=1e-9, atol=1e-9):
            yield f"{name}: {result[name]} in C, {value} in Python"


def reduced_differences(ticks: Ticks) -> Iterator[str]:
    """Compare the reduced job with the plain Python loop among the peers."""
    run = climit.run_reduced(ticks.time_ns, ticks.price)
    trades, net_pnl = run_python.run(ticks.time_ns.tolist(), ticks.price.tolist())
    print(f"  {len(ticks)} ticks, {run.trades} trades, net {run.net_pnl:.2f}, reduced")
    if (run.trades, round(run.net_pnl, 4)) != (trades, round(net_pnl, 4)):
        yield f"reduced: {run.trades} trades, {run.net_pnl} in C; {trades}, {net_pnl} in Python"


def main() -> int:
    day = read_day(Path(sys.argv[1]))
    found: list[str] = []
    for every_signal in (False, True):
        for cash, slippage in ((10_000_000, 0), (100_000_000, 0), (100_000_000, 10)):
            found += differences(day, cash, slippage, every_signal)
        for seed in range(6):
            found += differences(random_ticks(seed, 20_000, 1 + seed), 200_000_000, 5 * (seed % 2), every_signal)
    found += reduced_differences(day)
    found += reduced_differences(tile(day, 5 * len(day)))
    print("\n".join(found) or "C and Python agree")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
