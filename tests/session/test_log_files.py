"""The files of a log: a new one when it is full or a day is over, packed, bounded, and no line lost whatever happens."""

import fcntl
import gzip
import io
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pytest

from myquant.config.loading import load_config
from myquant.session import log_files
from myquant.session.log import SessionLog, open_log
from myquant.session.log_file import LogFile
from myquant.session.log_files import MIB, Bounds, bounds_of, earlier_files, is_packing, pack, start_packing
from session.async_logs import until

INDIA = ZoneInfo("Asia/Kolkata")
SECOND_NS = 10**9
MORNING_NS = int(datetime(2026, 11, 23, 9, 15, tzinfo=INDIA).timestamp()) * SECOND_NS


class Clock:
    now_ns = MORNING_NS

    def __call__(self) -> int:
        self.now_ns += 1_000_000
        return self.now_ns

    def set(self, day: int, hour: int, minute: int = 0) -> None:
        self.now_ns = int(datetime(2026, 11, day, hour, minute, tzinfo=INDIA).timestamp()) * SECOND_NS


def opened(
    folder: Path, clock: Clock, file_bytes: int, total_bytes: int = 4 * MIB, *, is_daily: bool = True
) -> SessionLog:
    bounds = Bounds(file_bytes, total_bytes, is_daily)
    return open_log(folder, str, session="s", clock=clock, bounds=bounds, zone=INDIA, stderr=io.StringIO())


def lines(path: Path) -> list[dict[str, Any]]:
    content = path.read_bytes()
    return [json.loads(line) for line in (gzip.decompress(content) if path.suffix == ".gz" else content).splitlines()]


def numbers(folder: Path) -> list[int]:
    files = [*earlier_files(folder), folder / "log.jsonl"]
    return [line["number"] for path in files for line in lines(path) if "number" in line]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_bounds_are_as_configured() -> None:
    settings = load_config().config.logs
    assert bounds_of(settings) == Bounds(16 * MIB, 256 * MIB, is_daily=True)
    small = settings.model_copy(update={"file_mib": 100, "total_mib": 3, "daily": False})
    assert bounds_of(small) == Bounds(3 * MIB // 2, 3 * MIB, is_daily=False)  # two fit at least


def test_a_full_file_is_kept_by_the_day_of_its_first_line(tmp_path: Path) -> None:
    clock = Clock()
    log = opened(tmp_path, clock, 1000)
    for number in range(100):
        log.info("line", number=number)
    log.close()
    found = names(tmp_path)
    assert found[:2] == ["log-2026-11-23.1.jsonl", "log-2026-11-23.10.jsonl"]
    assert found[-1] == "log.jsonl"
    assert max((tmp_path / name).stat().st_size for name in found) <= 1000
    assert numbers(tmp_path) == list(range(100))
    assert log.lost == 0


@pytest.mark.parametrize("restarts", [False, True])
def test_the_first_line_of_a_new_day_begins_a_file(tmp_path: Path, restarts: bool) -> None:
    clock = Clock()
    log = opened(tmp_path, clock, MIB)
    clock.set(23, 23, 59)
    log.info("late", number=0)
    if restarts:
        log.close()
        log = opened(tmp_path, clock, MIB)
    clock.set(24, 0)
    log.info("early", number=1)
    clock.set(24, 23, 59)
    log.info("the same day", number=2)
    clock.set(23, 12)
    log.info("the clock was set back", number=3)
    clock.set(26, 9)
    log.info("two days later", number=4)
    log.close()
    assert names(tmp_path) == ["log-2026-11-23.1.jsonl", "log-2026-11-24.1.jsonl", "log.jsonl"]
    assert numbers(tmp_path) == [0, 1, 2, 3, 4]


def test_without_daily_files_a_day_begins_none(tmp_path: Path) -> None:
    clock = Clock()
    log = opened(tmp_path, clock, MIB, is_daily=False)
    for day in (23, 24, 25):
        clock.set(day, 10)
        log.info("line", number=day)
    log.close()
    assert names(tmp_path) == ["log.jsonl"]


def test_a_new_day_without_room_for_a_file_goes_on_in_the_old_one(tmp_path: Path) -> None:
    clock = Clock()
    log = opened(tmp_path, clock, MIB)
    log.info("line", number=0)
    (tmp_path / "log.jsonl.new").mkdir()
    clock.set(24, 10)
    log.info("line", number=1)
    assert (numbers(tmp_path), log.lost) == ([0, 1], 0)
    (tmp_path / "log.jsonl.new").rmdir()
    log.info("line", number=2)
    log.close()
    assert names(tmp_path) == ["log-2026-11-23.1.jsonl", "log.jsonl"]
    assert numbers(tmp_path) == [0, 1, 2]


def test_the_oldest_go_first_and_that_is_told(tmp_path: Path) -> None:
    log = opened(tmp_path, Clock(), 1000, 4000)
    for number in range(100):
        log.info("line", number=number)
    log.close()
    found = numbers(tmp_path)
    assert found == list(range(found[0], 100))
    assert found[0] > 0
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 4000
    told = [
        line for path in [*earlier_files(tmp_path), tmp_path / "log.jsonl"] for line in lines(path) if "files" in line
    ]
    assert {line["event"] for line in told} == {"old log files removed"}
    assert {line["files"] for line in told} == {1}


def test_where_another_process_has_begun_a_new_file_it_goes_on_in_that(tmp_path: Path) -> None:
    clock = Clock()
    log, other = opened(tmp_path, clock, 350), opened(tmp_path, clock, 350)
    for number in range(3):  # there is no room for a fourth
        log.info("line", number=number)
    other.info("line", number=3)
    log.info("line", number=4)
    assert names(tmp_path) == ["log-2026-11-23.1.jsonl", "log.jsonl"]
    assert numbers(tmp_path) == [0, 1, 2, 3, 4]
    (tmp_path / "log.jsonl").unlink()
    for number in range(5, 8):
        log.info("line", number=number)
    assert (numbers(tmp_path)[-1], log.lost, other.lost) == (7, 0, 0)
    log.close()
    other.close()


@pytest.fixture
def rotated(tmp_path: Path) -> Path:
    """Return a folder with several files of a log that nobody writes to."""
    log = opened(tmp_path, Clock(), 1000)
    for number in range(30):
        log.info("line", number=number)
    log.close()
    return tmp_path


@pytest.mark.parametrize("befalls", [Path.unlink, lambda path: path.rename(path.with_name("taken"))])
def test_a_log_that_follows_its_name_goes_on_in_a_new_file(tmp_path: Path, befalls: Any) -> None:
    log = opened(tmp_path, Clock(), MIB)
    log.info("line", number=0)
    assert not log.follow()
    befalls(tmp_path / "log.jsonl")
    assert log.follow()
    assert not log.follow()
    log.info("line", number=1)
    (tmp_path / "log.jsonl").rename(tmp_path / "aside")
    (tmp_path / "log.jsonl").mkdir()
    assert not log.follow()  # none can be opened: the one before goes on
    log.info("line", number=2)
    log.close()
    assert not log.follow()
    assert [line["number"] for line in lines(tmp_path / "aside")] == [1, 2]


def test_packing_loses_no_line_and_keeps_the_order(rotated: Path) -> None:
    before, times = numbers(rotated), {path.name: path.stat().st_mtime_ns for path in earlier_files(rotated)}
    done = pack(rotated)
    assert (done.files, done.failures) == (len(times), ())
    assert 0 < done.after_bytes < done.before_bytes
    assert {path.name: path.stat().st_mtime_ns for path in earlier_files(rotated)} == {
        f"{n}.gz": t for n, t in times.items()
    }
    assert numbers(rotated) == before == list(range(30))
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in rotated.iterdir())
    assert pack(rotated).files == 0
    log = opened(rotated, Clock(), 1000)
    for number in range(30, 60):
        log.info("line", number=number)
    log.close()
    assert numbers(rotated) == list(range(60))  # new names come behind the packed ones


def test_a_file_that_somebody_writes_to_is_left_alone(rotated: Path) -> None:
    oldest = earlier_files(rotated)[0]
    writer = os.open(oldest, os.O_APPEND | os.O_WRONLY)
    fcntl.flock(writer, fcntl.LOCK_SH)
    count = len(earlier_files(rotated))
    assert pack(rotated).files == count - 1
    assert earlier_files(rotated)[0] == oldest
    os.close(writer)
    assert pack(rotated).files == 1


def test_a_writer_never_gets_a_file_that_is_being_packed(tmp_path: Path) -> None:
    """Between opening `log.jsonl` and locking it another process may rename it, and a packer take it."""
    file = LogFile(tmp_path, Bounds(MIB, 2 * MIB, is_daily=False), INDIA, os.write)
    file.append(MORNING_NS, b"first\n")
    file.close()
    packer = os.open(tmp_path / "log.jsonl", os.O_RDONLY)
    flock, tries = fcntl.flock, []

    def renamed_meanwhile(file: int, how: int) -> None:
        tries.append(how)
        if len(tries) == 1:
            (tmp_path / "log.jsonl").rename(tmp_path / "log-2026-11-23.1.jsonl")
            flock(packer, fcntl.LOCK_EX)
        flock(file, how)

    with patch.object(fcntl, "flock", renamed_meanwhile):
        file = LogFile(tmp_path, Bounds(MIB, 2 * MIB, is_daily=False), INDIA, os.write)
    file.append(MORNING_NS, b"second\n")
    file.close()
    os.close(packer)
    assert len(tries) == 2
    assert (tmp_path / "log-2026-11-23.1.jsonl").read_text() == "first\n"
    assert (tmp_path / "log.jsonl").read_text() == "second\n"


class Killed(BaseException):
    """Stands for the end of the process."""


STEPS = ((os, "fsync"), (os, "utime"), (Path, "replace"), (Path, "unlink"))


@pytest.mark.parametrize(("where", "step"), STEPS)
@pytest.mark.parametrize("comes", [1, 2])
def test_a_packer_killed_at_any_step_loses_nothing(rotated: Path, where: Any, step: str, comes: int) -> None:
    calls, real = [], getattr(where, step)

    def kill(*given: Any, **named: Any) -> Any:
        calls.append(step)
        if len(calls) == comes:
            raise Killed
        return real(*given, **named)

    with patch.object(where, step, kill), pytest.raises(Killed):
        pack(rotated)
    assert numbers(rotated) == list(range(30))
    assert pack(rotated).failures == ()
    assert numbers(rotated) == list(range(30))
    assert all(path.suffix == ".gz" for path in earlier_files(rotated))
    assert not list(rotated.glob("*.part"))


def test_what_a_killed_packer_left_of_a_file_that_is_gone_is_removed(rotated: Path) -> None:
    oldest = earlier_files(rotated)[0]
    oldest.with_name(f"{oldest.name}.gz.part").write_bytes(b"torn")
    oldest.unlink()
    pack(rotated)
    assert not list(rotated.glob("*.part"))


def test_two_packers_at_once_do_no_harm(rotated: Path) -> None:
    count, done = len(earlier_files(rotated)), []
    threads = [threading.Thread(target=lambda: done.append(pack(rotated))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(each.files for each in done) == count
    assert all(each.failures == () for each in done)
    assert numbers(rotated) == list(range(30))


def test_a_process_of_its_own_packs_at_idle_priority(rotated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYQUANT_ANGELONE_PIN", "4321")
    assert start_packing(rotated)
    environ = Path(f"/proc/{log_files._PACKERS[-1].pid}/environ").read_bytes()
    until(lambda: not is_packing())
    assert b"4321" not in environ
    assert all(path.suffix == ".gz" for path in earlier_files(rotated))
    assert numbers(rotated) == list(range(30))
    assert not start_packing(rotated)  # there is nothing left
    assert not start_packing(rotated / "none")


def test_the_packer_says_what_it_could_not_pack(rotated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    oldest = earlier_files(rotated)[0]
    oldest.with_name(f"{oldest.name}.gz.part").mkdir()
    with patch.object(os, "nice"), patch.object(os, "sched_setscheduler"):
        assert log_files.main(str(rotated)) == 1
    assert capsys.readouterr().err == f"a log file can't be packed: {oldest}: Is a directory\n"
    assert numbers(rotated) == list(range(30))


def test_a_packer_killed_by_the_system_leaves_what_the_next_one_finishes(tmp_path: Path) -> None:
    with (tmp_path / "log-2026-11-23.1.jsonl").open("wb") as file:
        for _ in range(24):
            file.write(os.urandom(MIB))
    size = (tmp_path / "log-2026-11-23.1.jsonl").stat().st_size
    command = (sys.executable, "-P", "-m", "myquant.session.log_files", str(tmp_path))
    packer = subprocess.Popen(command)
    until(lambda: bool(list(tmp_path.glob("*.part"))) or packer.poll() is not None)
    packer.send_signal(signal.SIGKILL)
    assert packer.wait() == -signal.SIGKILL
    assert names(tmp_path) == ["log-2026-11-23.1.jsonl", "log-2026-11-23.1.jsonl.gz.part"]
    with gzip.open(pack_again(tmp_path)) as packed:
        assert sum(len(part) for part in iter(lambda: packed.read(MIB), b"")) == size


def pack_again(folder: Path) -> Path:
    assert pack(folder).files == 1
    (path,) = folder.iterdir()
    return path
