"""Reading a log while it is written, renamed, packed and removed: each line once, in order, and on from where it was left."""

import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from myquant.monitor.log_reader import BEGINNING, LogPlace, LogReader
from myquant.session.log import SessionLog, open_log
from myquant.session.log_files import Bounds, earlier_files, pack, remove_old

ROOMY = Bounds(1000, 2**20, is_daily=False)
TIME_NS = 1_795_000_000_000_000_000


class Written:
    """A log whose lines are numbered; a file has some ten of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0
        self.log: SessionLog = open_log(folder, str, session="s", clock=self.now, bounds=ROOMY, stderr=io.StringIO())

    def now(self) -> int:
        return TIME_NS + self.count * 1_000_000

    def write(self, count: int) -> None:
        for _ in range(count):
            self.log.info("line", number=self.count)
            self.count += 1


class Readers:
    """Makes readers, and closes them at the end."""

    def __init__(self) -> None:
        self.made: list[LogReader] = []

    def __call__(self, *given: Any) -> LogReader:
        self.made.append(LogReader(*given))
        return self.made[-1]


@pytest.fixture
def readers() -> Iterator[Readers]:
    readers = Readers()
    yield readers
    for reader in readers.made:
        reader.close()


def numbers(reader: LogReader) -> list[int]:
    return [json.loads(line)["number"] for line in reader.lines()]


def test_all_files_are_read_in_order_packed_or_not(readers: Readers, tmp_path: Path) -> None:
    written = Written(tmp_path)
    written.write(60)
    pack(tmp_path)
    written.write(60)
    assert {path.suffix for path in earlier_files(tmp_path)} == {".gz", ".jsonl"}
    reader = readers(tmp_path)
    assert numbers(reader) == list(range(120))
    assert numbers(reader) == []
    assert (reader.gaps, reader.unread_bytes) == (0, 0)


@pytest.mark.parametrize("step", [1, 7, 10, 45])
@pytest.mark.parametrize("packs", [False, True])
def test_it_follows_what_is_written_and_renamed(readers: Readers, tmp_path: Path, step: int, packs: bool) -> None:
    reader, written, found = readers(tmp_path), Written(tmp_path), []
    assert numbers(reader) == []
    while written.count < 200:
        written.write(step)
        if packs:
            pack(tmp_path)
        found += numbers(reader)
    assert found == list(range(written.count))
    assert reader.gaps == 0


@pytest.mark.parametrize("packs", [False, True])
def test_it_goes_on_from_a_place_however_files_were_renamed_meanwhile(
    readers: Readers, tmp_path: Path, packs: bool
) -> None:
    written, place = Written(tmp_path), BEGINNING
    found: list[int] = []
    while written.count < 200:
        written.write(13)
        reader = readers(tmp_path, place)
        lines = reader.lines()
        found += [json.loads(next(lines))["number"] for _ in range(min(11, written.count - len(found)))]
        place = LogPlace(*reader.place)
        reader.close()
        if packs:
            pack(tmp_path)
    assert (reader.gaps, reader.unread_bytes > 0) == (0, True)
    found += numbers(readers(tmp_path, place))
    assert found == list(range(written.count))


def test_half_a_line_is_waited_for(readers: Readers, tmp_path: Path) -> None:
    reader, path = readers(tmp_path), tmp_path / "log.jsonl"
    path.write_bytes(b'{"number": 0}\n{"num')
    assert numbers(reader) == [0]
    place = reader.place
    with path.open("ab") as file:
        file.write(b'ber": 1}\n')
    assert numbers(reader) == [1]
    assert numbers(readers(tmp_path, place)) == [1]


def test_half_a_line_of_a_file_that_is_done_is_a_line(readers: Readers, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"number": 0}\n{"num')
    reader = readers(tmp_path)
    assert list(reader.lines()) == [b'{"number": 0}']
    path.rename(tmp_path / "log-2026-11-23.1.jsonl")
    path.write_bytes(b'{"number": 2}\n')
    assert list(reader.lines()) == [b'{"num', b'{"number": 2}']


def test_files_that_are_gone_are_a_gap_and_the_rest_is_read(readers: Readers, tmp_path: Path) -> None:
    written = Written(tmp_path)
    written.write(5)
    reader = readers(tmp_path)
    assert numbers(reader) == list(range(5))
    place = reader.place
    reader.close()
    written.write(100)
    remove_old(tmp_path, Bounds(1000, 4000, is_daily=False))
    again = readers(tmp_path, place)
    found = numbers(again)
    assert found == list(range(found[0], 105))
    assert found[0] > 5
    assert again.gaps == 1


def test_a_packed_file_that_is_torn_is_named_and_the_rest_is_read(readers: Readers, tmp_path: Path) -> None:
    written = Written(tmp_path)
    written.write(60)
    pack(tmp_path)
    torn = earlier_files(tmp_path)[1]
    torn.write_bytes(torn.read_bytes()[:-30])
    reader = readers(tmp_path)
    found = numbers_of_whole_lines(reader)
    assert reader.damaged == [torn]
    assert (found[0], found[-1]) == (0, 59)
    assert found == sorted(set(found))
    assert zlib.crc32(torn.read_bytes())  # it is left as it is


def numbers_of_whole_lines(reader: LogReader) -> list[int]:
    return [json.loads(line)["number"] for line in reader.lines() if line.endswith(b"}")]


def test_a_folder_without_a_log_has_no_lines(readers: Readers, tmp_path: Path) -> None:
    assert list(readers(tmp_path / "none").lines()) == []
    (tmp_path / "file").touch()
    assert list(readers(tmp_path / "file").lines()) == []
    assert list(readers(tmp_path).lines()) == []
