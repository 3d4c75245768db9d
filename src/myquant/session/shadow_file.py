"""The shadow's comparison in a file of the session's folder: what it says so far, and what a restart goes on from."""

import json
from pathlib import Path
from typing import Any, Final

from myquant.errors import DataError, MyquantError, cannot_write
from myquant.session.shadow import Comparison, Earlier, Shadow

FILE: Final = "shadow.json"  # in the session's folder
FORMAT: Final = 1
EVERY_S: Final = 60  # what was compared since the last time is lost with a process that is killed


class ShadowFile:
    """Keeps one session's comparison. The disk's refusals are errors to be told: they cost the comparison only."""

    def __init__(self, folder: Path, shadow: Shadow) -> None:
        self._path = folder / FILE
        self._shadow = shadow
        self._kept = (0, 0)
        self._seconds = 0

    def load(self) -> None:
        """Let the shadow go on from the file, where there is one. Raises DataError, and the shadow begins anew."""
        try:
            table = json.loads(self._path.read_bytes())
            self._shadow.go_on(_earlier(table))
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise DataError(f"{self._path}: can't be read ({error}): the comparison begins anew") from None

    def is_due(self) -> bool:
        """Return, once a second, whether the file should be written again."""
        self._seconds += 1
        return self._seconds % EVERY_S == 0 and self._shadow.ended != self._kept

    def store(self) -> None:
        """Write the file: there is the old one or the new one. Raises MyquantError."""
        summary, ended = self._shadow.summary(), self._shadow.ended
        head = json.dumps({"format": FORMAT, **summary.as_dict()}, indent=2).removesuffix("\n}")
        rows = ",\n    ".join(json.dumps(each._asdict()) for each in self._shadow.compared)
        draft = self._path.with_suffix(".new")
        try:
            draft.write_text(f'{head},\n  "compared": [\n    {rows}\n  ]\n}}\n', encoding="utf-8")
            draft.replace(self._path)
        except OSError as error:
            refused: MyquantError = cannot_write(self._path, error, "see to the folder")
            raise refused from error
        self._kept = ended


def _earlier(table: Any) -> Earlier:
    if table["format"] != FORMAT:
        raise ValueError(f"format {table['format']}, this version reads {FORMAT}")
    compared = tuple(Comparison(**each) for each in table["compared"])
    cut_short = int(table["cut_short"]) + int(table["under_way"])
    return Earlier(compared, int(table["refused"]), int(table["left_out"]), int(table["failed"]), cut_short)
