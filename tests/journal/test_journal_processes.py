"""Other processes: one that is killed while it writes, one that is read while it writes, one that holds the lock."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from journal import journal_child
from journal.journal_samples import QUICK, create, read_all
from myquant.errors import JournalError
from myquant.journal.reader import JournalReader
from myquant.journal.record import BODY, NUMBER
from myquant.journal.rows import RECORDS
from myquant.journal.scan import NOTHING, TORN
from myquant.journal.segment import Rows
from myquant.journal.writer import JournalWriter, has_journal

ENDLESS = 10**9
PATIENCE_S = 60


@contextmanager
def child(folder: Path, last: int) -> Iterator["subprocess.Popen[str]"]:
    tests = str(Path(__file__).resolve().parents[1])
    command = [sys.executable, journal_child.__file__, str(folder), str(last)]
    environment = os.environ | {"PYTHONPATH": tests}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def reader_of(folder: Path, process: "subprocess.Popen[str]") -> JournalReader:
    """Return a reader as soon as the other process has begun the journal."""
    while not has_journal(folder):
        assert process.poll() is None
    return JournalReader(folder)


def assert_whole(rows: Rows, first: int) -> None:
    numbers = np.arange(first, first + len(rows))
    np.testing.assert_array_equal(rows[:, NUMBER], numbers)
    np.testing.assert_array_equal(rows[:, BODY:], np.repeat(numbers, 21).reshape(-1, 21))


def test_a_killed_writer_leaves_whole_records_and_the_next_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    last = 0
    for more in (1, 2_500):
        with child(folder, ENDLESS) as process:
            reader = reader_of(folder, process)
            reader.next = last + 1
            while (first := reader.next) <= last + more:
                assert_whole(reader.poll(), first)
            seen = reader.next - 1
            process.send_signal(signal.SIGKILL)
            process.wait(PATIENCE_S)
        rows, end = read_all(folder)
        assert_whole(rows, 1)
        assert end.last >= seen >= last + more
        assert end.what in {NOTHING, TORN}
        last = end.last
    writer = JournalWriter.open(folder, disk=QUICK)
    assert writer.cursor[RECORDS] == last
    writer.append_words(1, journal_child.bodies(last + 1), 0, journal_child.BATCH)
    rows, end = read_all(folder)
    assert_whole(rows, 1)
    assert (end.last, end.what) == (last + journal_child.BATCH, NOTHING)


def test_a_journal_that_another_process_writes_is_followed_and_refused_until_it_dies(tmp_path: Path) -> None:
    folder, last = tmp_path / "s", 20_000
    with child(folder, last) as process:
        reader = reader_of(folder, process)
        polls = 0
        while (first := reader.next) <= last:
            assert process.poll() is None
            assert_whole(reader.poll(), first)
            polls += 1
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
        assert len(reader.poll()) == 0
        assert polls > last // journal_child.SEGMENT_RECORDS
        assert reader.end().what == NOTHING
        held = f"process {process.pid} writes this journal: stop it first, or name another folder"
        with pytest.raises(JournalError, match=held):
            JournalWriter.open(folder)
        with pytest.raises(JournalError, match=held):
            create(folder)
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE_S)
    writer = JournalWriter.open(folder)
    assert writer.cursor[RECORDS] == last
    writer.close()
