"""`check.verify`: what of a journal and its snapshots does not fit together."""

from pathlib import Path

import numpy as np
import pytest

from journal.journal_samples import QUICK, QuickDisk, command, create, flip, note, record_at, segment, tick
from myquant.errors import JournalError
from myquant.journal import record
from myquant.journal.check import Findings, verify
from myquant.journal.record import BODY_WORDS, COMMAND, INPUT, NOTE
from myquant.journal.snapshot import Snapshot, snapshot_paths, write
from myquant.journal.writer import JournalWriter


def begun(folder: Path) -> JournalWriter:
    """Write 3 inputs and 2 commands, as records 1 to 5."""
    writer = create(folder, segment_records=50)
    writer.append(INPUT, tick(1))
    writer.append(COMMAND, command(1))
    writer.append(INPUT, tick(2))
    writer.append(INPUT, tick(3))
    writer.append(COMMAND, command(2))
    return writer


def saved(folder: Path, number: int = 5, inputs: int = 3, commands: int = 2, state: bytes = b"state") -> Snapshot:
    snapshot = Snapshot(number, inputs, commands, "engine", "config", {"engine": state})
    write(folder, snapshot, QUICK, keep=9)
    return snapshot


def damage(folder: Path) -> list[str]:
    return verify(folder).damage


def test_a_sound_journal_has_no_findings(tmp_path: Path) -> None:
    writer = begun(tmp_path)
    snapshot = saved(tmp_path)
    writer.append(NOTE, note(0, record.SNAPSHOT, 3, 2, *snapshot.hash_words))
    writer.make_room()
    writer.append(INPUT, tick(4))
    assert verify(tmp_path) == Findings(last=51, inputs=4, commands=2, snapshots=1, damage=[], remarks=[])


def test_no_records_are_sound(tmp_path: Path) -> None:
    create(tmp_path)
    assert verify(tmp_path) == Findings(0, 0, 0, 0, [], [])


def test_a_torn_record_is_a_remark(tmp_path: Path) -> None:
    writer = begun(tmp_path)
    writer.rows[5, 7] = 1
    found = verify(tmp_path)
    assert (found.last, found.damage) == (5, [])
    assert found.remarks == [f"{segment(tmp_path)}: record 6 is torn: its process was killed while writing it"]


def test_damage_is_found(tmp_path: Path) -> None:
    begun(tmp_path)
    flip(segment(tmp_path), record_at(2))
    found = verify(tmp_path)
    assert (found.last, found.inputs, found.commands) == (2, 1, 1)
    assert found.damage == [f"{segment(tmp_path)}: record 3 is damaged, and 2 sound ones stand behind it"]


@pytest.mark.parametrize(("holds", "name"), [(INPUT, "input"), (COMMAND, "command")])
@pytest.mark.parametrize("sequence", [2, 3, 5, 9])
def test_a_sequence_that_does_not_go_on_is_found(tmp_path: Path, holds: int, name: str, sequence: int) -> None:
    writer = begun(tmp_path)
    last = 3 if holds == INPUT else 2
    writer.append(holds, tick(sequence) if holds == INPUT else command(sequence))
    expected = [] if sequence == last + 1 else [f"record 6: {name} {sequence} follows {name} {last}"]
    assert damage(tmp_path) == expected


def test_a_sequence_is_followed_over_blocks(tmp_path: Path) -> None:
    writer = create(tmp_path, segment_records=4)
    for sequence in (1, 2, 3, 4, 5, 6, 7, 9):
        writer.append(INPUT, tick(sequence))
    assert damage(tmp_path) == ["record 8: input 9 follows input 7"]


def test_many_findings_of_a_kind_are_counted(tmp_path: Path) -> None:
    writer = begun(tmp_path)
    for _ in range(10):
        writer.append(INPUT, tick(7))
    found = damage(tmp_path)
    assert found[0] == "record 6: input 7 follows input 3"
    assert len(found) == 4
    assert found[3] == "sequence of inputs: 7 more"


def test_a_state_that_is_not_the_noted_one_is_found(tmp_path: Path) -> None:
    writer = begun(tmp_path)
    noted = saved(tmp_path)
    writer.append(NOTE, note(0, record.SNAPSHOT, 3, 2, *noted.hash_words))
    saved(tmp_path, state=b"another")
    (path,) = snapshot_paths(tmp_path)
    assert damage(tmp_path) == [f"{path}: is not the state that record 6 tells of: its hash differs"]
    path.unlink()
    assert damage(tmp_path) == []


@pytest.mark.parametrize(("inputs", "commands"), [(2, 2), (3, 1), (4, 2)])
def test_a_snapshot_that_counted_otherwise_is_found(tmp_path: Path, inputs: int, commands: int) -> None:
    begun(tmp_path)
    saved(tmp_path, 5, inputs, commands)
    (path,) = snapshot_paths(tmp_path)
    claims = f"claims {inputs} inputs and {commands} commands up to record 5, which are 3 and 2"
    assert damage(tmp_path) == [f"{path}: {claims}"]


def test_a_snapshot_in_the_middle_counts_what_it_holds(tmp_path: Path) -> None:
    begun(tmp_path)
    saved(tmp_path, 3, 2, 1)
    saved(tmp_path, 4, 3, 1)
    assert damage(tmp_path) == []


def test_a_snapshot_of_lost_records_is_found(tmp_path: Path) -> None:
    begun(tmp_path)
    saved(tmp_path, 6, 4, 2)
    (path,) = snapshot_paths(tmp_path)
    assert damage(tmp_path) == [f"{path}: holds record 6, and the journal ends with 5: records were lost"]


def test_a_damaged_snapshot_is_found(tmp_path: Path) -> None:
    begun(tmp_path)
    saved(tmp_path)
    (path,) = snapshot_paths(tmp_path)
    flip(path, 30)
    found = verify(tmp_path)
    assert found.snapshots == 0
    assert found.damage == [f"{path}: is damaged: remove it; an older one or the journal alone will do"]


class Pruned(QuickDisk):
    """A disk from which a session at work removes each snapshot just when it is looked at."""

    def open_to_read(self, path: Path) -> int:
        if path.suffix == ".snap":
            path.unlink()
        return super().open_to_read(path)


def test_a_snapshot_that_is_removed_meanwhile_is_no_damage(tmp_path: Path) -> None:
    begun(tmp_path)
    saved(tmp_path)
    found = verify(tmp_path, Pruned())
    assert (found.snapshots, found.damage) == (0, [])


def test_kinds_of_another_version_are_found(tmp_path: Path) -> None:
    writer = begun(tmp_path)
    writer.append_words(9, np.zeros((1, BODY_WORDS), np.int64), 0, 1)
    writer.append(NOTE, note(0, 77))
    assert damage(tmp_path) == [
        "record 6 is of a kind that this version does not know",
        "record 7 is a note of a kind that this version does not know",
    ]


def test_what_is_no_session_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="is not the folder of a session"):
        verify(tmp_path)
