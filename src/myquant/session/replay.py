"""Replay: a session's recorded inputs through the engine again. The same decisions, byte for byte, or the first other one."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from myquant.errors import MyquantError
from myquant.journal.disk import DISK, Disk
from myquant.journal.reader import JournalReader
from myquant.journal.scan import DAMAGE
from myquant.session import archive
from myquant.session.engine import Engine
from myquant.session.playback import Difference, DifferenceError, Playback
from myquant.session.runner import NoOrders


@dataclass(frozen=True)
class Replayed:
    """What a replay found.

    Attributes:
        records: sound records of the journal; behind: what stands behind them, "" for nothing; `is_damaged`: that was more than
            one torn record, so that not all of the session was replayed.
        inputs, commands: played back, and compared.
        states: snapshots at which the whole state was compared.
        unwritten: commands that the last process died before writing; a restart of the session writes them.
        difference: the first one, None when there is none.
    """

    session: str
    records: int
    behind: str
    is_damaged: bool
    inputs: int
    commands: int
    states: int
    unwritten: int
    difference: Difference | None

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"identical": self.difference is None, **asdict(self)}


def archived_engine(folder: Path) -> Engine:
    """Return a new engine as a session was made with. Raises MyquantError where this myquant would decide otherwise."""
    facts = archive.read(folder)
    strategy = archive.archived_strategy(folder, facts)
    if strategy.engine_hash != facts.engine_hash:
        raise MyquantError(
            f"{folder}: not comparable: the session ran on engine {facts.engine_hash} (myquant {facts.version}), this is"
            f" {strategy.engine_hash}; take that version to replay it"
        )
    return facts.engine(archive.archived_config(folder, strategy), strategy)


def replay(folder: Path, disk: Disk = DISK) -> tuple[Replayed, Engine]:
    """Replay a session; return what was found, and the engine as the journal's end left it (or the difference).

    Raises JournalError where there is no journal; MyquantError where it is of another engine.
    """
    engine = archived_engine(folder)
    reader = JournalReader(folder, disk)
    end = reader.end()
    playback = Playback(engine, NoOrders(), asks_again=False)
    difference = None
    try:
        for block in reader.blocks():
            playback.feed(block)
        playback.end()
    except DifferenceError as error:
        difference = error.difference
    found = Replayed(
        session=folder.name,
        records=end.last,
        behind=end.text,
        is_damaged=end.what == DAMAGE,
        inputs=playback.inputs,
        commands=playback.commands,
        states=playback.states,
        unwritten=len(playback.missing),
        difference=difference,
    )
    return found, engine
