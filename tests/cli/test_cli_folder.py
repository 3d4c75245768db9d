"""The folder of a run: named, made before the run, taken away when the run fails."""

from pathlib import Path

import pytest

from myquant.cli.folder import run_folder, run_name
from myquant.errors import ConfigError


@pytest.mark.parametrize(
    ("paths", "name"),
    [
        (["day.csv"], "day"),
        (["x/nifty.2025-10-03.csv.gz"], "nifty.2025-10-03"),
        (["day.csv.zst"], "day"),
        (["ticks.parquet", "b.csv", "c.csv"], "ticks+2"),
        ([".csv"], ".csv"),
    ],
)
def test_a_run_is_named_after_its_ticks(paths: list[str], name: str) -> None:
    assert run_name([Path(path) for path in paths]) == name


def test_a_taken_name_gets_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("myquant.cli.folder._local_time", lambda: "20251003-160000")
    names = []
    for _ in range(3):
        with run_folder(None, str(tmp_path), [Path("day.csv")]) as folder:
            names.append(folder.name)
    assert names == ["20251003-160000-day", "20251003-160000-day-2", "20251003-160000-day-3"]


def fail_in(out: Path, *files: str) -> None:
    with run_folder(out, "unused", [Path("day.csv")]) as folder:
        for file in files:
            (folder / file).touch()
        raise KeyError


def test_a_failed_run_takes_its_empty_folder_away(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        fail_in(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_failed_run_leaves_what_was_there_or_written(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    with pytest.raises(KeyError):
        fail_in(tmp_path / "old")
    with pytest.raises(KeyError):
        fail_in(tmp_path / "new", "trades.csv")
    assert (tmp_path / "old").is_dir()
    assert (tmp_path / "new" / "trades.csv").exists()


@pytest.mark.parametrize("out", ["taken", "taken/below"])
def test_a_file_cannot_be_a_folder(tmp_path: Path, out: str) -> None:
    (tmp_path / "taken").touch()
    with (
        pytest.raises(ConfigError, match=r"taken.*: cannot be the folder of a run \(.*\); choose another with --out"),
        run_folder(tmp_path / out, "unused", [Path("day.csv")]),
    ):
        pass
