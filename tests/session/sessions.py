"""A session without a socket: inputs from a list, journaled into a folder, stopped and taken up again at will."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from laws.driver import FIRST_MIDNIGHT_NS, MINUTE_NS, Ticks, events, random_ticks, settings
from myquant.core import codes
from myquant.core.records import Event
from myquant.journal.disk import DISK, Disk
from myquant.journal.reader import JournalReader
from myquant.journal.record import BODY, COMMAND, HOLDS, INPUT
from myquant.journal.writer import JournalWriter
from myquant.session.clock import Clock
from myquant.session.engine import Engine
from myquant.session.playback import ANSWERS
from myquant.session.recovery import Hashes, save
from myquant.session.runner import Words, words_of
from myquant.session.simulated import SimulatedOrders
from myquant.session.taking_up import take_up
from myquant.strategies.loading import default_strategy
from myquant.ticks.batch import InstrumentName

RICH = {
    "capital.initial_capital": 10_000_000,
    "strategy.min_warmup_ticks": 5,
    "strategy.use_ema_crossover": False,
    "strategy.consecutive_green_bars": 1,
}
LIMIT = {
    **RICH,
    "execution.fill_model": "limit",
    "execution.latency_ms": 500,
    "execution.order_life_s": 900,
    "execution.order_timeout_s": 3000,
    "execution.unprotected_max_s": 3000,
}


class StillClock(Clock):
    """Clocks that stand."""

    def wall_ns(self) -> int:
        return 0

    def monotonic_ns(self) -> int:
        return 0


def day_inputs(seed: int, *, count: int = 600, instruments: int = 1) -> Words:
    """Make the inputs of a lively day: ticks, quotes, timers, a feed that breaks, an operator."""
    ticks: Ticks = random_ticks(seed, count=count, quotes=True, instruments=instruments)
    rng = np.random.default_rng(seed)
    found: list[Event] = []
    for event in events(ticks):
        found.append(event)
        draw = rng.random()
        blank = Event(codes.TIMER, -1, 0, max(event.time_ns, FIRST_MIDNIGHT_NS), 0, 0, 0, 0, 0, 0, 0, 0, 0)
        if draw < 0.05:
            found.append(blank)
        elif draw < 0.10:
            found.append(event._replace(kind=codes.QUOTE, bid=event.bid, ask=event.ask + 5))
        elif draw < 0.12:
            found.append(blank._replace(kind=codes.FEED_STATUS, code=codes.FEED_IS_STALE))
        elif draw < 0.20:
            found.append(blank._replace(kind=codes.FEED_STATUS, code=codes.FEED_HEALTHY))
        elif draw < 0.21:
            found.append(blank._replace(kind=codes.OPERATOR, code=int(rng.integers(1, 4))))
            found.append(blank._replace(kind=codes.OPERATOR, code=codes.ASK_RESUME))
    last = found[-1].time_ns
    late = FIRST_MIDNIGHT_NS + (15 * 60 + 20) * MINUTE_NS
    found += [
        Event(codes.TIMER, -1, 0, max(last, late) + k * 10**9, 0, 0, 0, 0, 0, 0, 0, 0, 0) for k in range(0, 40, 10)
    ]
    return words_of(*found)


@dataclass
class Session:
    """A session at work on a list of inputs."""

    folder: Path
    engine: Engine
    orders: SimulatedOrders
    journal: JournalWriter
    runner: Any
    taken: int  # inputs of the list that it has taken
    recovered: Any
    disk: Disk

    def go_on(self, inputs: Words, count: int | None = None, *, save_every: int = 0) -> None:
        """Take the next `count` inputs of the list, one at a time."""
        end = len(inputs) if count is None else min(len(inputs), self.taken + count)
        while self.taken < end:
            self.runner.take(inputs[self.taken : self.taken + 1].copy())
            self.taken += 1
            if save_every and self.taken % save_every == 0:
                self.save()

    def save(self) -> None:
        save(self.engine, self.orders, self.journal, self.folder, HASHES, StillClock(), self.disk)

    def state(self) -> bytes:
        return self.engine.snapshot() + self.orders.snapshot()


HASHES = Hashes("engine", "config")


def open_session(
    folder: Path, values: Mapping[str, Any], *, instruments: int = 1, segment_records: int = 512, disk: Disk = DISK
) -> Session:
    engine = Engine(settings(values), default_strategy(), (InstrumentName("NIFTY"),) * instruments)
    orders = SimulatedOrders(engine)
    found = take_up(folder, engine, orders, HASHES, key=4711, segment_records=segment_records, disk=disk)
    taken = sum(int((~np.isin(words[:, 0], ANSWERS)).sum()) for words in recorded(folder, INPUT))
    return Session(folder, engine, orders, found.journal, found.runner, taken, found.recovered, disk)


def recorded(folder: Path, holds: int) -> list[Words]:
    """Return the bodies of all records of one kind, in order."""
    return [block[block[:, HOLDS] == holds][:, BODY:] for block in islice(JournalReader(folder).blocks(), None)]


def decisions(folder: Path) -> Any:
    """Return all inputs and commands of a journal, in order, without their places in it."""
    blocks = list(JournalReader(folder).blocks())
    rows = np.concatenate(blocks)
    return rows[(rows[:, HOLDS] == INPUT) | (rows[:, HOLDS] == COMMAND)][:, HOLDS:]
