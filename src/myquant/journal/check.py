"""Whether a journal is sound: its segments, its records, their order, and the snapshots beside it."""

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from myquant.errors import JournalError
from myquant.journal.disk import DISK, Disk
from myquant.journal.reader import JournalReader, commands, inputs, notes
from myquant.journal.record import HOLDS, HOLDS_NAMES, NOTE_NAMES, SNAPSHOT
from myquant.journal.scan import DAMAGE, TORN
from myquant.journal.segment import Rows
from myquant.journal.snapshot import read, snapshot_paths

EXAMPLES = 3  # of a kind of finding; the rest are counted


class Findings(NamedTuple):
    """What is to be said of a journal."""

    last: int  # number of the last sound record
    inputs: int
    commands: int
    snapshots: int  # sound ones
    damage: list[str]  # one line each; none: the journal is sound
    remarks: list[str]  # what is in order, and worth saying


def verify(folder: Path, disk: Disk = DISK) -> Findings:
    """Return what is wrong with a session's journal and snapshots. Raises JournalError where they can't be read at all.

    A torn record at the end is in order: its process was killed, and the next one removes it.
    """
    damage: list[str] = []
    snapshots = _sound_snapshots(folder, disk, damage)  # before the journal, which they must not be ahead of
    reader = JournalReader(folder, disk)
    order = _Order(snapshots)
    last = 0
    for block in reader.blocks():
        last += len(block)
        order.look(block)
    end = reader.end(last)
    if end.what == DAMAGE:
        damage.append(f"{end.path}: {end.text}")
    damage += [*order.findings(), *order.snapshots_ahead(end.last)]
    remarks = [f"{end.path}: {end.text}"] if end.what == TORN else []
    return Findings(end.last, order.inputs, order.commands, len(snapshots), damage, remarks)


class _Saved(NamedTuple):
    """What a snapshot says of itself."""

    path: Path
    number: int
    counts: tuple[int, int]  # inputs, commands
    hash_words: tuple[int, int, int, int]


def _sound_snapshots(folder: Path, disk: Disk, damage: list[str]) -> list[_Saved]:
    found = []
    for path in snapshot_paths(folder, disk):
        try:
            snapshot = read(path, disk)
        except JournalError as error:
            if path in snapshot_paths(folder, disk):  # else a session at work has just removed it
                damage.append(str(error))
        else:
            counts = (snapshot.inputs, snapshot.commands)
            found.append(_Saved(path, snapshot.number, counts, snapshot.hash_words))
    return found


class _Order:
    """Looks at sound records in order: their kinds, the sequences of inputs and commands, and what snapshots claim."""

    def __init__(self, snapshots: list[_Saved]) -> None:
        self.inputs = 0
        self.commands = 0
        self._snapshots = snapshots
        self._found: dict[str, list[str]] = {}  # by kind, the first few
        self._counts: Counter[str] = Counter()
        self._sequences: dict[str, int] = {}

    def look(self, block: Rows) -> None:
        """Take the next block."""
        for number in block[~np.isin(block[:, HOLDS], list(HOLDS_NAMES)), 1]:
            self._add("unknown kind", f"record {number} is of a kind that this version does not know")
        self._look_at_snapshots(block)
        came, went = inputs(block), commands(block)
        self._look_at_sequence("input", came["number"], came["body"]["event"]["sequence"])
        self._look_at_sequence("command", went["number"], went["body"]["sequence"])
        self.inputs += len(came)
        self.commands += len(went)
        for note in notes(block):
            self._look_at_note(note)

    def findings(self) -> list[str]:
        """Return what was found, a few lines of each kind."""
        lines = []
        for kind, found in self._found.items():
            more = self._counts[kind] - len(found)
            lines += found + ([f"{kind}: {more} more"] if more else [])
        return lines

    def snapshots_ahead(self, last: int) -> list[str]:
        """Return a line for each snapshot that holds records behind the journal's end."""
        return [
            f"{saved.path}: holds record {saved.number}, and the journal ends with {last}: records were lost"
            for saved in self._snapshots
            if saved.number > last
        ]

    def _look_at_sequence(self, what: str, numbers: NDArray[np.int64], sequences: NDArray[np.int64]) -> None:
        if not len(sequences):
            return
        before = np.concatenate([[self._sequences.get(what, int(sequences[0]) - 1)], sequences[:-1]])
        self._sequences[what] = int(sequences[-1])
        for at in np.flatnonzero(sequences != before + 1):
            self._add(
                f"sequence of {what}s",
                f"record {numbers[at]}: {what} {sequences[at]} follows {what} {before[at]}",
            )

    def _look_at_snapshots(self, block: Rows) -> None:
        first = int(block[0, 1])
        for saved in self._snapshots:
            if first <= saved.number < first + len(block):
                part = block[: saved.number - first + 1]
                counted = (self.inputs + len(inputs(part)), self.commands + len(commands(part)))
                if counted != saved.counts:
                    claims = f"{saved.counts[0]} inputs and {saved.counts[1]} commands up to record {saved.number}"
                    self._add("snapshot", f"{saved.path}: claims {claims}, which are {counted[0]} and {counted[1]}")

    def _look_at_note(self, note: Any) -> None:
        kind = int(note["body"]["kind"])
        if kind not in NOTE_NAMES:
            self._add("unknown note", f"record {note['number']} is a note of a kind that this version does not know")
        if kind != SNAPSHOT:
            return
        values = tuple(note["body"]["values"][:6].tolist())
        for saved in self._snapshots:
            if saved.counts == values[:2] and saved.hash_words != values[2:]:
                line = f"{saved.path}: is not the state that record {note['number']} tells of: its hash differs"
                self._add("hash", line)

    def _add(self, kind: str, line: str) -> None:
        self._counts[kind] += 1
        if self._counts[kind] <= EXAMPLES:
            self._found.setdefault(kind, []).append(line)
