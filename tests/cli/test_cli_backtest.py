"""`myquant backtest`: what it writes, prints and asks of the rooms below."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from cli.day import write_day
from cli.ended import Run
from myquant.strategies.loading import LoadedStrategy


def test_the_results_go_into_a_folder_of_time_and_name(run: Run, day: Path) -> None:
    ended = run("backtest", day)
    assert (ended.code, ended.err) == (0, "")
    (folder,) = Path("runs").iterdir()
    assert re.fullmatch(r"\d{8}-\d{6}-day", folder.name)
    assert {path.name for path in folder.iterdir()} == {
        "config.toml",
        "equity.csv",
        "report.html",
        "summary.json",
        "trades.csv",
    }
    assert ended.out.splitlines()[-1].split() == ["Report", str(folder / "report.html")]


def test_the_summary_has_the_figures_of_summary_json(run: Run, day: Path) -> None:
    out = run("backtest", day, "--out", "mine", "--no-report").out
    figures = json.loads(Path("mine/summary.json").read_text())
    first, *lines = out.splitlines()
    assert first == f"NIFTY, 2025-10-03: {figures['ticks']['used']:,} ticks, strategy default"
    assert any(line.split()[:2] == ["Net", "P&L"] and line.split()[4:] == [str(figures["trades"])] for line in lines)
    for reason, group in figures["exits"].items():
        assert any(line.split()[:2] == [reason, str(group["trades"])] for line in lines)
    gates = ", ".join(f"{name} {count:,}" for name, count in figures["gates"].items() if count)
    assert f"  Held back by  {gates}" in lines
    assert lines[-3:] == [
        f"  Orders        {figures['orders']['sent']:,} sent",
        "  Ticks refused none",
        "  Results       mine",
    ]
    assert max(map(len, lines)) <= 80


def test_json_is_summary_json_alone(run: Run, day: Path) -> None:
    ended = run("backtest", day, "--out", "mine", "--no-report", "--json")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == Path("mine/summary.json").read_text()


def test_options_set_keys_under_their_own_name(run: Run, day: Path) -> None:
    options = ("--strict", "--close-at-end", "--excel", "--no-report")
    against = ("--set", "data_quality.strict=false", "--set", "results.report=true")
    assert run("backtest", day, "--out", "mine", *against, *options).code == 0
    config = tomllib.loads(Path("mine/config.toml").read_text())
    assert config["data_quality"]["strict"] is True
    assert config["execution"]["close_at_end"] is True
    assert config["results"]["excel"] is True
    assert config["results"]["report"] is False
    assert Path("mine/workbook.xlsx").exists()
    assert not Path("mine/report.html").exists()


def test_config_environment_and_set_reach_the_run(run: Run, day: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mine.toml").write_text("[capital]\ninitial_capital = 50000\n[risk]\nslippage_points = 1\n")
    monkeypatch.setenv("MYQUANT_RISK__SLIPPAGE_POINTS", "2")
    monkeypatch.setenv("MYQUANT_RESULTS__REPORT", "false")
    ended = run("backtest", day, "--config", "mine.toml", "--set", "results.directory=kept", "--json")
    assert json.loads(ended.out)["initial_cash"] == 50_000
    (folder,) = Path("kept").iterdir()
    assert tomllib.loads((folder / "config.toml").read_text())["risk"]["slippage_points"] == 2


def test_rejected_rows_are_named_with_their_lines(run: Run, day: Path) -> None:
    rows = day.read_text().splitlines(keepends=True)
    Path("bad.csv").write_text("".join([*rows[:3], "x,100,75\n", "y,100,75\n", *rows[3:6], rows[1]]))
    out = run("backtest", "bad.csv", "--no-report", "--set", "results.directory=r").out
    assert "  Ticks refused unparsable_time 2 (bad.csv:4, :5)\n" in out
    assert "                time_backwards 1 (bad.csv:9)\n" in out


def test_one_tick_of_a_file_that_is_newest_first_is_explained(run: Run, day: Path) -> None:
    header, *rows = day.read_text().splitlines(keepends=True)
    Path("turned.csv").write_text(
        "".join([header, *[row for row in rows if " 10:00:" in row or " 10:01:" in row][::-1]])
    )
    ended = run("backtest", "turned.csv", "--out", "mine")
    assert ended.code == 0
    assert re.search(
        r"\n  Note +\d+ of \d+ rows go back in time .*: is the file newest first\? Sort it by time", ended.out
    )
    assert "is the file newest first?" in Path("mine/report.html").read_text(encoding="utf-8")
    (notice,) = json.loads(Path("mine/summary.json").read_text())["notices"]
    assert f"Note          {notice}" in ended.out
    Path("one.csv").write_text("".join([header, rows[0]]))
    assert run("backtest", "one.csv", "--no-report").out.startswith("NIFTY, 2025-10-03: 1 tick, strategy default")


def test_files_without_symbols_say_whose_contract_they_get(run: Run, day: Path) -> None:
    Path("other.csv").write_bytes(day.read_bytes())
    out = run("backtest", day, "other.csv", "--no-report").out
    assert "  Note          day, other are no trading symbols: lot, charges and hours are those of NIFTY" in out


def test_an_open_position_is_shown_and_closed_on_request(run: Run) -> None:
    base = json.loads(run("backtest", write_day(Path("day.csv")), "--out", "all", "--no-report", "--json").out)
    assert base["trades"] > 1
    first_exit = Path("all/trades.csv").read_text().splitlines()[1].split(",")[4]
    rows = Path("day.csv").read_text().splitlines(keepends=True)
    exit_row = next(place for place, row in enumerate(rows) if row.startswith(first_exit.replace("T", " ")))
    Path("cut.csv").write_text("".join(rows[:exit_row]))
    still_open = run("backtest", "cut.csv", "--out", "open", "--no-report").out
    assert re.search(r"\n  Still open    \d+ NIFTY from [\d,.]+, last [\d,.]+, P&L -?[\d,.]+\n", still_open)
    closed = run("backtest", "cut.csv", "--out", "closed", "--no-report", "--close-at-end").out
    assert "Still open" not in closed
    assert "\n  end_of_data " in closed


def test_several_files_are_instruments_of_one_account(run: Run, tmp_path: Path) -> None:
    for name, seed in (("NIFTY07OCT2524900CE", 1), ("NIFTY07OCT2524900PE", 2)):
        write_day(tmp_path / f"{name}.csv", seed=seed)
    files = sorted(path.name for path in tmp_path.glob("*.csv"))
    ended = run("backtest", *files, "--no-report", "--json")
    assert json.loads(ended.out)["symbols"] == ["NIFTY07OCT2524900CE", "NIFTY07OCT2524900PE"]
    assert next(Path("runs").iterdir()).name.endswith("-NIFTY07OCT2524900CE+1")


def test_compiling_is_announced_before_it_starts(run: Run, day: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LoadedStrategy, "compiled", property(lambda _: False))
    ended = run("backtest", day, "--no-report", "--json")
    assert ended.code == 0
    assert ended.err.startswith("compiling the engine for strategy default: up to a minute")
    assert json.loads(ended.out)


def test_the_same_ticks_give_the_same_bytes(run: Run, day: Path) -> None:
    for name in ("one", "two"):
        assert run("backtest", day, "--out", name, "--no-report").code == 0
    for path in Path("one").iterdir():
        assert path.read_bytes() == (Path("two") / path.name).read_bytes()


def test_the_real_day(run: Run, real_day: Path) -> None:
    figures = json.loads(run("backtest", real_day, "--no-report", "--json").out)
    assert (figures["ticks"]["used"], figures["ticks"]["rejected"]) == (34_086, 0)
    assert figures["trades"] > 0
