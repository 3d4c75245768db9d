"""Trades and equity as frames, and the text form in which they go into CSV files.

In a frame times are `Datetime("ns", the session's zone)`, money and prices `Float64` in rupees: the double nearest to the
exact paisa, which plots and converts anywhere. In a CSV file times are ISO 8601 and rupees have two exact decimals.
"""

from typing import Any, Final

import numpy as np
import polars as pl
from polars import selectors

from myquant.core.codes import EXIT_NAMES
from myquant.results.curve import equity_curve
from myquant.results.record import RunRecord

TRADE_COLUMNS: Final = (
    "trade_id",
    "position_id",
    "symbol",
    "entry_time",
    "exit_time",
    "entry_price",
    "exit_price",
    "quantity",
    "gross_pnl",
    "charges",
    "net_pnl",
    "exit_reason",
)
EQUITY_COLUMNS: Final = ("time", "cash", "open_value", "equity", "drawdown")

_ISO_8601: Final = "%Y-%m-%dT%H:%M:%S%.f%:z"  # %.f: nothing for a whole second, else 3, 6 or 9 digits


def trades_frame(record: RunRecord) -> pl.DataFrame:
    """Return one row per exit, in order of trade_id, with the columns `TRADE_COLUMNS`."""
    rows = record.trades
    symbols = [record.symbols[place] for place in rows["instrument"].tolist()]
    reasons = [EXIT_NAMES[code] for code in rows["reason"].tolist()]
    return pl.DataFrame(
        [
            _whole("trade_id", rows["trade_id"]),
            _whole("position_id", rows["position_id"]),
            pl.Series("symbol", symbols, pl.String),
            times("entry_time", rows["entry_time_ns"], record.time_zone),
            times("exit_time", rows["time_ns"], record.time_zone),
            _rupees("entry_price", rows["entry_price"]),
            _rupees("exit_price", rows["price"]),
            _whole("quantity", rows["quantity"]),
            _rupees("gross_pnl", rows["gross"]),
            _rupees("charges", rows["charges"]),
            _rupees("net_pnl", rows["net"]),
            pl.Series("exit_reason", reasons, pl.String),
        ]
    )


def equity_frame(record: RunRecord) -> pl.DataFrame:
    """Return the account at the start, at every mark, entry and exit and at the end, with the columns `EQUITY_COLUMNS`."""
    curve = equity_curve(record)
    return pl.DataFrame(
        [
            times("time", curve.time_ns, record.time_zone),
            _rupees("cash", curve.cash),
            _rupees("open_value", curve.equity - curve.cash),
            _rupees("equity", curve.equity),
            _rupees("drawdown", curve.drawdown),
        ]
    )


def csv_text(frame: pl.DataFrame) -> str:
    """Return a frame of this room as CSV: ISO 8601 times with the session's offset, rupees with two decimals."""
    return frame.with_columns(selectors.datetime().dt.to_string(_ISO_8601)).write_csv(float_precision=2)


def times(name: str, times_ns: np.ndarray[Any, Any], time_zone: str) -> pl.Series:
    """Return times in ns since the epoch as a column in a time zone."""
    return _whole(name, times_ns).cast(pl.Datetime("ns", "UTC")).dt.convert_time_zone(time_zone)


def _whole(name: str, values: np.ndarray[Any, Any]) -> pl.Series:
    return pl.Series(name, np.ascontiguousarray(values, dtype=np.int64))


def _rupees(name: str, paise: np.ndarray[Any, Any]) -> pl.Series:
    return pl.Series(name, np.ascontiguousarray(paise, dtype=np.int64) / 100.0)
