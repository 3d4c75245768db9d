"""The earlier sessions of a folder of runs, as a new one is held against them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from myquant.config.loading import LoadedConfig, diff
from myquant.errors import MyquantError
from myquant.journal.segment import FOLDER as JOURNAL
from myquant.session import archive
from myquant.session.archive import SessionFacts, config_of


class Earlier(NamedTuple):
    """A session's folder, and what its session.json says."""

    folder: Path
    facts: SessionFacts


def sessions(runs: Path, kind: str) -> Iterator[Earlier]:
    """Yield the sessions of a kind, the newest first.

    Left out are folders that are none or can't be read, and those without a journal: such a session never began.
    """
    found = []
    folders = runs.iterdir() if runs.is_dir() else iter(())
    for folder in folders:
        try:
            facts = archive.read(folder)
        except MyquantError:  # `myquant runs` names those that are damaged
            continue
        if facts.kind == kind and (folder / JOURNAL).is_dir():
            found.append(Earlier(folder, facts))
    yield from sorted(found, key=lambda each: (each.facts.created, each.facts.name), reverse=True)


class Compared(NamedTuple):
    """An earlier session, and (`section.key`, value then, value now) of each setting that differs."""

    earlier: Earlier
    differences: list[tuple[str, Any, Any]]


def last_like(
    runs: Path, kind: str, broker: str, symbols: tuple[str, ...], now: LoadedConfig, *, but: str = ""
) -> Compared | None:
    """Return the newest session of a kind at a broker with these symbols, in any order, whose settings can be read.

    `but`: the name of the one that is compared.
    """
    for each in sessions(runs, kind):
        if each.facts.name != but and each.facts.broker == broker and set(each.facts.symbols) == set(symbols):
            try:
                return Compared(each, diff(config_of(each.folder, now), now))
            except MyquantError:  # settings of another version
                continue
    return None
