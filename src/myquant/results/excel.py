"""The workbook of a run: its tables as sheets, with real dates and numbers."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl
import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook

from myquant.results.record import RunRecord
from myquant.results.trades import equity_frame, trades_frame
from myquant.results.units import SECOND_NS

MAX_ROWS: Final = 1_048_575  # below the header: what a sheet holds

_MONEY: Final = "#,##0.00;[Red]-#,##0.00"
_WIDTHS: Final = {"symbol": 24, "exit_reason": 16, "time": 20, "entry_time": 20, "exit_time": 20}


def write_workbook(record: RunRecord, figures: dict[str, Any], path: Path) -> None:
    """Write the sheets Summary, Trades, Equity, Days and Config. `figures` is the run's summary.

    Times are the session's clock, since a workbook knows no zones. Rows beyond a sheet's `MAX_ROWS` are left out, which
    the sheet Summary says. The same record gives the same bytes.
    """
    options = {"strings_to_formulas": False, "strings_to_urls": False, "remove_timezone": True}
    with xlsxwriter.Workbook(str(path), options) as workbook:
        last_tick = datetime.fromtimestamp(record.last_ns // SECOND_NS, ZoneInfo(record.time_zone))
        workbook.set_properties({"title": "Run results", "created": last_tick.replace(tzinfo=None)})
        trades, equity = trades_frame(record), equity_frame(record)
        left_out = {"trades left out": len(trades) - MAX_ROWS, "equity rows left out": len(equity) - MAX_ROWS}
        shown = figures | {name: count for name, count in left_out.items() if count > 0}
        _write_rows(workbook, "Summary", ["figure", "value"], _flat(shown), widths=[44, 26])
        _write_frame(workbook, "Trades", trades.head(MAX_ROWS))
        _write_frame(workbook, "Equity", equity.head(MAX_ROWS))
        days = [{**day, "date": date.fromisoformat(day["date"])} for day in figures["days"]]
        _write_frame(workbook, "Days", pl.DataFrame(days))
        lines = ((line,) for line in record.config_toml.splitlines())
        _write_rows(workbook, "Config", ["config.toml"], lines, widths=[100])


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the single figures of a summary under dotted names; the days have a sheet of their own."""
    if isinstance(value, dict):
        for key, part in value.items():
            if name or key != "days":
                yield from _flat(part, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for place, part in enumerate(value, 1):
            yield from _flat(part, f"{name}.{place}")
    else:
        yield name, value


def _write_rows(
    workbook: Workbook, sheet: str, header: Sequence[str], rows: Iterable[Sequence[Any]], *, widths: Sequence[int]
) -> None:
    page = workbook.add_worksheet(sheet)
    page.write_row(0, 0, header, workbook.add_format({"bold": True, "bottom": 1}))
    page.freeze_panes(1, 0)
    for place, width in enumerate(widths):
        page.set_column(place, place, width)
    for place, row in enumerate(rows, 1):
        page.write_row(place, 0, row)


def _write_frame(workbook: Workbook, sheet: str, frame: pl.DataFrame) -> None:
    page = workbook.add_worksheet(sheet)
    page.write_row(0, 0, frame.columns, workbook.add_format({"bold": True, "bottom": 1}))
    page.freeze_panes(1, 0)
    for place, column in enumerate(frame):
        page.set_column(place, place, _WIDTHS.get(column.name, 14), _format(workbook, column.dtype))
        page.write_column(1, place, _clock(column).to_list(), _format(workbook, column.dtype))
    if frame.height:
        page.autofilter(0, 0, frame.height, frame.width - 1)


def _clock(column: pl.Series) -> pl.Series:
    return column.dt.replace_time_zone(None).cast(pl.Datetime("ms")) if column.dtype == pl.Datetime else column


def _format(workbook: Workbook, kind: pl.DataType) -> Format:
    if kind == pl.Datetime:
        return workbook.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    if kind == pl.Date:
        return workbook.add_format({"num_format": "yyyy-mm-dd"})
    return workbook.add_format({"num_format": _MONEY} if kind == pl.Float64 else {})
