"""The writer: numbers and places of records, segments, room, locks."""

import errno
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from journal.journal_faults import FaultyDisk
from journal.journal_samples import (
    KEY,
    QUICK,
    QuickDisk,
    codes_of,
    create,
    day,
    note,
    notes_written,
    read_all,
    segment,
    words,
    write_notes,
)
from myquant.errors import JournalError
from myquant.journal import record
from myquant.journal.record import BODY, HOLDS, INPUT, NOTE, NUMBER, PADDING, WORDS
from myquant.journal.rows import BEFORE, RECORDS
from myquant.journal.rows import KEY as KEY_PLACE
from myquant.journal.scan import NOTHING, TORN
from myquant.journal.segment import FOLDER, segment_name
from myquant.journal.writer import AHEAD_RECORDS, SLICE_RECORDS, JournalWriter, has_journal


def test_records_come_back_in_order_over_segments(tmp_path: Path) -> None:
    notes_written(tmp_path / "s", 12)
    rows, end = read_all(tmp_path / "s")
    assert codes_of(rows) == rows[:, NUMBER].tolist() == [*range(1, 13)]
    assert (end.last, end.what, end.text) == (12, NOTHING, "")


def test_the_cursor_tells_where_the_next_record_goes(tmp_path: Path) -> None:
    writer = create(tmp_path / "s")
    cursor = writer.cursor
    assert (cursor[RECORDS], cursor[BEFORE], cursor[KEY_PLACE]) == (0, 0, KEY)
    write_notes(writer, 1, 7)
    assert writer.cursor is cursor
    assert (cursor[RECORDS], cursor[BEFORE]) == (7, 5)
    assert writer.rows.shape == (5, WORDS)
    assert writer.rows[1, NUMBER] == 7
    assert writer.room() == 3


def test_words_of_a_compiled_caller_are_appended_as_they_are(tmp_path: Path) -> None:
    given = words(23)
    writer = create(tmp_path / "s")
    writer.append_words(INPUT, given, 2, 23)
    rows, _ = read_all(tmp_path / "s")
    np.testing.assert_array_equal(rows[:, BODY:], given[2:])
    assert set(rows[:, HOLDS].tolist()) == {INPUT}


def test_a_body_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="a record of kind 4 takes a Note, not DayNote"):
        create(tmp_path / "s").append(NOTE, day())


def test_room_that_is_too_little_is_padded(tmp_path: Path) -> None:
    writer = create(tmp_path / "s")
    write_notes(writer, 1, 2)
    writer.make_room()
    assert (writer.room(), writer.cursor[RECORDS], writer.cursor[BEFORE]) == (5, 5, 5)
    write_notes(writer, 6, 6)
    rows, end = read_all(tmp_path / "s")
    assert rows[:, HOLDS].tolist() == [NOTE, NOTE, PADDING, PADDING, PADDING, NOTE]
    assert not rows[2:5, BODY:].any()
    assert (end.last, end.what) == (6, NOTHING)


def test_an_empty_segment_is_not_padded_for_another_as_small(tmp_path: Path) -> None:
    writer = create(tmp_path / "s")
    with pytest.raises(JournalError, match=r"its 5 records are too few .*raise journal.segment_mib"):
        writer.make_room()


def test_the_rest_and_the_reserve_are_left(tmp_path: Path) -> None:
    writer = create(tmp_path / "s")
    assert writer.rows_left() == 10
    write_notes(writer, 1, 5)
    assert (writer.room(), writer.rows_left()) == (0, 5)
    write_notes(writer, 6, 6)
    assert (writer.room(), writer.rows_left()) == (4, 4)
    writer.reserve()
    assert writer.rows_left() == 9
    writer.reserve()
    assert writer.rows_left() == 9


def test_rows_are_made_ready_far_ahead_and_handed_out_in_slices(tmp_path: Path) -> None:
    disk, last = FaultyDisk(), AHEAD_RECORDS + SLICE_RECORDS + 1
    writer = create(tmp_path / "s", segment_records=last, disk=disk)
    lengths, written = [len(writer.rows)], []
    for number in range(1, last + 1):
        before = len(disk.calls)
        write_notes(writer, number, number)
        if len(writer.rows) != lengths[-1]:
            lengths.append(len(writer.rows))
        if disk.calls[before:]:
            written.append((number, disk.calls[before:]))
    assert lengths == [*range(SLICE_RECORDS, last, SLICE_RECORDS), last]
    half = -(-AHEAD_RECORDS // 2 // SLICE_RECORDS) * SLICE_RECORDS  # from there on they are made ready as they are used
    assert written == [(half + 1, ["write"]), (half + SLICE_RECORDS + 1, ["write"])]  # then all are ready
    assert writer.rows_left() == last  # of the reserved segment
    assert codes_of(read_all(tmp_path / "s")[0]) == [*range(1, last + 1)]


def test_rows_made_ready_are_synced_aside(tmp_path: Path) -> None:
    disk, asked = FaultyDisk(), list[Callable[[], None]]()
    writer = create(tmp_path / "s", segment_records=3 * AHEAD_RECORDS, disk=disk)
    writer.aside = asked.append
    writer.reserve()
    assert not asked  # nothing was used
    write_notes(writer, 1, 1)
    before = len(disk.calls)
    writer.reserve()
    assert disk.calls[before:] == ["write"]
    (sync,) = asked
    sync()
    assert disk.calls[before + 1 :] == ["open_to_write", "sync_data", "close"]
    (tmp_path / "s" / FOLDER / segment_name(1)).unlink()
    sync()  # nothing was synced: the next `sync` does it
    writer.sync()


class TellsOnce(QuickDisk):
    """A kernel tells a failure to write to those that have the file open then, and not to who opens it later."""

    fails = False

    def sync_data(self, descriptor: int) -> None:  # noqa: ARG002  (the seam passes it)
        if self.fails:
            self.fails = False
            raise OSError(errno.EIO, "Input/output error")


def test_a_failure_that_was_told_aside_is_told_by_the_next_sync(tmp_path: Path) -> None:
    disk = TellsOnce()
    writer = create(tmp_path / "s", segment_records=3 * AHEAD_RECORDS, disk=disk)
    writer.aside = lambda call: call()
    write_notes(writer, 1, 1)
    disk.fails = True
    writer.reserve()
    for _ in range(2):
        with pytest.raises(JournalError, match="can't be synced"):
            writer.sync()


def test_the_next_segment_is_synced_aside(tmp_path: Path) -> None:
    asked: list[Callable[[], None]] = []
    writer = create(tmp_path / "s", segment_records=5)
    writer.aside = asked.append
    write_notes(writer, 1, 6)  # takes the reserved one
    writer.reserve()
    assert len(asked) == 1


def test_a_disk_that_refuses_leaves_the_rows_that_are_ready(tmp_path: Path) -> None:
    disk = RefusingDisk()
    writer = create(tmp_path / "s", segment_records=3 * AHEAD_RECORDS, disk=disk)
    assert writer.rows_left() == 6 * AHEAD_RECORDS
    disk.refuses = True
    write_notes(writer, 1, SLICE_RECORDS + 1)
    for _ in range(3):
        with pytest.raises(JournalError, match=r"can't be written .*the disk fails"):
            writer.reserve()
        assert writer.rows_left() == AHEAD_RECORDS - SLICE_RECORDS - 1
    write_notes(writer, SLICE_RECORDS + 2, AHEAD_RECORDS)
    with pytest.raises(JournalError, match=r"can't be written .*the disk fails"):
        write_notes(writer, 0, 0)
    assert codes_of(read_all(tmp_path / "s")[0]) == [*range(1, AHEAD_RECORDS + 1)]
    disk.refuses = False
    with pytest.raises(JournalError, match="can't be written"):  # though the disk has come round: it is told once
        writer.reserve()
    writer.reserve()
    write_notes(writer, AHEAD_RECORDS + 1, 3 * AHEAD_RECORDS + 5)
    writer.reserve()
    assert codes_of(read_all(tmp_path / "s")[0]) == [*range(1, 3 * AHEAD_RECORDS + 6)]


def test_a_past_refusal_does_not_keep_the_next_segment_away(tmp_path: Path) -> None:
    disk = RefusingDisk()
    writer = create(tmp_path / "s", segment_records=AHEAD_RECORDS + SLICE_RECORDS, disk=disk)
    write_notes(writer, 1, AHEAD_RECORDS + SLICE_RECORDS + 1)  # in the second segment
    disk.refuses = True
    write_notes(writer, 1, AHEAD_RECORDS // 2 + SLICE_RECORDS)  # so that further rows are wanted
    disk.refuses = False
    assert writer.rows_left() < AHEAD_RECORDS
    with pytest.raises(JournalError, match="can't be written"):
        writer.reserve()
    assert writer.rows_left() > AHEAD_RECORDS + SLICE_RECORDS


class RefusingDisk(QuickDisk):
    """A disk that takes no write while it refuses."""

    refuses = False

    def write(self, descriptor: int, content: bytes | memoryview, offset: int) -> int:
        if self.refuses:
            raise OSError(errno.EIO, "Input/output error")
        return super().write(descriptor, content, offset)


def test_a_journal_is_gone_on_with(tmp_path: Path) -> None:
    last = 0
    for count in (0, 3, 2, 1, 9, 5):  # ends within, at the end of and behind a segment
        writer = (
            create(tmp_path / "s")
            if not has_journal(tmp_path / "s")
            else JournalWriter.open(tmp_path / "s", disk=QUICK)
        )
        assert writer.torn == ""
        write_notes(writer, last + 1, last + count)
        last += count
        writer.close()
    rows, end = read_all(tmp_path / "s")
    assert codes_of(rows) == [*range(1, 21)]
    assert end.last == 20


@pytest.mark.parametrize("records", [0, 3, 4, 5, 7])
@pytest.mark.parametrize("torn_words", [1, 12, 23])
def test_a_torn_record_is_removed(tmp_path: Path, records: int, torn_words: int) -> None:
    writer = create(tmp_path / "s")
    write_notes(writer, 1, records)
    if not writer.room():
        writer.make_room()
    writer.rows[writer.cursor[RECORDS] - writer.cursor[BEFORE], NUMBER : NUMBER + torn_words] = 77
    writer.close()
    _, end = read_all(tmp_path / "s")
    assert (end.last, end.what) == (records, TORN)
    writer = JournalWriter.open(tmp_path / "s", disk=QUICK)
    assert f"record {records + 1} is torn" in writer.torn
    write_notes(writer, records + 1, records + 2)
    rows, end = read_all(tmp_path / "s")
    assert codes_of(rows) == [*range(1, records + 3)]
    assert end.what == NOTHING


def test_only_one_writes(tmp_path: Path) -> None:
    writer = create(tmp_path / "s")
    with pytest.raises(JournalError, match=r"process \d+ writes this journal: stop it first"):
        JournalWriter.open(tmp_path / "s", disk=QUICK)
    with pytest.raises(JournalError, match="writes this journal"):
        create(tmp_path / "s")
    writer.close()
    JournalWriter.open(tmp_path / "s", disk=QUICK).close()


def test_a_closed_writer_writes_no_more(tmp_path: Path) -> None:
    writer = create(tmp_path / "s")
    write_notes(writer, 1, 1)
    writer.close()
    assert writer.room() <= 0
    with pytest.raises(JournalError):
        writer.append(NOTE, note(2))
    assert read_all(tmp_path / "s")[1].last == 1


def test_a_journal_is_begun_once(tmp_path: Path) -> None:
    assert not has_journal(tmp_path / "s")
    notes_written(tmp_path / "s", 1)
    assert has_journal(tmp_path / "s")
    with pytest.raises(JournalError, match="holds a journal already"):
        create(tmp_path / "s")
    with pytest.raises(JournalError, match=r"is not the folder of a session \(it has no journal/\)"):
        JournalWriter.open(tmp_path)
    assert not (tmp_path / FOLDER).exists()


def test_only_the_owner_reads_it(tmp_path: Path) -> None:
    notes_written(tmp_path / "s", 6)
    modes = {path.relative_to(tmp_path): path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert len(modes) == 5
    assert {mode for path, mode in modes.items() if path.suffix or path.name == "lock"} == {0o600}
    assert {mode for path, mode in modes.items() if path.name in {"s", FOLDER}} == {0o700}


def test_segments_have_all_their_blocks(tmp_path: Path) -> None:
    create(tmp_path / "s", segment_records=1000)
    for index in (1, 2):
        status = segment(tmp_path / "s", index).stat()
        assert status.st_size == 4096 + 1000 * record.RECORD_BYTES
        assert status.st_blocks * 512 >= status.st_size


def test_a_segment_is_whole_and_synced_before_it_has_its_name(tmp_path: Path) -> None:
    disk = FaultyDisk()
    writer = create(tmp_path / "s", disk=disk)
    write_notes(writer, 1, 6)
    before = len(disk.calls)
    writer.reserve()
    made = [
        name
        for name in disk.calls[before:]
        if name in {"create", "allocate", "write", "sync", "rename", "map_to_write"}
    ]
    assert made == ["create", "allocate", "write", "sync", "rename", "sync", "map_to_write", "write"]


def test_what_was_written_is_synced_and_nothing_else(tmp_path: Path) -> None:
    disk = FaultyDisk()
    writer = create(tmp_path / "s", disk=disk)

    def syncs() -> int:
        before = len(disk.calls)
        writer.sync()
        return disk.calls[before:].count("sync_data")

    assert syncs() == 0
    write_notes(writer, 1, 1)
    assert [syncs(), syncs()] == [1, 0]
    write_notes(writer, 2, 11)
    assert [syncs(), syncs()] == [3, 0]
    write_notes(writer, 12, 12)
    assert syncs() == 1
    writer.close()
    writer = JournalWriter.open(tmp_path / "s", disk=disk)
    assert [syncs(), syncs()] == [3, 0]  # the last process may have left any of it unsynced


def test_the_lock_is_let_go_when_a_journal_is_refused(tmp_path: Path) -> None:
    notes_written(tmp_path / "s", 3)
    with pytest.raises(JournalError, match="already"):
        create(tmp_path / "s")
    JournalWriter.open(tmp_path / "s", disk=QUICK).close()
