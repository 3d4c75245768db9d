"""trades.csv and equity.csv, to the byte, and their frames."""

import csv
import io

import numpy as np
import polars as pl
import pytest

from myquant.core import codes
from myquant.results.trades import EQUITY_COLUMNS, TRADE_COLUMNS, csv_text, equity_frame, trades_frame
from results.sample import DAY_2, LOT, TWO_POSITIONS, Held, Out, make_record, rich_record

TRADES_CSV = """\
trade_id,position_id,symbol,entry_time,exit_time,entry_price,exit_price,quantity,gross_pnl,charges,net_pnl,exit_reason
1,1,NIFTY07OCT2524900CE,2025-10-03T09:21:07+05:30,2025-10-03T09:22:00+05:30,290.05,295.05,75,375.00,0.00,375.00,take_profit_1
2,1,NIFTY07OCT2524900CE,2025-10-03T09:21:07+05:30,2025-10-03T09:23:30.500+05:30,290.05,291.05,75,75.00,0.00,75.00,trailing_stop
3,2,NIFTY07OCT2524900CE,2025-10-03T10:00:00+05:30,2025-10-03T11:05:09+05:30,300.00,285.00,75,-1125.00,0.00,-1125.00,stop_loss
"""

EQUITY_CSV = """\
time,cash,open_value,equity,drawdown
2025-10-03T09:15:00+05:30,100000.00,0.00,100000.00,0.00
2025-10-03T09:21:06+05:30,100000.00,0.00,100000.00,0.00
2025-10-03T09:21:07+05:30,56492.50,43507.50,100000.00,0.00
2025-10-03T09:22:00+05:30,78621.25,22128.75,100750.00,0.00
2025-10-03T09:23:30.500+05:30,100450.00,0.00,100450.00,300.00
2025-10-03T09:59:59+05:30,100450.00,0.00,100450.00,300.00
2025-10-03T10:00:00+05:30,77950.00,22500.00,100450.00,300.00
2025-10-03T11:05:09+05:30,99325.00,0.00,99325.00,1425.00
2025-10-03T15:29:59+05:30,99325.00,0.00,99325.00,1425.00
"""


def test_trades_csv() -> None:
    assert csv_text(trades_frame(make_record(TWO_POSITIONS))) == TRADES_CSV


def test_equity_csv() -> None:
    assert csv_text(equity_frame(make_record(TWO_POSITIONS))) == EQUITY_CSV


@pytest.mark.parametrize("record", [make_record(), rich_record()], ids=["empty", "rich"])
def test_columns_and_types_hold_with_and_without_rows(record: object) -> None:
    trades, equity = trades_frame(record), equity_frame(record)  # type: ignore[arg-type]  # ids need no type
    time = pl.Datetime("ns", "Asia/Kolkata")
    whole, money = pl.Int64, pl.Float64
    assert trades.schema == dict(
        zip(
            TRADE_COLUMNS,
            [whole, whole, pl.String, time, time, money, money, whole, money, money, money, pl.String],
            strict=True,
        )
    )
    assert equity.schema == dict(zip(EQUITY_COLUMNS, [time, money, money, money, money], strict=True))


def test_a_frame_holds_real_times_and_rupees() -> None:
    frame = trades_frame(make_record(TWO_POSITIONS))
    assert frame["entry_time"].dt.hour().to_list() == [9, 9, 10]
    assert frame["entry_price"].to_list() == [290.05, 290.05, 300.0]
    assert frame.filter(pl.col("exit_reason") == "stop_loss")["net_pnl"].item() == -1125.0


def test_every_exit_reason_has_its_name() -> None:
    outs = [Out("10:00:01", 20_000, LOT, reason) for reason in codes.EXIT_NAMES]
    record = make_record([Held("10:00:00", 20_000, LOT * len(outs), outs)])
    assert trades_frame(record)["exit_reason"].to_list() == list(codes.EXIT_NAMES.values())


def test_a_row_bears_the_symbol_of_its_instrument() -> None:
    record = rich_record()
    assert trades_frame(record)["symbol"].to_list() == [record.symbols[0]] * 3 + [record.symbols[1]] * 2


def test_a_symbol_with_a_comma_stays_one_field() -> None:
    held = Held("09:30:00", 20_000, LOT, (Out("09:31:00", 20_005, LOT, codes.STRATEGY_EXIT),), DAY_2)
    rows = csv.reader(io.StringIO(csv_text(trades_frame(make_record([held], symbols=('A,"B"',))))))
    assert [row[2] for row in rows] == ["symbol", 'A,"B"']


def test_amounts_of_any_size_keep_their_paise() -> None:
    record = make_record(TWO_POSITIONS)
    trades = record.trades.copy()
    trades["gross"] = [1, -1, 9_007_199_254_740_991]
    texts = csv_text(trades_frame(make_record(TWO_POSITIONS, trades=trades))).splitlines()
    assert [line.split(",")[8] for line in texts[1:]] == ["0.01", "-0.01", "90071992547409.91"]


def test_rows_keep_the_order_of_their_numbers() -> None:
    assert (np.diff(trades_frame(rich_record())["trade_id"].to_numpy()) == 1).all()
