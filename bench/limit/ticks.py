"""The ticks that the benchmarks share: a recorded day, repeated on the following calendar days."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

DAY_NS = 86_400_000_000_000


@dataclass(frozen=True)
class Ticks:
    """Columns of equal length: time in ns since the epoch (UTC), price in paise, quantity traded."""

    time_ns: npt.NDArray[np.int64]
    price_paise: npt.NDArray[np.int64]
    volume: npt.NDArray[np.int64]

    @property
    def price(self) -> npt.NDArray[np.float64]:
        """Rupees."""
        return self.price_paise / 100.0

    def __len__(self) -> int:
        return len(self.time_ns)


def read_day(path: Path) -> Ticks:
    """Read a CSV with the columns timestamp (ISO 8601 with an offset), price and volume."""
    times, prices, volumes = [], [], []
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            times.append(int(datetime.fromisoformat(row["timestamp"]).timestamp()) * 1_000_000_000)
            prices.append(int(Decimal(row["price"]) * 100))
            volumes.append(int(row["volume"]))
    return Ticks(np.array(times, np.int64), np.array(prices, np.int64), np.array(volumes, np.int64))


def tile(day: Ticks, count: int) -> Ticks:
    """Repeat a day on as many following days as `count` ticks need."""
    days = -(-count // len(day))
    shift_ns = np.repeat(np.arange(days, dtype=np.int64) * DAY_NS, len(day))
    return Ticks(
        (np.tile(day.time_ns, days) + shift_ns)[:count],
        np.tile(day.price_paise, days)[:count],
        np.tile(day.volume, days)[:count],
    )


def save(ticks: Ticks, path: Path) -> None:
    """Write what the peers read: time_ns, price in rupees (float64) and volume."""
    np.savez(path, time_ns=ticks.time_ns, price=ticks.price, volume=ticks.volume)
