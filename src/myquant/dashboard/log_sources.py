"""Which logs there are: of the sessions and recordings in folders of runs, of the monitor, and of the pages themselves."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from myquant.monitor.naming import Names
from myquant.session.log_files import FILE

MOST: Final = 200  # logs of a search; of more, those that were last written to
OWN: Final = ("monitor", "dashboard")  # folders among the states: of the monitor, and of the pages


class Source(NamedTuple):
    """A log. `written_ns`: when it was last written to, ns UTC."""

    name: str
    folder: Path
    written_ns: int


def sources_in(directories: Sequence[Path], state_folder: Path) -> list[Source]:
    """Return all logs, those of the monitor and the pages first, then those that were last written to."""
    folders = list(dict.fromkeys(each.resolve() for each in directories))
    names = Names(folders)
    own = [Source(name, state_folder / name, _written_ns(state_folder / name)) for name in OWN]
    others = [
        Source(_free(names.of(log.parent)), log.parent, _written_ns(log.parent))
        for directory in folders
        for log in directory.glob(f"*/{FILE}")
    ]
    found = [*own, *sorted(others, key=lambda each: -each.written_ns)]
    return [each for each in found if each.written_ns]


def chosen_of(sources: Sequence[Source], names: Sequence[str], since_ns: int) -> list[Source]:
    """Return the logs of these names; without names all that were written to since."""
    if names:
        return [each for each in sources if each.name in set(names)]
    return [each for each in sources if each.written_ns >= since_ns]


def _free(name: str) -> str:
    """Return the name of a session; one that is called as the monitor or the pages are is told from them."""
    return f"session {name}" if name in OWN else name


def _written_ns(folder: Path) -> int:
    """Return when a log was last written to; 0: there is none, or it can't be looked at."""
    try:
        return (folder / FILE).stat().st_mtime_ns
    except OSError:
        return 0
