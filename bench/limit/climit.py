"""Compile the plain C loops of this folder and run them on NumPy columns.

Times are int64 ns since the epoch (UTC), prices int64 paise (float64 rupees in the reduced job), money paise.
"""

from __future__ import annotations

import ctypes
import subprocess
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from bench.limit.ticks import Ticks

    Int64s = npt.NDArray[np.int64]
    Records = npt.NDArray[np.void]

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent / "out" / "limit"
# No -march and no -ffast-math; contraction is off so that a machine with fused multiply-add gives the same bits.
CFLAGS = ("-O3", "-std=c11", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off", "-shared", "-fPIC")
SOURCES = ("reduced", "default", "indicators")

DAY_NS = 86_400_000_000_000
MINUTE_NS = 60_000_000_000
IST_OFFSET_NS = 330 * MINUTE_NS

MAX_TIERS = 8
EXIT_REASONS = {1: "session_end", 2: "stop_loss", 3: "trailing_stop"} | {
    4 + tier: f"take_profit_{tier + 1}" for tier in range(MAX_TIERS)
}
STATUSES = {1: "a tick's day is not in the day table", 2: "the trade buffer is full", 3: "a window is too long"}

DAY = np.dtype([(name, "i8") for name in ("start_ns", "end_ns", "entry_open_ns", "entry_close_ns", "flatten_ns")])
TRADE = np.dtype(
    [
        (name, "i8")
        for name in (
            *("trade_id", "position_id", "entry_time_ns", "exit_time_ns", "entry_price", "exit_price", "quantity"),
            *("gross", "charges", "net", "reason"),
        )
    ]
)
RULES = np.dtype(
    [
        *((name, "i8") for name in ("initial_cash", "lot_size", "tick_size", "slippage", "position_ppm")),
        *((name, "i8") for name in ("warmup_ticks", "max_entries_per_day", "green_ticks", "green_ticks_after_stop")),
        *((name, "i8") for name in ("stop_points", "trail_activation", "trail_distance", "tiers")),
        *((name, "i8", (MAX_TIERS,)) for name in ("tier_points", "tier_ppm")),
        *((name, "i8") for name in ("commission_ppb", "commission_least", "stt_ppb", "exchange_ppb", "gst_ppb")),
        *((f"{name}_period", "i8") for name in ("fast", "slow", "macd_fast", "macd_slow", "macd_signal", "rsi", "htf")),
        *((f"{name}_period", "i8") for name in ("bollinger", "stochastic_k", "stochastic_d", "atr")),
        *((name, "f8") for name in ("rsi_oversold", "rsi_overbought", "bollinger_deviations")),
    ]
)
GATES = ("warmup", "session", "entries", "green", "ema", "macd", "vwap", "rsi", "htf", "bollinger", "stochastic")
RESULT = np.dtype(
    [
        *((name, "i8") for name in ("status", "cash", "trades", "positions", "gross", "charges", "net")),
        *((name, "i8") for name in ("accepted", "rejected_price", "rejected_time", "off_grid", "ticks_in_position")),
        *((f"gate_{name}", "i8") for name in GATES),
        *((name, "i8") for name in ("denied_no_lot", "denied_no_cash", "equity_peak", "drawdown_max")),
        *((name, "i8") for name in ("open_quantity", "open_entry_price", "open_entry_time_ns")),
        *((name, "f8") for name in ("ema_fast", "ema_slow", "macd", "macd_signal", "vwap", "rsi", "htf")),
        *((name, "f8") for name in ("bollinger_middle", "bollinger_deviation", "stochastic_k", "stochastic_d", "atr")),
    ]
)
REDUCED_RULES = np.dtype(
    [
        *((name, "f8") for name in ("cash", "cash_fraction", "fee_fraction", "stop_points", "target_points")),
        *((name, "f8") for name in ("trail_activation_points", "trail_distance_points")),
        *((name, "i8") for name in ("fast_period", "slow_period", "green_ticks", "warmup_ticks", "lot_size")),
        *((name, "i8") for name in ("utc_offset_ns", "open_ns", "close_ns")),
    ]
)
REDUCED_RESULT = np.dtype(
    [*((name, "f8") for name in ("cash", "fast", "slow", "open_entry")), ("trades", "i8"), ("open_quantity", "i8")]
)

REDUCED_DEFAULTS: dict[str, float] = {
    "cash": 100_000.0,
    "cash_fraction": 0.3,
    "fee_fraction": 0.0003,
    "stop_points": 15.0,
    "target_points": 12.0,
    "trail_activation_points": 5.0,
    "trail_distance_points": 5.0,
    "fast_period": 18,
    "slow_period": 42,
    "green_ticks": 3,
    "warmup_ticks": 50,
    "lot_size": 75,
    "utc_offset_ns": IST_OFFSET_NS,
    "open_ns": (9 * 60 + 20) * MINUTE_NS,
    "close_ns": (15 * 60 + 10) * MINUTE_NS,
}
DEFAULTS: dict[str, Any] = {
    "initial_cash": 10_000_000,
    "lot_size": 75,
    "tick_size": 5,
    "slippage": 0,
    "position_ppm": 300_000,
    "warmup_ticks": 50,
    "max_entries_per_day": 100,
    "green_ticks": 3,
    "green_ticks_after_stop": 4,
    "stop_points": 1_500,
    "trail_activation": 500,
    "trail_distance": 500,
    "tiers": 4,
    "tier_points": [500, 1_200, 2_000, 3_000, 0, 0, 0, 0],
    "tier_ppm": [400_000, 300_000, 200_000, 100_000, 0, 0, 0, 0],
    "commission_ppb": 300_000,
    "commission_least": 0,
    "stt_ppb": 250_000,
    "exchange_ppb": 30_000,
    "gst_ppb": 180_000_000,
    "fast_period": 18,
    "slow_period": 42,
    "macd_fast_period": 12,
    "macd_slow_period": 26,
    "macd_signal_period": 9,
    "rsi_period": 14,
    "htf_period": 20,
    "bollinger_period": 20,
    "stochastic_k_period": 14,
    "stochastic_d_period": 3,
    "atr_period": 14,
    "rsi_oversold": 30.0,
    "rsi_overbought": 70.0,
    "bollinger_deviations": 2.0,
}


@dataclass(frozen=True)
class ReducedRun:
    """What the reduced job came to; money in rupees, `seconds` of the C call alone."""

    trades: int
    net_pnl: float
    open_quantity: int
    seconds: float


@dataclass(frozen=True)
class Run:
    """A run of the default strategy: one RESULT record, the TRADE records, `seconds` of the C call alone."""

    result: Records
    trades: Records
    seconds: float


def compile_limit() -> dict[str, Any]:
    """Compile each C source that is newer than its library; return the loaded functions by name."""
    BUILD.mkdir(parents=True, exist_ok=True)
    newest_header = max(path.stat().st_mtime for path in (*HERE.glob("*.h"), Path(__file__)))
    functions = {}
    for name in SOURCES:
        source, library = HERE / f"{name}.c", BUILD / f"{name}.so"
        if not library.exists() or library.stat().st_mtime < max(newest_header, source.stat().st_mtime):
            subprocess.run(["cc", *CFLAGS, "-o", library, source, "-lm"], check=True)
        function = getattr(ctypes.CDLL(str(library)), f"run_{name}")
        function.restype = None
        functions[name] = function
    return functions


def reduced_rules(**changes: float) -> Records:
    """The reduced job's rules: one REDUCED_RULES record."""
    return _record(REDUCED_RULES, REDUCED_DEFAULTS | changes)


def default_rules(**changes: Any) -> Records:
    """The default strategy's rules for a NIFTY option: one RULES record; levels in paise, rates as whole fractions."""
    return _record(RULES, DEFAULTS | changes)


def _record(dtype: np.dtype[np.void], values: dict[str, Any]) -> Records:
    record = np.zeros((), dtype)
    for name, value in values.items():
        record[name] = value
    return record


def day_table(time_ns: Int64s) -> Records:
    """One DAY record per Indian calendar day that the ticks touch, with the default session's bounds."""
    dates = np.unique((time_ns + IST_OFFSET_NS) // DAY_NS)
    days = np.zeros(len(dates), DAY)
    midnight_ns = dates * DAY_NS - IST_OFFSET_NS
    days["start_ns"] = midnight_ns
    days["end_ns"] = midnight_ns + DAY_NS
    days["entry_open_ns"] = midnight_ns + (9 * 60 + 20) * MINUTE_NS  # 09:15 and the start buffer
    days["flatten_ns"] = midnight_ns + (15 * 60 + 10) * MINUTE_NS  # 15:30 less the end buffer
    days["entry_close_ns"] = days["flatten_ns"]
    return days


def _pointer(array: npt.NDArray[Any], dtype: npt.DTypeLike) -> ctypes.c_void_p:
    if array.dtype != dtype or not array.flags.c_contiguous:
        raise TypeError(f"expected a contiguous array of {np.dtype(dtype)}, got {array.dtype}")
    return ctypes.c_void_p(array.ctypes.data)


def run_reduced(time_ns: Int64s, price: npt.NDArray[np.float64], rules: Records | None = None) -> ReducedRun:
    """Run the reduced job on prices in rupees."""
    function = compile_limit()["reduced"]
    rules = reduced_rules() if rules is None else rules
    result = np.zeros((), REDUCED_RESULT)
    arguments = (
        _pointer(time_ns, np.int64),
        _pointer(price, np.float64),
        ctypes.c_int64(len(price)),
        _pointer(rules, REDUCED_RULES),
        _pointer(result, REDUCED_RESULT),
    )
    began = perf_counter()
    function(*arguments)
    seconds = perf_counter() - began
    quantity = int(result["open_quantity"])
    cash = float(result["cash"]) + (quantity * float(price[-1]) if quantity else 0.0)
    return ReducedRun(int(result["trades"]), cash - float(rules["cash"]), quantity, seconds)


def _run(name: str, ticks: Ticks, rules: Records | None, days: Records | None, capacity: int) -> Run:
    function = compile_limit()[name]
    rules = default_rules() if rules is None else rules
    days = day_table(ticks.time_ns) if days is None else days
    trades, result = np.zeros(capacity, TRADE), np.zeros((), RESULT)
    arguments = (
        *(_pointer(column, np.int64) for column in (ticks.time_ns, ticks.price_paise, ticks.volume)),
        ctypes.c_int64(len(ticks)),
        _pointer(days, DAY),
        ctypes.c_int64(len(days)),
        _pointer(rules, RULES),
        _pointer(trades, TRADE),
        ctypes.c_int64(capacity),
        _pointer(result, RESULT),
    )
    began = perf_counter()
    function(*arguments)
    seconds = perf_counter() - began
    if status := int(result["status"]):
        raise ValueError(f"run_{name}: {STATUSES[status]}")
    return Run(result, trades[: int(result["trades"])], seconds)


def run_default(
    ticks: Ticks, rules: Records | None = None, days: Records | None = None, capacity: int = 1 << 16
) -> Run:
    """Run the default strategy with the whole accounting; ValueError if the days or the buffer do not suffice."""
    return _run("default", ticks, rules, days, capacity)


def run_indicators(
    ticks: Ticks, rules: Records | None = None, days: Records | None = None, capacity: int = 1 << 16
) -> Run:
    """The same with every indicator updated on every tick and every signal asked."""
    return _run("indicators", ticks, rules, days, capacity)
