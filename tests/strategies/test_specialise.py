"""Specialised engines: their hash, and whether their machine code is on disk."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from myquant.strategies import specialise
from myquant.strategies.loading import default_strategy
from myquant.strategies.specialise import ROOT, SOURCES, engine_name, source_hash


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package's sources."""
    return Path(shutil.copytree(ROOT, tmp_path / "myquant", ignore=shutil.ignore_patterns("__pycache__")))


def test_a_copy_of_the_package_has_the_same_hash(package: Path) -> None:
    assert source_hash("adapter", package) == source_hash("adapter")
    assert source_hash("adapter") != source_hash("another")


@pytest.mark.parametrize("file", ["core/money.py", "exchange/instant.py", "strategies/default.py", "indicators.py"])
def test_every_source_of_the_engine_is_part_of_the_hash(package: Path, file: str) -> None:
    before = source_hash("adapter", package)
    path = package / file
    path.write_text(path.read_text() + "\n")
    assert source_hash("adapter", package) != before


def test_a_new_or_renamed_source_is_part_of_the_hash(package: Path) -> None:
    hashes = {source_hash("adapter", package)}
    (package / "core" / "new.py").write_text("")
    hashes.add(source_hash("adapter", package))
    (package / "core" / "new.py").rename(package / "core" / "newer.py")
    hashes.add(source_hash("adapter", package))
    assert len(hashes) == 3


def test_what_the_engine_is_not_made_from_is_not(package: Path) -> None:
    before = source_hash("adapter", package)
    (package / "results" / "units.py").write_text("")
    assert source_hash("adapter", package) == before


def test_every_module_that_compiled_code_comes_from_is_hashed() -> None:
    """Whoever lets the engine call another folder's functions must add it to `SOURCES`."""
    hashed = {path for pattern in SOURCES for path in ROOT.glob(pattern)}
    waiting: list[Any] = list(vars(default_strategy().drive).values())
    seen: set[Path] = set()
    known: set[int] = set()
    while waiting:
        function = getattr(waiting.pop(), "py_func", None)
        if function is None or id(function) in known:
            continue
        known.add(id(function))
        seen.add(Path(function.__code__.co_filename))
        waiting += [*function.__globals__.values(), *(cell.cell_contents for cell in function.__closure__ or ())]
    assert len(known) > 50
    assert {path for path in seen if path.is_relative_to(ROOT)} <= hashed
    assert {path.parent.name for path in seen if path.is_relative_to(ROOT)} == {"core", "exchange", "strategies"}


def test_versions_are_part_of_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    before = source_hash("adapter")
    monkeypatch.setattr(specialise, "version", lambda package: "999" if package == "numba" else "1")
    assert source_hash("adapter") != before


def test_the_modules_of_an_engine_import_each_other() -> None:
    drive = default_strategy().drive
    name = engine_name(default_strategy().adapter)
    assert drive.__name__ == f"{name}_drive"
    assert drive.observe.py_func.__module__ == f"{name}_engine"
    text = Path(str(drive.__file__)).read_text()
    assert "myquant.core.slot" not in text
    assert "myquant.core.engine" not in text
    assert default_strategy().drive is drive
    assert default_strategy().engine_hash in name
