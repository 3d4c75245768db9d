"""`myquant runs`: one table of what is in a folder of runs."""

import json
from pathlib import Path

import pytest

from cli.ended import Run
from evidence.baselines import make_report
from myquant.results.write import write_results
from results.sample import TWO_POSITIONS, make_record, rich_record


def put_runs(*names: str) -> None:
    for name in names:
        write_results(rich_record(), Path(name), report=False, excel=False)


def test_a_table_and_the_reasons_below_it(run: Run) -> None:
    put_runs("runs/one")
    Path("runs/damaged").mkdir()
    Path("runs/damaged/session.json").write_text("{")
    figures = json.loads(Path("runs/one/summary.json").read_text())
    ended = run("runs")
    assert (ended.code, ended.err) == (0, "")
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in ended.out.splitlines()}
    days = f"{figures['days'][0]['date']} to {figures['days'][-1]['date']}"
    symbols = ", ".join(figures["symbols"])
    assert rows["one"].startswith(f"backtest {symbols} {days} done 1,000 {figures['trades']} ")
    assert rows["one"].endswith(f" {figures['config_hash'][:8]}")
    assert rows["damaged"] == "- - - damaged - - - - -"
    assert rows["damaged:"].startswith("runs/damaged/session.json: Invalid JSON")


def test_json_has_every_field(run: Run) -> None:
    put_runs("runs/one")
    found = json.loads(run("runs", "--json").out)
    assert found["total"] == 1
    assert found["runs"][0]["name"] == "one"
    assert found["runs"][0]["net_pnl"] == json.loads(Path("runs/one/summary.json").read_text())["net_pnl"]


def test_the_newest_only(run: Run) -> None:
    put_runs("runs/a", "runs/b", "runs/c")
    lines = run("runs", "--limit", 1).out.splitlines()
    assert len(lines) == 3
    assert lines[-1] == "1 of 3 listed: --limit lists more"
    assert "listed" not in run("runs").out


def test_the_folder_is_that_of_the_setting_or_as_given(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    put_runs("mine/one", "other/two")
    monkeypatch.setenv("MYQUANT_RESULTS__DIRECTORY", "mine")
    monkeypatch.setenv("MYQUANT_RISK__NONSENSE", "1")  # a mistake elsewhere keeps nobody from looking
    assert "\none " in run("runs").out
    assert "\ntwo " in run("runs", "--directory", "other").out


def test_no_runs(run: Run) -> None:
    ended = run("runs")
    assert (ended.code, ended.errors) == (
        2,
        ["runs: no such folder: name the folder of your runs with --directory"],
    )
    Path("runs").mkdir()
    assert run("runs").out == "no runs yet\n"


def test_a_damaged_report_is_not_done(run: Run) -> None:
    folder = Path("runs/plain")
    folder.mkdir(parents=True)
    report = folder / "baseline_report_20261123-090000.json"
    text = make_report().model_dump_json()
    report.write_text(text)
    assert json.loads(run("runs", "--json").out)["runs"][0]["state"] == "done"
    figures = json.loads(text)
    del figures["component_breakdown"]
    report.write_text(json.dumps(figures))
    found = json.loads(run("runs", "--json").out)["runs"][0]
    assert (found["state"], "damaged, or changed by hand" in found["reason"]) == ("damaged", True)


def test_two_runs_side_by_side(run: Run, tmp_path: Path) -> None:
    for name, positions in (("one", TWO_POSITIONS), ("two", TWO_POSITIONS[:1])):
        write_results(make_record(positions), tmp_path / "runs" / name, report=False, excel=False)
    shown = run("runs", "--compare", "one", "two")
    assert shown.code == 0
    assert "2 trades the same, 0 different, 1 only in A, 0 only in B" in shown.out
    assert "no setting differs" in shown.out
    found = json.loads(run("runs", "--compare", "one", "one", "--json").out)
    assert found["is_same"] is True
    assert run("runs", "--compare", "one", "three").errors == [
        "--compare three: no such run in runs: `myquant runs` lists them"
    ]


def test_two_baselines_side_by_side(run: Run) -> None:
    for name, slower in (("one", 1.0), ("two", 1.5)):
        make_report(slower=slower).save(Path("runs") / name)
    lines = run("runs", "--compare", "one", "two").out.splitlines()
    assert "service time: REGRESSION" in lines
    assert any(line.startswith("received to done: p50/p99 ") for line in lines)
    assert any(line.startswith("trades: not comparable: ") for line in lines)
