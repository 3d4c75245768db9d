"""The indicators that a strategy of your own may use; docs/strategies.md has the table.

Each is a small state and a pure update. They are compiled with the strategy, so they are not for calling from Python.
"""

from myquant.core.indicators import (
    Macd,
    Rsi,
    Vwap,
    Window,
    ema,
    inside_bands,
    macd_line,
    rolling_mean,
    rsi_value,
    stochastic_k,
    update_macd,
    update_rsi,
    update_vwap,
    update_window,
    wilder,
    window_deviation,
    window_mean,
)

__all__ = [
    "Macd",
    "Rsi",
    "Vwap",
    "Window",
    "ema",
    "inside_bands",
    "macd_line",
    "rolling_mean",
    "rsi_value",
    "stochastic_k",
    "update_macd",
    "update_rsi",
    "update_vwap",
    "update_window",
    "wilder",
    "window_deviation",
    "window_mean",
]
