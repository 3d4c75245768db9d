"""Every byte of a journal flipped, every length cut: what is sound comes back, and the rest is told."""

import os
from pathlib import Path

import numpy as np
import pytest

from journal.journal_samples import (
    QUICK,
    codes_of,
    create,
    flip,
    notes_written,
    read_all,
    record_at,
    segment,
    write_notes,
)
from myquant.errors import JournalError
from myquant.journal.scan import DAMAGE, TORN
from myquant.journal.segment import HEADER_BYTES, Rows
from myquant.journal.writer import JournalWriter

RECORDS = 3
SEGMENT_RECORDS = 5
FILE_BYTES = record_at(SEGMENT_RECORDS)


def found(folder: Path, whole: Rows) -> tuple[int, str]:
    """Return how many records are sound, which must be the first ones, and what stands behind them."""
    try:
        rows, end = read_all(folder)
    except JournalError:
        return 0, "refused"
    np.testing.assert_array_equal(rows, whole[: len(rows)])
    assert end.last == len(rows)
    return len(rows), end.what


def expected(at: int) -> tuple[int, str]:
    """Return what a changed byte at this place of the first segment leaves."""
    if at < HEADER_BYTES:
        return 0, "refused"
    row = (at - HEADER_BYTES) // 192
    if row < RECORDS - 1:
        return row, DAMAGE
    return (row, TORN) if row < RECORDS else (RECORDS, TORN if row == RECORDS else DAMAGE)


@pytest.mark.parametrize("mask", [0x01, 0xFF])
def test_every_byte_of_a_segment_counts(tmp_path: Path, mask: int) -> None:
    folder = tmp_path / "s"
    notes_written(folder, RECORDS)
    whole, _ = read_all(folder)
    assert segment(folder).stat().st_size == FILE_BYTES
    step = 1 if mask == 0xFF else 31
    for at in [*range(0, HEADER_BYTES, step), *range(HEADER_BYTES, FILE_BYTES)]:
        flip(segment(folder), at, mask)
        assert (at, found(folder, whole)) == (at, expected(at))
        flip(segment(folder), at, mask)
    assert found(folder, whole) == (RECORDS, "nothing")


def test_every_byte_of_the_reserve_counts(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    notes_written(folder, RECORDS)
    whole, _ = read_all(folder)
    for at in [*range(0, HEADER_BYTES, 13), *range(HEADER_BYTES, FILE_BYTES, 5)]:
        flip(segment(folder, 2), at)
        assert (at, found(folder, whole)) == (at, (RECORDS, DAMAGE))
        flip(segment(folder, 2), at)


def test_every_byte_of_a_later_segment_counts(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    notes_written(folder, 8)
    whole, _ = read_all(folder)
    for at in [*range(0, HEADER_BYTES, 13), *range(HEADER_BYTES, record_at(3), 5)]:
        flip(segment(folder, 2), at)
        sound = 5 if at < HEADER_BYTES else 5 + (at - HEADER_BYTES) // 192
        assert (at, found(folder, whole)) == (at, (sound, TORN if sound == 7 else DAMAGE))
        flip(segment(folder, 2), at)


def test_every_length_of_a_segment_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    notes_written(folder, RECORDS)
    whole, _ = read_all(folder)
    content = segment(folder).read_bytes()
    for length in [*range(FILE_BYTES - 1, HEADER_BYTES - 50, -1), *range(HEADER_BYTES - 50, -1, -97), 0]:
        os.truncate(segment(folder), length)
        sound = min(RECORDS, (length - HEADER_BYTES) // 192)
        told = (sound, DAMAGE) if length >= HEADER_BYTES else (0, "refused")
        assert (length, found(folder, whole)) == (length, told)
        with pytest.raises(JournalError):
            JournalWriter.open(folder, disk=QUICK)
    segment(folder).write_bytes(content + b"\0")
    assert found(folder, whole) == (RECORDS, DAMAGE)
    segment(folder).write_bytes(content)
    assert found(folder, whole) == (RECORDS, "nothing")


def test_every_length_of_a_later_segment_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    notes_written(folder, 8)
    whole, _ = read_all(folder)
    for length in [*range(FILE_BYTES - 1, HEADER_BYTES - 1, -11), *range(HEADER_BYTES, -1, -97)]:
        os.truncate(segment(folder, 2), length)
        sound = 5 + max(0, min(3, (length - HEADER_BYTES) // 192))
        assert (length, found(folder, whole)) == (length, (sound, DAMAGE))


def test_a_writer_goes_on_or_refuses_as_the_reader_tells(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    notes_written(folder, RECORDS)
    whole, _ = read_all(folder)
    content = segment(folder).read_bytes()
    for at in range(0, FILE_BYTES, 41):
        flip(segment(folder), at)
        sound, what = expected(at)
        if what == TORN:
            writer = JournalWriter.open(folder, disk=QUICK)
            assert f"record {sound + 1} is torn" in writer.torn
            write_notes(writer, sound + 1, RECORDS)
            writer.close()
            assert found(folder, whole) == (RECORDS, "nothing")
        else:
            changed = segment(folder).read_bytes()
            with pytest.raises(JournalError):
                JournalWriter.open(folder, disk=QUICK)
            assert segment(folder).read_bytes() == changed
        segment(folder).write_bytes(content)


def test_a_record_in_the_place_of_another_is_damage(tmp_path: Path) -> None:
    writer = create(tmp_path / "s")
    write_notes(writer, 1, 4)
    whole = writer.rows.copy()
    for source, target, sound in ((0, 1, 1), (2, 1, 1), (3, 0, 0), (0, 4, 4)):
        writer.rows[:] = whole
        writer.rows[target] = whole[source]
        rows, end = read_all(tmp_path / "s")
        assert codes_of(rows) == [*range(1, sound + 1)]
        assert end.what == (TORN if target == 4 else DAMAGE)


def test_words_of_any_kind_behind_the_records_are_damage(tmp_path: Path) -> None:
    writer = create(tmp_path / "s")
    write_notes(writer, 1, 2)
    random = np.random.default_rng(3)
    for _ in range(50):
        writer.rows[2:] = 0
        rows = random.choice(np.arange(2, 5), size=2, replace=False)
        writer.rows[rows, random.integers(0, 24, 2)] = random.integers(1, 2**62, 2)
        end = read_all(tmp_path / "s")[1]
        assert (end.last, end.what) == (2, DAMAGE)
