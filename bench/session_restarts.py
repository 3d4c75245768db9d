"""From the kill of a live session that holds a position to the position being protected again, by a lab's clock and book.

The worst case of a restart: while the session is dead its stop order is cancelled at the broker. The next process has to
find its place in the journal, hear from the broker's books that the stop order is gone, and place another one; that it
stands in the lab's book is what ends a restart. The journal is as long as a day's; a snapshot stands a minute before its end.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import numpy as np

from bench.measure import Goal, Row, Section, Spread, spread
from bench.restart_stage import Restart, on_stage
from bench.session_jobs import in_turn, scratch_folder
from bench.session_recovery import EVENTS

RESTARTS: Final = 15  # of each kind, at least
GOAL: Final = Goal(5.0, at_least=False)
GOAL_WITHOUT: Final = Goal(60.0, at_least=False)  # a snapshot
PARTS: Final = {
    "until": "to the first request to the broker",
    "taken": "to the session at work",
    "asked": "to the first book asked for",
    "told": "to the engine told of it",
    "placed": "to the stop order in the book",
    "fed": "beside that: at work to fed",
}


def measure(rounds: int, *, quick: bool) -> Section:
    """Restarts of each kind in turn: fresh processes, those that wait with all loaded, without a snapshot, without a login."""
    section = Section(
        f"session-restarts: from SIGKILL to a stop order in the lab's book, {EVENTS // 10**6} M events journaled"
    )
    with scratch_folder() as folder, on_stage(folder) as stage:
        sides: dict[str, Callable[[], Restart]] = {
            "fresh": stage.restart,
            "standby": partial(stage.restart, waits=True),
            "journal": partial(stage.restart, lose=stage.lose_snapshots),
            "nothing kept": partial(stage.restart, lose=stage.lose_account),
        }
        found = in_turn(sides, max(rounds, RESTARTS), quick=quick)
    section.rows += _rows("a fresh process", found["fresh"], GOAL)
    section.rows += [Row(f"  {words}", "s", _part(name, found["fresh"])) for name, words in PARTS.items()]
    section.rows += _rows("a process that waited, all loaded", found["standby"], GOAL)
    section.rows += _rows("a fresh process, no snapshot", found["journal"], GOAL_WITHOUT)
    section.rows += _rows("a fresh process, no tokens or list kept", found["nothing kept"], GOAL)
    section.notes.append(
        f"{len(found['fresh'])} restarts of each kind; the stop order is cancelled at the lab while the session is dead, and the"
        " end is the lab's stamp of the next one, of all that is held. Parts: interpreter, imports, settings, machine code, and"
        " the account with tokens and list of instruments kept; funds, the journal checked and played back, the review; the"
        " connections; the books; the decision and its request"
    )
    return section


def _rows(name: str, restarts: Sequence[Restart], goal: Goal) -> list[Row]:
    whole = [each.whole_s for each in restarts]
    last = float(np.percentile(whole, 99))
    beyond = Spread(last, last, max(whole), len(whole))
    return [Row(name, "s", spread(whole)), Row("  99 of 100 below, and the longest", "s", beyond, goal=goal)]


def _part(name: str, restarts: Sequence[Restart]) -> Spread:
    return spread([each.part_s(name) for each in restarts])
