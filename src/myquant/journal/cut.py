"""Cutting a damaged journal behind its sound records, when a person has decided to go on with those.

What is cut off, snapshots of a later state included, is kept in `<session>/journal/cut-NNN/`, N being the first record that is not sound.
"""

from itertools import count
from pathlib import Path
from typing import NamedTuple

from myquant.errors import ConfigError
from myquant.journal.disk import DISK, Disk, explained, let_go, sync_folder
from myquant.journal.lock import take_lock
from myquant.journal.reader import JournalReader
from myquant.journal.scan import DAMAGE, End
from myquant.journal.segment import FOLDER, make_segment, read_segment, segment_name, segment_paths
from myquant.journal.snapshot import snapshot_paths


class Cut(NamedTuple):
    """What a cut left."""

    last: int  # number of the last record
    kept: Path  # the folder with the segments as they were


def cut(folder: Path, after: int, disk: Disk = DISK) -> Cut:
    """Let a damaged journal end with record `after`, which must be its last sound one.

    A cut that was interrupted is finished by the next one, or by opening the journal. Raises ConfigError where there is no
    damage or it is elsewhere, JournalError where the journal is being written, begins with damage, or the disk refuses.
    """
    segment_paths(folder, disk)  # before a lock is made in a folder of something else
    lock = take_lock(folder, disk)
    try:
        reader = JournalReader(folder, disk)
        end = reader.end()
        _refuse_mistake(folder, end, after)
        kept = _make_folder(folder / FOLDER / f"cut-{after + 1}", disk)
        later = [path for path in segment_paths(folder, disk) if path >= end.path]
        has_records = after % reader.header.segment_records > 0 or end.path.name == segment_name(1)
        for path in reversed(
            later[1:] if has_records else later
        ):  # the last first: what is left is a journal at any time
            _keep(path, kept, disk, moved=True)
        if has_records:
            _keep(end.path, kept, disk, moved=False)
            segment = read_segment(end.path, disk)
            sound = segment.rows[: after + 1 - segment.header.first].tobytes()
            make_segment(end.path, segment.header, disk, sound)
        for path in snapshot_paths(folder, disk):  # of a state that the journal does not lead to any more
            if int(path.stem) > after:
                _keep(path, kept, disk, moved=True)
        with explained(kept, "can't be synced"):
            sync_folder(disk, kept)
            sync_folder(disk, kept.parent)
    finally:
        let_go(disk, lock)
    return Cut(after, kept)


def _refuse_mistake(folder: Path, end: End, after: int) -> None:
    if end.what != DAMAGE:
        raise ConfigError(f"{folder}: its journal is sound up to its end, record {end.last}: there is nothing to cut")
    if after != end.last:
        raise ConfigError(f"{folder}: its sound records end with {end.last}, not {after}: {end.text}")


def _make_folder(wanted: Path, disk: Disk) -> Path:
    """Make a folder, with a number behind its name where an earlier cut has taken that."""
    with explained(wanted, "can't be made"):
        for number in count(1):
            path = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
            if not disk.is_folder(path):
                disk.make_folder(path)
                return path
    raise AssertionError  # count() does not end


def _keep(path: Path, kept: Path, disk: Disk, *, moved: bool) -> None:
    with explained(path, "can't be kept"):
        if moved:
            disk.rename(path, kept / path.name)
        else:
            disk.link(path, kept / path.name)
