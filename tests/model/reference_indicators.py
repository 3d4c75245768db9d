"""The indicators of one instrument. Slow and obvious: windows are lists, nothing is carried that can be summed anew.

Prices are paise / 100.0 where the page defines an indicator by a recursion in floats (EMA, HTF, MACD, RSI, ATR) and in
the Stochastic. Bollinger, VWAP, green count and noise band compare sums of integers exactly: a tie is a tie.
"""

from fractions import Fraction

from model.reference_types import ModelSettings


class Ema:
    """Seeded with its first value."""

    def __init__(self, period: int) -> None:
        self.alpha = 2 / (period + 1)
        self.value: float | None = None

    def update(self, x: float) -> float:
        self.value = x if self.value is None else self.value + self.alpha * (x - self.value)
        return self.value


class WilderAverage:
    """None until `length` values came; then their simple mean, smoothed from there."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.first: list[float] = []
        self.value: float | None = None

    def update(self, x: float) -> None:
        if self.value is not None:
            self.value = (self.value * (self.length - 1) + x) / self.length
            return
        self.first.append(x)
        if len(self.first) == self.length:
            self.value = sum(self.first) / self.length


class Vwap:
    """Of one day, from every accepted tick of it."""

    def __init__(self) -> None:
        self.value_traded = 0
        self.volume = 0

    def update(self, price: int, volume: int) -> None:
        self.value_traded += price * volume
        self.volume += volume

    def is_below(self, price: int) -> bool:
        return self.volume > 0 and price * self.volume > self.value_traded


class Indicators:
    """All of an instrument's, but for the VWAP, since the start or the last reset."""

    def __init__(self, settings: ModelSettings) -> None:
        self.settings = settings
        self.n = 0
        self.green = 0
        self.prices: list[int] = []
        self.fast = Ema(settings.fast_ema)
        self.slow = Ema(settings.slow_ema)
        self.htf = Ema(settings.htf_period)
        self.macd_fast = Ema(settings.macd_fast)
        self.macd_slow = Ema(settings.macd_slow)
        self.macd_signal = Ema(settings.macd_signal)
        self.macd = 0.0
        self.gain = WilderAverage(settings.rsi_length)
        self.loss = WilderAverage(settings.rsi_length)
        self.true_range = WilderAverage(settings.atr_len)
        self.percent_k: list[float] = []

    def update(self, price: int, tick_size: int) -> None:
        """Take one accepted price (paise) in."""
        self.n += 1
        x = price / 100.0
        if self.prices:
            self._count_green(price, self.prices[-1], tick_size)
            change = x - self.prices[-1] / 100.0
            self.gain.update(max(change, 0.0))
            self.loss.update(max(-change, 0.0))
            self.true_range.update(abs(change))
        self.prices.append(price)
        for ema in (self.fast, self.slow, self.htf):
            ema.update(x)
        self.macd = self.macd_fast.update(x) - self.macd_slow.update(x)
        self.macd_signal.update(self.macd)
        if self.n >= self.settings.stochastic_k:
            self.percent_k.append(self._percent_k())

    def _count_green(self, price: int, previous: int, tick_size: int) -> None:
        band = Fraction(0)
        if self.settings.noise_filter_enabled:
            by_ticks = tick_size * Fraction(self.settings.noise_filter_min_ticks)
            by_price = previous * Fraction(self.settings.noise_filter_percentage)
            band = max(by_ticks, by_price)
        if price - previous > band:
            self.green += 1
        elif previous - price > band or not self.settings.noise_filter_enabled:
            self.green = 0

    def _percent_k(self) -> float:
        window = self.prices[-self.settings.stochastic_k :]
        low, high, close = min(window), max(window), window[-1]
        return 0.0 if high == low else 100.0 * (close - low) / (high - low)

    def rsi(self) -> float | None:
        gain, loss = self.gain.value, self.loss.value
        if gain is None or loss is None:
            return None
        return 0.0 if gain + loss == 0.0 else 100.0 * gain / (gain + loss)

    def atr(self) -> float | None:
        """Return the average true range in rupees, or None while it is not warm."""
        return self.true_range.value

    def stochastic_d(self) -> float | None:
        d = self.settings.stochastic_d
        return sum(self.percent_k[-d:]) / d if len(self.percent_k) >= d else None

    def _above(self, ema: Ema) -> bool:
        return ema.value is not None and self.prices[-1] / 100.0 > ema.value

    def _ema_up(self) -> bool:
        return self.fast.value is not None and self.slow.value is not None and self.fast.value > self.slow.value

    def _macd_up(self) -> bool:
        warm = self.n >= self.settings.macd_slow + self.settings.macd_signal - 1
        return warm and self.macd_signal.value is not None and self.macd > self.macd_signal.value

    def _rsi_between(self) -> bool:
        rsi = self.rsi()
        return rsi is not None and float(self.settings.rsi_oversold) < rsi < float(self.settings.rsi_overbought)

    def _inside_bollinger(self) -> bool:
        """|price - mean| < std * deviation, squared and multiplied by the square of the window's size."""
        period = self.settings.bollinger_period
        if self.n < period:
            return False
        window = self.prices[-period:]
        total = sum(window)
        variance = period * sum(x * x for x in window) - total * total
        return (period * window[-1] - total) ** 2 < Fraction(self.settings.bollinger_std) ** 2 * variance

    def _stochastic_up(self) -> bool:
        d = self.stochastic_d()
        return d is not None and self.percent_k[-1] > d

    def signals_agree(self, vwap: Vwap) -> bool:
        """Say whether every enabled signal is true now; with none enabled there is none to refuse."""
        s = self.settings
        return (
            (not s.use_ema_crossover or self._ema_up())
            and (not s.use_macd or self._macd_up())
            and (not s.use_vwap or vwap.is_below(self.prices[-1]))
            and (not s.use_rsi_filter or self._rsi_between())
            and (not s.use_htf_trend or self._above(self.htf))
            and (not s.use_bollinger_bands or self._inside_bollinger())
            and (not s.use_stochastic or self._stochastic_up())
        )
