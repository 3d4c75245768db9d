"""A session's ticks as a file: what its feed brought, for a run over recorded ticks."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from myquant.core import codes
from myquant.journal.reader import JournalReader, inputs
from myquant.session import archive
from myquant.ticks.batch import TickBatch
from myquant.ticks.write import Written, write_ticks


def write_session_ticks(folder: Path, target: Path) -> Written:
    """Write the ticks of a session's journal into a file of the kind that its suffix names, all of it or nothing.

    Ticks that the guard refuses are left out and counted. Raises ConfigError for a path that can't be written, DataError
    where there is no tick, and JournalError for a journal that can't be read or, after what is sound, is damaged.
    """
    facts = archive.read(folder)
    config = archive.archived_config(folder, archive.archived_strategy(folder, facts)).config
    reader = JournalReader(folder)
    written = write_ticks(target, _batches(reader), time_zone=config.session.timezone, instruments=facts.instruments)
    reader.end().refuse_damage()
    return written


def _batches(reader: JournalReader) -> Iterator[TickBatch]:
    for block in reader.blocks():
        events = inputs(block)["body"]["event"]
        ticks = events[events["kind"] == codes.TICK]
        if len(ticks):
            yield TickBatch(
                time_ns=np.ascontiguousarray(ticks["time_ns"]),
                price=np.ascontiguousarray(ticks["price"]),
                volume=np.ascontiguousarray(ticks["volume"]),
                bid=np.ascontiguousarray(ticks["bid"]),
                ask=np.ascontiguousarray(ticks["ask"]),
                receive_ns=np.ascontiguousarray(ticks["receive_ns"]),
                instrument=np.ascontiguousarray(ticks["instrument"]),
            )
