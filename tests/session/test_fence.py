"""The fence: of all engines of an account only the last that began may send."""

import errno
import os
import signal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myquant.errors import JournalError
from myquant.journal.disk import DISK, Disk
from myquant.session import fence
from myquant.session.fence import Fence, Holder, NotSyncedError, holder, read_epoch


def no_pause(_: float) -> None:
    """Wait for nothing."""


def test_the_last_that_began_holds(tmp_path: Path) -> None:
    folder = tmp_path / "angelone" / "A1"
    assert read_epoch(folder, DISK) == 0
    first = Fence.take(folder, "one", DISK)
    assert first.holds()
    second = Fence.take(folder, "two", DISK)
    assert (first.holds(), second.holds()) == (False, True)
    assert (first.epoch, second.epoch, read_epoch(folder, DISK)) == (1, 2, 2)
    assert holder(folder, DISK) == Holder(os.getpid(), "two")
    Fence.raise_epoch(folder, "three", DISK, session="/runs/two")
    assert holder(folder, DISK) == Holder(os.getpid(), "three", "/runs/two")
    first.close()
    second.close()


def test_raising_the_epoch_fences_everybody_off(tmp_path: Path) -> None:
    engine = Fence.take(tmp_path, "one", DISK)
    assert Fence.raise_epoch(tmp_path, "flatten", DISK) == 2
    assert not engine.holds()
    engine.close()
    with pytest.raises(ValueError, match="released"):
        engine.holds()


def test_another_process_fences_this_one_off(tmp_path: Path) -> None:
    engine = Fence.take(tmp_path, "one", DISK)
    child = os.fork()
    if child == 0:
        Fence.raise_epoch(tmp_path, "flatten", DISK)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert not engine.holds()
    engine.close()


def test_a_lock_of_a_dead_process_is_free(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        DISK.lock(DISK.open_or_create(tmp_path / fence.LOCK))
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert Fence.raise_epoch(tmp_path, "flatten", DISK) == 1


def test_a_lock_that_is_held_is_waited_for(tmp_path: Path) -> None:
    held = DISK.open_or_create(tmp_path / fence.LOCK)
    DISK.lock(held)
    waits: list[float] = []

    def pause(wait_s: float) -> None:
        waits.append(wait_s)
        if len(waits) == 3:
            os.close(held)

    assert Fence.raise_epoch(tmp_path, "flatten", DISK, pause) == 1
    assert len(waits) == 3


def test_a_lock_that_stays_held_is_an_error(tmp_path: Path) -> None:
    held = DISK.open_or_create(tmp_path / fence.LOCK)
    DISK.lock(held)
    with pytest.raises(JournalError, match="end that process"):
        Fence.raise_epoch(tmp_path, "flatten", DISK, no_pause)
    os.close(held)


@pytest.mark.parametrize("content", [b"", b"\0" * 8, b"1234567", b"12345678", b"\xff" * 8, b"123456789"])
def test_a_damaged_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    Fence.raise_epoch(tmp_path, "flatten", DISK)
    (tmp_path / fence.EPOCH).write_bytes(content)
    for act in (lambda: Fence.take(tmp_path, "one", DISK), lambda: read_epoch(tmp_path, DISK)):
        with pytest.raises(JournalError, match=r"fence: damaged: end every session of this account"):
            act()


@given(st.integers(1, fence.EPOCH_MAX), st.integers(0, 63))
def test_every_flipped_bit_is_seen(epoch: int, bit: int) -> None:
    word = fence.pack(epoch)
    assert fence.unpack(word) == epoch
    raw = bytearray(word.to_bytes(8, "little"))
    raw[bit // 8] ^= 1 << bit % 8
    assert fence.unpack(int.from_bytes(raw, "little", signed=True)) is None


def test_files_are_the_owners_only(tmp_path: Path) -> None:
    folder = tmp_path / "broker" / "account"
    Fence.raise_epoch(folder, "flatten", DISK)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


class DyingDisk(Disk):
    """A disk at whose call number `last` the process dies."""

    def __init__(self, last: int) -> None:
        self.left = last

    def __getattribute__(self, name: str) -> object:
        found = super().__getattribute__(name)
        if callable(found):
            self.left -= 1
            if self.left < 0:
                os._exit(9)
        return found


def exit_code_of(folder: Path, disk: Disk) -> int:
    """Raise the epoch in a process of its own, and return how that ended."""
    child = os.fork()
    if child == 0:
        Fence.raise_epoch(folder, "flatten", disk)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("before", [0, 1])
def test_a_death_at_any_call_leaves_a_whole_file(tmp_path: Path, before: int) -> None:
    for last in range(100):
        folder = tmp_path / str(last)
        for _ in range(before):
            Fence.raise_epoch(folder, "earlier", DISK)
        if exit_code_of(folder, DyingDisk(last)) == 0:
            assert last > 10
            return
        assert read_epoch(folder, DISK) in (before, before + 1)
        assert Fence.raise_epoch(folder, "flatten", DISK, no_pause) in (before + 1, before + 2)
    raise AssertionError("it never came to its end")


class FullDisk(Disk):
    """A disk that takes nothing more."""

    def write(self, *_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_keeps_nobody_from_fencing_off(tmp_path: Path) -> None:
    engine = Fence.take(tmp_path, "one", DISK)
    assert Fence.raise_epoch(tmp_path, "flatten", FullDisk()) == 2
    assert not engine.holds()
    assert holder(tmp_path, DISK) is None
    engine.close()


class UnsyncedDisk(Disk):
    """A disk that takes nothing for good."""

    def sync_data(self, *_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_disk_that_does_not_sync_fences_off_in_memory_and_says_so(tmp_path: Path) -> None:
    engine = Fence.take(tmp_path, "one", DISK)
    with pytest.raises(NotSyncedError, match="fence: can't be written through"):
        Fence.raise_epoch(tmp_path, "flatten", UnsyncedDisk())
    assert not engine.holds()
    with pytest.raises(NotSyncedError):
        Fence.take(tmp_path, "two", UnsyncedDisk())  # who is to send orders needs a fence that lasts
    engine.close()


def test_the_first_epoch_needs_room(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="free the disk"):
        Fence.take(tmp_path, "one", FullDisk())
    assert read_epoch(tmp_path, DISK) == 0


def test_the_last_epoch_of_all(tmp_path: Path) -> None:
    Fence.raise_epoch(tmp_path, "flatten", DISK)
    (tmp_path / fence.EPOCH).write_bytes(fence.pack(fence.EPOCH_MAX).to_bytes(8, "little"))
    with pytest.raises(JournalError, match="damaged"):
        Fence.raise_epoch(tmp_path, "flatten", DISK)


@pytest.mark.parametrize("text", ["", "[]", '{"pid": 1}', '{"pid": "x", "name": "one"}'])
def test_a_damaged_note_of_the_holder_is_none(tmp_path: Path, text: str) -> None:
    Fence.raise_epoch(tmp_path, "flatten", DISK)
    (tmp_path / fence.HOLDER).write_text(text)
    assert holder(tmp_path, DISK) is None
