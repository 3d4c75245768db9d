"""Snapshots: whole or not there, newest first, those of no use named."""

from hashlib import blake2b
from pathlib import Path

import pytest

from journal.journal_faults import FaultyDisk
from journal.journal_samples import QUICK
from myquant.errors import JournalError
from myquant.journal import snapshot as snapshots
from myquant.journal.snapshot import Snapshot, newest_valid, read, snapshot_paths, write

SECTIONS = {"engine": bytes(range(256)), "orders": b"", "more": b"\n\n{}"}


def sample(number: int = 7, *, engine: str = "engine-1", config: str = "config-1") -> Snapshot:
    return Snapshot(number, 3, 2, engine, config, SECTIONS)


def test_a_snapshot_comes_back(tmp_path: Path) -> None:
    path = write(tmp_path, sample())
    assert path == tmp_path / "snapshots" / "000000000007.snap"
    assert read(path) == sample()
    assert list(read(path).sections) == ["engine", "orders", "more"]
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_snapshot_is_whole_and_synced_before_it_has_its_name(tmp_path: Path) -> None:
    disk = FaultyDisk()
    write(tmp_path, sample(), disk)
    made = [name for name in disk.calls if name in {"make_folder", "create", "write", "sync", "rename"}]
    assert made == ["make_folder", "sync", "create", "write", "sync", "rename", "sync"]


def test_the_state_hash_tells_names_and_contents_apart() -> None:
    def hashed(**sections: bytes) -> bytes:
        return sample()._replace(sections=sections).state_hash

    variants = [
        hashed(a=b"12"),
        hashed(a=b"1", b=b"2"),
        hashed(b=b"12"),
        hashed(a=b"13"),
        hashed(a=b"", b=b"12"),
        hashed(),
    ]
    assert len(set(variants)) == len(variants)
    assert hashed(a=b"12") == blake2b(b"a 2\n12", digest_size=32).digest()


def test_the_words_of_the_hash_are_its_bytes() -> None:
    words = sample().hash_words
    assert b"".join(word.to_bytes(8, "little", signed=True) for word in words) == sample().state_hash


def test_the_newest_few_are_kept(tmp_path: Path) -> None:
    for number in (5, 9, 10, 200, 1_000_000):
        write(tmp_path, sample(number), QUICK, keep=3)
    assert [path.name for path in snapshot_paths(tmp_path)] == [
        "000000000010.snap",
        "000000000200.snap",
        "000001000000.snap",
    ]


def test_the_newest_of_use_is_found(tmp_path: Path) -> None:
    assert newest_valid(tmp_path, "engine-1", "config-1", 99) == (None, [])
    kept = sample(10)
    others = [sample(40, engine="engine-2"), sample(30, config="config-2"), sample(50), sample(100)]
    for each in (sample(5), kept, *others):
        write(tmp_path, each, QUICK, keep=9)
    damaged = tmp_path / "snapshots" / "000000000050.snap"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    found, skipped = newest_valid(tmp_path, "engine-1", "config-1", 99)
    assert found == kept
    reasons = [line.partition(".snap: ")[2] for line in skipped]
    assert reasons == [
        "holds record 100, and the journal ends with 99",
        "is damaged: remove it; an older one or the journal alone will do",
        "is of another engine (engine-2, now engine-1)",
        "is of another configuration (config-2, now config-1)",
    ]


def test_every_byte_and_every_length_counts(tmp_path: Path) -> None:
    path = write(tmp_path, sample(), QUICK)
    content = path.read_bytes()
    for at in range(len(content)):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(JournalError, match="is damaged"):
            read(path)
        path.write_bytes(content[:at])
        with pytest.raises(JournalError, match="is damaged"):
            read(path)


def test_another_format_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "FORMAT", 2)
    path = write(tmp_path, sample(), QUICK)
    monkeypatch.undo()
    with pytest.raises(JournalError, match="is of format 2, this version reads 1: use the version that wrote it"):
        read(path)


def test_a_draft_of_a_killed_process_is_no_hindrance(tmp_path: Path) -> None:
    path = write(tmp_path, sample(1), QUICK)
    path.with_name("000000000007.snap.new").write_bytes(b"half")
    assert snapshot_paths(tmp_path) == [path]
    assert read(write(tmp_path, sample(7), QUICK)) == sample(7)
    assert [entry.suffix for entry in path.parent.iterdir()] == [".snap", ".snap"]
