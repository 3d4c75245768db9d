"""The Python interface: a backtest in one call, and what comes of it."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from myquant import compose
from myquant.config.loading import LoadedConfig, load_config
from myquant.errors import ConfigError
from myquant.results.record import RunRecord
from myquant.results.summary import summary
from myquant.results.trades import equity_frame, trades_frame
from myquant.results.write import write_results
from myquant.strategies.loading import LoadedStrategy, load_strategy
from myquant.ticks.batch import TickBatch
from myquant.ticks.source import TickSource, open_ticks

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

PathLike: TypeAlias = "str | Path"
Frame: TypeAlias = "pl.DataFrame | pd.DataFrame"
Config: TypeAlias = "PathLike | Mapping[str, Any] | None"

HEADLINES = (
    ("Net P&L", "net_pnl"),
    ("Gross P&L", "gross_pnl"),
    ("Charges", "charges"),
    ("Final equity", "final_equity"),
    ("Return, %", "return_percent"),
    ("Trades", "trades"),
    ("Win rate, %", "win_rate_percent"),
    ("Profit factor", "profit_factor"),
    ("Max. drawdown", "max_drawdown"),
    ("Exposure, %", "exposure_percent"),
)
