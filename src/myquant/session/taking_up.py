"""Taking up a session: its journal, begun or gone on with, its engine brought to where the journal ends."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from myquant.journal.disk import Disk
from myquant.journal.record import RECORD_BYTES
from myquant.journal.writer import JournalWriter, has_journal
from myquant.session.engine import Engine
from myquant.session.recovery import Hashes, Recovered, SavedOrders, recover
from myquant.session.runner import Runner

MIB: Final = 1 << 20


@dataclass(frozen=True)
class TakenUp:
    """A session ready to go on: its runner, and where it journals to; `recovered`: None for a new one."""

    runner: Runner
    journal: JournalWriter
    recovered: Recovered | None


def take_up(
    folder: Path, engine: Engine, orders: SavedOrders, hashes: Hashes, *, key: int, segment_records: int, disk: Disk
) -> TakenUp:
    """Begin the journal of a session, or go on with it; `engine` and `orders` are new ones.

    Raises JournalError; whatever was written stays as it was then.
    """
    if not has_journal(folder, disk):
        journal = JournalWriter.create(folder, key=key, segment_records=segment_records, disk=disk)
        return TakenUp(Runner(engine, journal, orders), journal, None)
    journal = JournalWriter.open(folder, disk=disk)
    recovered = recover(engine, orders, journal, folder, hashes, disk)
    return TakenUp(Runner(engine, journal, orders), journal, recovered)


def segment_records_of(mib: int) -> int:
    """Return how many records a journal file of this size holds."""
    return mib * MIB // RECORD_BYTES
