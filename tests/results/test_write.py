"""The folder of a run: whole or not at all, and never in place of something else."""

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from myquant.errors import ConfigError, MyquantError
from myquant.results import write
from myquant.results.write import FILES, refuse_unusable, write_results
from results.sample import TWO_POSITIONS, make_record, rich_record

TABLES = ["trades.csv", "equity.csv", "summary.json", "config.toml"]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("report", "excel", "expected"),
    [
        (False, False, TABLES),
        (True, False, [*TABLES, "report.html"]),
        (False, True, [*TABLES, "workbook.xlsx"]),
        (True, True, list(FILES)),
    ],
)
def test_it_writes_what_is_asked_for(tmp_path: Path, *, report: bool, excel: bool, expected: list[str]) -> None:
    folder = tmp_path / "runs" / "one"
    assert write_results(rich_record(), folder, report=report, excel=excel) == [folder / name for name in expected]
    assert names(folder) == sorted(expected)
    assert names(folder.parent) == ["one"]


def test_it_keeps_the_file_of_a_users_strategy(tmp_path: Path) -> None:
    text = "def entry(state, tick, context, params):\n    return tick.price > 100  # \u20b9\n"
    own = replace(rich_record(), strategy_file=("mine.py", text))
    written = write_results(own, tmp_path / "one", report=False, excel=False)
    assert written == [tmp_path / "one" / name for name in (*TABLES, "strategy/mine.py")]
    assert written[-1].read_text(encoding="utf-8") == text
    write_results(rich_record(), tmp_path / "one", report=False, excel=False)  # it may be replaced like any other run
    assert names(tmp_path / "one") == sorted(TABLES)


def test_the_same_record_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_results(rich_record(), tmp_path / name, report=True, excel=True)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_lines_end_alike_everywhere(tmp_path: Path) -> None:
    write_results(rich_record(), tmp_path / "one", report=False, excel=False)
    assert all(b"\r" not in content for content in contents(tmp_path / "one").values())


def test_an_empty_folder_and_an_earlier_run_are_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    write_results(rich_record(), folder, report=True, excel=True)
    write_results(make_record(TWO_POSITIONS), folder, report=False, excel=False)
    assert names(folder) == sorted(TABLES)
    assert json.loads((folder / "summary.json").read_text(encoding="utf-8"))["trades"] == 3
    assert names(tmp_path) == ["one"]


@pytest.mark.parametrize("foreign", ["notes.txt", "trades.csv", ".git"])
def test_a_folder_that_is_no_run_is_refused_and_left_alone(tmp_path: Path, foreign: str) -> None:
    (tmp_path / foreign).write_text("mine", encoding="utf-8")
    with pytest.raises(
        ConfigError, match=rf"holds {foreign} and is not the folder of a run: choose another with --out"
    ):
        write_results(make_record(), tmp_path, report=False, excel=False)
    assert contents(tmp_path) == {foreign: b"mine"}


def test_a_run_with_a_file_of_the_users_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    write_results(make_record(), folder, report=False, excel=False)
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    before = contents(folder)
    with pytest.raises(ConfigError, match=r"holds notes\.txt"):
        write_results(make_record(TWO_POSITIONS), folder, report=False, excel=False)
    assert contents(folder) == before


def test_a_folder_is_refused_before_a_run_as_after_it(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    for folder, words in (
        (tmp_path, "holds notes.txt"),
        (tmp_path / "notes.txt", "is a file"),
        (tmp_path / "notes.txt" / "below", "can't be written"),
    ):
        with pytest.raises(ConfigError, match=words):
            refuse_unusable(folder)
    refuse_unusable(tmp_path / "new" / "folder")
    assert names(tmp_path) == ["notes.txt"]


def test_a_file_under_the_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="is a file"):
        write_results(make_record(), tmp_path / "one", report=False, excel=False)


def test_a_folder_that_can_not_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"can't be written \(Not a directory\): choose another folder with --out"):
        write_results(make_record(), tmp_path / "file" / "one", report=False, excel=False)


@pytest.mark.parametrize("earlier", [True, False])
def test_a_failure_on_the_way_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, earlier: bool
) -> None:
    folder = tmp_path / "one"
    if earlier:
        write_results(make_record(), folder, report=False, excel=False)
    before = contents(folder) if earlier else None
    broken = replace(make_record(TWO_POSITIONS), config_toml="\ud800")  # can't be encoded, after other files were
    with pytest.raises(UnicodeEncodeError):
        write_results(broken, folder, report=False, excel=False)
    assert (contents(folder) if folder.exists() else None) == before

    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write, "_write_files", refuse)
    with pytest.raises(MyquantError, match="No space left on device") as caught:
        write_results(make_record(TWO_POSITIONS), folder, report=False, excel=False)
    assert caught.value.exit_code == 1
    assert (contents(folder) if folder.exists() else None) == before
    assert names(tmp_path) == (["one"] if earlier else [])


def test_a_failed_swap_brings_the_earlier_run_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "one"
    write_results(make_record(), folder, report=False, excel=False)
    before = contents(folder)
    rename = Path.rename

    def refuse_the_draft(path: Path, target: Path) -> Path:
        if path.name.endswith(".draft"):
            raise PermissionError(13, "Permission denied")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse_the_draft)
    with pytest.raises(ConfigError, match="Permission denied"):
        write_results(make_record(TWO_POSITIONS), folder, report=False, excel=False)
    assert contents(folder) == before
    assert names(tmp_path) == ["one"]


def test_others_may_read_the_folder_as_any_other(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    write_results(make_record(), tmp_path / "one", report=False, excel=False)
    assert stat.S_IMODE((tmp_path / "one").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_a_link_to_a_folder_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    write_results(make_record(), tmp_path / "link", report=False, excel=False)
    assert (tmp_path / "link").is_symlink()
    assert names(tmp_path / "real") == sorted(TABLES)
