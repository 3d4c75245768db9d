"""`myquant backtest --separate`: each file by itself, as if it had been run alone."""

import json
import re
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import pytest

from cli.day import write_day
from cli.ended import Run
from myquant.cli import separate
from myquant.cli.failures import Failure
from myquant.cli.run import Finished, Outcome, Request
from myquant.cli.separate import _came, _parts, run_separately
from myquant.cli.summary import print_runs


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    """Return two good files of one name and a bad one, run separately."""
    folder = tmp_path_factory.mktemp("separate")
    (folder / "later").mkdir()
    files = (folder / "a.csv", folder / "later" / "a.csv", folder / "broken.csv")
    write_day(files[0], rows=3000)
    write_day(files[1], seed=2, rows=3000)
    files[2].write_text("timestamp,volume\n1,2\n")
    flags = {"--no-report": "results.report=false"}
    return run_separately(Request(files, flags=flags, out=folder / "all"))


def test_results_are_those_of_single_runs(run: Run, outcomes: list[Outcome]) -> None:
    for each, name in zip(outcomes, ("a", "a-2"), strict=False):
        assert isinstance(each.came, Finished)
        assert each.came.folder.name == name
        assert run("backtest", each.path, "--out", "single", "--no-report").code == 0
        for path in Path("single").iterdir():
            assert path.read_bytes() == (each.came.folder / path.name).read_bytes()
    assert sorted(path.name for path in (outcomes[0].path.parent / "all").iterdir()) == ["a", "a-2"]


def test_one_failure_loses_no_other(outcomes: list[Outcome], capsys: pytest.CaptureFixture[str]) -> None:
    assert print_runs(outcomes, as_json=False) == 3
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()] == ["Run", "a", "a-2", "broken.csv", "Results"]
    assert re.fullmatch(r"error: \S*broken\.csv: no column for the price.*\n", err)


def test_notes_name_their_run(outcomes: list[Outcome], capsys: pytest.CaptureFixture[str]) -> None:
    came = outcomes[1].came
    assert isinstance(came, Finished)
    noted = replace(came, figures=came.figures | {"notices": ["NFO was closed"]})
    assert print_runs([outcomes[0], replace(outcomes[1], came=noted)], as_json=False) == 0
    assert "\nNote on a-2: NFO was closed\nResults in " in capsys.readouterr().out


def test_json_has_a_summary_or_an_error_for_each_file(
    outcomes: list[Outcome], capsys: pytest.CaptureFixture[str]
) -> None:
    assert print_runs(outcomes, as_json=True) == 3
    found = json.loads(capsys.readouterr().out)
    first, second, broken = (str(each.path) for each in outcomes)
    assert list(found) == [first, second, broken]
    folder = Path(first).parent / "all"
    assert found[second] == json.loads((folder / "a-2" / "summary.json").read_text())
    assert "no column for the price" in found[broken]["error"]


def test_the_option_reaches_the_runs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Request] = []

    def note(request: Request) -> list[Outcome]:
        asked.append(request)
        return []

    monkeypatch.setattr(separate, "run_separately", note)
    assert run("backtest", "a.csv", "b.csv", "--separate", "--json", "--excel").out == "{}\n"
    assert asked == [Request((Path("a.csv"), Path("b.csv")), flags={"--excel": "results.excel=true"})]


@pytest.mark.parametrize("option", [("--set", "nonsense"), ("--strategy", "absent.py"), ("--config", "absent.toml")])
def test_what_concerns_all_is_said_once(run: Run, option: tuple[str, str]) -> None:
    ended = run("backtest", "a.csv", "b.csv", "--separate", *option)
    assert (ended.code, ended.out, len(ended.errors)) == (2, "", 1)
    assert not Path("runs").exists()


def folder_of_a_run(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text("{}")
    return folder


def test_a_foreign_folder_is_refused_before_anything_runs(run: Run, day: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(separate, "_submit", None)
    folder_of_a_run(Path("single"))
    folder_of_a_run(Path("file/day"))
    Path("file/a.txt").write_text("mine")
    Path("folder/photos").mkdir(parents=True)
    Path("folder/photos/a.jpg").write_text("mine")
    refusals = {
        "single": "single: holds summary.json and is not a folder of runs: choose another folder with --out",
        "file": "file: holds a.txt and is not a folder of runs: choose another folder with --out",
        "folder": "folder/photos: holds a.jpg and is not the folder of a run: choose another with --out",
    }
    for out, refusal in refusals.items():
        before = sorted(Path(out).rglob("*"))
        ended = run("backtest", day, day, "--separate", "--out", out)
        assert (ended.code, ended.out, ended.errors) == (2, "", [refusal])
        assert sorted(Path(out).rglob("*")) == before


def test_a_folder_of_runs_is_used_again(run: Run) -> None:
    Path("broken.csv").write_text("timestamp,volume\n1,2\n")
    (folder_of_a_run(Path("all/earlier")) / "notes.txt").write_text("mine")  # stays, as no run replaces it
    Path("all/interrupted").mkdir()
    assert run("backtest", "broken.csv", "--separate", "--out", "all").code == 3


def test_names_never_clash() -> None:
    paths = tuple(map(Path, ("a.csv", "x/a.csv", "a-2.csv", "y/a.csv.gz")))
    folders = [str(part.out) for part in _parts(Request(paths), Path("all"))]
    assert folders == ["all/a", "all/a-2", "all/a-2-2", "all/a-3"]


def test_a_process_that_dies_is_a_failure_of_its_file() -> None:
    died: Future[Finished] = Future()
    died.set_exception(BrokenProcessPool("abruptly"))
    came = _came(Path("a.csv"), died)
    assert isinstance(came, Failure)
    assert (came.code, len(came.lines)) == (1, 1)
    assert came.lines[0].startswith("a.csv: the process of this run ended abruptly")
