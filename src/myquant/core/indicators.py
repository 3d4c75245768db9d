"""Incremental indicators on prices in rupees: small states, pure updates.

They agree with TA-Lib once warm (tests/core/test_indicators.py). Windows live in a strategy's memory, a float64 array;
each function that needs one says how many places it takes.
"""

from typing import NamedTuple

import numpy as np

from myquant.core.compiled import inlined


@inlined
def ema(value: float, price: float, period: int) -> float:
    """Return the exponential moving average after `price`: value + 2 / (period + 1) * (price - value)."""
    return value + 2.0 / (period + 1) * (price - value)


@inlined
def wilder(value: float, changes: int, x: float, length: int) -> float:
    """Return Wilder's average after its `changes`-th value x: a plain mean up to `length` values, smoothed from there.

    Before `length` values it holds their sum, so the caller must not read it (J. W. Wilder, New Concepts, 1978).
    """
    if changes > length:
        return (value * (length - 1) + x) / length
    return (value + x) / length if changes == length else value + x


class Macd(NamedTuple):
    """Moving average convergence and divergence; warm after slow + signal - 1 ticks."""

    fast: float = 0.0
    slow: float = 0.0
    signal: float = 0.0


@inlined
def macd_line(macd: Macd) -> float:
    """Return the fast less the slow average."""
    return macd.fast - macd.slow


@inlined
def update_macd(macd: Macd, price: float, first: bool, fast: int, slow: int, signal: int) -> Macd:
    """Return MACD after a price; the averages are seeded with the first price, the signal with the first line (0)."""
    if first:
        return Macd(price, price, 0.0)
    fast_value = ema(macd.fast, price, fast)
    slow_value = ema(macd.slow, price, slow)
    return Macd(fast_value, slow_value, ema(macd.signal, fast_value - slow_value, signal))


class Rsi(NamedTuple):
    """Wilder's relative strength index; warm after length + 1 ticks."""

    changes: int = 0
    gain: float = 0.0
    loss: float = 0.0


@inlined
def update_rsi(rsi: Rsi, change: float, length: int) -> Rsi:
    """Return the RSI's averages after a price change in rupees."""
    changes = rsi.changes + 1
    gain = wilder(rsi.gain, changes, max(change, 0.0), length)
    loss = wilder(rsi.loss, changes, max(-change, 0.0), length)
    return Rsi(changes, gain, loss)


@inlined
def rsi_value(rsi: Rsi) -> float:
    """Return 100 * gain / (gain + loss), and 0 where nothing has moved (as TA-Lib does)."""
    moved = rsi.gain + rsi.loss
    return 100.0 * rsi.gain / moved if moved > 0.0 else 0.0


class Vwap(NamedTuple):
    """The day's volume-weighted average price, in exact sums of paise * units and of units."""

    turnover: int = 0
    volume: int = 0


@inlined
def update_vwap(vwap: Vwap, price_paise: int, volume: int, new_day: bool) -> Vwap:
    """Return the day's sums after a print."""
    if new_day:
        return Vwap(price_paise * volume, volume)
    return Vwap(vwap.turnover + price_paise * volume, vwap.volume + volume)


class Window(NamedTuple):
    """Exact sums over the last `period` prices, in paise: modulo 2^64, so that they neither drift nor overflow."""

    total: int = 0
    squares: int = 0


@inlined
def update_window(window: Window, memory: np.ndarray, start: int, n: int, price: int, period: int) -> Window:
    """Return the sums with the n-th price in and the (n - period)-th out. Memory: `period` places from `start`.

    Prices are below 2^53 paise, so a float64 holds them exactly.
    """
    place = start + (n - 1) % period
    out = int(memory[place]) if n > period else 0
    memory[place] = price
    return Window(window.total + price - out, window.squares + price * price - out * out)


@inlined
def window_mean(window: Window, period: int) -> float:
    """Return the mean of the window in rupees."""
    return window.total / period / 100.0


@inlined
def window_deviation(window: Window, price: int, period: int) -> float:
    """Return the population standard deviation of the window in rupees.

    The sums are taken about the latest price first, in integers, so no digits cancel.
    """
    total = window.total - period * price
    squares = window.squares - 2 * price * window.total + period * price * price
    return float(np.sqrt(float(period * squares - total * total))) / period / 100.0


@inlined
def stochastic_k(memory: np.ndarray, start: int, n: int, price: int, period: int) -> float:
    """Return fast %K of the last `period` prices, 0 where they are all equal. Memory: `period` places from `start`."""
    memory[start + (n - 1) % period] = price
    low = high = float(price)
    for i in range(start, start + min(n, period)):
        low = min(low, memory[i])
        high = max(high, memory[i])
    return 100.0 * (price - low) / (high - low) if high > low else 0.0


@inlined
def rolling_mean(memory: np.ndarray, start: int, n: int, value: float, period: int) -> float:
    """Return the mean of the last `period` values, the oldest first. Memory: `period` places from `start`."""
    memory[start + (n - 1) % period] = value
    total = 0.0
    for i in range(n, n + min(n, period)):
        total += memory[start + i % period]
    return total / period


@inlined
def inside_bands(window: Window, price: int, period: int, width: float) -> bool:
    """Return whether the price lies inside `width` population deviations of the window's mean.

    Compared in squares of whole numbers, so that a price exactly on a band is outside, whatever floats would say.
    """
    away = period * price - window.total
    squares = window.squares - 2 * price * window.total + period * price * price
    spread = period * squares - away * away  # (period * deviation)^2
    return float(away * away) < width * width * float(spread)
