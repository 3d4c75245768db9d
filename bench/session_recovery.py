"""Taking up a session of a million events: its journal checked and played back, from a snapshot and from the beginning."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from bench.measure import Goal, Row, Section, spread, timed
from bench.session_jobs import day_words, in_turn, open_session, scratch_folder
from myquant.journal.snapshot import FOLDER

EVENTS: Final = 1_000_000
BEHIND: Final = 30_000  # events since the last snapshot: a minute of 500 a second
ROUNDS_MAX: Final = 9
GOAL_S: Final = Goal(3.0, at_least=False)


def measure(rounds: int, *, quick: bool) -> Section:
    section = Section(f"session-recovery: taking up a journal of {EVENTS // 10**6} M events")
    with scratch_folder() as folder:
        with_snapshot, without = folder / "with", folder / "without"
        state = _begin(with_snapshot)
        shutil.copytree(with_snapshot, without)
        shutil.rmtree(without / FOLDER)
        sides: dict[str, Callable[[], float]] = {
            place.name: partial(timed, partial(_take_up, place, state)) for place in (with_snapshot, without)
        }
        for side in sides.values():
            side()  # finds its machine code, and the files in memory
        found = in_turn(sides, min(rounds, ROUNDS_MAX), quick=quick)
    behind = f"from a snapshot {BEHIND:,} events before the end"
    section.rows.append(Row(behind, "s", spread(found["with"]), goal=GOAL_S))
    section.rows.append(Row("from the journal alone", "s", spread(found["without"]), goal=GOAL_S))
    section.notes.append("every record's checksum is checked, and every decision compared; the state came out the same")
    return section


def _begin(folder: Path) -> bytes:
    """Write the journal of a session that dies; return its last state."""
    session = open_session(folder, 1)
    words = day_words(EVENTS)
    session.runner.take(words, EVENTS - BEHIND)
    session.save()
    session.runner.take(words[EVENTS - BEHIND :])
    session.close()
    return session.engine.snapshot() + session.orders.snapshot()


def _take_up(folder: Path, state: bytes) -> None:
    session = open_session(folder, 1)
    session.close()
    if session.engine.snapshot() + session.orders.snapshot() != state:
        raise RuntimeError("the session came back in another state")
