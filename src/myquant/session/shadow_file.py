"""The shadow's comparison in the session's folder: what it says, and what a restart goes on from.

While the session runs only what is new is added, to `shadow.jsonl`: the whole takes the longer, the more orders there were,
and the loop waits for it. The whole, `shadow.json`, is written when the session ends.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from myquant.errors import DataError, MyquantError, cannot_write
from myquant.session.shadow import Comparison, Earlier, Shadow

FILE: Final = "shadow.json"  # in the session's folder
LINES: Final = "shadow.jsonl"  # beside it: what it has not yet, a few orders a line
FORMAT: Final = 1
AT_A_TIME: Final = 8  # orders that are added in one go: 0.1 ms
RETRY_S: Final = 60  # after the disk has refused a line
NOTHING: Final = Earlier((), 0, 0, 0, 0)


class ShadowFile:
    """Keeps one session's comparison. The disk's refusals are errors to be told: they cost the comparison only."""

    def __init__(self, folder: Path, shadow: Shadow) -> None:
        self._path = folder / FILE
        self._lines = folder / LINES
        self._shadow = shadow
        self._size = 0  # of the lines that are whole
        self._added = 0  # orders that are in one of the files
        self._ended = (0, 0)  # what the shadow had when the last line was added
        self._rests_s = 0

    def load(self) -> None:
        """Let the shadow go on from the files, where they are. Raises DataError, and the shadow begins anew."""
        earlier, self._size = compared_before(self._path.parent)
        self._shadow.go_on(earlier)
        self._added, self._ended = len(earlier.compared), self._shadow.ended

    def add(self) -> None:
        """Add, once a second, some of what has ended since. Raises MyquantError, and does nothing for a while then."""
        shadow = self._shadow
        self._rests_s -= 1
        if (shadow.ended == self._ended and self._added == len(shadow.compared)) or self._rests_s > 0:
            return
        rows = shadow.compared[self._added : self._added + AT_A_TIME]
        table = {
            "format": FORMAT,
            "from": self._added,
            **shadow.counts(),
            "compared": [each._asdict() for each in rows],
        }
        line = json.dumps(table).encode() + b"\n"
        self._rests_s = RETRY_S
        try:
            descriptor = os.open(self._lines, os.O_WRONLY | os.O_CREAT, 0o666)
            try:
                os.ftruncate(descriptor, self._size)  # what is behind it was cut short
                written = os.pwrite(descriptor, line, self._size)
            finally:
                os.close(descriptor)
        except OSError as error:
            refused: MyquantError = cannot_write(self._lines, error, "see to the folder")
            raise refused from error
        if written == len(line):
            self._rests_s = 0
            self._size += written
            self._added += len(rows)
            self._ended = shadow.ended

    def store(self) -> None:
        """Write the whole: there is the old one or the new one, and no line is needed any more. Raises MyquantError."""
        head = json.dumps({"format": FORMAT, **self._shadow.summary().as_dict()}, indent=2).removesuffix("\n}")
        rows = ",\n    ".join(json.dumps(each._asdict()) for each in self._shadow.compared)
        draft = self._path.with_suffix(".new")
        try:
            draft.write_text(f'{head},\n  "compared": [\n    {rows}\n  ]\n}}\n', encoding="utf-8")
            draft.replace(self._path)
        except OSError as error:
            refused: MyquantError = cannot_write(self._path, error, "see to the folder")
            raise refused from error
        with suppress(OSError):  # left behind, it does no harm
            self._lines.unlink(missing_ok=True)


def compared_before(folder: Path) -> tuple[Earlier, int]:
    """Return what the files of a session's folder have, and the bytes of the lines that are whole. Raises DataError."""
    path = folder / FILE
    try:
        whole = _read(path)
        earlier = _earlier(json.loads(whole), ()) if whole is not None else NOTHING
        lines, newline, _torn = (_read(folder / LINES) or b"").rpartition(b"\n")
        for line in lines.splitlines():
            table = json.loads(line)
            later = _earlier(table, earlier.compared[: int(table["from"])])
            if _ended(later) > _ended(earlier):  # else it is of before the whole was written
                earlier = later
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise DataError(f"{path}: can't be read ({error}): the comparison begins anew") from None
    return earlier, len(lines + newline)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _earlier(table: Any, before: tuple[Comparison, ...]) -> Earlier:
    """Return what a file or a line says, behind the orders before it."""
    if table["format"] != FORMAT:
        raise ValueError(f"format {table['format']}, this version reads {FORMAT}")
    if len(before) != table.get("from", 0):
        raise ValueError(f"orders before number {table['from']} are missing")
    compared = tuple(Comparison(**each) for each in table["compared"])
    cut_short = int(table["cut_short"]) + int(table["under_way"])
    return Earlier(before + compared, int(table["refused"]), int(table["left_out"]), int(table["failed"]), cut_short)


def _ended(of: Earlier) -> int:
    """Return how many orders have ended: what grows with each."""
    return len(of.compared) + of.refused + of.left_out + of.failed
