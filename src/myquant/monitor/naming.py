"""Names of sessions, as people see and type them: short, and the same whenever and in whatever order sessions are found."""

import os
from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final

from myquant.monitor.finding import plain

FOLDER_MAX: Final = 24  # characters of a runs folder's name
SESSION_MAX: Final = 64  # and of a session's
_DIGEST_BYTES: Final = 3


class Names:
    """Names the sessions of some folders of runs.

    Those in the first folder are called as their folder is, those in another one `<runs folder>/<session>`. A name says by itself
    which folder is meant: it depends on no other session, so no two can change names when a monitor is begun again.
    """

    def __init__(self, directories: Sequence[Path]) -> None:
        others = directories[1:]
        alike = Counter(_short(each.name, FOLDER_MAX) for each in others)
        self._prefixes = dict.fromkeys(directories[:1], "")
        for each in others:
            short = _short(each.name, FOLDER_MAX)
            mark = f"~{_digest(str(each))}" if alike[short] > 1 else ""
            self._prefixes[each] = f"{short}{mark}/"

    def of(self, folder: Path) -> str:
        """Return the name of the session in a folder."""
        return self._prefixes[folder.parent] + _short(folder.name, SESSION_MAX)


def _short(name: str, most: int) -> str:
    """Return a name as it is, or where it is too long or can't be shown, with what tells it from others alike."""
    shown = plain(name)
    if shown == name and len(name) <= most:
        return name
    return f"{shown[:most]}~{_digest(name)}"


def _digest(text: str) -> str:
    return blake2b(os.fsencode(text), digest_size=_DIGEST_BYTES).hexdigest()
