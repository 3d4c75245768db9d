"""Whether a session with simulated fills has shown what the same settings, strategy and engine do.

It has when it ended in order (exit code 0) with results, its journal is whole, its archive is as it was made, and the
settings that decide (`config.trading`), the strategy's source and the engine's are the same: the engine's hash covers the
core, the exchange and the strategy with all that it imports. Symbols do not count: contracts end week by week.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from myquant.config.loading import LoadedConfig
from myquant.config.trading import differences, trading_values
from myquant.errors import MyquantError
from myquant.results.write import RUN_MARK
from myquant.session import archive
from myquant.session.archive import config_of
from myquant.session.earlier import Earlier, sessions
from myquant.strategies.loading import LoadedStrategy

NAMED: Final = 3  # settings that a refusal names


class Rehearsal(NamedTuple):
    """What was found: the session that shows it, or (`folder` None) why there is none."""

    folder: Path | None
    why_not: str


class _Case(NamedTuple):
    """A session that is none, and how far it is from one."""

    far: tuple[int, int]
    why: str


def rehearsal(runs: Path, kind: str, loaded: LoadedConfig, strategy: LoadedStrategy) -> Rehearsal:
    """Look for a session of `kind` in a folder of runs that has shown what these settings and this strategy do.

    The newest that has is returned; else the nearest is named, and what differs. A journal is read whole, so a day's takes
    a second or two, but only that of a session that fits in all else.
    """
    nearest: _Case | None = None
    for each in sessions(runs, kind):
        case = _case(each, loaded, strategy)
        if case is None:
            return Rehearsal(each.folder, "")
        if nearest is None or case.far < nearest.far:
            nearest = case
    return Rehearsal(None, nearest.why if nearest is not None else f"no {kind} session is in {runs}")


def override_number(text: str) -> int:
    """Return the number by which a journal's note names a reason: the first 62 bits of its SHA-256."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 2


def _case(each: Earlier, loaded: LoadedConfig, strategy: LoadedStrategy) -> _Case | None:
    """Return why a session does not show it; None: it does."""
    name = each.facts.name
    try:
        changes = differences(trading_values(config_of(each.folder, loaded)), trading_values(loaded))
        if other := _other_engine(each, strategy):
            changes.insert(0, other)
        if changes:
            more = [f"and {len(changes) - NAMED} more"] if len(changes) > NAMED else []
            return _Case((1, len(changes)), f"{name} differs: {'; '.join([*changes[:NAMED], *more])}")
        archive.archived_config(each.folder, strategy)  # refuses one that was changed
        why = _unfinished(each) or _damage(each.folder)
    except MyquantError as error:
        return _Case((2, 0), f"{name} is damaged: {error}")
    return _Case((0, 0), f"{name} has the same settings, but {why}") if why else None


def _other_engine(each: Earlier, strategy: LoadedStrategy) -> str:
    """Return what is different of strategy and engine; empty: nothing."""
    if each.facts.engine_hash == strategy.engine_hash:
        return ""
    if each.facts.strategy != strategy.name:
        return f"strategy {each.facts.strategy}, not {strategy.name}"
    if _sources(each.folder / "strategy") != dict(strategy.files):
        return f"another source of strategy {strategy.name}"
    return f"another engine (myquant {each.facts.version}, {each.facts.engine_hash[:8]})"


def _sources(folder: Path) -> Mapping[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _unfinished(each: Earlier) -> str:
    """Return why a session did not come to its end; empty: it did."""
    if each.facts.ended is None:
        return "its day is not over: start it again, which ends it"
    if each.facts.ended != 0:
        return f"it ended with exit code {each.facts.ended}"
    if not (each.folder / archive.RESULTS / RUN_MARK).is_file():
        return "it has no results: no usable tick came"
    return ""


def _damage(folder: Path) -> str:
    """Return what is wrong with a session's journal; empty: nothing. Raises JournalError where it can't be read."""
    from myquant.journal.check import verify  # noqa: PLC0415  (compiles; only a session that fits needs it)

    damage = verify(folder).damage
    return f"its journal is damaged: {damage[0]}" if damage else ""
