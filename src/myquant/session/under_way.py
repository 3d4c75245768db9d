"""Recorded ticks against an exchange at which orders take time: through the runner, like a session's inputs."""

from collections.abc import Callable
from typing import Any

import numpy as np

from myquant.core.layout import dtype_of
from myquant.core.records import Command
from myquant.exchange.handle import BEFORE, SEQUENCE, WRITTEN
from myquant.session.engine import Engine
from myquant.session.outcome import Rejects
from myquant.session.playback import RowsInMemory
from myquant.session.runner import Runner, words_of_batch
from myquant.session.simulated import SimulatedOrders
from myquant.ticks.batch import TickBatch


class RowsForgotten(RowsInMemory):
    """Rows of which nothing is kept: of a run whose inputs are in files."""

    def make_room(self) -> None:
        """Go on from the first row."""
        self.cursor[BEFORE] = self.cursor[WRITTEN]

    def append(self, holds: int, body: Any) -> None:
        """Leave out a day's rules: the run finds them again in the market's tables."""


class VenueRun:
    """Runs batches of an engine whose orders go to the simulated exchange; `on_commands` gets every command."""

    def __init__(self, engine: Engine, on_commands: Callable[[np.ndarray[Any, Any]], None]) -> None:
        self._runner = Runner(engine, RowsForgotten(), SimulatedOrders(engine))
        self._runner.on_commands = lambda commands: on_commands(np.array(commands, dtype_of(Command)))

    def run(self, batch: TickBatch, rejects: Rejects) -> None:
        """Run a batch; `rejects` hears which row an input was."""
        words = words_of_batch(batch)
        rejects.begin(batch, lambda sequence: int(np.argmax(words[:, SEQUENCE] == sequence)))
        self._runner.take(words)
