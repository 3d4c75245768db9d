"""The trail of decisions: each a file of its own, and an index whose lines are chained by hashes.

A line of `evidence/index.jsonl` holds the SHA-256 of its file and that of the line before it, so a decision that was changed,
or taken out or put in between others, shows, and so does a file without its line. What does not show from the folder alone: that
its last decisions were cut off, files and lines together, or that all of it was written anew. Whoever must know keeps the hash
of the last line elsewhere.
"""

import json
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Final

from myquant.config.chain import Chain
from myquant.errors import DataError, cannot_write
from myquant.evidence.files import ELSEWHERE, sha256

FOLDER: Final = "evidence"
INDEX: Final = "index.jsonl"
DECISIONS: Final = ("gate_*.json", "verify_*.json")
REMEDY: Final = "restore it, or move the folder aside and decide again"


class Trail:
    """The decisions on the reports of one folder."""

    def __init__(self, run_folder: Path) -> None:
        self.folder = run_folder / FOLDER
        self.index = self.folder / INDEX

    def record(self, kind: str, now: datetime, document: dict[str, Any]) -> Path:
        """Write `<kind>_<time>.json` and its line of the index; return the file's path.

        Raises DataError when what is there was changed, ConfigError or MyquantError when it can't be written.
        """
        self.refuse_changed()
        stamp = f"{now.astimezone(UTC):%Y%m%d-%H%M%S}"
        text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self._new(f"{kind}_{stamp}", text)
        except OSError as error:
            raise cannot_write(self.folder, error, ELSEWHERE) from error
        time = f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        line = {"time": time, "kind": kind, "file": path.name, "sha256": sha256(path)}
        self._chain(ELSEWHERE).append(lambda _: line)
        return path

    def problems(self) -> list[str]:
        """Return what was changed, a line each: broken links of the chain, files that differ, are gone or have no line."""
        index = self._chain(REMEDY).read()
        found, listed = list(index.problems), set()
        for entry in index.entries:
            name, digest = entry.get("file"), entry.get("sha256")
            if not isinstance(name, str) or not isinstance(digest, str):
                found.append(f"{self.index}: its line {entry.get('number')} names no file and its hash")
                continue
            path = self.folder / Path(name).name
            listed.add(path)
            if not path.is_file():
                found.append(f"{path}: is gone")
            elif sha256(path) != digest:
                found.append(f"{path}: was changed after it was recorded")
        there = sorted(path for pattern in DECISIONS for path in self.folder.glob(pattern))
        return found + [f"{path}: is not in the index" for path in there if path not in listed]

    def refuse_changed(self) -> None:
        """Raise DataError with every problem, when there is one."""
        if problems := self.problems():
            raise DataError("\n".join(f"{problem}: {REMEDY}" for problem in problems))

    def _chain(self, remedy: str) -> Chain:
        return Chain(self.index, remedy)

    def _new(self, name: str, text: str) -> Path:
        """Write a file that was not there, with a number behind its name where one was."""
        for number in count(1):
            path = self.folder / f"{name}{'' if number == 1 else f'-{number}'}.json"
            try:
                with path.open("x", encoding="utf-8", newline="\n") as file:
                    file.write(text)
            except FileExistsError:
                continue
            return path
        raise AssertionError  # count() does not end
