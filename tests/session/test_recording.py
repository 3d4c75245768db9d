"""Recording into a folder: exact files, whatever ends the process, and whatever the disk does."""

import errno
import json
import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq
import pytest

from myquant.core import codes
from myquant.core.records import Event
from myquant.errors import DataError, JournalError
from myquant.journal.disk import Disk
from myquant.journal.record import Input, Origin
from myquant.session import recorded_files, recording
from myquant.session.recording import Gap, Recording
from myquant.ticks.batch import InstrumentName, TickBatch, joined
from myquant.ticks.source import open_ticks

IST_NS: Final = 19_800 * 10**9
DAY_NS: Final = 86_400 * 10**9
OPEN_NS: Final = 20_364 * DAY_NS - IST_NS + 33_300 * 10**9  # 2025-10-03 09:15 in India
NAMES: Final = (InstrumentName("NIFTY07OCT2524900CE", "NFO"), InstrumentName("NIFTY07OCT2525000CE", "NFO"))
TODAY: Final = date(2025, 10, 3)


def tick(number: int, *, time_ns: int | None = None, who: int | None = None) -> Input:
    """Return a tick of its own kind."""
    time_ns = OPEN_NS + number * 10**8 if time_ns is None else time_ns
    price = 20_005 + 5 * (number % 91)
    who = number % 2 if who is None else who
    event = Event(codes.TICK, who, 0, time_ns, time_ns + 777, price, 75, price - 5, price + 5, 0, 0, 0, 0)
    return Input(event, Origin(0, 0, 75 * number, time_ns // 10**9 * 10**9, number, 1, 10 * number, 0))


def words_of(one: Input) -> np.ndarray[Any, Any]:
    return np.array([[*one.event, *one.origin]], np.int64)


def opened(folder: Path, disk: Disk | None = None, **options: Any) -> Recording:
    found = Recording(folder, IST_NS, disk or Disk(), **options)
    found.begin(NAMES)
    return found


def record(into: Recording, numbers: Sequence[int]) -> None:
    for number in numbers:
        into.append(words_of(tick(number)))


def packets(folder: Path, on: date = TODAY) -> list[int]:
    """Return the packets' numbers of a day's file, in its order."""
    found: list[int] = pq.read_table(folder / f"{on}.parquet")["packet"].to_pylist()
    return found


def read(path: Path) -> TickBatch:
    return joined(list(open_ticks(path, time_zone="Asia/Kolkata", symbol="NIFTY").batches()))


def test_a_day_reads_back_exactly(tmp_path: Path) -> None:
    into = opened(tmp_path)
    record(into, range(1, 500))
    assert into.finish() is None
    into.close()
    path = tmp_path / "2025-10-03.parquet"
    assert not (tmp_path / "2025-10-03").exists()
    ticks = read(path)
    expected = [tick(number).event for number in range(1, 500)]
    for name, field in (("time_ns", "time_ns"), ("price", "price"), ("volume", "volume"), ("receive_ns", "receive_ns")):
        assert getattr(ticks, name).tolist() == [getattr(event, field) for event in expected]
    assert ticks.bid.tolist() == [event.bid for event in expected]
    assert ticks.ask.tolist() == [event.ask for event in expected]
    source = open_ticks(path, time_zone="Asia/Kolkata", symbol="NIFTY")
    assert source.instruments == (NAMES[1], NAMES[0])
    assert ticks.instrument.tolist() == [1 - event.instrument for event in expected]
    table = pq.read_table(path)
    assert table["open_interest"].to_pylist() == [10 * number for number in range(1, 500)]
    assert table["total_volume"].to_pylist() == [75 * number for number in range(1, 500)]


def test_parts_are_readable_while_the_day_goes_on(tmp_path: Path) -> None:
    into = opened(tmp_path)
    record(into, range(1, 11))
    assert into.write() is None
    record(into, range(11, 21))
    assert into.waiting == 10
    assert into.write() is None
    parts = recorded_files.parts_of(tmp_path, TODAY)
    assert len(parts) == 1  # the growing one was written again
    assert read(parts[0]).time_ns.tolist() == [tick(number).event.time_ns for number in range(1, 21)]
    into.close()


def test_ticks_of_several_blocks_are_sorted_and_equal_times_stay_as_they_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "ROWS", 16)
    monkeypatch.setattr(recorded_files, "ROW_GROUP_ROWS", 50)
    rng = np.random.default_rng(4)
    times = OPEN_NS + 10**9 * (np.arange(400) // 3) - 10**9 * rng.integers(0, 12, 400)
    into = opened(tmp_path)
    for number, time_ns in enumerate(times.tolist()):
        into.append(words_of(tick(number, time_ns=time_ns)))
        if number % 7 == 0:
            assert into.write() is None
        if number == 250:  # a stop in mid day
            assert into.finish() is None
            into.close()
            into = opened(tmp_path)
    assert into.finish() is None
    assert packets(tmp_path) == np.argsort(times, kind="stable").tolist()
    assert pq.ParquetFile(tmp_path / "2025-10-03.parquet").metadata.num_row_groups > 2
    into.close()


def test_a_tick_goes_to_the_day_of_its_exchange_time(tmp_path: Path) -> None:
    into = opened(tmp_path)
    record(into, range(1, 6))
    for number in range(6, 9):
        into.append(words_of(tick(number, time_ns=OPEN_NS + 3 * DAY_NS + number)))
    assert into.finish() is None
    into.append(words_of(tick(9, time_ns=OPEN_NS)))  # late
    assert into.finish() is None
    assert packets(tmp_path) == [9, 1, 2, 3, 4, 5]
    assert packets(tmp_path, date(2025, 10, 6)) == [6, 7, 8]
    into.close()


def test_the_last_ticks_are_known_after_a_restart(tmp_path: Path) -> None:
    into = opened(tmp_path)
    record(into, range(1, 50))
    assert into.finish() is None
    into.append(words_of(tick(51)))
    assert into.write() is None
    last = into.last_inputs((*NAMES[::-1], InstrumentName("NIFTY07OCT2525100CE", "NFO")))
    assert sorted(last) == [0, 1]
    for number, packet in ((0, 51), (1, 48)):
        known, found = tick(packet, who=number), last[number]
        assert found.event == known.event
        assert found.origin == known.origin._replace(connection=0)
    into.close()


class Killed(BaseException):
    """The process is gone."""


class Quick(Disk):
    """A disk that nothing is waited for."""

    def sync(self, descriptor: int) -> None:
        pass


class Mortal(Quick):
    """A disk whose process is killed before one of its calls, which is behind the one before."""

    def __init__(self, calls: int) -> None:
        self.calls = calls
        self._open: set[int] = set()

    def __getattribute__(self, name: str) -> Any:
        found = object.__getattribute__(self, name)
        if name.startswith("_") or name in {"calls", "bury"}:
            return found

        def call(*arguments: Any) -> Any:
            self.calls -= 1
            if self.calls <= 0:
                raise Killed
            result = found(*arguments)
            if name.startswith(("open", "create")):
                self._open.add(result)
            if name == "close":
                self._open.remove(arguments[0])
            return result

        return call

    def bury(self) -> None:
        """Give back what the kernel would."""
        for descriptor in self._open:
            os.close(descriptor)


def life(folder: Path, disk: Disk, safe: list[int]) -> None:
    """Record 10 ticks, with a stop in the middle; `safe` is told how many are on disk for sure."""
    for first in (1, 6):
        into = opened(folder, disk)
        for number in range(first, first + 5):
            into.append(words_of(tick(number)))
            if number % 2 == 0:
                assert into.write() is None
                safe[0] = number
        assert into.finish() is None
        into.close()


def test_no_kill_loses_or_doubles_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "ROWS", 3)
    calls, is_alive = 0, False
    while not is_alive:
        calls += 1
        folder, safe, disk = tmp_path / f"{calls}", [0], Mortal(calls)
        try:
            life(folder, disk, safe)
            is_alive = True
        except Killed:
            disk.bury()
        into = opened(folder, Quick())
        record(into, [100])
        assert into.finish() is None
        into.close()
        found = packets(folder)
        assert found[-1] == 100
        assert found[:-1] == list(range(1, len(found)))
        assert len(found) - 1 >= safe[0]
        assert sorted(path.name for path in folder.iterdir()) == [".lock", "2025-10-03.parquet"]
    assert calls > 80


class Full(Disk):
    """A disk that takes no content while it is full; a write takes half of it first."""

    full = False

    def write(self, descriptor: int, content: bytes | memoryview, offset: int) -> int:
        if self.full:
            super().write(descriptor, content[: len(content) // 2], offset)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(descriptor, content, offset)


def test_a_full_disk_is_waited_for_and_what_has_no_room_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "ROWS", 8)
    disk = Full()
    into = opened(tmp_path, disk, blocks_max=4)
    record(into, range(1, 6))
    assert into.write() is None
    into.add_gap(Gap(OPEN_NS, OPEN_NS + 10**9, OPEN_NS, OPEN_NS + 10**9, "no packet for 3.0 s"))
    disk.full = True
    record(into, range(6, 41))
    error = into.write()
    assert isinstance(error, JournalError)
    assert "No space left on device): free the disk" in str(error)
    assert isinstance(into.finish(), JournalError)
    assert (into.ticks, into.waiting, into.dropped) == (40, 27, 8)
    disk.full = False
    record(into, [41])  # still no room: nothing was written since
    assert into.finish() is None
    assert (into.waiting, into.dropped) == (0, 9)
    assert packets(tmp_path) == list(range(1, 33))
    gaps = [json.loads(line) for line in (tmp_path / "gaps.jsonl").read_text().splitlines()]
    assert [gap["reason"] for gap in gaps] == ["no packet for 3.0 s", "the disk took nothing: 9 ticks dropped"]
    assert gaps[0]["from"] == "2025-10-03T03:45:00.000000000Z"
    assert gaps[1]["exchange_from"] == "2025-10-03T03:45:03.300000000Z"
    record(into, [42])
    assert into.finish() is None
    assert packets(tmp_path)[-1] == 42
    into.close()


def test_a_full_disk_leaves_a_days_parts_where_they_are(tmp_path: Path) -> None:
    disk = Full()
    into = opened(tmp_path, disk)
    record(into, range(1, 6))
    assert into.write() is None
    disk.full = True
    assert isinstance(into.finish(), JournalError)
    assert not (tmp_path / "2025-10-03.parquet").exists()
    disk.full = False
    assert into.finish() is None
    assert packets(tmp_path) == [1, 2, 3, 4, 5]
    into.close()


def test_a_second_recorder_is_refused(tmp_path: Path) -> None:
    into = opened(tmp_path)
    with pytest.raises(JournalError, match=f"process {os.getpid()} records into it: stop it first"):
        opened(tmp_path)
    into.close()
    opened(tmp_path).close()


def test_a_file_of_somebody_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "2025-10-03.parquet").write_bytes(b"PAR1 and so on")
    with pytest.raises(DataError, match=r"2025-10-03.parquet: can't be read .*: move it elsewhere"):
        opened(tmp_path)
    assert (tmp_path / "2025-10-03.parquet").read_bytes() == b"PAR1 and so on"
    (tmp_path / "2025-10-03.parquet").unlink()
    opened(tmp_path).close()  # and the folder is free again


def test_a_folder_that_can_not_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="file: can't be made"):
        opened(tmp_path / "file")
