"""The folder of compiled engines: atomic, bounded, shared."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from myquant.errors import ConfigError
from myquant.strategies import cache

FILES = {"one.py": "x = 1\n"}


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own."""
    monkeypatch.setenv("MYQUANT_CACHE", str(tmp_path / "cache"))
    cache._temporary_folder.cache_clear()
    return tmp_path / "cache"


def name_of(number: int) -> str:
    return f"myquant_{number:020x}"


def names_in(root: Path) -> set[str]:
    return {each.name for each in root.iterdir()}


def old_engine(root: Path, number: int, age_s: int) -> Path:
    """An engine that a process which has ended used some time ago."""
    folder = root / name_of(number)
    (folder / "__pycache__").mkdir(parents=True)
    (folder / "__pycache__" / "code.nbc").write_bytes(b"code")
    os.utime(folder, (1_600_000_000 - age_s,) * 2)
    return folder


def test_it_is_the_users_cache_folder_or_what_the_variable_says(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache.cache_folder() == root
    monkeypatch.delenv("MYQUANT_CACHE")
    assert cache.cache_folder().name == "myquant"


def test_sources_are_written_once_and_always_with_the_same_time(root: Path) -> None:
    folder = cache.engine_folder(name_of(1), FILES)
    file = folder / "one.py"
    assert (folder, file.read_text()) == (root / name_of(1), "x = 1\n")
    first = file.stat()
    cache.engine_folder(name_of(1), FILES)
    assert file.stat() == first
    file.write_text("damaged")
    cache.engine_folder(name_of(1), FILES)
    assert file.read_text() == "x = 1\n"
    assert file.stat().st_mtime == first.st_mtime
    assert names_in(folder) == {"one.py", "in_use"}


def test_the_least_recently_used_engines_are_deleted(root: Path) -> None:
    for number in range(30):
        old_engine(root, number, age_s=number)
    other = root / "myquant_notes"
    other.mkdir()
    os.utime(other, (1, 1))
    cache.engine_folder(name_of(100), FILES)
    assert names_in(root) == {name_of(number) for number in (*range(19), 100)} | {"myquant_notes"}


def test_an_engine_that_is_there_already_deletes_none(root: Path) -> None:
    for number in range(30):
        old_engine(root, number, age_s=number)
    cache.engine_folder(name_of(25), FILES)
    assert len(names_in(root)) == 30


def test_an_engine_in_use_is_not_deleted(root: Path) -> None:
    hold = "import sys; from myquant.strategies.cache import engine_folder\n"
    hold += f"print(engine_folder('{name_of(200)}', {{}}), flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", hold]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        held = Path(other.stdout.readline().strip())
        mine = cache.engine_folder(name_of(201), FILES)
        for folder in (held, mine):
            os.utime(folder, (1, 1))
        for number in range(25):
            old_engine(root, number, age_s=number)
        cache.engine_folder(name_of(100), FILES)
        assert {held.name, mine.name, name_of(0)} <= names_in(root)
        assert name_of(24) not in names_in(root)
        other.communicate("")
    os.utime(mine)  # else this one would go, too, were it not in use
    old_engine(root, 50, age_s=0)
    cache.engine_folder(name_of(101), FILES)
    assert held.name not in names_in(root)


def test_many_processes_may_begin_at_once(root: Path) -> None:
    begin = "from myquant.strategies.cache import engine_folder\n"
    begin += f"print(engine_folder('{name_of(1)}', {{'one.py': 'x = 1\\n' * 10_000}}))"
    running = [subprocess.Popen([sys.executable, "-c", begin], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for process in running:
        out, _ = process.communicate()
        assert (process.returncode, out.strip()) == (0, str(root / name_of(1)))
    assert names_in(root / name_of(1)) == {"one.py", "in_use"}
    assert (root / name_of(1) / "one.py").read_text() == "x = 1\n" * 10_000


def test_a_folder_that_cannot_be_written_is_replaced_by_a_temporary_one(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root.write_text("a file where the folder should be")
    folder = cache.engine_folder(name_of(1), FILES)
    assert folder.parent.name.startswith("myquant-")
    assert (folder / "one.py").read_text() == "x = 1\n"
    again = cache.engine_folder(name_of(2), FILES)
    assert again.parent == folder.parent
    note = capsys.readouterr().err
    assert note.startswith(
        f"note: compiled engines can't be kept ({root}: Not a directory), so this run compiles its own"
    )
    assert note.count("\n") == 1


def test_no_folder_at_all_is_an_error(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root.write_text("a file where the folder should be")

    def refuse(prefix: str) -> str:
        raise PermissionError(13, "Permission denied", prefix)

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    with pytest.raises(
        ConfigError, match="and no temporary folder: Permission denied; set MYQUANT_CACHE to a folder that"
    ):
        cache.engine_folder(name_of(1), FILES)


def test_an_engine_that_is_being_deleted_is_made_anew(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = old_engine(root, 1, age_s=9)
    real, calls = os.open, []

    def deleted_meanwhile(path: Path, *arguments: int) -> int:
        handle = real(path, *arguments)
        calls.append(path)
        if len(calls) == 1:
            folder.rename(root / "deleted_just_now")
        return handle

    monkeypatch.setattr(os, "open", deleted_meanwhile)
    assert cache.engine_folder(name_of(1), FILES) == folder
    assert names_in(folder) == {"one.py", "in_use"}
    assert len(calls) > 1
