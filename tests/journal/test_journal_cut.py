"""Cutting a damaged journal: the sound records go on, and what is cut off is kept."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from journal.journal_faults import Crash, FaultyDisk
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
from myquant.errors import ConfigError, JournalError
from myquant.journal.cut import cut
from myquant.journal.scan import DAMAGE, NOTHING
from myquant.journal.writer import JournalWriter


def damaged_in_the_middle(folder: Path) -> None:
    flip(segment(folder, 2), record_at(2) + 7)


def lost_a_page(folder: Path) -> None:
    with segment(folder, 2).open("r+b") as file:
        file.seek(record_at(2))
        file.write(bytes(3 * 192))


def truncated(folder: Path) -> None:
    os.truncate(segment(folder, 2), record_at(2))


def damaged_at_its_end(folder: Path) -> None:
    flip(segment(folder, 2), 5)


def missing(folder: Path) -> None:
    segment(folder, 2).unlink()


def damaged_at_once(folder: Path) -> None:
    flip(segment(folder, 1), record_at(0))


DAMAGES = [
    (damaged_in_the_middle, 7),
    (lost_a_page, 7),
    (truncated, 7),
    (damaged_at_its_end, 5),
    (missing, 5),
    (damaged_at_once, 0),
]


def assert_goes_on(folder: Path, last: int) -> None:
    writer = JournalWriter.open(folder, disk=QUICK)
    write_notes(writer, last + 1, 14)
    writer.close()
    rows, end = read_all(folder)
    assert codes_of(rows) == [*range(1, 15)]
    assert end.what == NOTHING


@pytest.mark.parametrize(("harm", "last"), DAMAGES)
def test_the_sound_records_go_on_and_the_rest_is_kept(tmp_path: Path, harm: Callable[[Path], None], last: int) -> None:
    folder = tmp_path / "s"
    notes_written(folder, 12)
    harm(folder)
    before = {path.name: path.read_bytes() for path in segment(folder).parent.glob("*.seg")}
    done = cut(folder, last, QUICK)
    assert done == (last, segment(folder).parent / f"cut-{last + 1}")
    rows, end = read_all(folder)
    assert (codes_of(rows), end.what) == ([*range(1, last + 1)], NOTHING)
    kept = {path.name: path.read_bytes() for path in done.kept.iterdir()}
    untouched = {path.name: path.read_bytes() for path in segment(folder).parent.glob("*.seg") if path.name not in kept}
    assert before == kept | untouched
    assert_goes_on(folder, last)


def test_what_is_cut_must_be_named_rightly(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    notes_written(folder, 12)
    with pytest.raises(ConfigError, match="sound up to its end, record 12: there is nothing to cut"):
        cut(folder, 12)
    damaged_in_the_middle(folder)
    for after in (6, 8):
        with pytest.raises(ConfigError, match=f"its sound records end with 7, not {after}: record 8 is damaged"):
            cut(folder, after)
    assert read_all(folder)[1].what == DAMAGE
    writer = create(tmp_path / "at work")
    with pytest.raises(JournalError, match="writes this journal"):
        cut(tmp_path / "at work", 0)
    writer.close()


def test_a_second_cut_at_the_same_record_keeps_both(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    notes_written(folder, 12)
    for name in ("cut-8", "cut-8-2"):
        damaged_in_the_middle(folder)
        assert cut(folder, 7, QUICK).kept.name == name
        writer = JournalWriter.open(folder, disk=QUICK)
        write_notes(writer, 8, 12)
        writer.close()


@pytest.mark.parametrize("fault", ["crash before", "crash after", 5])
@pytest.mark.parametrize(("harm", "last"), [(lost_a_page, 7), (damaged_at_its_end, 5)])
def test_an_interrupted_cut_loses_nothing_sound(
    tmp_path: Path, harm: Callable[[Path], None], last: int, fault: int | str
) -> None:
    def prepared(name: str) -> Path:
        notes_written(tmp_path / name, 12)
        harm(tmp_path / name)
        return tmp_path / name

    disk = FaultyDisk()
    cut(prepared("whole"), last, disk)
    assert len(disk.calls) > 20
    for at in range(1, len(disk.calls)):
        folder = prepared(str(at))
        failing = FaultyDisk(at, fault)  # type: ignore[arg-type]
        try:
            cut(folder, last, failing)
        except (Crash, JournalError):
            failing.die()
        rows, end = read_all(folder)
        assert (at, codes_of(rows)) == (at, [*range(1, last + 1)])
        if end.what == DAMAGE:
            cut(folder, last, QUICK)
        assert_goes_on(folder, last)
