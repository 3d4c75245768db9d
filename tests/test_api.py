"""The Python interface: the same results as the command line, from paths and frames."""

import json
import os
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

import myquant as mq
from cli.day import write_day
from myquant.errors import ConfigError, DataError


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_day(tmp_path_factory.mktemp("ticks") / "day.csv", rows=8000)


@pytest.fixture(scope="module")
def result(day: Path) -> mq.Result:
    return mq.backtest(day, close_at_end=True)


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("MYQUANT_") and "__" in name:
            monkeypatch.delenv(name)


def test_a_result_has_frames_and_figures(result: mq.Result) -> None:
    assert len(result.trades) == result.summary["trades"] > 1
    assert result.trades["net_pnl"].sum() == pytest.approx(result.summary["net_pnl"])
    assert result.equity["equity"][-1] == result.summary["final_equity"]
    assert str(result.trades["exit_time"].dtype) == "Datetime(time_unit='ns', time_zone='Asia/Kolkata')"
    assert result.record.strategy == "default"


def test_save_writes_the_folder_of_the_command_line(result: mq.Result, day: Path, tmp_path: Path) -> None:
    paths = result.save(tmp_path / "saved")
    assert sorted(path.name for path in paths) == [
        "config.toml",
        "equity.csv",
        "report.html",
        "summary.json",
        "trades.csv",
    ]
    assert json.loads((tmp_path / "saved/summary.json").read_text()) == result.summary
    again = mq.backtest(str(day), close_at_end=True, config={"results.report": False}, out=tmp_path / "out")
    assert not (tmp_path / "out/report.html").exists()
    assert again.trades.equals(result.trades)
    assert (tmp_path / "out/trades.csv").read_bytes() == (tmp_path / "saved/trades.csv").read_bytes()


def test_report_writes_one_page(result: mq.Result, tmp_path: Path) -> None:
    assert result.report(tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    with pytest.raises(ConfigError, match=r"absent.page\.html: the report cannot be written"):
        result.report(tmp_path / "absent" / "page.html")


def test_a_notebook_shows_a_table(result: mq.Result) -> None:
    page = result._repr_html_()
    assert page.startswith("<table>")
    assert f">{result.summary['trades']}</td>" in page
    assert "strategy default" in page


def test_a_notebook_shows_why_there_was_no_entry(day: Path) -> None:
    newest_first = pl.read_csv(day).reverse()
    result = mq.backtest(newest_first)
    assert "is the file newest first?" in result.summary["notices"][0]
    assert "</table><p>Note: " in result._repr_html_()


def test_frames_give_the_trades_of_the_file(result: mq.Result, day: Path) -> None:
    frame = pl.read_csv(day)
    assert mq.backtest(frame, close_at_end=True).trades.equals(result.trades)
    ticks = pd.read_csv(day)
    assert mq.backtest(ticks, close_at_end=True).trades.equals(result.trades)
    ticks.index = pd.DatetimeIndex(ticks.pop("timestamp"))
    assert mq.backtest(ticks, close_at_end=True).trades.equals(result.trades)


def test_several_paths_are_instruments_of_one_account(tmp_path: Path) -> None:
    paths = [
        write_day(tmp_path / f"NIFTY07OCT2524900{right}.csv", seed=seed, rows=2000)
        for seed, right in ((1, "CE"), (2, "PE"))
    ]
    assert mq.backtest(paths).summary["symbols"] == ["NIFTY07OCT2524900CE", "NIFTY07OCT2524900PE"]


@pytest.mark.parametrize(
    "config",
    [
        {"capital": {"initial_capital": 50_000}, "risk": {"base_sl_points": 20.5}},
        {"capital.initial_capital": 50_000, "risk.base_sl_points": 20.5},
        {"risk": {"base_sl_points": 3}, "risk.base_sl_points": 20.5, "capital": {"initial_capital": 50_000}},
    ],
)
def test_config_is_a_mapping_of_sections_or_dotted_keys(day: Path, config: Mapping[str, Any]) -> None:
    loaded = mq.backtest(day, config=config).config
    assert loaded.config.capital.initial_capital == 50_000
    assert loaded.config.risk.base_sl_points == Decimal("20.5")
    assert loaded.origins["risk.base_sl_points"] == "argument"


def test_config_is_a_file_below_the_environment(day: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[capital]\ninitial_capital = 50000\n[execution]\nclose_at_end = true\n")
    monkeypatch.setenv("MYQUANT_CAPITAL__INITIAL_CAPITAL", "60000")
    loaded = mq.backtest(day, config=str(file)).config
    assert loaded.config.capital.initial_capital == 60_000
    assert loaded.config.execution.close_at_end
    changed = mq.backtest(day, config=file, close_at_end=False).config
    assert not changed.config.execution.close_at_end
    assert changed.origins["execution.close_at_end"] == "argument"


def test_progress_is_told_the_rows_read(day: Path) -> None:
    seen: list[int] = []
    mq.backtest(day, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 8000


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"config": {"risk.base_sl_pts": 1}}, ConfigError, "did you mean risk.base_sl_points"),
        (
            {"config": {"base_sl_points": 1}},
            ConfigError,
            "stands outside any section; did you mean risk.base_sl_points",
        ),
        ({"config": "absent.toml"}, ConfigError, "no such config file"),
        ({"strategy": "absent.py"}, ConfigError, "no such strategy file"),
        ({"ticks": "absent.csv"}, DataError, "no such file"),
        ({"ticks": []}, ConfigError, "no file of ticks is named"),
        ({"ticks": pl.DataFrame({"price": [1.0]})}, DataError, "no column for the time"),
        ({"ticks": 3}, ConfigError, "expected a path, a list of paths, a polars or a pandas DataFrame, got int"),
        (
            {"ticks": [pl.DataFrame()]},
            ConfigError,
            "a list must hold paths, not DataFrame; give a path, a list of paths, or",
        ),
        ({"ticks": b"day.csv"}, ConfigError, "a list must hold paths, not int"),
        ({"strategy": len}, ConfigError, r"strategy: expected FILE\.py or FILE\.py:Name as text or path, got builtin"),
        ({"config": 3}, ConfigError, "config: expected the path of a TOML file, a mapping or a loaded conf"),
    ],
)
def test_mistakes_are_named(day: Path, arguments: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        mq.backtest(**{"ticks": day, **arguments})


def test_a_folder_that_is_no_run_is_refused_before_the_run(day: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    told: list[int] = []
    with pytest.raises(ConfigError, match=r"holds notes\.txt and is not the folder of a run"):
        mq.backtest(day, out=tmp_path, progress=told.append)
    with pytest.raises(ConfigError, match=r"below: can't be written \(.*\): choose another folder"):
        mq.backtest(day, out=tmp_path / "notes.txt" / "below", progress=told.append)
    assert told == []


def test_the_package_shows_its_names_and_no_others() -> None:
    assert dir(mq) == sorted(mq.__all__)
    assert "PerformanceInstrumentor" in dir(mq)
    assert (mq.Tick._fields[1], mq.Context._fields[1]) == ("price", "entry_price")
    assert mq.load_config().config.instrument.symbol == "NIFTY"
    with pytest.raises(AttributeError, match="module 'myquant' has no attribute 'backtests'"):
        _ = mq.backtests


def test_a_configuration_is_loaded_by_itself_and_run_with(day: Path, tmp_path: Path, result: mq.Result) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[risk]\nbase_sl_points = 20\n", encoding="utf-8")
    for given in (path, str(path), {"risk.base_sl_points": 20}, {"risk": {"base_sl_points": 20}}):
        loaded = mq.load_config(given)
        assert float(loaded.config.risk.base_sl_points) == 20.0
        assert mq.load_config(loaded) is loaded
    assert mq.backtest(day, config=mq.load_config(result.config)).summary == result.summary
    with pytest.raises(ConfigError, match=r"close_at_end: set execution\.close_at_end in the configuration"):
        mq.backtest(day, config=loaded, close_at_end=True)
    strategy = Path(__file__).resolve().parents[1] / "examples" / "rsi_pullback.py"
    with pytest.raises(ConfigError, match=r"was loaded without this strategy: load_config\(\.\.\., strategy="):
        mq.backtest(day, config=loaded, strategy=strategy)
    assert "rsi_pullback" in mq.load_config({"rsi_pullback.rsi_length": 20}, strategy=strategy).sections


def test_a_result_shows_itself_in_one_line(result: mq.Result) -> None:
    shown = repr(result)
    assert "\n" not in shown
    assert f"{result.summary['trades']} trades" in shown
