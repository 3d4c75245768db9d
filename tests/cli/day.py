"""A day of ticks, made by the generator, as the tests of the command line and the Python interface read it."""

from datetime import date
from pathlib import Path

from myquant.ticks.batch import TickBatch
from myquant.ticks.generate import LIQUID, generate_day
from myquant.ticks.write import write_ticks

DAY = date(2025, 10, 3)


def write_day(path: Path, *, seed: int = 1, rows: int | None = None) -> Path:
    ticks = generate_day(LIQUID, day=DAY, seed=seed)
    batch = TickBatch(time_ns=ticks.time_ns[:rows], price=ticks.price[:rows], volume=ticks.volume[:rows])
    write_ticks(path, [batch], time_zone="Asia/Kolkata")
    return path
