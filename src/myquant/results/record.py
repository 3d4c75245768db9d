"""The record of a finished run: all that the results are made from. Nothing in it depends on the wall clock."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from myquant.core.records import Account
from myquant.market.charges import ChargeRates


@dataclass(frozen=True)
class OpenPosition:
    """A position that the data left open, valued at its instrument's last price (prices and money in paise)."""

    position_id: int
    symbol: str
    quantity: int
    entry_time_ns: int
    entry_price: int
    last_price: int
    open_pnl: int  # at the last price, before exit charges, less the entry charges not yet carried by exits


@dataclass(frozen=True)
class RejectedExample:
    """Where a rejected tick stood: file and 1-based line (row in a Parquet file or a frame)."""

    file: str
    line: int


@dataclass(frozen=True)
class RunRecord:
    """A finished run.

    `trades`, `openings`, `marks` and `halts` are structured arrays of `core.records.Command` records of the kinds
    TRADE_CLOSED, POSITION_OPENED, MARK and HALTED, in order of their sequence. `counts` has one row of
    `core.codes.COUNTS` int64 per instrument (places: the COUNT_* of core.codes). `account` is the account at the end.
    `rates` holds the charges of every (instrument index, day) on which ticks were seen; `days` those days, ascending.
    """

    symbols: tuple[str, ...]
    time_zone: str
    initial_capital: int  # paise
    account: Account
    trades: np.ndarray
    openings: np.ndarray
    marks: np.ndarray
    halts: np.ndarray
    counts: np.ndarray
    open_positions: tuple[OpenPosition, ...]
    rejected_examples: dict[str, tuple[RejectedExample, ...]]  # by reason
    notices: tuple[str, ...]  # a line for each thing to know beyond the figures
    first_ns: int  # first and last accepted tick
    last_ns: int
    days: tuple[date, ...]
    rates: dict[tuple[int, date], ChargeRates]
    lot_sizes: tuple[int, ...]  # of each instrument on its last day
    freeze_quantities: tuple[int, ...]
    config_toml: str
    config_hash: str
    input_hash: str
    strategy: str
    strategy_file: tuple[str, str] | None  # name and text of a user's file
    engine_hash: str
    versions: dict[str, str]  # myquant, python, numpy, numba, polars
