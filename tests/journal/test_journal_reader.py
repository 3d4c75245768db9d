"""The reader: blocks, kinds, a journal that grows while it is read, folders that are none."""

import os
from pathlib import Path

import numpy as np
import pytest

from journal.journal_faults import FaultyDisk
from journal.journal_samples import (
    KEY,
    codes_of,
    command,
    create,
    day,
    flip,
    note,
    notes_written,
    read_all,
    record_at,
    segment,
    tick,
    write_notes,
)
from myquant.errors import JournalError
from myquant.journal import segment as segments
from myquant.journal.reader import JournalReader, commands, days, inputs, notes
from myquant.journal.record import COMMAND, DAY, INPUT, NOTE, NUMBER
from myquant.journal.scan import DAMAGE, NOTHING
from myquant.journal.segment import FOLDER, Header, header_page
from myquant.journal.writer import JournalWriter


def test_a_journal_without_records_is_read(tmp_path: Path) -> None:
    create(tmp_path / "s").close()
    rows, end = read_all(tmp_path / "s")
    assert len(rows) == 0
    assert (end.last, end.what) == (0, NOTHING)
    assert len(JournalReader(tmp_path / "s").poll()) == 0


@pytest.mark.parametrize("first", [1, 2, 5, 6, 12, 13, 99])
def test_reading_begins_anywhere(tmp_path: Path, first: int) -> None:
    notes_written(tmp_path / "s", 12)
    numbers = [number for block in JournalReader(tmp_path / "s").blocks(first) for number in block[:, NUMBER]]
    assert numbers == [*range(first, 13)]


@pytest.mark.parametrize(("known", "read"), [(0, 7), (7, 7), (8, 12), (12, 12)])
def test_records_that_were_looked_at_are_not_looked_at_again(tmp_path: Path, known: int, read: int) -> None:
    notes_written(tmp_path / "s", 12)
    flip(segment(tmp_path / "s", 2), record_at(2) + 100)  # in number 8
    blocks = JournalReader(tmp_path / "s", known=known).blocks()
    assert [number for block in blocks for number in block[:, NUMBER]] == [*range(1, read + 1)]


def test_a_block_is_not_copied_and_not_longer_than_asked_for(tmp_path: Path) -> None:
    notes_written(tmp_path / "s", 4)
    block = JournalReader(tmp_path / "s").read(2, limit=2)
    assert codes_of(block) == [2, 3]
    assert not block.flags.owndata
    assert not block.flags.writeable


def test_the_kinds_of_a_block_come_apart(tmp_path: Path) -> None:
    writer = create(tmp_path / "s", segment_records=10)
    for holds, body in ((INPUT, tick(1)), (COMMAND, command(1)), (DAY, day()), (NOTE, note(7)), (INPUT, tick(2, 99))):
        writer.append(holds, body)
    block = JournalReader(tmp_path / "s").read(1)
    assert inputs(block)["number"].tolist() == [1, 5]
    assert inputs(block)["body"]["event"]["price"].tolist() == [12_345, 99]
    assert inputs(block)["body"]["origin"]["total_volume"].tolist() == [750, 750]
    assert commands(block)["body"]["sequence"].tolist() == [1]
    assert days(block)["body"]["day"]["charges"]["stt_rate"].tolist() == [100_000]
    assert notes(block)["body"]["code"].tolist() == [7]
    assert [len(kind(block[:0])) for kind in (inputs, commands, days, notes)] == [0, 0, 0, 0]


def test_polls_give_what_is_new(tmp_path: Path) -> None:
    writer = create(tmp_path / "s")
    reader = JournalReader(tmp_path / "s")
    seen: list[int] = []
    for last in (3, 5, 6, 11):
        write_notes(writer, len(seen) + 1, last)
        while len(block := reader.poll()):
            seen += codes_of(block)
        assert seen == [*range(1, last + 1)]


def test_following_pauses_when_nothing_is_new(tmp_path: Path) -> None:
    writer = create(tmp_path / "s")
    write_notes(writer, 1, 2)
    pauses: list[int] = []

    def pause() -> None:
        pauses.append(len(pauses))
        if len(pauses) % 3 == 0:
            write_notes(writer, len(pauses), len(pauses))

    followed = JournalReader(tmp_path / "s").follow(pause)
    assert [codes_of(next(followed)) for _ in range(3)] == [[1, 2], [3], [6]]
    assert len(pauses) == 6


def test_a_record_half_written_is_not_there_yet(tmp_path: Path) -> None:
    writer = create(tmp_path / "s")
    write_notes(writer, 1, 2)
    reader = JournalReader(tmp_path / "s")
    whole = writer.rows[1].copy()
    for kept in range(24):  # words of the second record as they are stored, the checksum last
        writer.rows[1] = 0
        writer.rows[1, 1 : 1 + kept] = whole[1 : 1 + kept]
        assert len(reader.read(2)) == 0
    writer.rows[1] = whole
    assert len(reader.read(2)) == 1


def test_what_a_writer_adds_meanwhile_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = create(tmp_path / "s")
    write_notes(writer, 1, 2)
    reader = JournalReader(tmp_path / "s")
    look = reader._what_is_behind
    calls: list[int] = []

    def look_late(last: int) -> object:
        calls.append(last)
        if last == 2:
            write_notes(writer, 3, 12)
        return look(last)

    monkeypatch.setattr(reader, "_what_is_behind", look_late)
    end = reader.end()
    assert (end.last, end.what) == (12, NOTHING)
    assert calls == [2, 12]


@pytest.mark.parametrize("prepare", ["nothing", "file", "no segment"])
def test_what_is_no_session_is_named(tmp_path: Path, prepare: str) -> None:
    folder = tmp_path / "s"
    if prepare == "file":
        folder.write_text("")
    elif prepare == "no segment":
        (folder / FOLDER).mkdir(parents=True)
    with pytest.raises(JournalError) as caught:
        JournalReader(folder)
    assert str(caught.value).startswith(f"{folder}: ")
    assert len(str(caught.value).splitlines()) == 1
    expected = "has no segment" if prepare == "no segment" else "is not the folder of a session"
    assert expected in str(caught.value)


def test_another_format_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes_written(tmp_path / "s", 1)
    monkeypatch.setattr(segments, "FORMAT", 2)
    page = header_page(Header(5, 1, KEY))
    monkeypatch.undo()
    with segment(tmp_path / "s").open("r+b") as file:
        file.write(page)
    with pytest.raises(JournalError, match=r"000001.seg: is of format 2, this version reads 1: use the version"):
        JournalReader(tmp_path / "s")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    notes_written(tmp_path / "s", 1)
    segment(tmp_path / "s").chmod(0)
    with pytest.raises(JournalError, match=r"000001.seg: can't be opened \(Permission denied\): take the owner's"):
        JournalReader(tmp_path / "s")


def test_a_disk_that_fails_is_no_end(tmp_path: Path) -> None:
    notes_written(tmp_path / "s", 12)
    disk = FaultyDisk()
    assert sum(map(len, JournalReader(tmp_path / "s", disk).blocks())) == 12
    assert len(disk.calls) > 15
    for at in range(1, len(disk.calls) + 1):
        if disk.calls[at - 1] != "close":
            failing = FaultyDisk(at, 5)
            with pytest.raises(JournalError, match="Input/output error"):
                sum(map(len, JournalReader(tmp_path / "s", failing).blocks()))


def test_a_missing_segment_is_damage(tmp_path: Path) -> None:
    notes_written(tmp_path / "s", 12)
    segment(tmp_path / "s", 2).unlink()
    rows, end = read_all(tmp_path / "s")
    assert codes_of(rows) == [1, 2, 3, 4, 5]
    assert (end.what, end.text) == (DAMAGE, "000002.seg is missing")
    with pytest.raises(JournalError, match=r"000002.seg is missing: .*restore the file from a copy"):
        JournalWriter.open(tmp_path / "s")


def test_a_segment_of_another_session_or_place_is_damage(tmp_path: Path) -> None:
    notes_written(tmp_path / "s", 12)
    other = JournalWriter.create(tmp_path / "other", key=KEY + 1, segment_records=5)
    write_notes(other, 1, 12)
    theirs = segment(tmp_path / "other", 2).read_bytes()
    for content, expected in (
        (theirs, "of another session"),
        (segment(tmp_path / "s").read_bytes(), "begins with record 1"),
    ):
        segment(tmp_path / "s", 2).write_bytes(content)
        rows, end = read_all(tmp_path / "s")
        assert len(rows) == 5
        assert end.what == DAMAGE
        assert expected in end.text


def test_damage_names_segment_record_and_what_stands_behind(tmp_path: Path) -> None:
    notes_written(tmp_path / "s", 12)
    flip(segment(tmp_path / "s", 2), record_at(2) + 100)
    with pytest.raises(JournalError) as caught:
        JournalWriter.open(tmp_path / "s")
    assert f"{segment(tmp_path / 's', 2)}: record 8 is damaged, and 4 sound ones stand behind it: " in str(caught.value)
    remedy = (
        f"restore the file from a copy, or keep the 7 sound records (myquant journal cut {tmp_path / 's'} --after 7)"
    )
    assert str(caught.value).endswith(remedy)
    assert read_all(tmp_path / "s")[1].last == 7


def test_blocks_outlive_their_reader(tmp_path: Path) -> None:
    notes_written(tmp_path / "s", 12)
    blocks = [*JournalReader(tmp_path / "s").blocks()]
    assert np.concatenate(blocks)[:, NUMBER].tolist() == [*range(1, 13)]
