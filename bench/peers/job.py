"""The reduced job's numbers, and what every peer's script does alike: read the ticks, repeat the run, print one line.

The job: enter long on three rising ticks while the 18-tick EMA is above the 42-tick one, from the 50th tick on, between
09:20 and 15:10, with 30 % of the cash in lots of 75; leave 15 points below the entry, 5 points below the high once 5 points
were won, 12 points above the entry, or at 15:10 and later. Orders fill at the price of the tick that triggers them, each
side costs 0.03 % of its turnover, no entry on a tick that found a position. An open position is valued at the last price.

From the checkout's root: `bench/.env-NAME/bin/python -m bench.peers.run_NAME TICKS.npz COUNT` (`run_python` in any
environment with NumPy); `bench/peers/setup.sh` makes the environments, `bench.limit.ticks.save` writes the ticks.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

CASH = 100_000.0
CASH_FRACTION = 0.3
LOT = 75
FEE = 0.0003
FAST, SLOW = 18, 42
FAST_ALPHA, SLOW_ALPHA = 2 / (FAST + 1), 2 / (SLOW + 1)
GREEN_TICKS = 3
WARMUP_TICKS = 50
STOP, TARGET, ACTIVATION, DISTANCE = 15.0, 12.0, 5.0, 5.0
SLACK = 1e-6  # on every level, so that float prices meet it exactly where whole paise would
SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS
IST_OFFSET_NS = 19_800 * SECOND_NS
OPEN_NS = (9 * 60 + 20) * 60 * SECOND_NS
CLOSE_NS = (15 * 60 + 10) * 60 * SECOND_NS


@dataclass(frozen=True)
class Ticks:
    """Columns of equal length: ns since the epoch (UTC), rupees, quantity traded."""

    time_ns: npt.NDArray[np.int64]
    price: npt.NDArray[np.float64]
    volume: npt.NDArray[np.int64]


class Trader:
    """The job's decisions, one tick at a time, for the peers whose strategies are Python objects."""

    def __init__(self, first_price: float) -> None:
        self.fast = self.slow = self.previous = first_price
        self.seen = self.green = self.quantity = self.closed = 0
        self.high = self.floor = self.target = self.activation = 0.0
        self.open_ns = self.close_ns = self.next_midnight_ns = self.entry_close_ns = 0

    def decide(self, price: float, time_ns: int) -> int:
        """1 to enter, -1 to leave, 0 to do nothing."""
        fast = self.fast = self.fast + FAST_ALPHA * (price - self.fast)
        slow = self.slow = self.slow + SLOW_ALPHA * (price - self.slow)
        green = self.green = self.green + 1 if price > self.previous else 0
        self.previous = price
        self.seen += 1
        if self.quantity:
            if price > self.high:
                self.high = price
                if price >= self.activation:
                    self.floor = max(self.floor, price - DISTANCE + SLACK)
            return -1 if price <= self.floor or price >= self.target or time_ns >= self.entry_close_ns else 0
        if green < GREEN_TICKS or fast <= slow or self.seen < WARMUP_TICKS:
            return 0
        if time_ns >= self.next_midnight_ns:
            midnight_ns = time_ns - (time_ns + IST_OFFSET_NS) % DAY_NS
            self.next_midnight_ns = midnight_ns + DAY_NS
            self.open_ns, self.close_ns = midnight_ns + OPEN_NS, midnight_ns + CLOSE_NS
        return 1 if self.open_ns <= time_ns < self.close_ns else 0

    def enter(self, price: float, cash: float) -> int:
        """The quantity to buy, which may be none; sets the position's levels."""
        self.quantity = int(cash * CASH_FRACTION / (LOT * price)) * LOT
        self.high, self.entry_close_ns = price, self.close_ns
        self.floor = price - STOP + SLACK
        self.target = price + TARGET - SLACK
        self.activation = price + ACTIVATION - SLACK
        return self.quantity

    def leave(self) -> int:
        """The quantity to sell: all."""
        quantity, self.quantity = self.quantity, 0
        self.closed += 1
        return quantity


class Prepare(Protocol):
    """Load the ticks into the peer; return what makes one run: a function that gives (seconds, trades, net P&L)."""

    def __call__(self, ticks: Ticks) -> Callable[[], tuple[float, int, float]]: ...


def load(path: Path, count: int) -> Ticks:
    with np.load(path) as columns:
        return Ticks(columns["time_ns"][:count], columns["price"][:count], columns["volume"][:count])


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds that work took, and its result."""
    began = perf_counter()
    result = work()
    return perf_counter() - began, result


def main(peer: str, version: str, prepare: Prepare) -> None:
    parser = argparse.ArgumentParser(description=f"Run the reduced job in {peer}; print one line of JSON.")
    parser.add_argument("ticks", type=Path, help="npz with time_ns, price and volume")
    parser.add_argument("count", type=int, help="take this many of the ticks")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    ticks = load(arguments.ticks, arguments.count)
    run_once = prepare(ticks)
    runs = [run_once() for _ in range(arguments.runs)]
    seconds = [run[0] for run in runs]
    outcomes = {(trades, round(net_pnl, 4)) for _, trades, net_pnl in runs}
    if len(outcomes) > 1:
        raise RuntimeError(f"{peer} gave different results on the same ticks: {sorted(outcomes)}")
    trades, net_pnl = outcomes.pop()
    print(
        json.dumps(
            {
                "peer": peer,
                "version": version,
                "ticks": len(ticks.price),
                "seconds": median(seconds),
                "runs": seconds,
                "trades": trades,
                "net_pnl": net_pnl,
            }
        )
    )
