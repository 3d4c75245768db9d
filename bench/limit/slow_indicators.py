"""The indicators of the default strategy, worked out slowly from the list of all prices so far (paise)."""

from __future__ import annotations

from itertools import pairwise
from math import sqrt


class SlowIndicators:
    """Keeps every price; a window is cut out of the list afresh on every tick."""

    def __init__(self, every_signal: bool) -> None:
        self.every_signal = every_signal
        self.prices: list[int] = []
        self.green = 0
        self.averages: dict[str, float] = {}
        self.percent_ks: list[float] = []
        self.vwap_turnover = self.vwap_volume = 0

    def new_day(self) -> None:
        self.vwap_turnover = self.vwap_volume = 0

    def observe(self, price: int, volume: int) -> None:
        if self.prices:
            self.green = self.green + 1 if price > self.prices[-1] else 0
        self.prices.append(price)
        self.vwap_turnover += price * volume
        self.vwap_volume += volume
        rupees = price / 100.0
        for name, period in (("fast", 18), ("slow", 42), ("macd_fast", 12), ("macd_slow", 26), ("htf", 20)):
            self._smooth(name, rupees, period)
        self.macd = self.averages["macd_fast"] - self.averages["macd_slow"]
        self._smooth("macd_signal", self.macd, 9)
        if self.every_signal:
            self._observe_changes()
            self._observe_windows(price)

    def _smooth(self, name: str, value: float, period: int) -> None:
        before = self.averages.get(name, value)
        self.averages[name] = before + 2 / (period + 1) * (value - before)

    def _observe_changes(self) -> None:
        """Wilder's averages over 14 changes: the mean of the first 14, then a fourteenth of each new one."""
        if len(self.prices) == 15:
            changes = [after - before for before, after in pairwise(self.prices)]
            self.gain = sum(max(change, 0) for change in changes) / 14
            self.loss = sum(max(-change, 0) for change in changes) / 14
            self.range = sum(abs(change) for change in changes) / 14
        elif len(self.prices) > 15:
            change = self.prices[-1] - self.prices[-2]
            self.gain = (self.gain * 13 + max(change, 0)) / 14
            self.loss = (self.loss * 13 + max(-change, 0)) / 14
            self.range = (self.range * 13 + abs(change)) / 14

    def _observe_windows(self, price: int) -> None:
        window = self.prices[-20:]
        self.middle = sum(window) / 20
        self.deviation = sqrt(sum((one - self.middle) ** 2 for one in window) / 20)
        low, high = min(self.prices[-14:]), max(self.prices[-14:])
        self.percent_ks.append(100.0 * (price - low) / (high - low) if high > low else 0.0)
        self.percent_d = sum(self.percent_ks[-3:]) / 3

    def rsi(self) -> float:
        return 100.0 * self.gain / (self.gain + self.loss) if self.gain + self.loss else 0.0

    def first_false_signal(self) -> str | None:
        """The first signal that is false, in the order in which the limit asks them."""
        count, price = len(self.prices), self.prices[-1]
        if not self.averages["fast"] > self.averages["slow"]:
            return "ema"
        if not self.every_signal:
            return None
        checks = {
            "macd": count >= 34 and self.macd > self.averages["macd_signal"],
            "vwap": self.vwap_volume > 0 and price * self.vwap_volume > self.vwap_turnover,
            "rsi": count >= 15 and 30 < self.rsi() < 70,
            "htf": price / 100.0 > self.averages["htf"],
            "bollinger": count >= 20 and abs(price - self.middle) < 2 * self.deviation,
            "stochastic": count >= 16 and self.percent_ks[-1] > self.percent_d,
        }
        return next((name for name, is_true in checks.items() if not is_true), None)
