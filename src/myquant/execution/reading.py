"""A session's folder, read to its end: the lives of its orders and what stands beside the journal."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from myquant.config.loading import load_config
from myquant.errors import JournalError
from myquant.execution.beside import Held, Told, comparisons, others_hold, told_by_the_log
from myquant.execution.lives import Lives
from myquant.journal.reader import JournalReader
from myquant.journal.scan import DAMAGE
from myquant.session import archive
from myquant.session.archive import SessionFacts
from myquant.session.left import SIMULATED
from myquant.session.shadow import Comparison

BY_EXCHANGE: Final = "simulated"  # the simulated exchange is the one that fills


@dataclass
class Reading:
    """What was read of a session."""

    folder: Path
    facts: SessionFacts
    zone: str
    lives: Lives
    records: int = 0
    troubles: list[str] = field(default_factory=list)  # what could not be read, each in a line
    shadow: dict[int, Comparison] = field(default_factory=dict)  # by order
    told: list[Told] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)


def read_session(folder: Path) -> Reading:
    """Read a session's folder, of one that runs, has ended or was killed. What can't be read is told in `troubles`.

    Raises ConfigError where there is no session, DataError where session.json can't be understood.
    """
    reading = begin_reading(folder)
    _read_journal(reading)
    read_beside(reading)
    return reading


def begin_reading(folder: Path) -> Reading:
    """Return a session of which nothing but its card and configuration was read; raises as `read_session` does."""
    facts = archive.read(folder)
    config = archive.config_of(folder, load_config()).config
    lives = Lives(facts.symbols, config, is_simulated=facts.kind == SIMULATED)
    return Reading(folder, facts, config.session.timezone, lives)


def read_beside(reading: Reading) -> None:
    """Read what stands beside the journal, anew where it was read before: the shadow's comparison, others' trades and positions."""
    if reading.lives.is_simulated:
        return
    reading.shadow, trouble = comparisons(reading.folder)
    reading.held, other = others_hold(reading.folder)
    reading.told, torn = told_by_the_log(reading.folder)
    found = [each for each in (trouble, other, torn) if each]
    reading.troubles += [each for each in found if each not in reading.troubles]


def _read_journal(reading: Reading) -> None:
    """Take the journal up to its end, or to where it is damaged."""
    try:
        reader = JournalReader(reading.folder)
        for block in reader.blocks():
            reading.lives.take(block)
            reading.records += len(block)
        end = reader.end(reading.records)
    except JournalError as error:
        reading.troubles.append(str(error))
        return
    if end.what == DAMAGE:
        reading.troubles.append(
            f"the journal is damaged behind record {end.last:,} ({end.text}): what follows is not here"
        )
