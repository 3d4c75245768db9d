"""Inputs through an engine, its time counted or not."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from laws.driver import settings
from myquant.journal.reader import JournalReader
from myquant.journal.record import BODY, COMMAND, HOLDS
from myquant.journal.writer import JournalWriter
from myquant.measure.cycles import MODULE, Cycles
from myquant.session.engine import Engine
from myquant.session.runner import Runner, Words
from myquant.session.simulated import SimulatedOrders
from myquant.strategies.loading import default_strategy
from myquant.ticks.batch import InstrumentName
from session.sessions import RICH


def run(folder: Path, words: Words, *, capacity: int | None) -> tuple[np.ndarray, Cycles | None]:
    """Run inputs, counted where there is a capacity; return the commands and the counters."""
    strategy = default_strategy()
    if capacity is not None:
        strategy = replace(strategy, probe=MODULE)
    engine = Engine(settings(RICH), strategy, (InstrumentName("NIFTY"),))
    journal = JournalWriter.create(folder, key=1, segment_records=1 << 14)
    cycles = None
    if capacity is not None:
        cycles = Cycles(journal.cursor, capacity)
        journal.cursor = cycles.cursor
    Runner(engine, journal, SimulatedOrders(engine)).take(words.copy())
    journal.close()
    blocks = [block[block[:, HOLDS] == COMMAND][:, BODY:] for block in JournalReader(folder).blocks()]
    return np.concatenate(blocks), cycles
