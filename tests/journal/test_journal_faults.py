"""A disk that fails, and a process that dies, at every call of a scenario: what was appended stays readable."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from journal.journal_faults import Crash, Fault, FaultyDisk
from journal.journal_samples import QUICK, codes_of, create, note, read_all, write_notes
from myquant.errors import JournalError
from myquant.journal.disk import Disk
from myquant.journal.record import NOTE, NUMBER
from myquant.journal.rows import BEFORE, RECORDS
from myquant.journal.scan import NOTHING, TORN
from myquant.journal.snapshot import Snapshot, newest_valid, read, snapshot_paths, write
from myquant.journal.writer import JournalWriter, has_journal

LAST = 13
CALLS = 90  # more than the scenario makes


class Scenario:
    """A session's life with its journal; what fails is told and the life goes on, as the session does.

    Attributes:
        appended: numbers of the records that were appended.
        told: the errors.
    """

    def __init__(self, folder: Path, disk: Disk) -> None:
        self.folder = folder
        self.disk = disk
        self.appended: list[int] = []
        self.told: list[str] = []

    def live(self) -> None:
        for goal in (6, LAST):
            writer = self._begin()
            if writer is not None:
                self._write(writer, goal)
                self._try(writer.close)

    def _begin(self) -> JournalWriter | None:
        begun: list[JournalWriter] = []

        def begin() -> None:
            if has_journal(self.folder, self.disk):
                begun.append(JournalWriter.open(self.folder, disk=self.disk))
            else:
                begun.append(create(self.folder, segment_records=4, disk=self.disk))

        self._try(begin)
        return begun[0] if begun else None

    def _write(self, writer: JournalWriter, goal: int) -> None:
        while writer.cursor[RECORDS] < goal and len(self.told) < 9:
            number = int(writer.cursor[RECORDS]) + 1
            if self._try(lambda number=number: writer.append(NOTE, note(number))):  # type: ignore[misc]
                self.appended.append(number)
            if number % 3 == 0:
                self._try(writer.sync)
                self._try(writer.reserve)
        snapshot = Snapshot(goal, 0, 0, "engine", "config", {"state": b"bytes"})
        self._try(lambda: write(self.folder, snapshot, self.disk, keep=1))

    def _try(self, step: Callable[[], object]) -> bool:
        try:
            step()
        except JournalError as error:
            self.told.append(str(error))
            return False
        return True


def calls(folder: Path) -> list[str]:
    disk = FaultyDisk()
    scenario = Scenario(folder, disk)
    scenario.live()
    assert scenario.told == []
    assert scenario.appended == [*range(1, LAST + 1)]
    return disk.calls


def test_the_scenario_makes_every_call(tmp_path: Path) -> None:
    made = calls(tmp_path / "s")
    assert set(made) == {name for name in vars(Disk) if not name.startswith("_")} - {"link"}
    assert len(made) > CALLS


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EIO, errno.EROFS], ids=errno.errorcode.get)
def test_a_disk_that_fails_once_is_told_and_loses_nothing(tmp_path: Path, fault: int) -> None:
    made = calls(tmp_path / "whole")
    for at in range(1, len(made) + 1):
        folder = tmp_path / str(at)
        disk = FaultyDisk(at, fault)
        scenario = Scenario(folder, disk)
        scenario.live()
        assert all(len(line.splitlines()) == 1 and str(folder) in line for line in scenario.told)
        if has_journal(folder):
            rows, end = read_all(folder)
            assert (at, codes_of(rows), end.what) == (at, scenario.appended, NOTHING)
        else:
            assert (at, scenario.appended) == (at, [])
        if not scenario.told:  # closing and removing matter to nobody, and a reserve was tried again
            assert scenario.appended == [*range(1, LAST + 1)]


@pytest.mark.parametrize("fault", ["crash before", "crash after", "crash half way"])
def test_a_process_that_dies_at_any_call_loses_nothing(tmp_path: Path, fault: Fault) -> None:
    made = calls(tmp_path / "whole")
    for at in range(1, len(made) + 1):
        folder = tmp_path / str(at)
        disk = FaultyDisk(at, fault)
        scenario = Scenario(folder, disk)
        with pytest.raises(Crash):
            scenario.live()
        disk.die()
        after = Scenario(folder, QUICK)
        after.live()
        assert (at, after.told) == (at, [])
        rows, end = read_all(folder)
        assert (at, rows[:, NUMBER].tolist(), end.what) == (at, [*range(1, LAST + 1)], NOTHING)
        assert after.appended == [*range(len(scenario.appended) + 1, LAST + 1)]
        found = newest_valid(folder, "engine", "config", LAST)
        assert found.snapshot is not None
        assert (found.snapshot.number, found.skipped) == (LAST, [])
        assert [path.name for path in snapshot_paths(folder)] == [f"{LAST:012d}.snap"]
        names = {path.name for path in folder.rglob("*") if path.is_file()}
        assert not {name for name in names if name.endswith(".new")}


def test_a_process_that_dies_while_it_recovers_recovers_again(tmp_path: Path) -> None:
    def torn(folder: Path) -> None:
        writer = create(folder, segment_records=4)
        write_notes(writer, 1, 6)
        writer.rows[writer.cursor[RECORDS] - writer.cursor[BEFORE], NUMBER:9] = 7
        writer.close()

    torn(tmp_path / "whole")
    disk = FaultyDisk()
    JournalWriter.open(tmp_path / "whole", disk=disk).close()
    assert len(disk.calls) > 20
    for at in range(1, len(disk.calls) - 3):
        for fault in ("crash before", "crash after"):
            folder = tmp_path / f"{at} {fault}"
            torn(folder)
            dying = FaultyDisk(at, "crash before" if fault == "crash before" else "crash after")
            with pytest.raises(Crash):
                JournalWriter.open(folder, disk=dying)
            dying.die()
            assert read_all(folder)[1].what in {TORN, NOTHING}
            writer = JournalWriter.open(folder, disk=QUICK)
            write_notes(writer, 7, 9)
            writer.close()
            assert codes_of(read_all(folder)[0]) == [*range(1, 10)]


def test_a_short_write_is_gone_on_with(tmp_path: Path) -> None:
    made = calls(tmp_path / "whole")
    writes = [at for at, name in enumerate(made, 1) if name == "write"]
    assert len(writes) > 5
    for at in writes:
        scenario = Scenario(tmp_path / str(at), FaultyDisk(at, "short write"))
        scenario.live()
        assert (scenario.told, scenario.appended) == ([], [*range(1, LAST + 1)])
        assert read_all(tmp_path / str(at))[1].last == LAST
        assert read(snapshot_paths(tmp_path / str(at))[-1]).number == LAST


class Full(FaultyDisk):
    """A disk without room for another segment, as long as it is `full`."""

    full = False

    def allocate(self, descriptor: int, size: int) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().allocate(descriptor, size)


def test_a_full_disk_leaves_what_was_allocated_and_is_asked_again(tmp_path: Path) -> None:
    disk = Full()
    writer = create(tmp_path / "s", disk=disk)
    disk.full = True
    write_notes(writer, 1, 6)
    with pytest.raises(JournalError, match=r"000003.seg: can't be made \(No space left on device\): free the disk"):
        writer.reserve()
    assert writer.rows_left() == 4
    write_notes(writer, 7, 10)
    writer.sync()
    for _ in range(2):
        with pytest.raises(JournalError, match="free the disk"):
            writer.append(NOTE, note(11))
        with pytest.raises(JournalError, match="free the disk"):
            writer.make_room()
    assert writer.cursor[RECORDS] == 10
    writer.close()
    writer = JournalWriter.open(tmp_path / "s", disk=disk)
    assert writer.rows_left() == 0
    disk.full = False
    writer.reserve()
    assert writer.rows_left() == 5
    write_notes(writer, 11, 12)
    assert codes_of(read_all(tmp_path / "s")[0]) == [*range(1, 13)]


def test_a_failed_sync_is_never_taken_back(tmp_path: Path) -> None:
    made = FaultyDisk()
    writer = create(tmp_path / "a", disk=made)
    write_notes(writer, 1, 6)
    before = len(made.calls)
    writer.sync()
    syncing = made.calls[before:]
    assert syncing == ["open_to_write", "sync_data", "close", "sync_data"]
    for place in (1, 2, 4):
        folder = tmp_path / str(place)
        writer = create(folder, disk=FaultyDisk(before + place, errno.EIO))
        write_notes(writer, 1, 6)
        for _ in range(3):
            with pytest.raises(JournalError, match=r"can't be synced \(Input/output error\): the disk fails"):
                writer.sync()
        write_notes(writer, 7, 12)
        assert codes_of(read_all(folder)[0]) == [*range(1, 13)]
