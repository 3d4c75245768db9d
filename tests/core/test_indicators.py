"""The incremental indicators agree with TA-Lib once warm, on random and on real ticks, and never drift."""

from typing import Any, TypeAlias

import numpy as np
import polars as pl
import pytest
import talib

from core.jit import jitted
from myquant.core import indicators, routine
from myquant.core.indicators import Macd, Rsi, Vwap, Window
from myquant.core.records import Atr

Floats: TypeAlias = np.ndarray[Any, Any]

WINDOWED = 1e-9  # relative
RECURSIVE = 1e-6  # relative, from ten periods on: they are seeded in other ways
NO_MACD, NO_RSI, NO_VWAP, NO_WINDOW = Macd(), Rsi(), Vwap(), Window()


@pytest.fixture(params=["quiet", "wild", "real"])
def paise(request: pytest.FixtureRequest) -> Floats:
    """Return a series of prices in paise."""
    if request.param == "real":
        frame = pl.read_csv(request.getfixturevalue("real_day"))
        return np.round(frame["price"].to_numpy() * 100).astype(np.int64)
    rng = np.random.default_rng(5)
    steps = {"quiet": rng.integers(-3, 4, 4000) * 5, "wild": rng.integers(-400, 401, 4000) * 5}[request.param]
    path = 200_000 + np.cumsum(steps)
    return np.maximum(5, path).astype(np.int64)


def agree(found: Floats, wanted: Floats, start: int, tolerance: float, scale: Floats | float | None = None) -> None:
    """Check all values from a place on, relative to the values themselves or to a scale."""
    assert len(found) == len(wanted) > start
    assert np.isfinite(wanted[start:]).all()
    size = np.abs(wanted) if scale is None else np.broadcast_to(scale, wanted.shape)
    assert (np.abs(found - wanted)[start:] <= tolerance * size[start:]).all()


@jitted
def ema_series(prices: Floats, period: int) -> Floats:
    values = np.empty(len(prices))
    value = prices[0]
    for i, price in enumerate(prices):
        value = price if i == 0 else indicators.ema(value, price, period)
        values[i] = value
    return values


@pytest.mark.parametrize("period", [2, 18, 42, 200])
def test_ema(paise: Floats, period: int) -> None:
    prices = paise / 100
    agree(ema_series(prices, period), talib.EMA(prices, period), 10 * period, RECURSIVE)


@jitted
def macd_series(prices: Floats, fast: int, slow: int, signal: int) -> Floats:
    values = np.empty((2, len(prices)))
    macd = NO_MACD
    for i, price in enumerate(prices):
        macd = indicators.update_macd(macd, price, i == 0, fast, slow, signal)
        values[0, i] = indicators.macd_line(macd)
        values[1, i] = macd.signal
    return values


@pytest.mark.parametrize(("fast", "slow", "signal"), [(12, 26, 9), (3, 40, 5)])
def test_macd(paise: Floats, fast: int, slow: int, signal: int) -> None:
    prices = paise / 100
    line, signal_line = macd_series(prices, fast, slow, signal)
    wanted_line, wanted_signal, _ = talib.MACD(prices, fast, slow, signal)
    start = 10 * (slow + signal)
    agree(line, wanted_line, start, RECURSIVE, scale=prices)  # a line about zero: relative to the price
    agree(signal_line, wanted_signal, start, RECURSIVE, scale=prices)


@jitted
def rsi_series(prices: Floats, length: int) -> Floats:
    values = np.full(len(prices), np.nan)
    rsi = NO_RSI
    for i in range(1, len(prices)):
        rsi = indicators.update_rsi(rsi, prices[i] - prices[i - 1], length)
        if rsi.changes >= length:
            values[i] = indicators.rsi_value(rsi)
    return values


@pytest.mark.parametrize("length", [2, 14, 50])
def test_rsi(paise: Floats, length: int) -> None:
    prices = paise / 100
    found, wanted = rsi_series(prices, length), talib.RSI(prices, length)
    assert np.array_equal(np.isnan(found), np.isnan(wanted))  # warm after length + 1 ticks
    agree(found, wanted, length, WINDOWED, scale=100.0)  # seeded alike, so it agrees at once


@jitted
def atr_series(paise: Floats, length: int) -> Floats:
    values = np.full(len(paise), np.nan)
    atr = Atr(0, 0.0)
    for i in range(1, len(paise)):
        atr = routine.update_atr(atr, paise[i], paise[i - 1], length)
        if atr.changes >= length:
            values[i] = atr.value
    return values


@pytest.mark.parametrize("length", [2, 14, 50])
def test_atr_of_ticks(paise: Floats, length: int) -> None:
    prices = paise / 100
    found, wanted = atr_series(paise, length), talib.ATR(prices, prices, prices, length)
    assert np.array_equal(np.isnan(found), np.isnan(wanted))
    agree(found, wanted, length, WINDOWED, scale=prices)


@jitted
def band_series(paise: Floats, period: int, width: float) -> Floats:
    """Return mean, deviation and whether the price is inside the bands, from the n-th tick = period on."""
    values = np.full((3, len(paise)), np.nan)
    memory = np.zeros(period + 3)
    window = NO_WINDOW
    for i, price in enumerate(paise):
        window = indicators.update_window(window, memory, 2, i + 1, price, period)
        if i + 1 >= period:
            values[0, i] = indicators.window_mean(window, period)
            values[1, i] = indicators.window_deviation(window, price, period)
            values[2, i] = indicators.inside_bands(window, price, period, width)
    return values


@pytest.mark.parametrize("period", [2, 20, 200])
def test_bollinger_bands(paise: Floats, period: int) -> None:
    prices = paise / 100
    mean, deviation, _ = band_series(paise, period, 2.0)
    upper, middle, lower = talib.BBANDS(prices, period, nbdevup=2, nbdevdn=2)  # about a simple mean, the default
    start = period - 1
    agree(mean, middle, start, WINDOWED)
    exact = np.full(len(paise), np.nan)
    exact[start:] = np.lib.stride_tricks.sliding_window_view(paise, period).std(axis=1) / 100
    agree(deviation, exact, start, WINDOWED, scale=np.maximum(exact, 1e-3))
    # TA-Lib subtracts squares, which leaves noise where a window is nearly flat: compare where it moves by a tick.
    moves = exact >= 0.05
    agree((mean + 2 * deviation)[moves], upper[moves], 0, WINDOWED)
    agree((mean - 2 * deviation)[moves], lower[moves], 0, WINDOWED, scale=prices[moves])


@pytest.mark.parametrize("width", [0.5, 1.0, 2.0, 2.5])
def test_inside_the_bands_is_what_floats_say_off_the_boundary(paise: Floats, width: float) -> None:
    mean, deviation, inside = (values[19:] for values in band_series(paise, 20, width))
    away = np.abs(paise[19:] / 100 - mean) - width * deviation
    clear = np.abs(away) > 1e-6
    assert np.array_equal(inside[clear] != 0, away[clear] < 0)
    assert 0 < inside.mean() < 1
    assert clear.mean() > 0.9


def test_a_price_on_the_band_is_outside() -> None:
    # of 1, 1, 1, 1, 6 the mean is 2 and the deviation 2: the last price lies exactly two deviations above
    paise = np.array([100, 100, 100, 100, 600])
    mean, deviation, inside = band_series(paise, 5, 2.0)
    assert (mean[-1], deviation[-1], inside[-1]) == (2.0, 2.0, 0)
    assert band_series(paise, 5, 2.0000001)[2][-1] == 1


@jitted
def stochastic_series(paise: Floats, k_period: int, d_period: int) -> Floats:
    values = np.empty((2, len(paise)))
    memory = np.zeros(k_period + d_period + 3)
    for i, price in enumerate(paise):
        k = indicators.stochastic_k(memory, 1, i + 1, price, k_period)
        values[0, i] = k
        values[1, i] = indicators.rolling_mean(memory, k_period + 2, i + 1, k, d_period)
    return values


@pytest.mark.parametrize(("k_period", "d_period"), [(14, 3), (1, 1), (5, 50), (200, 2)])
def test_fast_stochastic(paise: Floats, k_period: int, d_period: int) -> None:
    prices = paise / 100
    k, d = stochastic_series(paise, k_period, d_period)
    wanted_k, wanted_d = talib.STOCHF(prices, prices, prices, k_period, d_period)  # %D: a simple mean, the default
    start = k_period + d_period - 2
    assert np.flatnonzero(np.isfinite(wanted_d))[0] == start  # warm after k + d - 1 ticks
    agree(k, wanted_k, start, WINDOWED, scale=100.0)
    agree(d, wanted_d, start, WINDOWED, scale=100.0)


@jitted
def vwap_series(paise: Floats, volume: Floats, first_of_day: Floats) -> Floats:
    values = np.full(len(paise), np.nan)
    vwap = NO_VWAP
    for i in range(len(paise)):
        vwap = indicators.update_vwap(vwap, paise[i], volume[i], first_of_day[i])
        if vwap.volume > 0:
            values[i] = vwap.turnover / vwap.volume / 100
    return values


def test_vwap_starts_anew_each_day(paise: Floats) -> None:
    rng = np.random.default_rng(3)
    volume = rng.integers(0, 20, len(paise)) * 75
    starts = [0, len(paise) // 3, 2 * len(paise) // 3]
    first_of_day = np.zeros(len(paise), bool)
    first_of_day[starts] = True
    found = vwap_series(paise, volume, first_of_day)
    for day in zip(starts, [*starts[1:], len(paise)], strict=True):
        part = slice(*day)
        units = np.cumsum(volume[part])
        with np.errstate(invalid="ignore"):  # no volume yet: none
            wanted = np.cumsum(paise[part] * volume[part]) / units / 100
        np.testing.assert_allclose(found[part], wanted, rtol=WINDOWED)


def test_flat_prices() -> None:
    flat = np.full(300, 12_345)
    mean, deviation, inside = (values[-1] for values in band_series(flat, 20, 2.0))
    assert (mean, deviation, inside) == (123.45, 0.0, 0)
    assert stochastic_series(flat, 14, 3)[:, -1].tolist() == [0.0, 0.0]
    assert rsi_series(flat / 100, 14)[-1] == 0.0
    assert atr_series(flat, 14)[-1] == 0.0
    assert macd_series(flat / 100, 12, 26, 9)[:, -1].tolist() == [0.0, 0.0]
    assert ema_series(flat / 100, 18)[-1] == 123.45


@jitted
def final_window(paise: Floats, period: int, first: int) -> tuple[int, int, float]:
    """Return the sums and the deviation at the end of the series when counting begins at a place."""
    memory = np.zeros(period)
    window = NO_WINDOW
    for i, price in enumerate(paise[first:]):
        window = indicators.update_window(window, memory, 0, i + 1, price, period)
    return window.total, window.squares, indicators.window_deviation(window, paise[-1], period)


def test_a_million_ticks_leave_the_window_as_a_fresh_one_would_be() -> None:
    rng = np.random.default_rng(9)
    paise = (10_000_000 + np.cumsum(rng.integers(-2, 3, 1_000_000) * 5)).astype(np.int64)
    long, fresh = final_window(paise, 200, 0), final_window(paise, 200, len(paise) - 200)
    assert long == fresh
    assert long[2] == pytest.approx(paise[-200:].std() / 100, rel=WINDOWED)
