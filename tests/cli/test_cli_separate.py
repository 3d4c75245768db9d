"""`myquant backtest --separate`: each file by itself, as if it had been run alone."""

import json
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from cli.day import write_day
from cli.ended import Run
from myquant.cli.failures import Failure
from myquant.cli.run import Finished, Request
from myquant.cli.separate import _came, _parts

FILES = ("a.csv", "later/a.csv", "broken.csv")


@pytest.fixture
def files() -> tuple[str, ...]:
    Path("later").mkdir()
    write_day(Path("a.csv"), rows=3000)
    write_day(Path("later/a.csv"), seed=2, rows=3000)
    Path("broken.csv").write_text("timestamp,volume\n1,2\n")
    return FILES


def test_results_are_those_of_single_runs_and_one_failure_loses_no_other(run: Run, files: tuple[str, ...]) -> None:
    ended = run("backtest", *files, "--separate", "--out", "all", "--no-report")
    assert ended.code == 3
    assert len(ended.errors) == 1
    assert ended.errors[0].startswith("broken.csv: no column for the price")
    assert [line.split()[0] for line in ended.out.splitlines()] == ["Run", "a", "a-2", "broken.csv", "Results"]
    assert sorted(path.name for path in Path("all").iterdir()) == ["a", "a-2"]
    for file, name in zip(files, ("a", "a-2"), strict=False):
        assert run("backtest", file, "--out", "single", "--no-report").code == 0
        for path in Path("single").iterdir():
            assert path.read_bytes() == (Path("all") / name / path.name).read_bytes()


def test_json_has_a_summary_or_an_error_for_each_file(run: Run, files: tuple[str, ...]) -> None:
    ended = run("backtest", *files[1:], "--separate", "--no-report", "--json")
    found = json.loads(ended.out)
    assert list(found) == ["later/a.csv", "broken.csv"]
    (folder,) = Path("runs").iterdir()
    assert found["later/a.csv"] == json.loads((folder / "a/summary.json").read_text())
    assert found["broken.csv"]["error"].startswith("broken.csv: no column for the price")
    assert ended.code == 3


@pytest.mark.parametrize("option", [("--set", "nonsense"), ("--strategy", "absent.py"), ("--config", "absent.toml")])
def test_what_concerns_all_is_said_once(run: Run, option: tuple[str, str]) -> None:
    ended = run("backtest", "a.csv", "b.csv", "--separate", *option)
    assert (ended.code, ended.out, len(ended.errors)) == (2, "", 1)
    assert not Path("runs").exists()


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
