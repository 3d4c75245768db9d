"""The workbook, read back by another library."""

from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from myquant.results import excel
from myquant.results.excel import write_workbook
from myquant.results.record import RunRecord
from myquant.results.summary import summary
from myquant.results.trades import EQUITY_COLUMNS, TRADE_COLUMNS, equity_frame, trades_frame
from results.sample import make_record, rich_record


def opened(record: RunRecord, folder: Path) -> Any:
    path = folder / "workbook.xlsx"
    write_workbook(record, summary(record), path)
    return openpyxl.load_workbook(path)


def rows(sheet: Any) -> list[tuple[Any, ...]]:
    return list(sheet.iter_rows(values_only=True))


def test_it_has_the_sheets_of_a_run(tmp_path: Path) -> None:
    book = opened(rich_record(), tmp_path)
    assert book.sheetnames == ["Summary", "Trades", "Equity", "Days", "Config"]
    assert all(sheet.freeze_panes == "A2" for sheet in book)


def test_trades_are_real_numbers_and_dates(tmp_path: Path) -> None:
    record = rich_record()
    header, first, *rest = rows(opened(record, tmp_path)["Trades"])
    assert header == TRADE_COLUMNS
    assert first[:5] == (
        1,
        1,
        "NIFTY07OCT2524900CE",
        datetime(2025, 10, 3, 9, 21, 7),  # noqa: DTZ001  (a workbook knows no zones)
        datetime(2025, 10, 3, 9, 22, 0),  # noqa: DTZ001  (likewise)
    )
    assert first[5:8] == (290.05, 295.05, 75)
    assert [row[10] for row in (first, *rest)] == trades_frame(record)["net_pnl"].to_list()
    assert rest[0][4] == datetime(2025, 10, 3, 9, 23, 30, 500_000)  # noqa: DTZ001  (likewise)


def test_equity_and_days(tmp_path: Path) -> None:
    record = rich_record()
    book = opened(record, tmp_path)
    header, *equity = rows(book["Equity"])
    assert header == EQUITY_COLUMNS
    assert [row[3] for row in equity] == equity_frame(record)["equity"].to_list()
    header, *days = rows(book["Days"])
    assert list(header) == list(summary(record)["days"][0])
    assert days[1][0] == datetime(2025, 10, 6)  # noqa: DTZ001  (likewise)
    assert [row[4] for row in days] == [day["net_pnl"] for day in summary(record)["days"]]


def test_summary_and_config(tmp_path: Path) -> None:
    record = rich_record()
    book = opened(record, tmp_path)
    figures = {row[0]: row[1] for row in rows(book["Summary"])}
    assert figures["net_pnl"] == summary(record)["net_pnl"]
    assert figures["exits.stop_loss.trades"] == 1
    assert figures["open_positions.1.open_pnl"] == summary(record)["open_positions"][0]["open_pnl"]
    assert not [name for name in figures if name.startswith("days")]
    assert [row[0] for row in rows(book["Config"])[1:]] == record.config_toml.splitlines()


def test_a_name_is_never_a_formula(tmp_path: Path) -> None:
    record = make_record(symbols=('=HYPERLINK("x")',), strategy="=1+1")
    book = opened(record, tmp_path)
    cells = {row[0].value: row[1] for row in book["Summary"].iter_rows()}
    assert (cells["strategy"].value, cells["strategy"].data_type) == ("=1+1", "s")
    assert cells["symbols.1"].data_type == "s"


def test_rows_that_a_sheet_can_not_hold_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excel, "MAX_ROWS", 3)
    book = opened(rich_record(), tmp_path)
    figures = {row[0]: row[1] for row in rows(book["Summary"])}
    assert figures["trades left out"] == 2
    assert len(rows(book["Trades"])) == len(rows(book["Equity"])) == 4


def test_a_run_without_trades_has_its_headers(tmp_path: Path) -> None:
    assert rows(opened(make_record(), tmp_path)["Trades"]) == [TRADE_COLUMNS]
